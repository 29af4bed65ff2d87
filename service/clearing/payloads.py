"""What crosses the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.clearing.queries.agreements import AgreementView
from service.clearing.queries.nettings import NettingView
from service.clearing.queries.positions import Difference, Position
from service.clearing.queries.transfers import TransferView
from service.clearing.rules import AMOUNT_MAX, CARD_LENGTH_MAX, CEILING_MAX, Unit
from service.identity import NAME_LENGTH_MAX

Card = Annotated[str, msgspec.Meta(min_length=1, max_length=CARD_LENGTH_MAX)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
Ceiling = Annotated[int, msgspec.Meta(ge=0, le=CEILING_MAX)]


class SendForm(msgspec.Struct):
    """What is sent to whom, as typed."""

    partner: int
    card: Card
    name: Name
    unit: Unit
    amount: Annotated[str, msgspec.Meta(max_length=20)]


class SendForForm(SendForm):
    """The same for somebody whom staff help."""

    member: UUID


class ProposeForm(msgspec.Struct):
    """With whom, and up to how much: whole hours and whole points."""

    partner: int
    hours_max: Ceiling
    points_max: Ceiling


class Nothing(msgspec.Struct):
    """A form that is one button."""


class LookIn(msgspec.Struct):
    """Somebody in another community, by card number and name."""

    partner: int
    card: Card
    name: Name


class SendIn(LookIn):
    """What is sent to them: minutes, or hundredths of a point."""

    unit: Unit
    amount: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_MAX)]


class ProposeIn(msgspec.Struct):
    """With whom, and up to how many minutes and whole points."""

    partner: int
    minutes_max: Ceiling
    points_max: Ceiling


class ReceiverOut(msgspec.Struct):
    """Somebody there; the name is masked."""

    card: str
    masked: str


class PartnerOut(msgspec.Struct):
    """A community that members may send to."""

    partner: int
    name: str


class TransferOut(msgspec.Struct):
    """One side's row. `own` is our member's card, `other` the card on the other side; no name of theirs is known here."""

    transfer_id: UUID
    code: str
    partner: int
    partner_name: str
    direction: str
    unit: str
    amount: int
    own: str
    other: str
    state: str
    refused: str | None
    by_staff: bool
    sent_at: datetime
    settled_at: datetime | None
    stuck: bool


class TransfersOut(msgspec.Struct):
    """A page of transfers and the cursor of the next."""

    items: list[TransferOut]
    next: str | None


class AgreementOut(msgspec.Struct):
    """What was agreed with a partner."""

    partner: int
    partner_name: str
    state: str
    minutes_max: int
    points_hundredths_max: int
    proposed_at: datetime
    accepted_at: datetime | None
    ended_at: datetime | None


class PositionOut(msgspec.Struct):
    """One partner and unit: what we owe them (below zero: they us), and the same as they have it."""

    partner: int
    unit: str
    owed: int
    theirs: int
    under_way: int
    netting_under_way: int
    mirrors: bool


class DifferenceOut(msgspec.Struct):
    """The first transfer that the two sides do not tell alike."""

    code: str
    sent_at: datetime
    ours: str | None
    theirs: str | None


class NettingOut(msgspec.Struct):
    """One side's row of a netting; sums are what this community owes for it."""

    netting_id: UUID
    partner: int
    is_ours: bool
    state: str
    until: datetime
    transfers: int
    minutes: int
    points_hundredths: int
    proposed_at: datetime
    settled_at: datetime | None


class ClearingOut(msgspec.Struct):
    """Every agreement and position of a community."""

    agreements: list[AgreementOut]
    positions: list[PositionOut]


class ComparedOut(msgspec.Struct):
    """One partner: both sides' figures, the first difference, and the nettings."""

    agreement: AgreementOut
    positions: list[PositionOut]
    difference: DifferenceOut | None
    nettings: list[NettingOut]


def transfer_out(view: TransferView) -> TransferOut:
    """A transfer on the wire."""
    return TransferOut(
        transfer_id=view.transfer_id,
        code=view.code,
        partner=view.partner_id,
        partner_name=view.partner_name,
        direction=view.direction,
        unit=view.unit,
        amount=view.amount,
        own=view.own_card,
        other=view.their_card,
        state=view.state,
        refused=view.refused,
        by_staff=view.is_by_staff,
        sent_at=view.sent_at,
        settled_at=view.settled_at,
        stuck=view.is_stuck,
    )


def agreement_out(view: AgreementView) -> AgreementOut:
    """An agreement on the wire."""
    return AgreementOut(
        partner=view.partner_id,
        partner_name=view.partner_name,
        state=view.state,
        minutes_max=view.minutes_max,
        points_hundredths_max=view.points_hundredths_max,
        proposed_at=view.proposed_at,
        accepted_at=view.accepted_at,
        ended_at=view.ended_at,
    )


def position_out(one: Position) -> PositionOut:
    """A position on the wire."""
    return PositionOut(
        one.partner_id, one.unit, one.owed, one.theirs, one.under_way, one.netting_under_way, one.mirrors
    )


def difference_out(odd: Difference | None) -> DifferenceOut | None:
    """A difference on the wire."""
    return DifferenceOut(odd.code, odd.sent_at, odd.ours, odd.theirs) if odd else None


def netting_out(view: NettingView) -> NettingOut:
    """A netting on the wire."""
    return NettingOut(
        netting_id=view.netting_id,
        partner=view.partner_id,
        is_ours=view.is_ours,
        state=view.state,
        until=view.until,
        transfers=view.sums.transfers,
        minutes=view.sums.minutes,
        points_hundredths=view.sums.points_hundredths,
        proposed_at=view.proposed_at,
        settled_at=view.settled_at,
    )
