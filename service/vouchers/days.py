"""Days of the week as an offer keeps them, a bit for each, and as people say them."""

from collections.abc import Iterable, Sequence

from redemption import EVERY_DAY
from service.kit.i18n import _

WEEK = 7


def mask_of(days: Iterable[int]) -> int:
    """Monday is 1 and Sunday 7; none means every day."""
    return sum(1 << (day - 1) for day in set(days)) or EVERY_DAY


def days_in(mask: int) -> Sequence[int]:
    """The same back."""
    return [day for day in range(1, WEEK + 1) if mask & (1 << (day - 1))]


def names() -> Sequence[str]:
    """Monday to Sunday in the reader's language."""
    return (_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日"))


def days_said(mask: int) -> str:
    """The days in words, a run of them as first to last; nothing when it is every day."""
    days = days_in(mask)
    if mask == EVERY_DAY:
        return ""
    words = names()
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return _("{first}到{last}").format(first=words[days[0] - 1], last=words[days[-1] - 1])
    return _("、").join(words[day - 1] for day in days)
