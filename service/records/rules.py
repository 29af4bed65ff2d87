"""What a service is worth; pure arithmetic on integers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from service.kit.refusals import Conflict, NotFound

STAR_HOURS = (100, 300, 600, 1000, 1500)
"""志愿服务记录与证明出具办法 leaves the steps to the places; these are the most common ones."""


class RecordKind(StrEnum):
    """Credited hours were checked in or confirmed by the receiver and earn; honorary hours were typed by hand and do not."""

    CREDITED = "credited"
    HONORARY = "honorary"
    TRAINING = "training"
    CARRIED = "carried"
    """The sum that the books before Linli had; two people brought it, and it earned there what it earned."""


class ServiceClass(StrEnum):
    """What kind of service it was; each has a dated coefficient."""

    GENERAL = "general"
    COMPANY = "company"
    CARE = "care"
    SKILLED = "skilled"
    PATROL = "patrol"
    TRAINING = "training"


class RecordNotFound(NotFound):
    """No such line in this community's records."""

    code: ClassVar[str] = "records.not_found"


@dataclass(eq=False)
class RecordAlreadyCorrected(Conflict):
    """A line is corrected at most once."""

    code: ClassVar[str] = "records.already_corrected"


class CorrectionCannotBeCorrected(Conflict):
    """A correction stands; enter the right service instead."""

    code: ClassVar[str] = "records.correction_cannot_be_corrected"


@dataclass(eq=False)
class TimeTaken(Conflict):
    """Another service already counts for some of this time; `title` names it, and from when to when it was."""

    code: ClassVar[str] = "records.time_taken"
    title: str
    starts_at: datetime
    ends_at: datetime


@dataclass(eq=False)
class EarningsSpent(Conflict):
    """What the service earned is spent already, so it cannot be taken back whole."""

    code: ClassVar[str] = "records.earnings_spent"


def earned_points(minutes: int, coefficient_thousandths: int) -> int:
    """Hundredths of a point for a service: a point an hour times the coefficient, the remainder dropped."""
    return minutes * coefficient_thousandths * 100 // 60_000


def credited_minutes(asked: int, credited_that_day: int, most_per_day: int) -> int:
    """What of a service counts when the day has a cap."""
    return max(0, min(asked, most_per_day - credited_that_day))


def split_store(minutes: int, stored: int, store_max: int) -> tuple[int, int]:
    """Coins for the person and coins for the neighbours' pool: above the store's limit they are given away."""
    own = max(0, min(minutes, store_max - stored))
    return own, minutes - own


def stars(total_minutes: int) -> int:
    """How many stars a life of service has earned."""
    return sum(total_minutes >= hours * 60 for hours in STAR_HOURS)
