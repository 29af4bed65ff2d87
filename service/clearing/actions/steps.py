"""The worker's steps: the other side takes it or refuses, and the sending side notes that or gives it back.

Each is told of at least once and changes something once: the row's key, its state under a lock, and the journal's
reference see to that, whoever runs it and however often.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.clearing.actions.accounts import bound, owed
from service.clearing.actions.agreements import become_accepted
from service.clearing.queries.agreements import lock_agreement
from service.clearing.queries.transfers import lock_transfer
from service.clearing.rules import (
    UNDER_WAY,
    AgreementState,
    Direction,
    TransferState,
    Unit,
    code_of,
    in_words,
    reference_of,
)
from service.clearing.tables import ClearingAgreement, ClearingTransfer
from service.facts import (
    ClearingArrived,
    ClearingRecalled,
    ClearingRefused,
    ClearingReturned,
    ClearingSent,
    ClearingSettled,
    Refused,
)
from service.identity import lock_people
from service.kit import outbox

log = structlog.get_logger("linli.clearing")


async def receive(session: AsyncSession, fact: ClearingSent, now: datetime) -> None:
    """Step two, in the receiving book: put it on the receiver's account, or say why not. Told again, answer again.

    Locks as sending does: the person, the agreement, the row, and the book's head last.
    """
    home = fact.partner_id
    people = await lock_people(session, home, [fact.receiver_id])
    agreement = await lock_agreement(session, home, fact.community_id)
    refused = await _why_not(session, fact, agreement, now)
    known = fact.receiver_id in people
    if refused is None and (not known or people[fact.receiver_id].closed_at is not None):
        refused = Refused.LEFT if known else Refused.UNKNOWN
    unit, amount = _amount(fact)
    made = await session.execute(
        insert(ClearingTransfer)
        .values(
            community_id=home,
            transfer_id=fact.transfer_id,
            partner_id=fact.community_id,
            agreement_id=fact.agreement_id,
            direction=Direction.IN,
            unit=unit,
            amount=amount,
            member_id=fact.receiver_id if known else None,
            their_card=fact.sender_card,
            code=code_of(fact.transfer_id),
            state=TransferState.ARRIVED if refused is None else TransferState.REFUSED,
            refused=refused,
            sent_at=fact.sent_at,
            settled_at=now,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "transfer_id"])
        .returning(col(ClearingTransfer.transfer_id))
    )
    is_new = made.scalar_one_or_none() is not None
    if is_new and refused is None:
        await _post(session, fact, unit, amount, now)
    await _answer(session, home, fact.transfer_id, now)


def _amount(fact: ClearingSent) -> tuple[Unit, int]:
    return (Unit.MINUTE, fact.minutes) if fact.minutes else (Unit.POINT, fact.points_hundredths)


async def _why_not(
    session: AsyncSession, fact: ClearingSent, agreement: ClearingAgreement | None, now: datetime
) -> Refused | None:
    if isinstance(fact, ClearingRecalled):
        return Refused.RECALLED
    if agreement is None:
        return Refused.NO_AGREEMENT
    if agreement.state == AgreementState.PROPOSED and agreement.agreement_id == fact.agreement_id:
        await become_accepted(session, agreement, now=now)  # they accepted, and sent before we heard of it
    if agreement.accepted_at is None or (agreement.ended_at is not None and fact.sent_at > agreement.ended_at):
        return Refused.NO_AGREEMENT
    return None


async def _post(session: AsyncSession, fact: ClearingSent, unit: Unit, amount: int, now: datetime) -> None:
    """Post what arrived. Where the ledger says no, the row says why instead: only ours, so nothing waits behind the head."""
    home = fact.partner_id
    journal = ledger.Journal(
        reference=reference_of(fact.transfer_id),
        reason=Reason.CLEARING_ARRIVED,
        legs=(ledger.Leg(chart.clearing(fact.community_id), chart.member(fact.receiver_id), unit, amount),),
        actor_id=None,
    )
    (verdict,) = await ledger.post_many(session, home, [journal], now=now)
    if not isinstance(verdict, ledger.LedgerRefusal):
        return
    refused = _said(verdict)
    if refused is None:
        raise verdict
    await session.execute(
        sa.update(ClearingTransfer)
        .where(col(ClearingTransfer.community_id) == home, col(ClearingTransfer.transfer_id) == fact.transfer_id)
        .values(state=TransferState.REFUSED, refused=refused)
    )


def _said(verdict: ledger.LedgerRefusal) -> Refused | None:
    """The ledger's no in words of ours; None for what may go better next time."""
    match verdict:
        case ledger.AccountClosed():
            return Refused.ACCOUNT_CLOSED
        case ledger.OverCeiling() | ledger.InsufficientBalance():
            return Refused.OVER_CEILING
        case ledger.AccountNotFound():
            return Refused.NO_AGREEMENT if verdict.account.startswith("clearing:") else Refused.UNKNOWN
        case _:
            return None


async def _answer(session: AsyncSession, home: int, transfer_id: UUID, now: datetime) -> None:
    """Say what became of it here, now or long ago."""
    row = await lock_transfer(session, home, transfer_id)
    assert row is not None, "it was there or was made"
    if row.refused is not None:
        no = ClearingRefused(
            community_id=home, partner_id=row.partner_id, transfer_id=transfer_id, refused=Refused(row.refused)
        )
        outbox.record(session, no, now=now)
        return
    assert row.member_id is not None, "what arrived has somebody to whom"
    minutes, hundredths = in_words(Unit(row.unit), row.amount)
    yes = ClearingArrived(
        community_id=home,
        partner_id=row.partner_id,
        transfer_id=transfer_id,
        member_id=row.member_id,
        minutes=minutes,
        points_hundredths=hundredths,
    )
    outbox.record(session, yes, now=now)


async def acknowledge(session: AsyncSession, fact: ClearingArrived, now: datetime) -> None:
    """Step three, back in the sending book: it arrived. Nothing is posted; the row closes."""
    row = await _ours(session, fact.partner_id, fact.community_id, fact.transfer_id)
    if row is None or row.state not in UNDER_WAY:
        return
    assert row.member_id is not None, "whoever sends is one of ours"
    row.state, row.settled_at, row.due_at = TransferState.ARRIVED, now, None
    settled = ClearingSettled(
        community_id=row.community_id,
        transfer_id=row.transfer_id,
        member_id=row.member_id,
        minutes=fact.minutes,
        points_hundredths=fact.points_hundredths,
    )
    outbox.record(session, settled, now=now)


async def give_back(session: AsyncSession, fact: ClearingRefused, now: datetime) -> None:
    """Step three when the other side refused: the journal is reversed, and the sender is told why."""
    agreement = await lock_agreement(session, fact.partner_id, fact.community_id)
    row = await _ours(session, fact.partner_id, fact.community_id, fact.transfer_id)
    if row is None or agreement is None or row.state not in UNDER_WAY:
        return
    assert row.member_id is not None, "whoever sends is one of ours"
    unit = Unit(row.unit)
    minutes, hundredths = in_words(unit, row.amount)
    row.state, row.refused, row.settled_at, row.due_at = TransferState.RETURNED, fact.refused, now, None
    returned = ClearingReturned(
        community_id=row.community_id,
        transfer_id=row.transfer_id,
        member_id=row.member_id,
        minutes=minutes,
        points_hundredths=hundredths,
        refused=fact.refused,
    )
    outbox.record(session, returned, now=now)
    await session.flush()
    held = (await owed(session, agreement))[unit]
    await bound(session, agreement, {unit: held}, {unit: held - row.amount}, now=now)
    await _reverse(session, row, unit, now)
    await bound(session, agreement, {unit: held - row.amount}, now=now)


async def _reverse(session: AsyncSession, row: ClearingTransfer, unit: Unit, now: datetime) -> None:
    """Back to the sender; or, when their account was closed meanwhile, to the pool for neighbours in need."""
    assert row.member_id is not None, "whoever sends is one of ours"
    reference = reference_of(row.transfer_id)
    try:
        await ledger.reverse(
            session,
            row.community_id,
            reference=f"{reference}:returned",
            original=reference,
            reason=Reason.CLEARING_RETURNED,
            actor_id=None,
            now=now,
        )
    except ledger.AccountClosed:
        legs = (ledger.Leg(chart.clearing(row.partner_id), chart.CARE, unit, row.amount),)
        gift = ledger.Journal(
            f"{reference}:returned", Reason.CLEARING_RETURNED, legs, actor_id=None, on_behalf_of=row.member_id
        )
        await ledger.post(session, row.community_id, gift, now=now)


async def _ours(session: AsyncSession, home: int, partner_id: int, transfer_id: UUID) -> ClearingTransfer | None:
    """What we sent and they answer. An answer to what we never sent is a fault that the comparison names."""
    row = await lock_transfer(session, home, transfer_id)
    if row is None or row.partner_id != partner_id or row.direction != Direction.OUT:
        log.error("clearing.answer_to_nothing", community=home, partner=partner_id, transfer=str(transfer_id))
        return None
    return row


__all__ = ["acknowledge", "give_back", "receive"]
