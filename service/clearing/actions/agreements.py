"""Two communities come to an agreement: proposed by one administrator, accepted by the other, ended by either."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions.accounts import open_accounts
from service.clearing.queries.agreements import lock_agreement
from service.clearing.rules import (
    AgreementState,
    CannotClearWithOneself,
    PartnerNotFound,
    check_acceptance,
    check_end,
    check_proposal,
    next_telling,
    yields,
)
from service.clearing.tables import ClearingAgreement
from service.communities import community
from service.facts import (
    ClearingAccepted,
    ClearingAgreed,
    ClearingClosed,
    ClearingEnded,
    ClearingOffered,
    ClearingProposed,
)
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.ids import new_id


async def propose(
    session: AsyncSession,
    *,
    actor: Actor,
    partner_id: int,
    minutes_max: int,
    points_max: int,
    now: datetime,
) -> None:
    """Ask another community to clear with us, each owing the other at most so many minutes and whole points."""
    if partner_id == actor.community_id:
        raise CannotClearWithOneself
    await community(session, partner_id)
    made = ClearingAgreement(
        community_id=actor.community_id,
        partner_id=partner_id,
        agreement_id=new_id(),
        round=1,
        state=AgreementState.PROPOSED,
        minutes_max=minutes_max,
        points_hundredths_max=100 * points_max,
        proposed_by=actor.member_id,
        proposed_at=now,
        due_at=next_telling(now, now),
    )
    row = await _row(session, made)
    # Two administrators may ask at once: the row, made by one and locked by both, lets one of them see the other's.
    if row.agreement_id != made.agreement_id:
        check_proposal(AgreementState(row.state))
        made.round = row.round + 1
        _renew(row, made)
    audit.record(
        session,
        actor,
        "clearing.proposed",
        kind="clearing_agreement",
        id=partner_id,
        now=now,
        detail={"minutes": minutes_max, "points": points_max},
    )
    tell(session, row, now=now)


async def _row(session: AsyncSession, made: ClearingAgreement) -> ClearingAgreement:
    """The pair's row, locked: the one that was there, or this one."""
    values = made.model_dump(exclude_none=True)
    await session.execute(insert(ClearingAgreement).values(**values).on_conflict_do_nothing())
    row = await lock_agreement(session, made.community_id, made.partner_id)
    assert row is not None, "it was there or was made"
    return row


def _renew(row: ClearingAgreement, made: ClearingAgreement) -> None:
    """A new agreement in the place of an ended one. That the accounts were opened once stays known by themselves."""
    row.agreement_id, row.round, row.state = made.agreement_id, made.round, made.state
    row.minutes_max, row.points_hundredths_max = made.minutes_max, made.points_hundredths_max
    row.proposed_by, row.proposed_at, row.due_at = made.proposed_by, made.proposed_at, made.due_at
    row.accepted_by = row.ended_by = row.ended_at = None


def tell(session: AsyncSession, row: ClearingAgreement, *, now: datetime) -> None:
    """Say to the other side what this side waits for: an answer to its proposal, or that its end was heard."""
    if row.state == AgreementState.PROPOSED:
        outbox.record(
            session,
            ClearingProposed(
                community_id=row.community_id,
                partner_id=row.partner_id,
                agreement_id=row.agreement_id,
                round=row.round,
                minutes_max=row.minutes_max,
                points_hundredths_max=row.points_hundredths_max,
            ),
            now=now,
        )
    elif row.state == AgreementState.ENDED:
        _tell_end(session, row, is_answer=False, now=now)


def _tell_end(session: AsyncSession, row: ClearingAgreement, *, is_answer: bool, now: datetime) -> None:
    told = ClearingEnded(
        community_id=row.community_id, partner_id=row.partner_id, agreement_id=row.agreement_id, is_answer=is_answer
    )
    outbox.record(session, told, now=now)


def _tell_acceptance(session: AsyncSession, row: ClearingAgreement, *, now: datetime) -> None:
    told = ClearingAccepted(community_id=row.community_id, partner_id=row.partner_id, agreement_id=row.agreement_id)
    outbox.record(session, told, now=now)


async def accept(session: AsyncSession, *, actor: Actor, partner_id: int, now: datetime) -> None:
    """Agree to what the other community proposed: members may send from now on."""
    row = await lock_agreement(session, actor.community_id, partner_id)
    if row is None:
        raise PartnerNotFound
    check_acceptance(AgreementState(row.state))
    row.state, row.accepted_by, row.accepted_at = AgreementState.ACCEPTED, actor.member_id, now
    audit.record(session, actor, "clearing.accepted", kind="clearing_agreement", id=partner_id, now=now)
    _tell_acceptance(session, row, now=now)
    await session.flush()
    await open_accounts(session, row, now=now)


async def end(session: AsyncSession, *, actor: Actor, partner_id: int, now: datetime) -> None:
    """Withdraw, decline or end: nothing new is sent or taken. What is under way still finishes."""
    row = await lock_agreement(session, actor.community_id, partner_id)
    if row is None:
        raise PartnerNotFound
    check_end(AgreementState(row.state))
    row.state, row.ended_by, row.ended_at = AgreementState.ENDED, actor.member_id, now
    row.due_at = next_telling(now, now)
    audit.record(session, actor, "clearing.ended", kind="clearing_agreement", id=partner_id, now=now)
    tell(session, row, now=now)


async def note_proposal(session: AsyncSession, fact: ClearingProposed, now: datetime) -> None:
    """The other side proposed: lay it before our administrator, or answer again what was decided before."""
    made = ClearingAgreement(
        community_id=fact.partner_id,
        partner_id=fact.community_id,
        agreement_id=fact.agreement_id,
        round=fact.round,
        state=AgreementState.OFFERED,
        minutes_max=fact.minutes_max,
        points_hundredths_max=fact.points_hundredths_max,
        proposed_at=now,
    )
    row = await _row(session, made)
    if row.agreement_id != fact.agreement_id:
        if fact.round < row.round or (fact.round == row.round and not yields(row.community_id, row.partner_id)):
            return  # an old one that was on its way for long; or both proposed at once, and ours stands
        # A later one says that they ended the one before, even if that was never heard here.
        _renew(row, made)
    elif row.state == AgreementState.ACCEPTED:
        _tell_acceptance(session, row, now=now)
    elif row.state == AgreementState.ENDED:
        _tell_end(session, row, is_answer=False, now=now)
    if row.state == AgreementState.OFFERED:
        offered = ClearingOffered(
            community_id=row.community_id, partner_id=row.partner_id, agreement_id=row.agreement_id
        )
        outbox.record(session, offered, now=now)


async def note_acceptance(session: AsyncSession, fact: ClearingAccepted, now: datetime) -> None:
    """The other side agreed to what we proposed."""
    row = await lock_agreement(session, fact.partner_id, fact.community_id)
    if row is not None and row.agreement_id == fact.agreement_id and row.state == AgreementState.PROPOSED:
        await become_accepted(session, row, now=now)


async def become_accepted(session: AsyncSession, row: ClearingAgreement, *, now: datetime) -> None:
    """Our proposal was accepted: by what the other side says, or by what it sends us already."""
    row.state, row.accepted_at, row.due_at = AgreementState.ACCEPTED, now, None
    agreed = ClearingAgreed(community_id=row.community_id, partner_id=row.partner_id, agreement_id=row.agreement_id)
    outbox.record(session, agreed, now=now)
    await session.flush()
    await open_accounts(session, row, now=now)


async def note_end(session: AsyncSession, fact: ClearingEnded, now: datetime) -> None:
    """The other side ended the agreement, or heard that we did."""
    row = await lock_agreement(session, fact.partner_id, fact.community_id)
    if row is not None and row.agreement_id == fact.agreement_id:
        if row.state != AgreementState.ENDED:
            row.state, row.ended_at = AgreementState.ENDED, now
            closed = ClearingClosed(
                community_id=row.community_id, partner_id=row.partner_id, agreement_id=row.agreement_id
            )
            outbox.record(session, closed, now=now)
        row.due_at = None
    if not fact.is_answer:
        heard = ClearingEnded(
            community_id=fact.partner_id,
            partner_id=fact.community_id,
            agreement_id=fact.agreement_id,
            is_answer=True,
        )
        outbox.record(session, heard, now=now)


async def tell_again(session: AsyncSession, now: datetime, *, limit: int) -> int:
    """Say again what has waited for an answer, of one community at a time."""
    due = sa.select(col(ClearingAgreement.community_id)).where(col(ClearingAgreement.due_at) <= now)
    found = await session.execute(due.order_by(col(ClearingAgreement.due_at)).limit(1))
    community_id = found.scalar_one_or_none()
    if community_id is None:
        return 0
    rows = await session.execute(
        sa.select(ClearingAgreement)
        .where(col(ClearingAgreement.community_id) == community_id, col(ClearingAgreement.due_at) <= now)
        .order_by(col(ClearingAgreement.partner_id))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True)
    )
    told = rows.scalars().all()
    for row in told:
        row.due_at = next_telling(row.ended_at or row.proposed_at, now)
        tell(session, row, now=now)
    return len(told)
