"""The wall, one's own lists, and one wish."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import Contact
from service.kit.access import SIGNED_IN, Actor, Role
from service.kit.i18n import _
from service.kit.pages import page
from service.wishes import actions, queries
from service.wishes.faces import face_for, faces, faces_of
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.pages.forms import AnyRequest, address, categories, warmths
from service.wishes.queries import Filter
from service.wishes.rules import WishState


def places(actor: Actor, here: str) -> list[dict[str, object]]:
    """The wall and one's own lists, as tabs."""
    found: list[dict[str, object]] = [
        {"label": _("心愿墙"), "url": "/wishes", "current": here == "wall"},
        {"label": _("我的心愿"), "url": "/wishes/mine", "current": here == "mine"},
    ]
    if actor.has(Role.VOLUNTEER):
        found.append({"label": _("我接的心愿"), "url": "/wishes/claimed", "current": here == "claimed"})
    return found


@get("/wishes", opt=SIGNED_IN, include_in_schema=False)
async def wall(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[WishKind | None] = None,
    category: FromQuery[WishCategory | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """What neighbours ask for: urgent first, then the newest. Names are masked and doors are not there."""
    text = q.strip()
    found = await queries.wish_wall(session, actor.community_id, Filter(kind, category, text), after)
    shown = await faces_of(session, actor, found, now)
    chips = [
        {
            "label": label,
            "url": address("/wishes", category=None if value == category else value, kind=kind, q=text),
            "current": value == category,
        }
        for value, label in categories()
    ]
    return page(
        request,
        "wishes/wall.html",
        title=_("心愿墙"),
        places=places(actor, "wall"),
        shown=shown.rows,
        chips=chips,
        category=category,
        kind=kind,
        q=text,
        is_filtered=bool(text or category or kind),
        next_url=address("/wishes", category=category, kind=kind, q=text, after=shown.next) if shown.next else None,
        first_url=address("/wishes", category=category, kind=kind, q=text) if after else None,
    )


@get("/wishes/mine", opt=SIGNED_IN, include_in_schema=False)
async def mine(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
    undo: FromQuery[UUID | None] = None,
) -> Template:
    """What I asked for, and how far each has come; a slip of withdrawing can be undone here."""
    found = await queries.wishes_of(session, actor.community_id, actor.member_id, after)
    shown = await faces_of(session, actor, found, now)
    undone = next((face for face in shown.rows if face.wish.wish_id == undo and "restore" in face.can), None)
    return page(
        request,
        "wishes/mine.html",
        title=_("我的心愿"),
        places=places(actor, "mine"),
        shown=shown.rows,
        undone=undone,
        next_url=address("/wishes/mine", after=shown.next) if shown.next else None,
        first_url="/wishes/mine" if after else None,
    )


@get("/wishes/claimed", opt=SIGNED_IN, include_in_schema=False)
async def claimed(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """What I took on."""
    found = await queries.wishes_helped_by(session, actor.community_id, actor.member_id, after)
    shown = await faces_of(session, actor, found, now)
    return page(
        request,
        "wishes/claimed.html",
        title=_("我接的心愿"),
        places=places(actor, "claimed"),
        shown=shown.rows,
        next_url=address("/wishes/claimed", after=shown.next) if shown.next else None,
        first_url="/wishes/claimed" if after else None,
    )


async def wish_context(
    session: AsyncSession, actor: Actor, wish_id: UUID, now: datetime, *, with_contact: bool = False
) -> Mapping[str, Any]:
    """What the page of one wish shows. Contact data is opened only where the look will be committed with the answer."""
    face, moments = await face_for(session, actor, wish_id, now)
    contact: Contact | None = None
    if with_contact and face.is_helping and face.wish.state in (WishState.CLAIMED, WishState.DISPUTED):
        contact = await actions.asker_contact(session, actor=actor, wish_id=wish_id, now=now)
    return {
        "title": face.wish.title,
        "face": face,
        "wish": face.wish,
        "moments": moments,
        "contact": contact,
        "warmths": warmths(),
        "is_volunteer": actor.has(Role.VOLUNTEER),
    }


@get("/wishes/{wish_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One wish: what is asked, how far it has come, and what I can do."""
    context = await wish_context(session, actor, wish_id, now, with_contact=True)
    return page(request, "wishes/wish.html", **context)


@get("/wishes/{wish_id:uuid}/posted", opt=SIGNED_IN, include_in_schema=False)
async def posted(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """It arrived: the reference to keep, and what happens next."""
    (face,) = await faces(session, actor, [await queries.wish_for(session, actor, wish_id)], now)
    return page(request, "wishes/posted.html", title=_("心愿交上去了"), face=face, wish=face.wish)


HANDLERS = [wall, mine, claimed, wish, posted]
