"""What crosses the wire between us and a shop's phone, and what the office sees of phones. Times of phones are milliseconds."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from service.vouchers.payloads.kinds import Reason
from service.vouchers.uploads import RECORDS_MOST, Milliseconds, Record

Bytes = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]
EXPORT_BYTES_MAX = 8 * 1024 * 1024


class EnrolIn(msgspec.Struct):
    """A phone's key, and the proof that it has it: the ticket, signed."""

    ticket: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    public_key: Bytes
    proof: Bytes
    label: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]


class ShopOut(msgspec.Struct):
    """A shop."""

    id: UUID
    name: str


class EnrolOut(msgspec.Struct):
    """What the phone is from now on."""

    device_id: UUID
    community_id: int
    shop: ShopOut
    server_time: int


class CallIn(msgspec.Struct):
    """What every call of a phone says; the signature is over its exact bytes.

    The fields say which call it is: what was signed for one of them is refused by the others, as is what they do not know.
    """

    device_id: UUID
    community_id: int
    sent_at: Milliseconds


class SnapshotIn(CallIn, forbid_unknown_fields=True):
    """Asks for what is needed without a network. Without a lease wanted, none is taken or made longer."""

    revocations_after: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,14}$")] | None = None
    lease: bool = True


class SyncIn(CallIn, forbid_unknown_fields=True):
    """Records in the order of their numbers, each the text that was hashed; and how far the phone's log goes by now."""

    records: Annotated[list[Record], msgspec.Meta(max_length=RECORDS_MOST)]
    written: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None


class ExportIn(msgspec.Struct):
    """What a phone exported: its signature, a line's end and the text it signed; or the codes' texts one below the other."""

    text: Annotated[str, msgspec.Meta(min_length=1)]


class LeaseIn(CallIn, forbid_unknown_fields=True):
    """Gives a lease back, after the last record, number `seq`, was uploaded. One that is named is ended, or none is."""

    act: Literal["hand_over", "return"]
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    lease: UUID | None = None


class LeaseOut(msgspec.Struct):
    """A lease, signed by the book's key over `linli lease 1|COMMUNITY|DEVICE|LEASE|ENDS`."""

    id: UUID
    ends_at: int
    frozen: bool
    signature: str


class AnchorsOut(msgspec.Struct):
    """What a phone checks a rotating code with: the anchors of windows one after the other."""

    first_window: int
    values: list[str]


class LeasedOut(msgspec.Struct):
    """A voucher that may be redeemed without a network."""

    id: str
    title: str
    open: int
    points_each: int
    cash_fen_each: int
    value_fen: int
    expires_at: int
    usable_from: int
    weekdays: int
    code_seq: int
    anchors: AnchorsOut
    offline_class: int = msgspec.field(name="class")


class RoamingOut(msgspec.Struct):
    """An offer whose signed codes may be taken without a network."""

    number: int
    title: str
    points: int
    value_fen: int
    usable_from: int
    weekdays: int
    offline_class: int = msgspec.field(name="class")


class IssuerOut(msgspec.Struct):
    """A key that signed codes are checked with."""

    number: int
    public_key: str
    valid_from: int
    valid_to: int


class FloorOut(msgspec.Struct):
    """What one phone may accept without us."""

    vouchers: int
    fen: int
    voucher_fen: int
    soft_hours: int
    hard_hours: int


class ClerkOut(msgspec.Struct):
    """Somebody who serves at the shop."""

    id: UUID
    name: str


class SnapshotOut(msgspec.Struct):
    """All that a phone needs without a network."""

    server_time: int
    community_id: int
    time_zone: str
    shop: ShopOut
    lease: LeaseOut | None
    vouchers: list[LeasedOut]
    offers: list[RoamingOut]
    issuer_keys: list[IssuerOut]
    revoked: list[str]
    revocation_mark: str
    floor: FloorOut
    compare_fen: int
    """Above so much the clerk compares the name on a paper."""
    clerks: list[ClerkOut]


class VerdictOut(msgspec.Struct):
    """What became of one record. Only this lets it leave the phone."""

    nonce: UUID
    verdict: str
    reason: str
    bearer: str | None
    title: str
    text: str


class SyncOut(msgspec.Struct):
    """An answer for each record that could be read; `unread` are the places of the others."""

    server_time: int
    verdicts: list[VerdictOut]
    unread: list[int]


class ExportOut(msgspec.Struct):
    """What became of an export: an answer for each record that could be read."""

    shop_id: UUID
    label: str
    verdicts: list[VerdictOut]
    unread: int


class LeaseDone(msgspec.Struct):
    """The lease is back."""

    server_time: int


class TicketIn(msgspec.Struct):
    """A ticket for which shop."""

    shop: UUID


class TicketOut(msgspec.Struct):
    """A ticket: shown once, to one phone."""

    ticket: str
    url: str
    ends_at: datetime


class TicketForm(msgspec.Struct):
    """A ticket for which shop."""

    shop: UUID


class DeviceOut(msgspec.Struct):
    """A phone as the office sees it."""

    device_id: UUID
    shop_id: UUID
    shop: str
    label: str
    enrolled_at: datetime
    revoked_at: datetime | None
    seen_at: datetime | None
    records: int
    lease_id: UUID | None
    lease_ends_at: datetime | None
    lease_frozen: str | None


class DevicesOut(msgspec.Struct):
    """Phones, and what the fund has lost by them this month."""

    items: list[DeviceOut]
    lost_fen: int
    allowed_fen: int
    is_alarming: bool


class OfflineReviewOut(msgspec.Struct):
    """A record that people look at."""

    device_id: UUID
    nonce: UUID
    shop: str
    label: str
    voucher_id: str | None
    title: str | None
    quantity: int
    value_fen: int
    scanned_at: datetime
    received_at: datetime
    reason: str
    state: str
    due_at: datetime
    is_paid: bool | None
    note: str | None
    proposed_by: UUID | None
    decided_by: UUID | None
    decided_at: datetime | None
    undone_at: datetime | None
    is_undo: bool


class OfflineReviewsOut(msgspec.Struct):
    """A page of records that wait for people, or that were decided."""

    items: list[OfflineReviewOut]
    next: str | None


class ProposalIn(msgspec.Struct):
    """Whether the shop is paid, and why."""

    is_paid: bool
    note: Reason


class ProposalForm(msgspec.Struct):
    """Whether the shop is paid, and why."""

    is_paid: Literal["yes", "no"]
    note: Reason


class DecisionIn(msgspec.Struct):
    """Whether the second person agrees."""

    is_agreed: bool


class DecisionForm(msgspec.Struct):
    """Whether the second person agrees."""

    is_agreed: Literal["yes", "no"]
