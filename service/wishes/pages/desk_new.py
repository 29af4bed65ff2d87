"""Writing a wish down for somebody: find the person, then the same form residents fill in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import Person, find_people, person
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.wishes import actions
from service.wishes.faces import face_for
from service.wishes.pages.asking import typed
from service.wishes.pages.forms import AnyRequest, WishForForm, WishForm, categories, kinds
from service.wishes.rules import Verb, WishInOtherState

STAFF = allow(Role.STAFF, Role.APPROVER)


def _context(asker: Person | None, action: str, revision: int | None = None) -> dict[str, Any]:
    return {
        "title": _("代人许愿"),
        "asker": asker,
        "action": action,
        "revision": revision,
        "kinds": kinds(),
        "categories": categories(),
        "q": "",
        "found": [],
    }


@get("/desk/wishes/new", opt=STAFF, include_in_schema=False)
async def new(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    member: FromQuery[UUID | None] = None,
    q: FromQuery[str] = "",
) -> Template:
    """First who it is for, by card, phone or name; then what they ask for."""
    asker = await person(session, actor.community_id, member) if member else None
    context = _context(asker, "/desk/wishes")
    if asker is None and q.strip():
        context["found"] = [
            found for found in (await find_people(session, actor.community_id, q)).rows if found.is_open
        ]
    return page(request, "wishes/desk_new.html", **{**context, "q": q.strip()})


@post("/desk/wishes", opt=STAFF, include_in_schema=False)
async def post_for(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Hand it in for them; both names are kept."""
    asker = await _asker(request, session, actor)
    with refill(request, "wishes/desk_new.html", **_context(asker, "/desk/wishes")):
        form = await form_of(request, WishForForm)

        async def work() -> str:
            made = await actions.post_wish(session, actor=actor, draft=form.draft(), now=now, asked_by=form.member)
            return f"/desk/wishes/{made.wish_id}?done=wish_posted_for"

        return await once_page(request, session, actor, now, work)


async def _asker(request: AnyRequest, session: AsyncSession, actor: Actor) -> Person | None:
    """Whom the form is for, read before anything can be refused."""
    try:
        member = UUID(str((await request.form()).get("member") or ""))
    except ValueError:
        return None
    return await person(session, actor.community_id, member)


@get("/desk/wishes/{wish_id:uuid}/edit", opt=STAFF, include_in_schema=False)
async def edit_page(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The form with what staff wrote down for somebody."""
    face, _moments = await face_for(session, actor, wish_id, now)
    if Verb.EDIT not in face.can:
        raise WishInOtherState(face.wish.state)
    asker = await person(session, actor.community_id, face.wish.asked_by)
    values: Mapping[str, object] = typed(face.wish)
    context = _context(asker, f"/desk/wishes/{wish_id}/edit", face.wish.revision)
    return page(request, "wishes/desk_new.html", **context, values=values)


@post("/desk/wishes/{wish_id:uuid}/edit", opt=STAFF, include_in_schema=False)
async def edit(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Other words for what staff wrote down."""
    face, _moments = await face_for(session, actor, wish_id, now)
    asker = await person(session, actor.community_id, face.wish.asked_by)
    context = _context(asker, f"/desk/wishes/{wish_id}/edit", face.wish.revision)
    with refill(request, "wishes/desk_new.html", **context):
        form = await form_of(request, WishForm)

        async def work() -> str:
            await actions.edit_wish(
                session, actor=actor, wish_id=wish_id, draft=form.draft(), now=now, revision=form.revision
            )
            return f"/desk/wishes/{wish_id}?done=wish_edited"

        return await once_page(request, session, actor, now, work)


HANDLERS = [new, post_for, edit_page, edit]
