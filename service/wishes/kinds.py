"""What a wish may be for, and what a thank-you may say."""

from enum import StrEnum


class WishKind(StrEnum):
    """Somebody's time, a thing, or help right now. Each has a word under `wish.kind.<value>`."""

    TIME = "time"
    GOODS = "goods"
    URGENT = "urgent"


class WishCategory(StrEnum):
    """The shelves of the wall, few enough to be chips on a phone. Each has a word under `wish.category.<value>`."""

    ERRANDS = "errands"
    CHORES = "chores"
    REPAIRS = "repairs"
    COMPANY = "company"
    CARE = "care"
    DIGITAL = "digital"
    LESSONS = "lessons"
    THINGS = "things"


class Warmth(StrEnum):
    """How glad the asker is. There is no bad mark: who is not content says it is not done. `wish.warmth.<value>`."""

    VERY_GLAD = "very_glad"
    GLAD = "glad"
    FINE = "fine"
