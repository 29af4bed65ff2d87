"""The clerk's form for one person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.identity import Particulars
from service.imports import actions_person, queries
from service.imports.actions_person import WORDS
from service.imports.payloads import ChangedPersonForm, NewPersonForm
from service.imports.wording import change_sentence
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import Typed, form_of, page, refill

AnyRequest = Request[Any, Any, Any]
CLERKS = allow(Role.STAFF, Role.ADMIN)


@get("/desk/people/new", opt=CLERKS, include_in_schema=False)
async def new_person(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Template:
    """An empty form for somebody new."""
    shown = await _form(session, actor, None)
    return page(request, "imports/person.html", values=Typed(resident="1"), **shown)


@post("/desk/people/new", opt=CLERKS, include_in_schema=False)
async def add_person(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Enrol one person."""
    with refill(request, "imports/person.html", **await _form(session, actor, None)):
        form = await form_of(request, NewPersonForm)

        async def work() -> str:
            saved = await actions_person.add_person(
                session, actor=actor, card_no=form.card_no, typed=form.typed(), now=now
            )
            return f"/desk/people/{saved.member_id}?done=imports.person_added"

        return await once_page(request, session, actor, now, work)


@get("/desk/people/{member_id:uuid}/edit", opt=CLERKS, include_in_schema=False)
async def edit_person(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Template:
    """One person's data to be corrected. It opens contact data, so the look is written down."""
    person = await actions_person.open_person(session, actor=actor, member_id=member_id, now=now)
    shown = await _form(session, actor, person, local_day(now))
    return page(request, "imports/person.html", values=_as_typed(person), **shown)


@post("/desk/people/{member_id:uuid}/edit", opt=CLERKS, include_in_schema=False)
async def change_person(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Redirect:
    """Correct one person. Whoever was changed meanwhile is shown as they are now, beside what was typed."""
    person = await actions_person.present(session, actor, member_id)
    with refill(request, "imports/person.html", **await _form(session, actor, person, local_day(now), is_stale=True)):
        form = await form_of(request, ChangedPersonForm)

        async def work() -> str:
            saved = await actions_person.change_person(
                session, actor=actor, member_id=member_id, revision=form.revision, typed=form.typed(), now=now
            )
            done = "imports.person_saved" if saved.import_id else "imports.person_same"
            return f"/desk/people/{member_id}?done={done}"

        return await once_page(request, session, actor, now, work)


def _as_typed(person: Particulars) -> Typed:
    return Typed(
        name=person.name,
        phone=(person.phone or "").removeprefix("+86"),
        signs_in="1" if person.signs_in else "",
        building=person.building or "",
        door=person.door or "",
        born_on=person.born_on.isoformat() if person.born_on else "",
        revision=str(person.revision),
    )


async def _form(
    session: AsyncSession,
    actor: Actor,
    person: Particulars | None,
    day: Any = None,
    *,
    is_stale: bool = False,
) -> dict[str, Any]:
    places = await communities.buildings(session, actor.community_id)
    held: frozenset[Role] = frozenset()
    history: list[dict[str, object]] = []
    if person is not None:
        roles = await identity.roles_by_member(session, actor.community_id, [person.member_id], day)
        held = frozenset(role for role, _ in roles.get(person.member_id, ()))
        past = await queries.changes_of(session, actor.community_id, person.member_id)
        who = await identity.people_by_ids(session, actor.community_id, {item.by for item in past if item.by})
        history = [
            {
                "url": f"/desk/imports/{item.import_id}",
                "at": item.at,
                "by": who[item.by].name if item.by else "",
                "state": item.state.value,
                "said": [change_sentence(change) for change in item.changes] or [_("新登记")],
            }
            for item in past
        ]
    return {
        "title": _("更正资料") if person else _("登记一个人"),
        "action": f"/desk/people/{person.member_id}/edit" if person else "/desk/people/new",
        "person": person,
        "was": _as_typed(person) if person and is_stale else None,
        "buildings": sorted(places),
        "grids": sorted({place.grid for place in places.values()}),
        "held": [role.value for role in Role if role in held],
        "free": [role.value for role in WORDS if role not in held],
        "history": history,
    }
