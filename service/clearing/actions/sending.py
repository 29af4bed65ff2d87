"""Step one: value leaves the sender's account for the clearing account, and the other side is told."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.clearing.actions.accounts import agreed_max, owed
from service.clearing.queries.agreements import lock_agreement
from service.clearing.queries.transfers import Receiver, lock_transfer, sent_since
from service.clearing.rules import (
    AgreementState,
    Direction,
    NoAgreement,
    NotEnough,
    OverMonth,
    OverPosition,
    SenderGone,
    TransferDecided,
    TransferNotFound,
    TransferState,
    Unit,
    check_amount,
    code_of,
    in_words,
    month_of,
    next_telling,
    reference_of,
)
from service.clearing.tables import ClearingAgreement, ClearingTransfer
from service.communities import settings_on
from service.facts import ClearingRecalled, ClearingSent
from service.identity import lock_people, person
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id
from service.kit.words import hours, points


async def send(
    session: AsyncSession,
    *,
    actor: Actor,
    partner_id: int,
    receiver: Receiver,
    unit: Unit,
    amount: int,
    now: datetime,
    member_id: UUID | None = None,
) -> UUID:
    """Send minutes or hundredths of a point to somebody in another community; answers the transfer's id.

    `member_id` is whose they are, when staff act for somebody. The person's row keeps two transfers of one person to two
    communities from passing the month's limit together, the agreement's row two persons from passing the pair's.
    """
    check_amount(amount)
    home, owner = actor.community_id, member_id or actor.member_id
    people = await lock_people(session, home, [owner])
    if owner not in people or people[owner].closed_at is not None:
        raise SenderGone
    agreement = await lock_agreement(session, home, partner_id)
    if agreement is None or agreement.state != AgreementState.ACCEPTED:
        raise NoAgreement
    await _check_limits(session, agreement, owner, unit, amount, now)
    sender = await person(session, home, owner)
    row = _row(agreement, owner, actor, receiver, unit, amount, now)
    session.add(row)
    audit.record(
        session,
        actor,
        "clearing.sent",
        kind="clearing_transfer",
        id=row.transfer_id,
        now=now,
        on_behalf_of=member_id,
        detail={"partner": partner_id, "unit": unit.value, "amount": amount},
    )
    tell(session, row, sender.card_no, now=now)
    await session.flush()
    journal = ledger.Journal(
        reference=reference_of(row.transfer_id),
        reason=Reason.CLEARING_SENT,
        legs=(ledger.Leg(chart.member(owner), chart.clearing(partner_id), unit, amount),),
        actor_id=actor.member_id,
        on_behalf_of=member_id,
    )
    try:
        await ledger.post(session, home, journal, now=now)
    except ledger.InsufficientBalance as short:
        raise NotEnough from short
    return row.transfer_id


def _row(
    agreement: ClearingAgreement,
    owner: UUID,
    actor: Actor,
    receiver: Receiver,
    unit: Unit,
    amount: int,
    now: datetime,
) -> ClearingTransfer:
    transfer_id = new_id()
    return ClearingTransfer(
        community_id=agreement.community_id,
        transfer_id=transfer_id,
        partner_id=agreement.partner_id,
        agreement_id=agreement.agreement_id,
        direction=Direction.OUT,
        unit=unit,
        amount=amount,
        member_id=owner,
        actor_id=actor.member_id,
        their_card=receiver.card_no,
        their_member_id=receiver.member_id,
        code=code_of(transfer_id),
        state=TransferState.SENT,
        sent_at=now,
        due_at=next_telling(now, now),
    )


async def _check_limits(
    session: AsyncSession, agreement: ClearingAgreement, owner: UUID, unit: Unit, amount: int, now: datetime
) -> None:
    """The month's limit of the person, then the pair's: what was agreed, or less where our own setting says less."""
    names = ("clearing_member_minutes_per_month_max", "clearing_open_minutes_max")
    scale = 1
    if unit is Unit.POINT:
        names, scale = ("clearing_member_points_per_month_max", "clearing_open_points_max"), 100
    home, day = agreement.community_id, local_day(now)
    settings = await settings_on(session, home, names, day)
    sent = await sent_since(session, home, owner, unit, day_begins(month_of(day)))
    left = settings[names[0]] * scale - sent
    if amount > left:
        raise OverMonth(*_said(unit, left), left=max(left, 0))
    most = min(agreed_max(agreement, unit), settings[names[1]] * scale)
    left = most - (await owed(session, agreement))[unit]
    if amount > left:
        raise OverPosition(*_said(unit, left), left=max(left, 0))


def _said(unit: Unit, left: int) -> tuple[str, str]:
    minutes, hundredths = in_words(unit, max(left, 0))
    return hours(minutes), points(hundredths)


def tell(session: AsyncSession, row: ClearingTransfer, sender_card: str, *, now: datetime) -> None:
    """Say to the other side what was sent, or that it is called back."""
    assert row.their_member_id is not None, "whoever sends knows whom they mean"
    minutes, hundredths = in_words(Unit(row.unit), row.amount)
    kind = ClearingSent if row.state == TransferState.SENT else ClearingRecalled
    told = kind(
        community_id=row.community_id,
        partner_id=row.partner_id,
        agreement_id=row.agreement_id,
        transfer_id=row.transfer_id,
        sender_card=sender_card,
        receiver_id=row.their_member_id,
        minutes=minutes,
        points_hundredths=hundredths,
        sent_at=row.sent_at,
    )
    outbox.record(session, told, now=now)


async def recall(
    session: AsyncSession, *, actor: Actor, transfer_id: UUID, now: datetime, member_id: UUID | None = None
) -> None:
    """Ask for it back while it is under way. It comes back unless it has arrived already: the other side decides once.

    `member_id` is whose it is, when staff act for somebody.
    """
    owner = member_id or actor.member_id
    row = await lock_transfer(session, actor.community_id, transfer_id)
    if row is None or row.direction != Direction.OUT or row.member_id != owner:
        raise TransferNotFound
    if row.state != TransferState.SENT:
        raise TransferDecided(row.state)
    row.state, row.due_at = TransferState.RECALLED, next_telling(now, now)
    audit.record(
        session,
        actor,
        "clearing.recalled",
        kind="clearing_transfer",
        id=transfer_id,
        now=now,
        on_behalf_of=member_id,
    )
    tell(session, row, (await person(session, actor.community_id, owner)).card_no, now=now)
