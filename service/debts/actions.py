"""Proposing that an account may owe, or that a debt is forgiven; deciding it; taking a proposal back."""

from contextlib import suppress
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.debts import queries
from service.debts.rules import (
    ConflictWay,
    DebtStep,
    MemberUnknown,
    NoPoints,
    NothingOwed,
    NoticeGone,
    OwesMore,
    RequestDecided,
    RequestState,
    RequestWaits,
    check_second,
)
from service.debts.tables import DebtRequest
from service.facts import OwedObjected
from service.identity import members_by_card, normal_card
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.db import broken_constraint
from service.kit.ids import new_id


async def propose_allowance(
    session: AsyncSession, *, actor: Actor, card_no: str, points: int, note: str, now: datetime
) -> UUID:
    """Ask a second person to let corrections take somebody's points so many whole points below zero; none takes it back."""
    member_id = await _member(session, actor, card_no)
    owed = (await queries.allowance(session, actor.community_id, member_id)).owed
    if points * 100 < owed:
        raise OwesMore(-(-owed // 100))
    return await _propose(session, actor, DebtStep.ALLOW, member_id, points * 100, note, now)


async def propose_write_off(session: AsyncSession, *, actor: Actor, member_id: UUID, note: str, now: datetime) -> UUID:
    """Ask a second person to forgive what somebody owes now."""
    owed = (await queries.allowance(session, actor.community_id, member_id)).owed
    if not owed:
        raise NothingOwed
    return await _propose(session, actor, DebtStep.WRITE_OFF, member_id, owed, note, now)


async def propose_conflict(
    session: AsyncSession, *, actor: Actor, member_id: UUID, way: ConflictWay, note: str, now: datetime
) -> UUID:
    """Ask a second person to pay what somebody owes for vouchers used twice from their points, or to forgive it.

    The person's notice is locked first: while people decide nothing is collected by itself, not even by who began before.
    """
    await queries.lock_notice(session, actor.community_id, member_id)
    owed, has = await queries.conflict_debt(session, actor.community_id, member_id)
    if not owed:
        raise NothingOwed
    if way is ConflictWay.COLLECT and not has:
        raise NoPoints
    return await _propose(session, actor, DebtStep(way.value), member_id, owed, note, now)


async def _member(session: AsyncSession, actor: Actor, card_no: str) -> UUID:
    card = normal_card(card_no) or ""
    found = (await members_by_card(session, actor.community_id, [card])).get(card)
    if found is None:
        raise MemberUnknown
    return found.member_id


async def _propose(
    session: AsyncSession, actor: Actor, step: DebtStep, member_id: UUID, hundredths: int, note: str, now: datetime
) -> UUID:
    request = DebtRequest(
        community_id=actor.community_id,
        request_id=new_id(),
        step=step,
        state=RequestState.PROPOSED,
        member_id=member_id,
        hundredths=hundredths,
        note=note,
        proposed_by=actor.member_id,
        proposed_at=now,
    )
    session.add(request)
    _record(session, actor, "debts.proposed", request, now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_debt_request_waiting":
            raise RequestWaits from error
        raise
    return request.request_id


async def confirm(session: AsyncSession, *, actor: Actor, request_id: UUID, now: datetime) -> None:
    """Do what was proposed, by somebody else than proposed it; pressed twice it happens once. Ends in the ledger."""
    request = await queries.lock_request(session, actor.community_id, request_id)
    if request.state == RequestState.DONE and request.decided_by == actor.member_id:
        return
    if request.state != RequestState.PROPOSED:
        raise RequestDecided
    check_second(proposed_by=request.proposed_by, decided_by=actor.member_id)
    request.state, request.decided_by, request.decided_at = RequestState.DONE, actor.member_id, now
    _record(session, actor, "debts.done", request, now)
    await session.flush()
    if request.step == DebtStep.ALLOW:
        await _limit(session, actor, request.member_id, request.hundredths, now)
    elif request.step in (DebtStep.COLLECT, DebtStep.FORGIVE):
        await _end_conflict(session, actor, request, now)
    else:
        await _write_off(session, actor, request, now)


async def _limit(session: AsyncSession, actor: Actor, member_id: UUID, hundredths: int, now: datetime) -> None:
    try:
        await ledger.allow_debt(
            session,
            actor.community_id,
            chart.member(member_id),
            chart.POINT,
            reason=Reason.CORRECTION,
            limit=hundredths,
            actor_id=actor.member_id,
            now=now,
        )
    except ledger.DebtOpen as debt:
        raise OwesMore(-(-debt.owed // 100)) from debt


async def _write_off(session: AsyncSession, actor: Actor, request: DebtRequest, now: datetime) -> None:
    """Forgive what is owed by now, never more than was proposed, and take the permission back when nothing is left.

    Allowing the same limit again changes nothing and takes the book's head: from then on nobody earns or corrects, so that
    what is read as owed is what is forgiven.
    """
    before = await queries.allowance(session, actor.community_id, request.member_id)
    if not before.owed:
        raise NothingOwed
    await _limit(session, actor, request.member_id, before.limit, now)
    owed = (await queries.allowance(session, actor.community_id, request.member_id)).owed
    amount = min(owed, request.hundredths)
    if not amount:
        raise NothingOwed
    request.done_hundredths = amount
    await session.flush()
    legs = (ledger.Leg(chart.WRITEOFF, chart.member(request.member_id), chart.POINT, amount),)
    reference = f"debt:{request.request_id}:written_off"
    journal = ledger.Journal(reference, Reason.DEBT_WRITTEN_OFF, legs, actor.member_id, request.proposed_by)
    await ledger.post(session, actor.community_id, journal, now=now)
    if amount == owed:
        await _limit(session, actor, request.member_id, 0, now)


async def _end_conflict(session: AsyncSession, actor: Actor, request: DebtRequest, now: datetime) -> None:
    """Pay or forgive what is owed for vouchers used twice, never more than was proposed, nor paid more than there is.

    The person's proposals are locked. Allowing the same limit again changes nothing and takes the book's head: an undo of
    what is owed for waits until this is posted, and finds what is too much. That the points are still there the ledger says.
    """
    before = await queries.allowance(session, actor.community_id, request.member_id)
    with suppress(ledger.AccountNotFound, ledger.AccountClosed):  # the head is taken all the same
        await _limit(session, actor, request.member_id, before.limit, now)
    owed, has = await queries.conflict_debt(session, actor.community_id, request.member_id)
    is_paid = request.step == DebtStep.COLLECT
    amount = min(owed, request.hundredths, has) if is_paid else min(owed, request.hundredths)
    if not owed:
        raise NothingOwed
    if not amount:
        raise NoPoints
    request.done_hundredths = amount
    await session.flush()
    source = chart.member(request.member_id) if is_paid else chart.WRITEOFF
    legs = (ledger.Leg(source, chart.owed(request.member_id), chart.POINT, amount),)
    reason = Reason.CONFLICT_DEBT_PAID if is_paid else Reason.DEBT_WRITTEN_OFF
    journal = ledger.Journal(
        f"debt:{request.request_id}:{request.step}", reason, legs, actor.member_id, request.proposed_by
    )
    await ledger.post(session, actor.community_id, journal, now=now)


async def withdraw(session: AsyncSession, *, actor: Actor, request_id: UUID, now: datetime) -> None:
    """Take a proposal back."""
    request = await queries.lock_request(session, actor.community_id, request_id)
    if request.state == RequestState.WITHDRAWN and request.decided_by == actor.member_id:
        return
    if request.state != RequestState.PROPOSED:
        raise RequestDecided
    request.state, request.decided_by, request.decided_at = RequestState.WITHDRAWN, actor.member_id, now
    _record(session, actor, "debts.withdrawn", request, now)


def _record(session: AsyncSession, actor: Actor, action: str, request: DebtRequest, now: datetime) -> None:
    audit.record(
        session,
        actor,
        action,
        kind="debt",
        id=request.request_id,
        now=now,
        on_behalf_of=request.member_id,
        detail={"step": request.step, "hundredths": request.hundredths},
    )


_DUE = sa.text("""
SELECT n.notice_id
  FROM debt_notice n
  JOIN ledger.account o ON o.community_id = n.community_id AND o.code = 'owed:' || replace(n.member_id::text, '-', '')
   AND o.unit = 'point' AND o.balance < 0
  JOIN ledger.account m ON m.community_id = n.community_id AND m.code = 'member:' || replace(n.member_id::text, '-', '')
   AND m.unit = 'point' AND m.balance > :keep
 WHERE n.community_id = :community_id AND n.ended_at IS NULL AND n.objected_at IS NULL AND n.due_at <= :now
   AND (n.tried_at IS NULL OR n.tried_at < :now)
   AND NOT EXISTS (SELECT FROM debt_request r
                    WHERE r.community_id = n.community_id AND r.member_id = n.member_id AND r.state = 'proposed'
                      AND r.step IN ('collect', 'forgive'))
 ORDER BY n.tried_at NULLS FIRST, n.notice_id
 LIMIT 1
""")
_COLLECT = sa.text(
    "SELECT debt_collect(:community_id, :notice_id, :collection_id, :keep, :actor_id, :request_id, :now)"
)


async def collect_next(
    session: AsyncSession, community_id: int, *, keep_points: int, actor: Actor | None = None, now: datetime
) -> int | None:
    """Pay what one member owes from their points beyond what is left to them; hundredths, or nothing when nobody is due.

    Whom this asks about is a guess made without a lock: the function decides under it. Ends in the ledger.
    """
    keep = keep_points * 100
    notice_id = (
        await session.execute(_DUE, {"community_id": community_id, "keep": keep, "now": now})
    ).scalar_one_or_none()
    if notice_id is None:
        return None
    collected: int = (
        await session.execute(
            _COLLECT,
            {
                "community_id": community_id,
                "notice_id": notice_id,
                "collection_id": new_id(),
                "keep": keep,
                "actor_id": actor.member_id if actor is not None else None,
                "request_id": audit.request_id.get(),
                "now": now,
            },
        )
    ).scalar_one()
    return collected


async def object_to_notice(session: AsyncSession, *, actor: Actor, member_id: UUID, words: str, now: datetime) -> None:
    """Say that somebody does not agree to owe: from now on nothing is collected by itself, and people decide.

    Members say it themselves, staff for who comes to the desk. Said again it changes nothing.
    """
    notice = await queries.lock_notice(session, actor.community_id, member_id)
    if notice is None:
        raise NoticeGone
    if notice.objected_at is not None:
        return
    notice.objected_at, notice.objection = now, words
    audit.record(
        session,
        actor,
        "debts.objected",
        kind="debt_notice",
        id=notice.notice_id,
        now=now,
        on_behalf_of=member_id if member_id != actor.member_id else None,
    )
    fact = OwedObjected(community_id=actor.community_id, notice_id=notice.notice_id)
    outbox.record(session, fact, now=now)
