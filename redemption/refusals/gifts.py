"""Why a voucher is not given to another member."""

from __future__ import annotations

from dataclasses import dataclass

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class GiftToOneself(RedemptionRefusal):
    """It is the holder's already."""

    code = "redemption.gift_to_oneself"


@dataclass(eq=False)
class GivenBefore(RedemptionRefusal):
    """A gift is not given on: vouchers do not go from hand to hand."""

    code = "redemption.given_before"


@dataclass(eq=False)
class NotGiftable(RedemptionRefusal):
    """Its offer does not allow it."""

    code = "redemption.not_giftable"


@dataclass(eq=False)
class RecipientNotEligible(RedemptionRefusal):
    """The offer is for others than the recipient. It does not say for whom."""

    code = "redemption.recipient_not_eligible"
