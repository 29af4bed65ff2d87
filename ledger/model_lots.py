"""What expires, once more as plain Python: the part of `model.py` that follows amounts through lots."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ledger.rules import Capture, ExpiryPolicy, ExpiryRule, Refund, Release

NEVER = datetime.max.replace(tzinfo=UTC)
OWED = datetime.min.replace(tzinfo=UTC)
"""Where a hold's amount lies that came out of no lot."""
Parts = list[tuple[datetime, int]]
"""Amounts, and when each expires."""


def expiry(policy: ExpiryPolicy, at: datetime) -> datetime:
    """When something expires that is earned at `at`."""
    if policy.rule is ExpiryRule.NEVER:
        return NEVER
    local = at.astimezone(ZoneInfo(policy.zone))
    yearly = policy.rule is ExpiryRule.YEAR
    start = local.replace(year=local.year + 1, month=1, day=1) if yearly else local + timedelta(days=1)
    months = start.year * 12 + start.month - 1 + policy.months
    year, month, day = months // 12, months % 12 + 1, start.day
    while True:
        try:
            return datetime(year, month, day, tzinfo=ZoneInfo(policy.zone)).astimezone(UTC)
        except ValueError:
            day -= 1


def out_of(lots: dict[datetime, int], amount: int, at: datetime, first: set[datetime], *, sweeps: bool) -> Parts:
    """Take from lots: those named, then what lives, then what is over, always the first to expire."""
    parts: Parts = []
    for when in sorted(lots, key=lambda when: (when not in first, not sweeps and when <= at, when)):
        part = min(lots[when], amount)
        amount -= part
        if part:
            parts.append((when, part))
            lots[when] -= part
            if not lots[when]:
                del lots[when]
    return parts


def with_owed(parts: Parts, amount: int) -> Parts:
    """What a hold is made of: what was taken from lots, and the rest of it, which is owed."""
    owed = amount - sum(part for _, part in parts)
    return [*parts, (OWED, owed)] if owed else parts


def through(when: list[datetime], lots: list[list[int]], step: Capture | Release | Refund, amount: int) -> Parts:
    """What a capture takes of a hold's lots, the first to expire first, what is owed last; what goes back is the other way."""
    counter = {Capture: 1, Release: 2, Refund: 3}[type(step)]
    parts: Parts = []
    in_order = sorted(zip(when, lots, strict=True), key=lambda pair: (pair[0] == OWED, pair[0]), reverse=counter != 1)
    for expires, lot in in_order:
        room = lot[1] - lot[3] if counter == 3 else lot[0] - lot[1] - lot[2]
        part = min(room, amount)
        amount -= part
        lot[counter] += part
        if part and expires != OWED:
            parts.append((expires, part))
    return parts


def back_to(
    origin: list[tuple[str, str, datetime, int]],
    since: list[tuple[str, str, datetime, int]],
    code: str,
    unit: str,
    amount: int,
) -> Parts:
    """The lots that an undone spending came out of, the last to expire first, less what went back already."""
    taken: dict[datetime, int] = {}
    for moves, ours in ((origin, -1), (since, 1)):
        for account, counted, when, put in moves:
            if (account, counted) == (code, unit) and put * ours > 0:
                taken[when] = taken.get(when, 0) - put
    parts: Parts = []
    for when in sorted(taken, reverse=True):
        part = min(max(taken[when], 0), amount)
        amount -= part
        if part:
            parts.append((when, part))
    return parts


def with_grace(parts: Parts, policy: ExpiryPolicy, at: datetime, graced: set[datetime]) -> Parts:
    """What comes back, where what is over and has had no days of grace lives some days more, to a moment of its own."""
    later = at + timedelta(days=policy.grace_days)
    if later.second == later.microsecond == 0:
        later += timedelta(microseconds=1)
    late = {when for when, _ in parts if when <= at} - graced
    if late:
        graced.add(later)
    return [(later if when in late else when, part) for when, part in parts]
