"""The watch over uses: what looked odd, who let it through, and when shops are open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.rules import AlarmRule, AlarmState, UseState, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A rule pointed at a use. `seen` and `allowed` are in the rule's own measure (rules.WATCH)."""

    voucher_id: int
    use_seq: int
    rule: AlarmRule
    merchant_id: UUID
    state: AlarmState
    seen: int
    allowed: int
    raised_by: UUID | None
    raised_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None
    title: str
    member_id: UUID
    clerk_id: UUID
    quantity: int
    points: int
    payable_fen: int
    received_at: datetime
    use_state: UseState
    """Reversed: taken back at the counter meanwhile, and nothing is left to decide."""


@dataclass(frozen=True, slots=True)
class AlarmMark:
    """Where the next page of alarms begins."""

    raised_at: datetime
    voucher_id: int
    use_seq: int
    rule: str


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """Oldest first."""

    alarms: tuple[Alarm, ...]
    next: AlarmMark | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What one rule keeps out of the batches of one shop."""

    merchant_id: UUID
    rule: AlarmRule
    count: int
    oldest_at: datetime


@dataclass(frozen=True, slots=True, order=True)
class Hours:
    """Open on a weekday (1 is Monday) between two minutes since midnight."""

    weekday: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A shop's hours from a day on, until the next."""

    merchant_id: UUID
    effective_from: date
    set_by: UUID
    set_at: datetime
    hours: tuple[Hours, ...]


def asked_for(watch: Watch | None) -> str | None:
    """The thresholds as the functions of sql/watch.sql read them."""
    return None if watch is None else json.dumps(asdict(watch))


async def watch_uses(
    session: AsyncSession, book: int, merchant_id: UUID, *, until: datetime, watch: Watch, now: datetime
) -> int:
    """Look at a shop's running batch by every rule. Returns how many alarms are new."""
    _, detail = await act(session, "watch_uses", book, merchant_id, aware(until), asked_for(watch), aware(now))
    return int(detail["raised"])


async def flag_unread(
    session: AsyncSession,
    book: int,
    merchant_id: UUID,
    uses: Mapping[tuple[int, int], int],
    *,
    allowed: int,
    now: datetime,
) -> int:
    """Flag uses (voucher, seq) with their place in a row of unread receipts. Returns how many alarms are new."""
    asked = sorted(uses.items())
    _, detail = await act(
        session,
        "flag_unread",
        book,
        merchant_id,
        [voucher_id for (voucher_id, _), _ in asked],
        [seq for (_, seq), _ in asked],
        [place for _, place in asked],
        allowed,
        aware(now),
    )
    return int(detail["raised"])


async def raise_alarm(
    session: AsyncSession, book: int, voucher_id: int, use_seq: int, *, actor_id: UUID, now: datetime
) -> None:
    """The member says that it was not them. Refuses UseSettled when a batch has the use: then its line is disputed instead."""
    await act(session, "raise_alarm", book, voucher_id, use_seq, actor_id, aware(now))


async def decide_alarms(
    session: AsyncSession,
    book: int,
    uses: Iterable[tuple[int, int]],
    *,
    key: UUID,
    is_cleared: bool,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> int:
    """Let uses (voucher, seq) through, or into the next statement as lines in dispute. Returns of how many something was open.

    Refuses OwnVoucher for the clerk or member of one of them, AlarmDecided when somebody was faster with all.
    """
    asked = sorted(set(uses))
    _, detail = await act(
        session,
        "decide_alarms",
        book,
        key,
        [voucher for voucher, _ in asked],
        [seq for _, seq in asked],
        is_cleared,
        reason,
        actor_id,
        aware(now),
    )
    return int(detail["uses"])


async def alarms(
    session: AsyncSession,
    book: int,
    *,
    state: AlarmState | None = AlarmState.OPEN,
    rule: AlarmRule | None = None,
    merchant_id: UUID | None = None,
    after: AlarmMark | None = None,
    limit: int = 50,
) -> AlarmPage:
    """A page of alarms, the oldest first. One whose use was taken back at the counter is in `state=None` alone."""
    found = await rows(
        session,
        """
        SELECT a.voucher_id, a.use_seq, a.rule, a.merchant_id, a.state, a.seen, a.allowed, a.raised_by, a.raised_at,
               a.decided_by, a.decided_at, a.reason, o.title, v.member_id, u.clerk_id, u.quantity,
               u.points + u.subsidy_points AS points, u.payable_fen, u.received_at, u.state AS use_state
          FROM redemption.alarm a
          JOIN redemption.use u ON u.community_id = a.community_id AND u.voucher_id = a.voucher_id AND u.seq = a.use_seq
          JOIN redemption.voucher v ON v.community_id = a.community_id AND v.voucher_id = a.voucher_id
          JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
         WHERE a.community_id = :book
           AND (CAST(:state AS text) IS NULL OR a.state = :state)
           AND (CAST(:state AS text) IS DISTINCT FROM 'OPEN' OR u.state = 'ACCEPTED')
           AND (CAST(:rule AS text) IS NULL OR a.rule = :rule)
           AND (CAST(:merchant_id AS uuid) IS NULL OR a.merchant_id = :merchant_id)
           AND (CAST(:mark_at AS timestamptz) IS NULL
                OR (a.raised_at, a.voucher_id, a.use_seq, a.rule) > (:mark_at, :mark_voucher, :mark_seq, :mark_rule))
         ORDER BY a.raised_at, a.voucher_id, a.use_seq, a.rule LIMIT :limit + 1
        """,
        book=book,
        state=state.value if state else None,
        rule=rule.value if rule else None,
        merchant_id=merchant_id,
        mark_at=after.raised_at if after else None,
        mark_voucher=after.voucher_id if after else 0,
        mark_seq=after.use_seq if after else 0,
        mark_rule=after.rule if after else "",
        limit=limit,
    )
    page = tuple(
        Alarm(
            **{
                **row,
                "rule": AlarmRule(row["rule"]),
                "state": AlarmState(row["state"]),
                "use_state": UseState(row["use_state"]),
            }
        )
        for row in found[:limit]
    )
    if len(found) <= limit:
        return AlarmPage(page, None)
    last = page[-1]
    return AlarmPage(page, AlarmMark(last.raised_at, last.voucher_id, last.use_seq, last.rule.value))


async def alarms_waiting(session: AsyncSession, book: int) -> Sequence[Waiting]:
    """By shop and rule, how many uses wait for somebody to look, and since when."""
    found = await rows(
        session,
        """
        SELECT a.merchant_id, a.rule, count(*) AS count, min(a.raised_at) AS oldest_at
          FROM redemption.alarm a
          JOIN redemption.use u ON u.community_id = a.community_id AND u.voucher_id = a.voucher_id AND u.seq = a.use_seq
         WHERE a.community_id = :book AND a.state = 'OPEN' AND u.state = 'ACCEPTED'
         GROUP BY a.merchant_id, a.rule ORDER BY a.merchant_id, a.rule
        """,
        book=book,
    )
    return [Waiting(row["merchant_id"], AlarmRule(row["rule"]), row["count"], row["oldest_at"]) for row in found]


async def set_opening(
    session: AsyncSession,
    book: int,
    merchant_id: UUID,
    hours: Iterable[Hours],
    *,
    effective_from: date,
    today: date,
    actor_id: UUID,
    now: datetime,
) -> None:
    """A shop is open so from a day on, tomorrow at the earliest; hours set for the same day before are replaced."""
    ordered = sorted(hours)
    await act(
        session,
        "set_opening",
        book,
        merchant_id,
        effective_from,
        [each.weekday for each in ordered],
        [each.opens for each in ordered],
        [each.closes for each in ordered],
        actor_id,
        today,
        aware(now),
    )


async def openings(
    session: AsyncSession, book: int, *, since: date, merchant_id: UUID | None = None
) -> Sequence[Opening]:
    """Of each shop, or of one, the hours in force on a day and those to come. A shop that set none is not in it."""
    found = await rows(
        session,
        """
        SELECT o.merchant_id, o.effective_from, min(o.set_at) AS set_at, (array_agg(o.set_by))[1] AS set_by,
               array_agg(o.weekday ORDER BY o.weekday, o.opens) AS weekdays,
               array_agg(o.opens ORDER BY o.weekday, o.opens) AS opens, array_agg(o.closes ORDER BY o.weekday, o.opens) AS closes
          FROM redemption.opening o
         WHERE o.community_id = :book AND (CAST(:merchant_id AS uuid) IS NULL OR o.merchant_id = :merchant_id)
           AND o.effective_from >= coalesce((SELECT max(x.effective_from) FROM redemption.opening x
                                              WHERE x.community_id = o.community_id AND x.merchant_id = o.merchant_id
                                                AND x.effective_from <= :since), o.effective_from)
         GROUP BY o.merchant_id, o.effective_from ORDER BY o.merchant_id, o.effective_from
        """,
        book=book,
        merchant_id=merchant_id,
        since=since,
    )
    return [
        Opening(
            row["merchant_id"],
            row["effective_from"],
            row["set_by"],
            row["set_at"],
            tuple(map(Hours, row["weekdays"], row["opens"], row["closes"])),
        )
        for row in found
    ]
