"""Why a batch of paper is not printed or not voided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class NothingToPrint(RedemptionRefusal):
    """None of these vouchers can be used now."""

    code = "redemption.nothing_to_print"


@dataclass(eq=False)
class BatchUnknown(RedemptionRefusal):
    """No such batch was printed."""

    code = "redemption.batch_unknown"


@dataclass(eq=False)
class BatchVoided(RedemptionRefusal):
    """Somebody voided it before."""

    code = "redemption.batch_voided"
    voided_at: datetime | None = None
