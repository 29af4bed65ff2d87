"""Why a statement is not closed, confirmed, approved or paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class MerchantUnknown(RedemptionRefusal):
    """No offer ever named this shop."""

    code = "redemption.merchant_unknown"


@dataclass(eq=False)
class PeriodWrong(RedemptionRefusal):
    """A batch must end in the past and after the one before."""

    code = "redemption.period_wrong"
    settled_until: datetime | None = None


@dataclass(eq=False)
class NothingToSettle(RedemptionRefusal):
    """The running batch is empty."""

    code = "redemption.nothing_to_settle"


@dataclass(eq=False)
class SumsDiffer(RedemptionRefusal):
    """Uses, lines and ledger disagree; `detail` has the figures of each. Nobody is paid before somebody has looked."""

    code = "redemption.sums_differ"


@dataclass(eq=False)
class SettlementUnknown(RedemptionRefusal):
    """No such settlement in this community."""

    code = "redemption.settlement_unknown"


@dataclass(eq=False)
class SettlementStateWrong(RedemptionRefusal):
    """Not the step that is due."""

    code = "redemption.settlement_state"
    state: str = ""


@dataclass(eq=False)
class BankReferenceMissing(RedemptionRefusal):
    """A payment is recorded with the bank's reference."""

    code = "redemption.bank_reference_missing"


@dataclass(eq=False)
class LineUnknown(RedemptionRefusal):
    """No such line in this settlement."""

    code = "redemption.line_unknown"


@dataclass(eq=False)
class AlreadyDisputed(RedemptionRefusal):
    """The line is in dispute already."""

    code = "redemption.already_disputed"


@dataclass(eq=False)
class NotDisputed(RedemptionRefusal):
    """Nobody objected to this line, so there is nothing to decide."""

    code = "redemption.not_disputed"


@dataclass(eq=False)
class DisputeResolved(RedemptionRefusal):
    """Somebody decided this line already; `state` says how."""

    code = "redemption.dispute_resolved"
    state: str = ""
    resolved_at: datetime | None = None


@dataclass(eq=False)
class LineFinal(RedemptionRefusal):
    """The line is a correction, and two people have decided it."""

    code = "redemption.line_final"


@dataclass(eq=False)
class LineBearsCorrection(RedemptionRefusal):
    """Without this line the statement no longer bears its corrections: it is corrected after the shop has confirmed."""

    code = "redemption.line_bears_correction"


@dataclass(eq=False)
class CorrectionWaits(RedemptionRefusal):
    """What the shop has earned since does not bear the corrections that wait; nothing is closed until it does."""

    code = "redemption.correction_waits"
    short_points: int = 0
    short_fen: int = 0


@dataclass(eq=False)
class AdjustmentUnknown(RedemptionRefusal):
    """No such correction in this community."""

    code = "redemption.adjustment_unknown"


@dataclass(eq=False)
class AdjustmentDecided(RedemptionRefusal):
    """Somebody decided this correction already; `state` says how."""

    code = "redemption.adjustment_decided"
    state: str = ""


@dataclass(eq=False)
class AlreadyAdjusted(RedemptionRefusal):
    """This use has a correction, or one waits for its second person."""

    code = "redemption.already_adjusted"


@dataclass(eq=False)
class NotAdjustable(RedemptionRefusal):
    """Not a use that was paid out of a voucher: it was taken back, or somebody else than the voucher bears it."""

    code = "redemption.not_adjustable"
    state: str = ""


@dataclass(eq=False)
class MerchantLeft(RedemptionRefusal):
    """The shop is gone and has no further statement that could bear a correction: what was wrong is settled otherwise."""

    code = "redemption.merchant_left"


@dataclass(eq=False)
class AlarmDecided(RedemptionRefusal):
    """Nothing is open about these uses: somebody was faster."""

    code = "redemption.alarm_decided"


@dataclass(eq=False)
class OpeningDayWrong(RedemptionRefusal):
    """Opening hours change from tomorrow at the earliest."""

    code = "redemption.opening_day_wrong"


@dataclass(eq=False)
class OpeningWrong(RedemptionRefusal):
    """Opening hours end after they begin and do not overlap."""

    code = "redemption.opening_wrong"
