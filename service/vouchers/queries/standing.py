"""What people are, in the tags that an offer may require: their roles, their stars, and what their household is entitled to."""

from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.households import care_tag, care_words
from service.identity import people_by_ids, roles_by_member
from service.records import minutes_by_member, stars
from service.vouchers.rules import tags_of


async def tags_by_member(
    session: AsyncSession, community_id: int, ids: Collection[UUID], day: date
) -> Mapping[UUID, frozenset[str]]:
    """The tags of many people on a day, in as many queries as for one."""
    roles = await roles_by_member(session, community_id, ids, day)
    minutes = await minutes_by_member(session, community_id, ids)
    households = {
        member_id: face.household_id for member_id, face in (await people_by_ids(session, community_id, ids)).items()
    }
    words = await care_words(session, community_id, {found for found in households.values() if found}, day)
    tags = {
        member_id: tags_of((role for role, _place in roles.get(member_id, ())), stars(minutes.get(member_id, 0)))
        for member_id in ids
    }
    for member_id, household_id in households.items():
        if household_id is not None and household_id in words:
            tags[member_id] |= {care_tag(word) for word in words[household_id]}
    return tags
