"""keys codes, keys rotate, keys revoke: the numbers of the keys that voucher codes are made with."""

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from service.cli.places import CommandRefused, keys, say
from service.kit.crypto import Keyring
from service.kit.issuers import (
    OLD_KEPT,
    ROTATION_AHEAD,
    Issuer,
    IssuerUnknown,
    NumbersUsedUp,
    issuers,
    revoke,
    rotate,
)
from service.kit.settings import Settings

HOUR = timedelta(hours=1)


def add_to(verbs: Any) -> None:
    """The commands of this module, under `linli keys`."""
    shown = verbs.add_parser("codes", help="list the keys that voucher codes are made with")
    shown.set_defaults(do=list_numbers)
    turn = verbs.add_parser("rotate", help="give the codes of vouchers a new key, once every shop's phone knows of it")
    turn.add_argument("--after-hours", type=int, default=ROTATION_AHEAD // HOUR, help="default: %(default)s")
    turn.add_argument(
        "--keep-days",
        type=int,
        default=OLD_KEPT.days,
        help="how long the old key's papers stay good; default: %(default)s",
    )
    turn.set_defaults(do=rotate_key)
    gone = verbs.add_parser("revoke", help="a key got out: refuse every code under its number from now on")
    gone.add_argument("number", type=int)
    gone.add_argument("--reason", required=True)
    gone.set_defaults(do=revoke_key)


def list_numbers(_chosen: argparse.Namespace) -> int:
    """One line for each number."""
    now = datetime.now(UTC)
    for each in issuers(keys(Settings())):
        say(f"{each.number}: {_state(each, now)}")
    return 0


def rotate_key(chosen: argparse.Namespace) -> int:
    """A new number from some hours on; papers of the old ones stay good for a while."""
    if chosen.after_hours < 0 or chosen.keep_days < 1:
        raise CommandRefused("hours cannot be negative, and old papers need a day at least")
    made = _numbered(keys(Settings()), ahead=timedelta(hours=chosen.after_hours), kept=timedelta(days=chosen.keep_days))
    say(f"{made.number}: makes codes from {made.valid_from.isoformat(timespec='minutes')}")
    return 0


def revoke_key(chosen: argparse.Namespace) -> int:
    """A running service refuses the number's codes with the next scan; phones show codes of another one at once."""
    try:
        made = revoke(keys(Settings()), chosen.number, reason=chosen.reason, now=datetime.now(UTC))
    except IssuerUnknown as unknown:
        raise CommandRefused(f"there is no number {chosen.number} that codes are taken under") from unknown
    except NumbersUsedUp as full:
        raise CommandRefused("all 255 numbers are used up") from full
    say(f"{chosen.number}: every code under it is refused from now on.")
    if made is not None:
        say(f"{made.number}: makes the codes now.")
    say("Papers printed under it are dead: print them again from the list of batches (docs/runbook.md).")
    return 0


def _numbered(keyring: Keyring, *, ahead: timedelta, kept: timedelta) -> Issuer:
    try:
        return rotate(keyring, now=datetime.now(UTC), ahead=ahead, kept=kept)
    except NumbersUsedUp as full:
        raise CommandRefused("all 255 numbers are used up") from full


def _state(each: Issuer, now: datetime) -> str:
    if each.revoked_at is not None:
        return f"revoked {each.revoked_at.isoformat(timespec='minutes')} ({each.reason})"
    words = [
        "makes codes"
        if each.valid_from <= now and each.valid_until is None
        else "good"
        if each.valid_from <= now
        else "not yet",
        f"from {each.valid_from.isoformat(timespec='minutes')}",
    ]
    if each.valid_until is not None:
        words.append(f"until {each.valid_until.isoformat(timespec='minutes')}")
    return " ".join(words) if each.is_good(now) else f"over since {each.valid_until}"
