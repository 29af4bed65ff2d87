"""The life of a voucher and of a settlement, as tables a person can read. Pure: no database, no clock.

The functions in sql/ keep these rules; tests/redemption compares both, state by state and action by action.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class VoucherState(StrEnum):
    """Every state a voucher can have. Reserving, locking and pending cancels come with later issues."""

    RESERVED = "RESERVED"
    ISSUED = "ISSUED"
    LOCKED = "LOCKED"
    PART_USED = "PART_USED"
    USED = "USED"
    CANCEL_PENDING = "CANCEL_PENDING"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FROZEN = "FROZEN"
    VOID = "VOID"


class UseState(StrEnum):
    """PENDING_DEVICE lives only on a shop's phone until it is uploaded."""

    PENDING_DEVICE = "PENDING_DEVICE"
    ACCEPTED = "ACCEPTED"
    CONFLICT = "CONFLICT"
    REVERSED = "REVERSED"
    SETTLED = "SETTLED"
    ADJUSTED = "ADJUSTED"


class OfferState(StrEnum):
    """A draft can be edited, a published offer taken, a withdrawn one neither."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"


class OfferKind(StrEnum):
    """What the member gets. An entitlement is a perk that is not bought."""

    GOODS = "goods"
    SERVICE = "service"
    REPAIR = "repair"
    ENTITLEMENT = "entitlement"


class CapPeriod(StrEnum):
    """How long a member's cap counts, in the offer's own time zone."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    EVER = "ever"


class OfflineClass(IntEnum):
    """Who may redeem without a network."""

    ONLINE_ONLY = 0
    LEASED = 1
    ROAMING = 2


class SettlementState(StrEnum):
    """OPEN is the running batch, which no row describes: a merchant's accepted uses that no batch has taken."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CONFIRMED = "CONFIRMED"
    APPROVED = "APPROVED"
    PAID = "PAID"


class LineKind(StrEnum):
    """A use, the same use again in a later batch after a dispute, or a correction of one in a later batch."""

    USE = "use"
    CARRIED = "carried"
    ADJUSTMENT = "adjustment"


class DisputeState(StrEnum):
    """Upheld is for the shop: the line joins its next batch. Reversed: the use is taken back and the line is closed."""

    DISPUTED = "DISPUTED"
    UPHELD = "UPHELD"
    REVERSED = "REVERSED"


class DeviceKind(StrEnum):
    """A browser is known by its first scan; an enrolled device has a key and belongs to one shop."""

    BROWSER = "browser"
    ENROLLED = "enrolled"


REDEEM_ORDER: Final = (
    "nonce_differs",
    "replayed",
    "device_refused",
    "unknown",
    "wrong_merchant",
    "own_voucher",
    "frozen",
    "void",
    "cancelled",
    "cancel_pending",
    "used",
    "expired",
    "not_issued",
    "locked",
    "code_outdated",
    "quantity_wrong",
    "ledger_refused",
    "redeemed",
)
"""The verdicts of a scan, in the order in which they are looked for: the first that applies is the answer.

What a shop may not know comes before what it may: of another shop's voucher it learns only that. A state that is over
comes before an outdated code, because "used at 14:03" helps the clerk and "old code" does not.
"""

USABLE: Final = (
    VoucherState.RESERVED,
    VoucherState.ISSUED,
    VoucherState.LOCKED,
    VoucherState.PART_USED,
    VoucherState.CANCEL_PENDING,
    VoucherState.FROZEN,
)
USED_UP: Final = (VoucherState.USED,)
OVER: Final = (VoucherState.CANCELLED, VoucherState.EXPIRED, VoucherState.VOID)

_S = VoucherState


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the life of a voucher: who may do it, from where to where, and what it does to the money."""

    action: str
    who: str
    guard: str
    effect: str
    moves: dict[VoucherState | None, tuple[VoucherState, ...]]
    """From a state to what may come of it; None is no voucher yet."""


TRANSITIONS: Final = (
    Transition(
        "issue",
        "the member, or somebody for them",
        "offer published and in time; stock; the member's cap; points; the sponsor's budget",
        "member points, sponsor points and sponsor fen into escrow; stock taken; price and split frozen",
        {None: (_S.ISSUED,)},
    ),
    Transition(
        "redeem",
        "a clerk of a shop in scope, not of the owner's household",
        "not expired; the newest code; enough left; device and nonce not seen before",
        "escrow to the merchant's points and fen; a use",
        {_S.ISSUED: (_S.PART_USED, _S.USED), _S.PART_USED: (_S.PART_USED, _S.USED)},
    ),
    Transition(
        "reverse",
        "the clerk who scanned, or the shop's owner",
        "within the hour; no batch has it; a reason; three in 24 hours for a device",
        "merchant back to escrow, exactly; older codes are dead",
        {_S.USED: (_S.ISSUED, _S.PART_USED), _S.PART_USED: (_S.ISSUED, _S.PART_USED)},
    ),
    Transition(
        "cancel",
        "the member, or somebody for them",
        "not expired; a reason",
        "the rest goes back to member and sponsor; stock returns",
        {_S.RESERVED: (_S.CANCELLED,), _S.ISSUED: (_S.CANCELLED,), _S.PART_USED: (_S.CANCELLED,)},
    ),
    Transition(
        "expire",
        "the system",
        "past the expiry, and for the offline classes the grace that was frozen at issue",
        "the rest goes back to member and sponsor; stock returns",
        {_S.RESERVED: (_S.EXPIRED,), _S.ISSUED: (_S.EXPIRED,), _S.PART_USED: (_S.EXPIRED,)},
    ),
    Transition(
        "refund",
        "a second person, never who closed the batch or objected",
        "the use stands in a batch and its line is in dispute; a reason",
        "merchant back to member and sponsor, exactly; the pieces count as returned; stock returns",
        {_S.USED: (_S.USED, _S.CANCELLED), _S.PART_USED: (_S.ISSUED, _S.PART_USED)},
    ),
    Transition(
        "freeze",
        "staff",
        "a reason",
        "nothing moves",
        dict.fromkeys((_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING), (_S.FROZEN,)),
    ),
    Transition(
        "unfreeze",
        "staff",
        "a reason",
        "nothing moves",
        {_S.FROZEN: (_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING)},
    ),
    Transition(
        "void",
        "two of staff",
        "a reason",
        "the rest goes back to member and sponsor; stock returns",
        dict.fromkeys((_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING, _S.FROZEN), (_S.VOID,)),
    ),
)
"""What exists now (docs/decisions/0003). Reserving, locking and offline leases come later;
their states already fit the tables."""

SETTLEMENT_STEPS: Final = (
    ("close", SettlementState.OPEN, SettlementState.CLOSED, "finance; three sums agree"),
    ("confirm", SettlementState.CLOSED, SettlementState.CONFIRMED, "the merchant, or nobody after the time to object"),
    ("approve", SettlementState.CONFIRMED, SettlementState.APPROVED, "a second person, never who closed it"),
    ("pay", SettlementState.APPROVED, SettlementState.PAID, "finance; with the bank's reference"),
)
