"""Who looks at alarms, how calls are drawn, how hours are written. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from redemption import Hours
from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotFound

READERS = (Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)
DECIDERS = (Role.FINANCE, Role.APPROVER)
CALLERS = (Role.STAFF, Role.FINANCE)
CALL_READERS = (Role.STAFF, *READERS)
AT_ONCE_MAX = 500
"""So many uses are decided at one press."""
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class CallState(StrEnum):
    """What came of a call."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DENIED = "denied"
    UNREACHED = "unreached"


@dataclass(eq=False)
class CallNotFound(NotFound):
    """No such call in this community."""

    code: ClassVar[str] = "alarms.call_not_found"


@dataclass(eq=False)
class CallDone(Conflict):
    """Somebody wrote down already what came of it."""

    code: ClassVar[str] = "alarms.call_done"


@dataclass(eq=False)
class OwnCall(Conflict):
    """Nobody calls themselves, or about what they scanned."""

    code: ClassVar[str] = "alarms.own_call"


@dataclass(eq=False)
class ShopNotFound(NotFound):
    """No such shop, or not theirs."""

    code: ClassVar[str] = "alarms.shop_not_found"


def drawn(seed: UUID, uses: Iterable[tuple[int, int]], per_mille: int) -> Sequence[tuple[int, int]]:
    """Which of a day's uses (voucher, seq) are called about: so many in a thousand, rounded up.

    By a seed with which anybody can draw again: the lowest SHA-256 of "seed:voucher:seq".
    """
    known = list(uses)
    wanted = -(-len(known) * per_mille // 1000)

    def lot(use: tuple[int, int]) -> bytes:
        return hashlib.sha256(f"{seed}:{use[0]}:{use[1]}".encode()).digest()

    return sorted(known, key=lot)[:wanted]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A use whose receipt could have been read, and whether it was."""

    use: tuple[int, int]
    is_read: bool


def unread_rows(receipts: Iterable[Receipt], most: int) -> Mapping[tuple[int, int], int]:
    """Of a shop's receipts, oldest first, the uses that make a row of unread ones `most` long or longer, with their place in it."""
    found, place = {}, 0
    for receipt in receipts:
        place = 0 if receipt.is_read else place + 1
        if place >= most:
            found[receipt.use] = place
    return found


def use_name(voucher_id: int, use_seq: int) -> str:
    """A use as one word, for forms and addresses."""
    return f"{voucher_id}-{use_seq}"


def uses_of(names: Sequence[str]) -> Sequence[tuple[int, int]]:
    """The uses that were picked. Raises Invalid for none, too many, or a word that is none."""
    if not 1 <= len(names) <= AT_ONCE_MAX:
        raise Invalid({"ids": "pick_some"})
    found = []
    for name in names:
        match = re.fullmatch(r"([0-9]{1,19})-([0-9]{1,9})", name)
        if match is None or int(match[1]) >= 2**63:
            raise Invalid({"ids": "pick_some"})
        found.append((int(match[1]), int(match[2])))
    return found


def hours_of(weekday: int, written: str, field: str) -> Sequence[Hours]:
    """`08:00-12:00 14:00-20:00` of one weekday; nothing is closed. Raises Invalid for what cannot be read."""
    spans = []
    for span in re.split(r"[\s,，、;；]+", written.strip()):
        if not span:
            continue
        match = re.fullmatch(r"([01]?\d|2[0-3])[:：]([0-5]\d)[-－–~～至]([01]?\d|2[0-4])[:：]([0-5]\d)", span)
        if match is None:
            raise Invalid({field: "opening_hours"})
        opens, closes = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if not opens < closes <= 24 * 60:
            raise Invalid({field: "opening_hours"})
        spans.append(Hours(weekday, opens, closes))
    return spans


def written(hours: Iterable[Hours], weekday: int) -> str:
    """The hours of a weekday as they are typed."""
    return " ".join(
        f"{each.opens // 60:02}:{each.opens % 60:02}-{each.closes // 60:02}:{each.closes % 60:02}"
        for each in sorted(hours)
        if each.weekday == weekday
    )
