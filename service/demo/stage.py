"""What the story is told with: one session, the people as actors, and times counted back from today."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.demo.cast import CAST, HERE
from service.kit.access import Actor
from service.kit.clock import HOME_ZONE, local_day
from service.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything a scene needs."""

    session: AsyncSession
    now: datetime
    organisations: Mapping[str, UUID]
    cast: Mapping[str, Actor]

    def at(self, days_ago: int, hour: int, minute: int = 0) -> datetime:
        """A moment of a day counted back from today, on the community's clock; never later than now for past days."""
        return moment(self.now, days_ago, hour, minute)


def moment(now: datetime, days_ago: int, hour: int, minute: int = 0) -> datetime:
    """The same, before there is a stage."""
    return datetime.combine(local_day(now) - timedelta(days=days_ago), time(hour, minute), HOME_ZONE)


async def actors(session: AsyncSession, now: datetime) -> Mapping[str, Actor]:
    """The cast as they act, with the roles they hold today."""
    place = await communities.community(session, HERE)
    rows = await identity.members_by_card(session, HERE, [part.card_no for part in CAST])
    people = await identity.people_by_ids(session, HERE, {row.member_id for row in rows.values()})
    held = await identity.roles_by_member(session, HERE, list(people), local_day(now))
    found = {}
    for part in CAST:
        person = people[rows[part.card_no].member_id]
        roles = held.get(person.member_id, ())
        found[part.handle] = Actor(
            community_id=HERE,
            community_name=place.name,
            community_phone=place.phone,
            member_id=person.member_id,
            card_no=person.card_no,
            name=person.name,
            household_id=person.household_id,
            session_id=new_id(),
            roles=frozenset(role for role, _ in roles),
            organisations=frozenset(organisation for _, organisation in roles if organisation is not None),
        )
    return found
