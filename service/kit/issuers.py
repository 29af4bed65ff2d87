"""The numbers of the keys that make voucher codes, with their times: a file beside the root keys, never in the database.

A number's secret is derived from a root, so that the recovery sheet of the roots is enough to bring it back. The file says
which numbers exist, from when and until when each is good, and which were withdrawn. Without the file every root has its own
number, good for ever. A running service looks at the file again as soon as it changes: a number withdrawn by the command is
refused with the next scan.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from redemption import CodeKeys
from service.kit.crypto import Keyring, KeysUnreadable, write_private

ISSUER_FILE = "linli-issuers.json"
PURPOSE = "voucher"
NUMBER_MOST = 255
ROTATION_AHEAD = timedelta(hours=80)
"""A new number makes codes only when every phone that holds a lease has heard of it: a lease, and a window of the phone's codes."""
OLD_KEPT = timedelta(days=400)
"""For how long after a rotation the old number's codes are still good."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One number: good from `valid_from` until before `valid_until`, and not at all once it was revoked."""

    number: int
    root: int
    valid_from: datetime
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    reason: str = ""

    def is_good(self, now: datetime) -> bool:
        """Whether codes under it are still taken."""
        return self.revoked_at is None and (self.valid_until is None or now < self.valid_until)


class IssuerUnknown(Exception):
    """There is no such number, or it was withdrawn before."""


class NumbersUsedUp(Exception):
    """A number has eight bits, and all were given."""


def issuers(keyring: Keyring) -> Sequence[Issuer]:
    """Every number, lowest first."""
    if keyring.folder is not None:
        path = keyring.folder / ISSUER_FILE
        try:
            mark = path.stat()
        except FileNotFoundError:
            pass
        else:
            return _read(path, (mark.st_mtime_ns, mark.st_ino, mark.st_size))
    return [Issuer(root, root, BEGINNING) for root in sorted(keyring.roots)]


def secrets_of(keyring: Keyring) -> Mapping[int, bytes]:
    """The secret of every number. One that has a root's number is what that root always made codes with."""
    return {
        each.number: keyring.key(PURPOSE if each.number == each.root else f"{PURPOSE}/{each.number}", each.root)
        for each in issuers(keyring)
    }


def rotate(keyring: Keyring, *, now: datetime, ahead: timedelta = ROTATION_AHEAD, kept: timedelta = OLD_KEPT) -> Issuer:
    """Give a new number that makes codes after `ahead`; the ones before are good for `kept` longer."""
    found = issuers(keyring)
    taken = {each.number for each in found} | set(keyring.roots)
    number = max(taken) + 1
    if number > NUMBER_MOST:
        raise NumbersUsedUp
    made = Issuer(number, keyring.current, now + ahead)
    until = made.valid_from + kept
    older = [replace(each, valid_until=each.valid_until or until) for each in found]
    _write(keyring, [*older, made])
    return made


def revoke(keyring: Keyring, number: int, *, reason: str, now: datetime) -> Issuer | None:
    """Withdraw a number at once. When no other one is good now, a new one is, which is answered."""
    found = issuers(keyring)
    if not any(each.number == number and each.revoked_at is None for each in found):
        raise IssuerUnknown
    left = [replace(each, revoked_at=now, reason=reason) if each.number == number else each for each in found]
    _write(keyring, left)
    if any(each.is_good(now) and each.valid_from <= now and each.valid_until is None for each in left):
        return None
    return rotate(keyring, now=now, ahead=timedelta(0))


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@lru_cache(maxsize=8)
def _read(path: Path, _mark: tuple[int, int, int]) -> Sequence[Issuer]:
    try:
        return tuple(
            Issuer(
                int(each["number"]),
                int(each["root"]),
                datetime.fromisoformat(each["from"]),
                _instant(each["until"]),
                _instant(each["revoked"]),
                str(each["reason"]),
            )
            for each in json.loads(path.read_text())["issuers"]
        )
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise KeysUnreadable(str(path)) from problem


def _write(keyring: Keyring, found: Sequence[Issuer]) -> None:
    assert keyring.folder is not None, "only keys that lie in a folder can be changed"
    said = [
        {
            "number": each.number,
            "root": each.root,
            "from": each.valid_from.isoformat(),
            "until": each.valid_until.isoformat() if each.valid_until else None,
            "revoked": each.revoked_at.isoformat() if each.revoked_at else None,
            "reason": each.reason,
        }
        for each in sorted(found, key=lambda each: each.number)
    ]
    write_private(keyring.folder, ISSUER_FILE, json.dumps({"issuers": said}, indent=1, ensure_ascii=False))


def code_keys(keyring: Keyring, now: datetime) -> CodeKeys:
    """The keys of voucher codes: today's, and those of codes still around."""
    known = issuers(keyring)
    good = [each for each in known if each.is_good(now)]
    begun = [each for each in good if each.valid_from <= now] or good
    made = secrets_of(keyring)
    return CodeKeys(
        current=max(begun, key=lambda each: (each.valid_from, each.number)).number,
        keys={each.number: made[each.number] for each in good},
        since={each.number: int(each.valid_from.timestamp()) for each in good},
        revoked=frozenset(each.number for each in known if each.revoked_at is not None),
    )
