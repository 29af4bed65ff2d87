"""Why a voucher is not locked or let go, or its price not changed."""

from __future__ import annotations

from dataclasses import dataclass

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class VoucherNotLocked(RedemptionRefusal):
    """No job or counter holds it, or no longer the one that asks."""

    code = "redemption.not_locked"


@dataclass(eq=False)
class LockWrong(RedemptionRefusal):
    """A lock ends later than now, and within ninety days."""

    code = "redemption.lock_wrong"


@dataclass(eq=False)
class ChangeWrong(RedemptionRefusal):
    """No part of a price is below nothing, a change changes something, and nothing of the voucher was used."""

    code = "redemption.change_wrong"


@dataclass(eq=False)
class ChangeWaits(RedemptionRefusal):
    """A dearer price waits for the member's answer; until then there is no other, and the voucher is not redeemed."""

    code = "redemption.change_waits"


@dataclass(eq=False)
class ChangeUnknown(RedemptionRefusal):
    """No such proposal in this community."""

    code = "redemption.change_unknown"


@dataclass(eq=False)
class ChangeAnswered(RedemptionRefusal):
    """It was agreed to or refused before."""

    code = "redemption.change_answered"


@dataclass(eq=False)
class ChangeNotYours(RedemptionRefusal):
    """Only the voucher's member, or somebody who acts for them, agrees to a dearer price."""

    code = "redemption.change_not_yours"
