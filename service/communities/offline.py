"""What a community lets shops' phones do without a network."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import Terms
from service.communities.queries import settings_on
from service.kit.clock import day_begins, local_day

_NAMES = {
    "offline_vouchers_max": "vouchers",
    "offline_fen_max": "fen",
    "offline_voucher_fen_max": "voucher_fen",
    "offline_loss_millionths": "loss_millionths",
    "offline_soft_hours": "soft_hours",
    "offline_hard_hours": "hard_hours",
    "offline_lease_hours": "lease_hours",
}


def loss_month(now: datetime) -> date:
    """The month whose losses count now, by its first day."""
    return local_day(now).replace(day=1)


async def offline_terms(session: AsyncSession, community_id: int, now: datetime) -> Terms:
    """The limits that hold today, and the month whose losses count."""
    found: Mapping[str, int] = await settings_on(session, community_id, list(_NAMES), local_day(now))
    month_on = loss_month(now)
    limits = {field: found[name] for name, field in _NAMES.items()}
    return Terms(month_on=month_on, month_began=day_begins(month_on), **limits)
