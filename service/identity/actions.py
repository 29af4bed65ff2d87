"""Enrolling people and giving them roles."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.communities.tables import Household
from service.identity.queries import context
from service.identity.rules import (
    CannotChangeOwnRoles,
    NewPerson,
    PersonNotFound,
    RoleHeldAlready,
    RoleNotHeld,
    check_name,
    name_pieces,
)
from service.identity.tables import Login, Member, MemberRole
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.ids import new_id


def _sealed(keys: Keyring, community_id: int, person: NewPerson) -> dict[str, object]:
    """The columns of a person that nobody may read in the database."""
    place = (community_id, person.member_id)
    return {
        "name_sealed": keys.seal(person.name, context(*place, "name")),
        "name_index": sorted(keys.blind(f"name:{community_id}", piece) for piece in name_pieces(person.name)),
        "phone_sealed": keys.seal(person.phone, context(*place, "phone")) if person.phone else None,
        "phone_index": keys.blind("phone", person.phone) if person.phone else None,
        "born_sealed": keys.seal(person.born_on.isoformat(), context(*place, "born")) if person.born_on else None,
    }


async def _all_sealed(
    keys: Keyring, community_id: int, people: Sequence[NewPerson]
) -> Mapping[UUID, dict[str, object]]:
    """The same for many, in a thread: thousands of them would hold up everybody else's requests."""

    def work() -> Mapping[UUID, dict[str, object]]:
        return {person.member_id: _sealed(keys, community_id, person) for person in people}

    return await anyio.to_thread.run_sync(work)


async def _households(
    session: AsyncSession, community_id: int, people: Sequence[NewPerson]
) -> dict[tuple[UUID, str], UUID]:
    """The household behind every door named, opened where it is new; the door's unique key settles races."""
    keys = keyring(session)
    doors = {(p.building_id, p.door) for p in people if p.building_id is not None and p.door}
    wanted = {(building, keys.blind(f"door:{community_id}", door or "")): (building, door) for building, door in doors}
    if not wanted:
        return {}
    rows = []
    for (building, index), (_, door) in wanted.items():
        household_id = new_id()
        rows.append(
            {
                "community_id": community_id,
                "household_id": household_id,
                "building_id": building,
                "door_sealed": keys.seal(door or "", f"household:{community_id}:{household_id.hex}:door"),
                "door_index": index,
            }
        )
    for start in range(0, len(rows), 2000):
        await session.execute(insert(Household).on_conflict_do_nothing(), rows[start : start + 2000])
    found = await session.execute(
        sa.select(col(Household.building_id), col(Household.door_index), col(Household.household_id)).where(
            col(Household.community_id) == community_id,
            col(Household.building_id).in_({building for building, _ in wanted}),
        )
    )
    by_index = {(building, index): household_id for building, index, household_id in found}
    return {(b, d or ""): by_index[place] for place, (b, d) in wanted.items()}


async def _logins(session: AsyncSession, people: Sequence[NewPerson]) -> dict[str, UUID]:
    """The login behind every phone number that shall sign in, opened where it is new."""
    keys = keyring(session)
    index = {keys.blind("phone", p.phone): p.phone for p in people if p.login_phone and p.phone}
    if not index:
        return {}
    await session.execute(
        insert(Login).on_conflict_do_nothing(),
        [{"login_id": new_id(), "phone_index": value} for value in sorted(index)],
    )
    rows = await session.execute(
        sa.select(col(Login.phone_index), col(Login.login_id)).where(col(Login.phone_index).in_(list(index)))
    )
    return {index[phone_index]: login_id for phone_index, login_id in rows}


async def enrol_people(
    session: AsyncSession,
    *,
    community_id: int,
    people: Sequence[NewPerson],
    actor: Actor | None,
    day: date,
    now: datetime,
    import_id: UUID | None = None,
) -> None:
    """Add people with their households, roles and accounts, all or none, in a number of statements that does not grow.

    A card number that exists breaks `uq_member_card_no`, a number that signs somebody in `uq_member_login`; importers
    look first and say it row by row.
    """
    for person in people:
        check_name(person.name)
    keys = keyring(session)
    homes = await _households(session, community_id, people)
    logins = await _logins(session, people)
    sealed = await _all_sealed(keys, community_id, people)
    held = {"granted_by": actor.member_id if actor else None, "granted_at": now, "from_on": day}
    members = [
        {
            "community_id": community_id,
            "member_id": person.member_id,
            "card_no": person.card_no,
            "household_id": homes.get((person.building_id, person.door))
            if person.building_id and person.door
            else None,
            "login_id": logins.get(person.phone) if person.login_phone and person.phone else None,
            "import_id": import_id,
            "revision": 1,
            "enrolled_at": now,
            **sealed[person.member_id],
        }
        for person in people
    ]
    roles = [
        {
            "community_id": community_id,
            "role_id": new_id(),
            "member_id": person.member_id,
            "role": role.value,
            "organisation_id": organisation_id,
            **held,
        }
        for person in people
        for role, organisation_id in person.roles
    ]
    for start in range(0, len(members), 2000):
        await session.execute(sa.insert(Member), members[start : start + 2000])
    for start in range(0, len(roles), 2000):
        await session.execute(sa.insert(MemberRole), roles[start : start + 2000])
    _record_enrolment(session, actor, community_id, people, import_id, now)
    await session.flush()
    await _open_accounts(session, community_id, people, now)


def _record_enrolment(
    session: AsyncSession,
    actor: Actor | None,
    community_id: int,
    people: Sequence[NewPerson],
    import_id: UUID | None,
    now: datetime,
) -> None:
    kind, object_id = ("import", import_id) if import_id else ("member", people[0].member_id if people else "none")
    audit.record(
        session,
        actor,
        "identity.enrolled",
        kind=kind,
        id=object_id or "none",
        now=now,
        community_id=community_id,
        detail={"people": len(people)},
    )


async def _open_accounts(session: AsyncSession, community_id: int, people: Sequence[NewPerson], now: datetime) -> None:
    accounts = [spec for person in people for spec in chart.accounts_of_member(person.member_id)]
    await ledger.open_accounts(session, community_id, accounts, now=now)


async def update_people(
    session: AsyncSession, *, community_id: int, people: Sequence[NewPerson], actor: Actor, now: datetime
) -> None:
    """Give people other names, phones or doors. Their member ids must exist; roles are not touched.

    A number that signs somebody else in breaks `uq_member_login`.
    """
    for person in people:
        check_name(person.name)
    keys = keyring(session)
    homes = await _households(session, community_id, people)
    logins = await _logins(session, people)
    sealed = await _all_sealed(keys, community_id, people)
    rows = []
    for person in people:
        home = homes.get((person.building_id, person.door)) if person.building_id and person.door else None
        login = logins.get(person.phone) if person.login_phone and person.phone else None
        rows.append(
            {
                "b_community_id": community_id,
                "b_member_id": person.member_id,
                "household_id": home,
                "login_id": login,
                **sealed[person.member_id],
            }
        )
    if not rows:
        return
    names = [name for name in rows[0] if not name.startswith("b_")]
    statement = (
        sa.update(Member.__table__)  # type: ignore[attr-defined] # SQLModel types hide the table
        .where(
            col(Member.community_id) == sa.bindparam("b_community_id"),
            col(Member.member_id) == sa.bindparam("b_member_id"),
        )
        .values({name: sa.bindparam(name) for name in names} | {"revision": col(Member.revision) + 1})
    )
    await (await session.connection()).execute(statement, rows)
    ids = [person.member_id for person in people]
    await audit.record_many(session, actor, "identity.updated", kind="member", ids=ids, now=now)


async def grant_role(
    session: AsyncSession,
    *,
    actor: Actor | None,
    community_id: int,
    member_id: UUID,
    role: Role,
    organisation_id: UUID | None = None,
    day: date,
    now: datetime,
) -> UUID:
    """Let a person be something from a day on. The member's row is locked, so that two clerks cannot grant it twice."""
    if actor is not None and actor.member_id == member_id:
        raise CannotChangeOwnRoles
    await _lock_member(session, community_id, member_id)
    held = await _open_roles(session, community_id, member_id, role)
    if any(row.organisation_id == organisation_id for row in held):
        raise RoleHeldAlready(role.value)
    role_id = new_id()
    session.add(
        MemberRole(
            community_id=community_id,
            role_id=role_id,
            member_id=member_id,
            role=role,
            organisation_id=organisation_id,
            from_on=day,
            granted_by=actor.member_id if actor else None,
            granted_at=now,
        )
    )
    audit.record(
        session,
        actor,
        "identity.role_granted",
        kind="member",
        id=member_id,
        now=now,
        community_id=community_id,
        detail={"role": role.value},
    )
    return role_id


async def end_role(
    session: AsyncSession, *, actor: Actor, member_id: UUID, role: Role, day: date, now: datetime
) -> None:
    """End a role today; it stays in the history."""
    if actor.member_id == member_id:
        raise CannotChangeOwnRoles
    await _lock_member(session, actor.community_id, member_id)
    held = await _open_roles(session, actor.community_id, member_id, role)
    if not held:
        raise RoleNotHeld
    for row in held:
        row.until_on = max(day, row.from_on)
        row.ended_by = actor.member_id
    audit.record(
        session, actor, "identity.role_ended", kind="member", id=member_id, now=now, detail={"role": role.value}
    )


async def _lock_member(session: AsyncSession, community_id: int, member_id: UUID) -> Member:
    found = await session.execute(
        sa.select(Member)
        .where(col(Member.community_id) == community_id, col(Member.member_id) == member_id)
        .with_for_update(key_share=True)
    )
    row: Member | None = found.scalar_one_or_none()
    if row is None:
        raise PersonNotFound
    return row


async def _open_roles(session: AsyncSession, community_id: int, member_id: UUID, role: Role) -> Sequence[MemberRole]:
    rows = await session.execute(
        sa.select(MemberRole).where(
            col(MemberRole.community_id) == community_id,
            col(MemberRole.member_id) == member_id,
            col(MemberRole.role) == role,
            col(MemberRole.until_on).is_(None),
        )
    )
    return rows.scalars().all()
