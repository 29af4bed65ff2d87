"""The desk's pages about people."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import anyio.to_thread
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import communities, identity
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.export import csv_answer
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.kit.workbook import xlsx_answer
from service.people import actions, exports, queries
from service.people.payloads import EndRoleForm, LookForm, RoleForm
from service.people.rules import ACTS_FOR, LookReason

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.STAFF, Role.APPROVER, Role.ADMIN)
CLERKS = allow(Role.STAFF, Role.ADMIN)
ADMINS = allow(Role.ADMIN)


@get("/desk/people", opt=READERS, include_in_schema=False)
async def people(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    q: FromQuery[str] = "",
    role: FromQuery[Role | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """Find people by name, card or phone number."""
    text = q.strip()[:40]
    found = await queries.people_list(session, actor, text=text, role=role, after=after, day=local_day(now))
    filters = {"q": text, "role": role.value if role else ""}
    return page(
        request,
        "people/list.html",
        title=_("人员"),
        people=found.rows,
        q=text,
        chosen=role.value if role else "",
        roles=[each.value for each in Role],
        query=urlencode(filters),
        next_url="/desk/people?" + urlencode({**filters, "after": found.next}) if found.next else None,
        may_edit=actor.has(Role.STAFF, Role.ADMIN),
    )


@get("/desk/people/export.xlsx", opt=CLERKS, include_in_schema=False)
async def export_xlsx(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    q: FromQuery[str] = "",
    role: FromQuery[Role | None] = None,
) -> Response[bytes]:
    """What the filter finds, as a sheet to edit and import again."""
    found, roles = await queries.people_to_export(session, actor, text=q.strip()[:40], role=role, now=now)
    actions.record_export(session, actor=actor, people=len(found), form="xlsx", now=now)
    content = await anyio.to_thread.run_sync(exports.people_xlsx, found, roles)
    return xlsx_answer(f"{_('人员')}-{local_day(now)}", content)


@get("/desk/people/export.csv", opt=CLERKS, include_in_schema=False)
async def export_csv(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    q: FromQuery[str] = "",
    role: FromQuery[Role | None] = None,
) -> Response[bytes]:
    """What the filter finds, as text."""
    found, roles = await queries.people_to_export(session, actor, text=q.strip()[:40], role=role, now=now)
    actions.record_export(session, actor=actor, people=len(found), form="csv", now=now)
    return csv_answer(f"{_('人员')}-{local_day(now)}", exports.people_csv(found, roles))


@get("/desk/people/{member_id:uuid}", opt=READERS, include_in_schema=False)
async def person(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Template:
    """One person: roles, ways in, hours and balances, what was done."""
    return page(request, "people/person.html", **await _one(session, actor, now, member_id))


async def _one(session: AsyncSession, actor: Actor, now: datetime, member_id: UUID) -> dict[str, Any]:
    item = await queries.person_page(session, actor, member_id, now)
    today = local_day(now)
    shops = await communities.organisations(session, actor.community_id) if actor.has(Role.ADMIN) else []
    return {
        "title": item.name,
        "person": item,
        "url": f"/desk/people/{member_id}",
        "today": today,
        "contact": None,
        "reasons": [reason.value for reason in LookReason],
        "roles": [each.value for each in Role],
        "organisations": [(shop.organisation_id, shop.name) for shop in shops if shop.kind in set(ACTS_FOR.values())],
        "is_clerk": actor.has(Role.STAFF, Role.ADMIN),
        "is_admin": actor.has(Role.ADMIN),
        "is_self": actor.member_id == member_id,
    }


@post("/desk/people/{member_id:uuid}/contact", opt=CLERKS, include_in_schema=False, status_code=200)
async def contact(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Template:
    """Open the contact data, once, with a reason.

    Answered without a redirect on purpose: the address of a page must not open it again.
    """
    shown = await _one(session, actor, now, member_id)
    with refill(request, "people/person.html", **shown):
        form = await form_of(request, LookForm)
        opened = await actions.open_contact(session, actor=actor, member_id=member_id, reason=form.reason, now=now)
    return page(request, "people/person.html", **{**shown, "contact": opened})


@post("/desk/people/{member_id:uuid}/roles", opt=ADMINS, include_in_schema=False)
async def give_role(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Redirect:
    """Give a role from today on."""
    with refill(request, "people/person.html", **await _one(session, actor, now, member_id)):
        form = await form_of(request, RoleForm)

        async def work() -> str:
            await actions.give_role(
                session,
                actor=actor,
                member_id=member_id,
                role=form.role,
                organisation_id=form.organisation_id,
                now=now,
            )
            return f"/desk/people/{member_id}?done=people.role_given"

        return await once_page(request, session, actor, now, work)


@post("/desk/people/{member_id:uuid}/roles/end", opt=ADMINS, include_in_schema=False)
async def end_role(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Redirect:
    """End a role today."""
    with refill(request, "people/person.html", **await _one(session, actor, now, member_id)):
        form = await form_of(request, EndRoleForm)
        await actions.end_role(session, actor=actor, member_id=member_id, role=form.role, now=now)
    return go(f"/desk/people/{member_id}", "people.role_ended")


@post("/desk/people/{member_id:uuid}/sessions/end", opt=CLERKS, include_in_schema=False)
async def end_sessions(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Redirect:
    """Sign the person out everywhere: a lost phone."""
    await identity.person(session, actor.community_id, member_id)
    await identity.end_sessions_of(session, actor=actor, member_id=member_id, now=now)
    return go(f"/desk/people/{member_id}", "people.signed_out")


@post("/desk/people/{member_id:uuid}/sessions/{session_id:uuid}/end", opt=CLERKS, include_in_schema=False)
async def end_session(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
    session_id: FromPath[UUID],
) -> Redirect:
    """Sign the person out on one device."""
    await actions.end_session(session, actor=actor, member_id=member_id, session_id=session_id, now=now)
    return go(f"/desk/people/{member_id}", "people.signed_out")


@post("/desk/people/{member_id:uuid}/slip", opt=CLERKS, include_in_schema=False, status_code=200)
async def slip(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
    state: State,
) -> Template:
    """An activation slip to print. No redirect: the code is kept as a hash only and shown once."""
    shown = await _one(session, actor, now, member_id)
    with refill(request, "people/person.html", **shown):
        code = await actions.issue_slip(session, actor=actor, member_id=member_id, now=now)
    return page(
        request,
        "people/slip.html",
        title=_("启用单"),
        person=shown["person"],
        code=identity.grouped_code(code),
        qr=redemption.qr_svg(f"{state.settings.origin}/A/{code}".upper()),
        back=f"/desk/people/{member_id}",
    )
