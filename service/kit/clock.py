"""The one place where the service asks what time it is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from litestar.datastructures import State

Clock = Callable[[], datetime]

HOME_ZONE = ZoneInfo("Asia/Shanghai")
"""Every community lives on Beijing time: the country has one time zone."""


def system_clock() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
"""Days that a calendar, a time zone and a database agree on."""


def day_begins(day: date) -> datetime:
    """The first moment of a day on the community's clock. A day out of all reason is the nearest one in reason."""
    return datetime.combine(min(max(day, FIRST_DAY), LAST_DAY + timedelta(days=1)), time(), HOME_ZONE)


def local_day(moment: datetime) -> date:
    """The community's own calendar day in which an instant falls."""
    return moment.astimezone(HOME_ZONE).date()


async def provide_now(state: State) -> datetime:
    """The instant of this request; tests put another clock into `app.state.clock`."""
    clock: Clock = state.clock
    return clock()
