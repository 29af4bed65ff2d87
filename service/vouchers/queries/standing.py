"""What people are, in the tags that an offer may require: their roles and their stars."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import roles_by_member
from service.records import minutes_by_member, stars
from service.vouchers.rules import tags_of


async def tags_by_member(
    session: AsyncSession, community_id: int, ids: Collection[UUID], day: date
) -> Mapping[UUID, frozenset[str]]:
    """The tags of many people on a day, in two queries."""
    roles = await roles_by_member(session, community_id, ids, day)
    minutes = await minutes_by_member(session, community_id, ids)
    return {
        member_id: tags_of((role for role, _place in roles.get(member_id, ())), stars(minutes.get(member_id, 0)))
        for member_id in ids
    }
