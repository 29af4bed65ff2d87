"""Why a shop does not leave, or not yet, and what cannot be done because it leaves."""

from __future__ import annotations

from dataclasses import dataclass

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class DepartureUnknown(RedemptionRefusal):
    """Nobody proposed this."""

    code = "redemption.departure_unknown"


@dataclass(eq=False)
class DepartureWaits(RedemptionRefusal):
    """This shop's leaving was proposed already, goes on, or is over."""

    code = "redemption.departure_waits"


@dataclass(eq=False)
class DepartureDecided(RedemptionRefusal):
    """Not the step that is due; `state` says where it stands."""

    code = "redemption.departure_decided"
    state: str = ""


@dataclass(eq=False)
class DepartureDayWrong(RedemptionRefusal):
    """A shop leaves today at the earliest and within 400 days."""

    code = "redemption.departure_day_wrong"


@dataclass(eq=False)
class SuccessorWrong(RedemptionRefusal):
    """Who takes over is the shop itself or leaves too; or the shop that leaves is to take over from another."""

    code = "redemption.successor_wrong"


@dataclass(eq=False)
class DepartureUnfinished(RedemptionRefusal):
    """Something of the shop is still open; `detail` counts it kind by kind."""

    code = "redemption.departure_unfinished"


@dataclass(eq=False)
class MerchantLeaving(RedemptionRefusal):
    """Nothing new is offered at a shop that leaves."""

    code = "redemption.merchant_leaving"
