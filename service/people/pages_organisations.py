"""The desk's pages about shops, teams and units."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities
from service.communities import OrganisationKind
from service.kit.access import OFFICE, Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.people import actions, queries
from service.people.payloads import OrganisationForm

AnyRequest = Request[Any, Any, Any]


@get("/desk/organisations", opt=allow(*OFFICE), include_in_schema=False)
async def organisations(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Template:
    """The open organisations, and a form for a new one."""
    return page(request, "people/organisations.html", **await _all(session, actor))


async def _all(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    return {
        "title": _("单位和商户"),
        "organisations": await communities.organisations(session, actor.community_id),
        "kinds": [kind.value for kind in OrganisationKind],
        "may_open": actor.has(Role.STAFF, Role.ADMIN),
    }


@post("/desk/organisations", opt=allow(Role.STAFF, Role.ADMIN), include_in_schema=False)
async def open_organisation(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Add a shop, a team or a unit."""
    with refill(request, "people/organisations.html", **await _all(session, actor)):
        form = await form_of(request, OrganisationForm)

        async def work() -> str:
            organisation_id = await actions.open_organisation(
                session,
                actor=actor,
                kind=form.kind,
                name=form.name,
                address=form.address,
                phone=form.phone,
                now=now,
            )
            return f"/desk/organisations/{organisation_id}?done=people.organisation_opened"

        return await once_page(request, session, actor, now, work)


@get("/desk/organisations/{organisation_id:uuid}", opt=allow(*OFFICE), include_in_schema=False)
async def organisation(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    organisation_id: FromPath[UUID],
) -> Template:
    """One organisation and who acts for it."""
    found = await queries.organisation_page(session, actor, organisation_id, local_day(now))
    return page(
        request,
        "people/organisation.html",
        title=found.organisation.name,
        organisation=found.organisation,
        people=[
            {"member_id": member_id, "card_no": card_no, "name": name, "role": role.value}
            for member_id, card_no, name, role in found.people
        ],
        may_open=actor.has(Role.STAFF, Role.APPROVER, Role.ADMIN),
    )
