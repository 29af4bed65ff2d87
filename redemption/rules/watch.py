"""What the watch over uses looks for, as a table that a person can read. The same rules in sets stand in sql/watch.sql."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from redemption.rules.states import AlarmRule


@dataclass(frozen=True, slots=True)
class WatchRule:
    """One rule: what it sees, in which measure, and the name of its threshold; no name where nothing is counted."""

    rule: AlarmRule
    sees: str
    measure: str
    threshold: str | None


WATCH: Final = (
    WatchRule(
        AlarmRule.OUTSIDE_HOURS,
        "a use before the shop opens or after it closes, by the hours its owner had set by that day; none where none were set",
        "minutes since midnight; minutes of grace",
        "hours_grace_minutes",
    ),
    WatchRule(
        AlarmRule.TOO_FAST,
        "a use so soon after the one before on the same device that nobody can have been served between",
        "seconds since the use before; seconds at least",
        "seconds_between",
    ),
    WatchRule(
        AlarmRule.MEMBER_OFTEN,
        "one member more often in one shop on one day, from the first use too many on",
        "which use of the member that day; how many are allowed",
        "member_per_day",
    ),
    WatchRule(
        AlarmRule.DAY_UNUSUAL,
        "more uses in a day than the shop's mean and so many standard deviations of the sixty days before, ten at least; only where"
        " ten of them had uses. More than an offer's stock nobody can redeem: stock is taken when a voucher is",
        "which use of the day; how many are usual",
        "sigmas",
    ),
    WatchRule(
        AlarmRule.TYPED_MUCH,
        "codes that do not change, typed by hand, for more money than so much of one member in one shop on one day",
        "fen so far that day; fen that are allowed",
        "typed_fen_per_day",
    ),
    WatchRule(
        AlarmRule.UNREAD,
        "a row of uses in one shop whose receipts nobody read, from the one that makes it too long on; only what could be read"
        " counts. Whoever runs this library knows who read what, and flags them",
        "which use of the row; how long a row may be",
        None,
    ),
    WatchRule(AlarmRule.DENIED, "a member was called and says that they were not there", "nothing", None),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A community's thresholds. A figure of 0 turns its rule off, but for the grace: hours are looked at where there are some."""

    zone: str
    hours_grace_minutes: int
    seconds_between: int
    member_per_day: int
    sigmas: int
    typed_fen_per_day: int
