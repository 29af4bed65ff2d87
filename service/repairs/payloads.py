"""What crosses the wire about repairs. Amounts are in fen. Nothing here says why something is cheaper for somebody."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import UploadFile

from service.repairs.rules import (
    LINES_MAX,
    MINUTES_MAX,
    TEXT_LENGTH_MAX,
    Decline,
    Moment,
    RepairState,
    Step,
    Trade,
    Warranty,
)
from service.repairs.tables import RepairLine, RepairOrder

Text = Annotated[
    str, msgspec.Meta(pattern=r"\S[\s\S]*\S", min_length=2, max_length=TEXT_LENGTH_MAX, extra={"problem": "too_short"})
]
"""Two letters at least that are no spaces: what stands around them is taken off."""
Note = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH_MAX)]


CardText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Pin = Annotated[str, msgspec.Meta(pattern="^[0-9]{6}$")]


class ReportIn(msgspec.Struct, frozen=True):
    """What is broken."""

    text: Text
    is_urgent: bool = False
    trade: Trade = Trade.OTHER


class ReportForIn(ReportIn, frozen=True, kw_only=True):
    """The same, for somebody who phoned."""

    asked_by: UUID


class AssignIn(msgspec.Struct, frozen=True):
    """Who goes."""

    team: UUID
    repairer: UUID


class DeclineIn(msgspec.Struct, frozen=True):
    """Why not."""

    reason: Decline


class LineIn(msgspec.Struct, frozen=True):
    """So many of one item of the price list, at a price within its range."""

    item: Annotated[str, msgspec.Meta(max_length=100)]
    fen_each: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
    quantity: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class QuoteIn(msgspec.Struct, frozen=True):
    """What it costs; nothing when no line is given."""

    lines: Annotated[list[LineIn], msgspec.Meta(max_length=LINES_MAX)] = []


class ChangeIn(msgspec.Struct, frozen=True):
    """What it costs now, and why."""

    lines: Annotated[list[LineIn], msgspec.Meta(max_length=LINES_MAX)]
    reason: Text


class AgreeIn(msgspec.Struct, frozen=True):
    """Yes to the price that the order of this revision shows."""

    revision: int


class DoneIn(msgspec.Struct, frozen=True):
    """How long it took, and what was done."""

    minutes: Annotated[int, msgspec.Meta(ge=0, le=MINUTES_MAX)]
    note: Note = ""


class AcceptIn(msgspec.Struct, frozen=True):
    """What the resident showed; the nonce names this scan for ever."""

    code: Annotated[str, msgspec.Meta(max_length=400)]
    nonce: UUID


class CardIn(msgspec.Struct, frozen=True):
    """The resident's card, scanned, or its number, typed; and the PIN, which the resident types."""

    card: CardText
    pin: Pin


class PhotoForm(msgspec.Struct):
    """A picture, and whether it shows the fault or the work."""

    photo: UploadFile
    moment: Moment = Moment.BEFORE


class PhotoMade(msgspec.Struct, frozen=True):
    """The photo that is kept."""

    photo_id: UUID


class ReasonIn(msgspec.Struct, frozen=True):
    """Why."""

    reason: Text


class NoteIn(msgspec.Struct, frozen=True):
    """A remark."""

    note: Note = ""


class ChangeMade(msgspec.Struct, frozen=True):
    """The change order."""

    change_id: UUID


class ChangeOut(msgspec.Struct, frozen=True):
    """Another price: waiting for the resident, agreed to or not."""

    change_id: UUID
    is_dearer: bool
    cash_fen: int
    payable_fen: int
    reason: str
    is_agreed: bool | None


class LineOut(msgspec.Struct, frozen=True):
    """One step of an order. Without an actor, time alone did it."""

    step: Step
    state_after: RepairState
    at: datetime
    actor: str | None
    on_behalf_of: str | None
    note: str | None


class RepairOut(msgspec.Struct, frozen=True):
    """One order. `code` is what the resident shows when the work is done, and only theirs.

    `revision` names the price that is agreed to; `release_after` says when a kept part that could not be released is tried again.
    """

    order_id: UUID
    state: RepairState
    revision: int
    text: str
    trade: Trade
    is_urgent: bool
    building: str | None
    asker: str
    repairer: str | None
    team_id: UUID | None
    posted_at: datetime
    priced_on: date | None
    cash_fen: int
    payable_fen: int
    minutes: int
    warranty: Warranty
    warranty_until: datetime | None
    release_after: datetime | None
    voucher_id: str | None
    code: str | None


class PartOut(msgspec.Struct, frozen=True):
    """So many of one item at a price. Those that are not current are of a price that was named before or not agreed to."""

    item: str
    unit: str
    quantity: int
    fen_each: int
    is_current: bool


class PhotoOut(msgspec.Struct, frozen=True):
    """That there is a photo: the picture itself is `/api/repairs/{order_id}/photos/{photo_id}`."""

    photo_id: UUID
    moment: Moment
    added_at: datetime
    width: int
    height: int


class RepairDetailOut(msgspec.Struct, frozen=True):
    """An order with its change orders, its history, what its prices were made of, and its photos."""

    repair: RepairOut
    changes: list[ChangeOut]
    history: list[LineOut]
    parts: list[PartOut]
    photos: list[PhotoOut]


class RepairsOut(msgspec.Struct, frozen=True):
    """Urgent first, then the newest, at most 200."""

    items: list[RepairOut]


class DeskRepairsOut(msgspec.Struct, frozen=True):
    """A page of a view, urgent first, then the newest, and the cursor of the next."""

    items: list[RepairOut]
    next: str | None


class CandidateOut(msgspec.Struct, frozen=True):
    """Who could go, and why."""

    repairer: UUID
    name: str
    card_no: str
    team: UUID
    team_name: str
    trades: list[Trade]
    can_do: bool
    is_same_building: bool
    is_same_grid: bool
    open_jobs: int


class CandidatesOut(msgspec.Struct, frozen=True):
    """The best first."""

    items: list[CandidateOut]


class SkillsIn(msgspec.Struct, frozen=True):
    """What a repairer can do; nothing else."""

    trades: Annotated[list[Trade], msgspec.Meta(max_length=len(Trade))]


class ReportForm(msgspec.Struct):
    """What is broken, typed into a page, with a photo where one was chosen."""

    text: Text
    trade: Trade
    is_urgent: bool = False
    photo: UploadFile | None = None


class ReportForForm(ReportForm, kw_only=True):
    """The same, for somebody who phoned."""

    asked_by: UUID


class AssignForm(msgspec.Struct):
    """Who goes: person and team in one choice."""

    who: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\.[0-9a-f]{32}$")]


class FinishForm(msgspec.Struct):
    """How long it took, what was done, and how it looks now."""

    minutes: Annotated[int, msgspec.Meta(ge=0, le=MINUTES_MAX)]
    note: Note = ""
    photo: UploadFile | None = None


class PictureForm(msgspec.Struct):
    """One more photo."""

    photo: UploadFile | None = None


class PinForm(msgspec.Struct):
    """What the resident typed on the repairer's phone."""

    pin: Pin


class CodeForm(msgspec.Struct):
    """What the resident showed or said."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
    nonce: UUID


class SkillsForm(msgspec.Struct):
    """The boxes that are ticked."""

    trades: Annotated[list[Trade], msgspec.Meta(max_length=len(Trade))] = []


class AgreeForm(msgspec.Struct):
    """Yes to the price that was on the page."""

    revision: int


class DeclineForm(msgspec.Struct):
    """Why not."""

    reason: Decline


class ReasonForm(msgspec.Struct):
    """Why."""

    reason: Text


class Nothing(msgspec.Struct):
    """A press and no more."""


def repair_out(order: RepairOrder, names: dict[UUID, str], code: str | None = None) -> RepairOut:
    """An order for the wire."""
    return RepairOut(
        order_id=order.order_id,
        state=RepairState(order.state),
        revision=order.revision,
        text=order.text,
        trade=Trade(order.trade),
        is_urgent=order.is_urgent,
        building=order.building,
        asker=names[order.asked_by],
        repairer=names[order.repairer_id] if order.repairer_id else None,
        team_id=order.team_id,
        posted_at=order.posted_at,
        priced_on=order.priced_on,
        cash_fen=order.cash_fen,
        payable_fen=order.payable_fen,
        minutes=order.minutes,
        warranty=Warranty(order.warranty),
        warranty_until=order.warranty_until,
        release_after=order.release_after,
        voucher_id=str(order.voucher_id) if order.voucher_id else None,
        code=code,
    )


def line_out(line: RepairLine, names: dict[UUID, str], *, with_note: bool) -> LineOut:
    """A line of history for the wire. Why a repairer declined is for the office alone."""
    return LineOut(
        Step(line.step),
        RepairState(line.state_after),
        line.at,
        names[line.actor_id] if line.actor_id else None,
        names[line.on_behalf_of] if line.on_behalf_of else None,
        line.note if with_note else None,
    )
