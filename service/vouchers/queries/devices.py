"""Shops' phones and what they uploaded, as the office sees them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids


@dataclass(frozen=True, slots=True)
class Phones:
    """Phones, the names of their shops, and what the fund has borne this month."""

    devices: Sequence[redemption.ShopDevice]
    shops: dict[UUID, str]
    losses: redemption.LossMonth | None


@dataclass(frozen=True, slots=True)
class Held:
    """Records that wait for people, and the names of their shops."""

    reviews: Sequence[redemption.Review]
    shops: dict[UUID, str]


async def phones_seen(
    session: AsyncSession, community_id: int, shops: Collection[UUID] | None, now: datetime
) -> Phones:
    """The phones of these shops, or of all, those in use first."""
    found = await redemption.devices(session, community_id, merchants=None if shops is None else tuple(shops), now=now)
    named = await organisations_by_ids(session, community_id, {each.merchant_id for each in found})
    months = await redemption.losses(session, community_id, limit=1)
    return Phones(found, {each.organisation_id: each.name for each in named.values()}, next(iter(months), None))


async def held_records(session: AsyncSession, community_id: int, *, is_open: bool = True) -> Held:
    """Records that wait for people, the one that is due first at the top; or those that were decided."""
    found = await redemption.reviews(session, community_id, is_open=is_open)
    named = await organisations_by_ids(session, community_id, {each.merchant_id for each in found})
    return Held(found, {each.organisation_id: each.name for each in named.values()})
