"""Why a step that takes two of staff is not proposed or not done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class RequestWaits(RedemptionRefusal):
    """The same was proposed before and waits."""

    code = "redemption.request_waits"


@dataclass(eq=False)
class RequestUnknown(RedemptionRefusal):
    """Nobody proposed this."""

    code = "redemption.request_unknown"


@dataclass(eq=False)
class RequestDecided(RedemptionRefusal):
    """Somebody was faster."""

    code = "redemption.request_decided"
    state: str = ""
    decided_at: datetime | None = None


@dataclass(eq=False)
class ExtensionWrong(RedemptionRefusal):
    """The new end is not later than the old one, or ten years away."""

    code = "redemption.extension_wrong"
    expires_at: datetime | None = None
