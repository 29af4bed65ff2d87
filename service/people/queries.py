"""Reads of the desk's pages about people: lists with masked contacts, one person with everything, whole exports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart, communities, identity, records
from service.communities import OrganisationKind, OrganisationView
from service.identity import Particulars, PersonNotFound, RoleHeld, SessionOpen
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.paging import Page
from service.kit.tables import Audit
from service.kit.words import masked_phone

TRAIL_LINES = 50


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person in the list; the phone number is masked."""

    member_id: UUID
    card_no: str
    name: str
    phone: str
    building: str
    roles: Sequence[Role]
    is_open: bool


@dataclass(frozen=True, slots=True)
class TrailLine:
    """What was done to a person or for them."""

    at: datetime
    action: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class PersonPage:
    """One person as the desk sees them; contact data masked until opened on purpose."""

    member_id: UUID
    card_no: str
    name: str
    phone: str
    signs_in: bool
    building: str
    is_open: bool
    revision: int
    roles: Sequence[RoleHeld]
    organisations: Mapping[UUID, OrganisationView]
    names: Mapping[UUID, str]
    sessions: Sequence[SessionOpen]
    record_minutes: int
    coin_minutes: int
    points_hundredths: int
    trail: Sequence[TrailLine]

    def held_on(self, day: date) -> frozenset[Role]:
        """The roles of a day."""
        return frozenset(
            held.role for held in self.roles if held.from_on <= day and (held.until_on is None or held.until_on > day)
        )


@dataclass(frozen=True, slots=True)
class OrganisationPage:
    """An organisation and who acts for it."""

    organisation: OrganisationView
    people: Sequence[tuple[UUID, str, str, Role]]
    """Member id, card number, name, role."""


def _masked(item: Particulars) -> str:
    return masked_phone(item.phone.removeprefix("+86")) if item.phone else ""


def _in_order(held: Iterable[Role]) -> Sequence[Role]:
    """Each role once, always in the same order."""
    has = set(held)
    return [role for role in Role if role in has]


async def people_list(
    session: AsyncSession, actor: Actor, *, text: str, role: Role | None, after: str | None, day: date
) -> Page[PersonLine]:
    """People by name, card or phone number; the same four queries for one row and for fifty."""
    found = await identity.find_people(session, actor.community_id, text, role=role, after=after)
    ids = [person.member_id for person in found.rows]
    opened = await identity.particulars_by_ids(session, actor.community_id, ids)
    roles = await identity.roles_by_member(session, actor.community_id, ids, day)
    lines = [
        PersonLine(
            member_id=person.member_id,
            card_no=person.card_no,
            name=person.name,
            phone=_masked(opened[person.member_id]),
            building=opened[person.member_id].building or "",
            roles=_in_order(held for held, _ in roles.get(person.member_id, ())),
            is_open=person.is_open,
        )
        for person in found.rows
    ]
    return Page(lines, found.next)


async def person_page(session: AsyncSession, actor: Actor, member_id: UUID, now: datetime) -> PersonPage:
    """Everything about one person but their open contact data; PersonNotFound for another community's, too."""
    number = actor.community_id
    item = (await identity.particulars_by_ids(session, number, [member_id])).get(member_id)
    if item is None:
        raise PersonNotFound
    roles = await identity.role_history(session, number, member_id)
    lines = await _trail(session, number, member_id)
    seen = {held.granted_by for held in roles} | {held.ended_by for held in roles} | {line.actor_id for line in lines}
    names = {
        key: f"{who.name} {who.card_no}" for key, who in (await identity.people_by_ids(session, number, seen)).items()
    }
    account = chart.member(member_id)
    balances = await ledger.balances(session, number, [(account, chart.MINUTE), (account, chart.POINT)])
    return PersonPage(
        member_id=member_id,
        card_no=item.card_no,
        name=item.name,
        phone=_masked(item),
        signs_in=item.signs_in,
        building=item.building or "",
        is_open=item.is_open,
        revision=item.revision,
        roles=roles,
        organisations=await communities.organisations_by_ids(
            session, number, {held.organisation_id for held in roles if held.organisation_id is not None}
        ),
        names=names,
        sessions=await identity.sessions_of(session, number, member_id, now),
        record_minutes=await records.record_minutes(session, number, member_id),
        coin_minutes=balances.get((account, chart.MINUTE), 0),
        points_hundredths=balances.get((account, chart.POINT), 0),
        trail=[
            TrailLine(
                line.at,
                line.action,
                names.get(line.actor_id, "") if line.actor_id else "",
                str(line.detail.get("reason", "")),
            )
            for line in lines
        ],
    )


async def _trail(session: AsyncSession, community_id: int, member_id: UUID) -> Sequence[Audit]:
    """The newest audit lines about a person; an import that enrolled them has that line under its own number."""
    member = sa.table("member", sa.column("community_id"), sa.column("member_id"), sa.column("import_id"))
    came_by = sa.select(sa.cast(member.c.import_id, sa.Text)).where(
        member.c.community_id == community_id, member.c.member_id == member_id
    )
    about = sa.and_(col(Audit.object_kind) == "member", col(Audit.object_id) == str(member_id))
    enrolled = sa.and_(
        col(Audit.object_kind) == "import",
        col(Audit.object_id) == came_by.scalar_subquery(),
        col(Audit.action) == "identity.enrolled",
    )
    rows = await session.execute(
        sa.select(Audit)
        .where(col(Audit.community_id) == community_id, sa.or_(about, enrolled))
        .order_by(col(Audit.audit_id).desc())
        .limit(TRAIL_LINES)
    )
    return rows.scalars().all()


async def people_to_export(
    session: AsyncSession, actor: Actor, *, text: str, role: Role | None, now: datetime
) -> tuple[Sequence[Particulars], Mapping[UUID, Sequence[Role]]]:
    """Everybody whom the list's filter finds and who is a member today, with their roles."""
    day = local_day(now)
    everybody = await identity.all_particulars(session, actor.community_id)
    if role is not None:
        holders = set(await identity.holders_of(session, actor.community_id, [role], day))
        everybody = [item for item in everybody if item.member_id in holders]
    if text.strip():
        found = await _found(session, actor.community_id, text)
        everybody = [item for item in everybody if item.member_id in found]
    ids = [item.member_id for item in everybody]
    roles = await identity.roles_by_member(session, actor.community_id, ids, day) if ids else {}
    return everybody, {member_id: list(dict.fromkeys(held for held, _ in given)) for member_id, given in roles.items()}


async def _found(session: AsyncSession, community_id: int, text: str) -> set[UUID]:
    found: set[UUID] = set()
    after: str | None = None
    while True:
        page = await identity.find_people(session, community_id, text, after=after)
        found |= {person.member_id for person in page.rows}
        after = page.next
        if after is None:
            return found


async def organisation_page(session: AsyncSession, actor: Actor, organisation_id: UUID, day: date) -> OrganisationPage:
    """An organisation of the actor's community and who acts for it today."""
    item = await communities.organisation(session, actor.community_id, organisation_id)
    holders = await identity.organisation_people(session, actor.community_id, organisation_id, day)
    people = await identity.people_by_ids(session, actor.community_id, {member_id for member_id, _ in holders})
    return OrganisationPage(
        item,
        [(member_id, people[member_id].card_no, people[member_id].name, role) for member_id, role in holders],
    )


async def organisation_kind(
    session: AsyncSession, actor: Actor, organisation_id: UUID | None
) -> OrganisationKind | None:
    """Of which kind an organisation is; OrganisationNotFound when it is not one of this community."""
    if organisation_id is None:
        return None
    return (await communities.organisation(session, actor.community_id, organisation_id)).kind
