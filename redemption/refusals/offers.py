"""Why an offer is not published, or a voucher not issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class OfferUnknown(RedemptionRefusal):
    """No such offer in this community."""

    code = "redemption.offer_unknown"


@dataclass(eq=False)
class OfferWrong(RedemptionRefusal):
    """A term is out of bounds: price, stock, times, zone, title or no merchant."""

    code = "redemption.offer_wrong"


@dataclass(eq=False)
class OfferNotDraft(RedemptionRefusal):
    """Its state does not allow it."""

    code = "redemption.offer_not_draft"
    state: str = ""


@dataclass(eq=False)
class OfferChanged(RedemptionRefusal):
    """The draft got another sponsor in the same moment; ask again."""

    code = "redemption.offer_changed"


@dataclass(eq=False)
class OfferNotPublished(RedemptionRefusal):
    """Its state does not allow it."""

    code = "redemption.offer_not_published"
    state: str = ""


@dataclass(eq=False)
class OfferNotStarted(RedemptionRefusal):
    """Members can take it from valid_from on."""

    code = "redemption.offer_not_started"
    valid_from: datetime | None = None


@dataclass(eq=False)
class OfferOver(RedemptionRefusal):
    """Its time to be taken is over."""

    code = "redemption.offer_over"
    valid_until: datetime | None = None


@dataclass(eq=False)
class BudgetShort(RedemptionRefusal):
    """The sponsor cannot pay for this beside all that is promised. Without figures when a single voucher was asked for."""

    code = "redemption.budget_short"
    needed_points: int = 0
    needed_fen: int = 0
    free_points: int = 0
    free_fen: int = 0


@dataclass(eq=False)
class PointsShort(RedemptionRefusal):
    """The member lacks missing_points, in whole points."""

    code = "redemption.points_short"
    missing_points: int = 0


@dataclass(eq=False)
class OutOfStock(RedemptionRefusal):
    """Fewer are left than were asked for."""

    code = "redemption.out_of_stock"
    left: int = 0


@dataclass(eq=False)
class MemberCap(RedemptionRefusal):
    """The member has had `taken` of the `cap` that the period allows."""

    code = "redemption.member_cap"
    cap: int = 0
    period: str = ""
    taken: int = 0


@dataclass(eq=False)
class OfferCap(RedemptionRefusal):
    """Everybody together has had `taken` of the `cap` that the period allows."""

    code = "redemption.offer_cap"
    cap: int = 0
    period: str = ""
    taken: int = 0


@dataclass(eq=False)
class NotEligible(RedemptionRefusal):
    """The offer is for others. It does not say for whom."""

    code = "redemption.not_eligible"


@dataclass(eq=False)
class QuantityWrong(RedemptionRefusal):
    """Not a number that can be used or taken. `open` is what is left of a voucher."""

    code = "redemption.quantity_wrong"
    open: int = 0


@dataclass(eq=False)
class CodeTaken(RedemptionRefusal):
    """The random voucher id or short code exists. Issuing draws again by itself; seeing this means broken luck."""

    code = "redemption.code_taken"
