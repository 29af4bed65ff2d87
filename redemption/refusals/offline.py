"""Why a phone is not enrolled, has no lease, or a held record is not decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class TicketUnknown(RedemptionRefusal):
    """Nobody made this ticket, or it was typed wrong."""

    code = "redemption.ticket_unknown"


@dataclass(eq=False)
class TicketUsed(RedemptionRefusal):
    """Another phone was enrolled with it."""

    code = "redemption.ticket_used"


@dataclass(eq=False)
class TicketOver(RedemptionRefusal):
    """Its fifteen minutes are over."""

    code = "redemption.ticket_over"


@dataclass(eq=False)
class VoucherLeased(RedemptionRefusal):
    """Another phone holds the lease, so only that one may redeem it, until `ends_at` or until it gives the lease back."""

    code = "redemption.leased"
    label: str = ""
    ends_at: datetime | None = None


@dataclass(eq=False)
class LeaseOver(RedemptionRefusal):
    """The lease is not out any more."""

    code = "redemption.lease_over"


@dataclass(eq=False)
class RecordsWaiting(RedemptionRefusal):
    """The phone still has records that it must upload before it gives its lease back."""

    code = "redemption.records_waiting"


@dataclass(eq=False)
class ReviewUnknown(RedemptionRefusal):
    """No such record is held in this community."""

    code = "redemption.review_unknown"


@dataclass(eq=False)
class ReviewDecided(RedemptionRefusal):
    """Somebody else has proposed or decided meanwhile."""

    code = "redemption.review_decided"


@dataclass(eq=False)
class ReviewShopsOwn(RedemptionRefusal):
    """The phone should have known for a day, or its shop took all of the voucher itself: the shop bears it."""

    code = "redemption.review_shops_own"


@dataclass(eq=False)
class ReviewUnpayable(RedemptionRefusal):
    """It names no voucher of ours, so nobody can be paid for one."""

    code = "redemption.review_unpayable"
