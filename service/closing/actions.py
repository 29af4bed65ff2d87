"""Proposing, confirming and taking back a closing; drawing up a closed year."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.closing import drawing, queries
from service.closing.rules import (
    BooksFaulty,
    ClosingDecided,
    ClosingState,
    ClosingWaits,
    check_period,
    check_second,
    check_year,
    closes_at,
)
from service.closing.tables import PeriodClosing, YearClose
from service.facts import YearClosed
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.db import broken_constraint
from service.kit.ids import new_id
from service.kit.manifest import Manifest


async def propose_period(session: AsyncSession, *, actor: Actor, last_day: date, now: datetime) -> UUID:
    """Ask a second person to close the books up to and with a day. One proposal at a time."""
    check_period(last_day, closed_until=await queries.closed_until(session, actor.community_id), now=now)
    return await _propose(session, actor, last_day, None, now)


async def propose_year(
    session: AsyncSession, *, actor: Actor, year: int, slices: Sequence[Manifest], now: datetime
) -> UUID:
    """Ask a second person to close a year. The books prove themselves first, as a whole, by the proofs that slices offer.

    Raises BooksFaulty when they do not.
    """
    proofs = [proof for item in slices for proof in item.proofs]
    assert proofs, "a year without a proof would prove nothing"
    closed = await queries.years(session, actor.community_id)
    check_year(year, last_year=closed[0] if closed else None, now=now)
    faults = sum([len(await proof(session, actor.community_id)) for proof in proofs])
    if faults:
        raise BooksFaulty(faults)
    return await _propose(session, actor, date(year, 12, 31), year, now)


async def _propose(session: AsyncSession, actor: Actor, last_day: date, year: int | None, now: datetime) -> UUID:
    closing = PeriodClosing(
        community_id=actor.community_id,
        closing_id=new_id(),
        last_day=last_day,
        year=year,
        state=ClosingState.PROPOSED,
        proposed_by=actor.member_id,
        proposed_at=now,
    )
    session.add(closing)
    audit.record(session, actor, "closing.proposed", kind="closing", id=closing.closing_id, now=now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_period_closing_waiting":
            raise ClosingWaits from error
        raise
    return closing.closing_id


async def confirm_closing(session: AsyncSession, *, actor: Actor, closing_id: UUID, now: datetime) -> None:
    """Close the books up to the proposed day, by somebody else than proposed it; pressed twice it happens once.

    Ends by taking the book's head: whatever is being posted meanwhile is decided before this by the old rule or after it by
    the new.
    """
    closing = await queries.lock_closing(session, actor.community_id, closing_id)
    if closing.state == ClosingState.CLOSED and closing.decided_by == actor.member_id:
        return
    if closing.state != ClosingState.PROPOSED:
        raise ClosingDecided
    check_second(proposed_by=closing.proposed_by, decided_by=actor.member_id)
    closing.state, closing.decided_by, closing.decided_at = ClosingState.CLOSED, actor.member_id, now
    audit.record(session, actor, "closing.confirmed", kind="closing", id=closing_id, now=now)
    until = closes_at(closing.last_day)
    closed = await queries.closed_until(session, actor.community_id)
    await session.flush()
    if closed is None or closed < until:  # a year may end in a month that was closed long ago
        await ledger.close_period(session, actor.community_id, until=until, actor_id=actor.member_id, now=now)


async def withdraw_closing(session: AsyncSession, *, actor: Actor, closing_id: UUID, now: datetime) -> None:
    """Take a proposal back, by whoever may close. What was confirmed stays closed for good."""
    closing = await queries.lock_closing(session, actor.community_id, closing_id)
    if closing.state == ClosingState.WITHDRAWN and closing.decided_by == actor.member_id:
        return
    if closing.state != ClosingState.PROPOSED:
        raise ClosingDecided
    closing.state, closing.decided_by, closing.decided_at = ClosingState.WITHDRAWN, actor.member_id, now
    audit.record(session, actor, "closing.withdrawn", kind="closing", id=closing_id, now=now)


async def draw_up_years(session: AsyncSession, now: datetime) -> int:
    """Draw up one year that was closed; its figures are final, so this holds up nobody who posts.

    The timed work's own lock keeps two workers apart; the year's key does so for good.
    """
    done = sa.exists().where(
        col(YearClose.community_id) == col(PeriodClosing.community_id), col(YearClose.year) == col(PeriodClosing.year)
    )
    due = await session.execute(
        sa.select(PeriodClosing)
        .where(col(PeriodClosing.state) == ClosingState.CLOSED, col(PeriodClosing.year).is_not(None), ~done)
        .order_by(col(PeriodClosing.community_id), col(PeriodClosing.year))
        .limit(1)
    )
    closing: PeriodClosing | None = due.scalar_one_or_none()
    if closing is None:
        return 0
    assert closing.year is not None, "the query asked for years"
    assert closing.decided_by is not None, "a constraint says so"
    assert closing.decided_at is not None, "a constraint says so"
    seq, journals = await drawing.counts(session, closing.community_id, closing.year)
    session.add(
        YearClose(
            community_id=closing.community_id,
            year=closing.year,
            closing_id=closing.closing_id,
            proposed_by=closing.proposed_by,
            confirmed_by=closing.decided_by,
            closed_at=closing.decided_at,
            drawn_up_at=now,
            seq=seq,
            journals=journals,
        )
    )
    await session.flush()
    await drawing.write_figures(session, closing.community_id, closing.year)
    audit.record(
        session,
        None,
        "closing.drawn_up",
        kind="year",
        id=closing.year,
        now=now,
        community_id=closing.community_id,
        detail={"seq": seq, "journals": journals},
    )
    outbox.record(session, YearClosed(community_id=closing.community_id, year=closing.year), now=now)
    return 1
