"""The states of vouchers, uses, offers and settlements, and the order of a scan's answers."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class VoucherState(StrEnum):
    """Every state a voucher can have."""

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
    """What the member gets. An entitlement is a perk that is not bought: it costs nothing, is for some only and not given away."""

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
    PART_PAID = "PART_PAID"
    PAID = "PAID"


class Rhythm(StrEnum):
    """How often a shop is settled: every Monday for the week before, or every morning for the day before."""

    WEEKLY = "weekly"
    DAILY = "daily"


class PayeeState(StrEnum):
    """Where a shop's bank account stands."""

    PROPOSED = "PROPOSED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class StaffStep(StrEnum):
    """What takes two of staff: calling a voucher back for good, giving it more days."""

    VOID = "void"
    EXTEND = "extend"


class RequestState(StrEnum):
    """What became of a step that was proposed; refused also when its own proposer took it back."""

    PROPOSED = "proposed"
    DONE = "done"
    REFUSED = "refused"


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


class AdjustmentCause(StrEnum):
    """Why a use is corrected after its shop has confirmed the statement."""

    DISPUTE = "dispute"
    WARRANTY = "warranty"
    UNDONE = "undone"
    """The shop's phone took the scan back, and the word came when the use was settled. Only by a held record."""


class AlarmRule(StrEnum):
    """What a use can look odd by; rules.WATCH says each in words. Only the last is raised by a person."""

    OUTSIDE_HOURS = "outside_hours"
    TOO_FAST = "too_fast"
    MEMBER_OFTEN = "member_often"
    DAY_UNUSUAL = "day_unusual"
    TYPED_MUCH = "typed_much"
    UNREAD = "unread"
    DENIED = "denied"


class AlarmState(StrEnum):
    """Open keeps the use out of every batch. Cleared lets it in; disputed too, as a line in dispute."""

    OPEN = "OPEN"
    CLEARED = "CLEARED"
    DISPUTED = "DISPUTED"


class LeaseState(StrEnum):
    """A lease is out with a phone until it comes back, is broken by people, or its time is over."""

    OUT = "out"
    RETURNED = "returned"
    BROKEN = "broken"
    OVER = "over"


class RecordVerdict(StrEnum):
    """What became of a scan without a network: a use, a use that somebody bears, one known before, or held for people."""

    ACCEPTED = "accepted"
    CONFLICT = "conflict"
    ALREADY = "already"
    REVIEW = "review"


class Bearer(StrEnum):
    """Who pays for a conflict."""

    FUND = "fund"
    MERCHANT = "merchant"
    MEMBER = "member"


class ReviewState(StrEnum):
    """A held record waits, has a proposal, or is decided."""

    OPEN = "open"
    PROPOSED = "proposed"
    DECIDED = "decided"


class DeviceKind(StrEnum):
    """A browser is known by its first scan; an enrolled device has a key and belongs to one shop."""

    BROWSER = "browser"
    ENROLLED = "enrolled"


class DepartureState(StrEnum):
    """Where a shop's leaving stands. LEAVING: agreed, its offers stop. LOCKED: it is out of every offer's scope."""

    PROPOSED = "PROPOSED"
    LEAVING = "LEAVING"
    LOCKED = "LOCKED"
    DONE = "DONE"
    WITHDRAWN = "WITHDRAWN"


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
    "not_yet",
    "not_today",
    "code_outdated",
    "leased",
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

SETTLEMENT_STEPS: Final = (
    ("close", SettlementState.OPEN, SettlementState.CLOSED, "finance; three sums agree"),
    ("confirm", SettlementState.CLOSED, SettlementState.CONFIRMED, "the merchant, or nobody after the time to object"),
    ("approve", SettlementState.CONFIRMED, SettlementState.APPROVED, "a second person, never who closed it"),
    ("pay", SettlementState.APPROVED, SettlementState.PAID, "never who approved it; with the bank's reference"),
    ("pay", SettlementState.APPROVED, SettlementState.PART_PAID, "the same, for a part"),
    ("pay", SettlementState.PART_PAID, SettlementState.PAID, "the same, for the rest"),
    ("return", SettlementState.PAID, SettlementState.CONFIRMED, "the bank sent a payment back; it is approved anew"),
    ("return", SettlementState.PART_PAID, SettlementState.CONFIRMED, "the same"),
    ("approve", SettlementState.CONFIRMED, SettlementState.PART_PAID, "a second person, where a part stays paid"),
)
