"""People and organisations, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.kit.access import OFFICE, Actor, Role, allow
from service.kit.clock import local_day
from service.kit.once import once
from service.people import actions, queries
from service.people.payloads import (
    CodeAnswer,
    ContactAnswer,
    EndRoleForm,
    LookForm,
    OrganisationAnswer,
    OrganisationDetailAnswer,
    OrganisationForm,
    OrganisationsAnswer,
    PeopleAnswer,
    PersonAnswer,
    RoleForm,
    detail_answer,
    line_answer,
    organisation_answer,
    person_answer,
)

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.STAFF, Role.APPROVER, Role.ADMIN)
CLERKS = allow(Role.STAFF, Role.ADMIN)
ADMINS = allow(Role.ADMIN)


@get("/api/people", opt=READERS)
async def people(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    q: FromQuery[str] = "",
    role: FromQuery[Role | None] = None,
    after: FromQuery[str | None] = None,
) -> PeopleAnswer:
    """People by name, card or phone number, a page at a time."""
    found = await queries.people_list(session, actor, text=q.strip()[:40], role=role, after=after, day=local_day(now))
    return PeopleAnswer([line_answer(line) for line in found.rows], found.next)


@get("/api/people/{member_id:uuid}", opt=READERS)
async def person(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> PersonAnswer:
    """One person, contact data masked."""
    return person_answer(await queries.person_page(session, actor, member_id, now))


@post("/api/people/{member_id:uuid}/contact", opt=CLERKS, status_code=200)
async def contact(
    data: JSONBody[LookForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> ContactAnswer:
    """Contact data, once, with a reason that is written down."""
    opened = await actions.open_contact(session, actor=actor, member_id=member_id, reason=data.reason, now=now)
    return ContactAnswer(opened.phone, opened.building, opened.door)


@post("/api/people/{member_id:uuid}/roles", opt=ADMINS, status_code=204)
async def give_role(
    data: JSONBody[RoleForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> None:
    """Give a role from today on."""
    await actions.give_role(
        session, actor=actor, member_id=member_id, role=data.role, organisation_id=data.organisation_id, now=now
    )


@post("/api/people/{member_id:uuid}/roles/end", opt=ADMINS, status_code=204)
async def end_role(
    data: JSONBody[EndRoleForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> None:
    """End a role today."""
    await actions.end_role(session, actor=actor, member_id=member_id, role=data.role, now=now)


@post("/api/people/{member_id:uuid}/sessions/end", opt=CLERKS, status_code=204)
async def end_sessions(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> None:
    """Sign the person out everywhere."""
    await identity.person(session, actor.community_id, member_id)
    await identity.end_sessions_of(session, actor=actor, member_id=member_id, now=now)


@post("/api/people/{member_id:uuid}/sessions/{session_id:uuid}/end", opt=CLERKS, status_code=204)
async def end_session(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
    session_id: FromPath[UUID],
) -> None:
    """Sign the person out on one device; one that is not theirs looks like one that has ended."""
    await actions.end_session(session, actor=actor, member_id=member_id, session_id=session_id, now=now)


@post("/api/people/{member_id:uuid}/slip", opt=CLERKS, status_code=200)
async def slip(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
    state: State,
) -> CodeAnswer:
    """A one-time code, told once; older ones die."""
    code = await actions.issue_slip(session, actor=actor, member_id=member_id, now=now)
    return CodeAnswer(code, f"{state.settings.origin}/A/{code}".upper())


@get("/api/organisations", opt=allow(*OFFICE))
async def organisations(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> OrganisationsAnswer:
    """The open organisations, by name."""
    found = await communities.organisations(session, actor.community_id)
    return OrganisationsAnswer([organisation_answer(item) for item in found])


@post("/api/organisations", opt=CLERKS, status_code=201)
async def open_organisation(
    request: AnyRequest,
    data: JSONBody[OrganisationForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OrganisationAnswer]:
    """Add a shop, a team or a unit."""

    async def work() -> OrganisationAnswer:
        organisation_id = await actions.open_organisation(
            session, actor=actor, kind=data.kind, name=data.name, address=data.address, phone=data.phone, now=now
        )
        return organisation_answer(await communities.organisation(session, actor.community_id, organisation_id))

    return await once(request, session, actor, now, work, status=201)


@get("/api/organisations/{organisation_id:uuid}", opt=allow(*OFFICE))
async def organisation(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    organisation_id: FromPath[UUID],
) -> OrganisationDetailAnswer:
    """One organisation and who acts for it."""
    return detail_answer(await queries.organisation_page(session, actor, organisation_id, local_day(now)))
