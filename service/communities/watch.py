"""What a community looks for in the uses of vouchers."""

from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import Watch
from service.communities.queries import settings_on
from service.kit.clock import HOME_ZONE

_NAMES = {
    "watch_hours_grace_minutes": "hours_grace_minutes",
    "watch_seconds_between": "seconds_between",
    "watch_member_uses_per_day": "member_per_day",
    "watch_sigmas": "sigmas",
    "watch_typed_fen_per_day": "typed_fen_per_day",
}


async def watch_on(session: AsyncSession, community_id: int, day: date) -> Watch:
    """The thresholds that hold on a day."""
    found = await settings_on(session, community_id, list(_NAMES), day)
    return Watch(zone=HOME_ZONE.key, **{field: found[name] for name, field in _NAMES.items()})
