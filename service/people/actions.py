"""What the desk does about people and organisations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.communities import OrganisationKind
from service.identity import Contact
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.db import broken_constraint
from service.people import queries
from service.people.rules import LookReason, OrganisationNameTaken, check_organisation, check_slip


async def open_contact(
    session: AsyncSession, *, actor: Actor, member_id: UUID, reason: LookReason, now: datetime
) -> Contact:
    """Show a person's contact data once, and write down who looked and why."""
    return await identity.contact_of(session, actor, member_id, now, reason=reason.value)


async def give_role(
    session: AsyncSession,
    *,
    actor: Actor,
    member_id: UUID,
    role: Role,
    organisation_id: UUID | None,
    now: datetime,
) -> None:
    """Let a person be something from today on."""
    kind = await queries.organisation_kind(session, actor, organisation_id)
    check_organisation(role=role, organisation_id=organisation_id, kind=kind)
    await identity.grant_role(
        session,
        actor=actor,
        community_id=actor.community_id,
        member_id=member_id,
        role=role,
        organisation_id=organisation_id,
        day=local_day(now),
        now=now,
    )


async def end_role(session: AsyncSession, *, actor: Actor, member_id: UUID, role: Role, now: datetime) -> None:
    """End a role today; the next request of the person is already without it."""
    await identity.end_role(session, actor=actor, member_id=member_id, role=role, day=local_day(now), now=now)


async def end_session(session: AsyncSession, *, actor: Actor, member_id: UUID, session_id: UUID, now: datetime) -> None:
    """Sign a person out on one device; a session of somebody else looks like one that has ended."""
    await identity.person(session, actor.community_id, member_id)
    open_now = await identity.sessions_of(session, actor.community_id, member_id, now)
    if session_id in {item.session_id for item in open_now}:
        await identity.end_session(session, actor=actor, session_id=session_id, now=now)


async def issue_slip(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> str:
    """A one-time code for one person, told once."""
    person = await identity.person(session, actor.community_id, member_id)
    held = await identity.roles_by_member(session, actor.community_id, [member_id], local_day(now))
    check_slip(asked_by=actor.roles, held=[role for role, _ in held.get(member_id, ())], is_open=person.is_open)
    return (await identity.issue_activations(session, actor=actor, member_ids=[member_id], now=now))[member_id]


async def open_organisation(
    session: AsyncSession,
    *,
    actor: Actor,
    kind: OrganisationKind,
    name: str,
    address: str,
    phone: str,
    now: datetime,
) -> UUID:
    """Add a shop, a team or a unit. Its name is unique in the community."""
    try:
        return await communities.open_organisation(
            session,
            community_id=actor.community_id,
            kind=kind,
            name=name,
            address=address,
            phone=phone,
            actor=actor,
            now=now,
        )
    except IntegrityError as error:
        if broken_constraint(error) == "uq_organisation_name":
            raise OrganisationNameTaken(name) from error
        raise


def record_export(session: AsyncSession, *, actor: Actor, people: int, form: str, now: datetime) -> None:
    """Write down that a list of people left the house: how many and in which form, never who."""
    audit.record(
        session, actor, "people.exported", kind="member", id="list", now=now, detail={"people": people, "form": form}
    )
