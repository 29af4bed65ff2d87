"""The staff's list of wishes: views, filters, bulk approval, and the wall on paper."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import find_people
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page
from service.wishes import actions, queries
from service.wishes.actions import Decision
from service.wishes.faces import faces, faces_of
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.pages.desk_wish import desk_context
from service.wishes.pages.forms import AnyRequest, BulkForm, RecallForm, address, categories, kinds, picked_of
from service.wishes.queries import DeskView, Filter
from service.wishes.rules import BULK_MAX

READERS = allow(Role.STAFF, Role.APPROVER, Role.AUDITOR)
STAFF = allow(Role.STAFF, Role.APPROVER)
UNDO_MAX = 50
"""More than a page of ids would make an address that proxies cut off."""
PRINTED_MAX = 200


async def _filter(
    session: AsyncSession, actor: Actor, kind: WishKind | None, category: WishCategory | None, q: str
) -> Filter:
    people = (await find_people(session, actor.community_id, q)).rows if q.strip() else []
    return Filter(kind, category, q.strip(), frozenset(person.member_id for person in people))


def _views(counts: Mapping[DeskView, int], here: DeskView) -> list[dict[str, object]]:
    return [
        {
            "label": translate(f"wish.view.{view.value}"),
            "url": address("/desk/wishes", view=view.value),
            "current": view is here,
            "count": counts[view],
        }
        for view in DeskView
    ]


@get("/desk/wishes", opt=READERS, include_in_schema=False)
async def wishes(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    view: FromQuery[DeskView] = DeskView.WAITING,
    kind: FromQuery[WishKind | None] = None,
    category: FromQuery[WishCategory | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
    open_wish: FromQuery[UUID | None] = None,
    approved: FromQuery[str] = "",
    kept: FromQuery[str] = "",
) -> Template:
    """The list, and beside it the row that is open."""
    narrowed = await _filter(session, actor, kind, category, q)
    found = await queries.desk_wishes(session, actor.community_id, view, narrowed, after)
    shown = await faces_of(session, actor, found, now)
    number, minutes = await queries.matching(session, actor.community_id, view, narrowed)
    here = {"view": view.value, "kind": kind, "category": category, "q": q.strip()}
    return page(
        request,
        "wishes/desk.html",
        title=_("心愿"),
        views=_views(await queries.desk_counts(session, actor.community_id), view),
        view=view.value,
        kind=kind,
        category=category,
        q=q.strip(),
        kinds=kinds(),
        categories=categories(),
        shown=shown.rows,
        number=number,
        minutes=minutes,
        may_act=actor.has(Role.STAFF, Role.APPROVER),
        here=address("/desk/wishes", **here),
        open_prefix=address("/desk/wishes", **here) + "&open_wish=",
        approved=picked_of(approved),
        approved_text=approved,
        kept=set(picked_of(kept)),
        opened=await desk_context(session, actor, open_wish, now) if open_wish else None,
        next_url=address("/desk/wishes", **here, after=shown.next) if shown.next else None,
        first_url=address("/desk/wishes", **here) if after else None,
    )


@post("/desk/wishes/approve", opt=STAFF, include_in_schema=False)
async def approve_many(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Approve what was ticked, one row, or everything the filter finds. What changed meanwhile is said in its row."""
    form = await form_of(request, BulkForm)

    async def work() -> str:
        picked = await _picked(session, actor, form)
        decisions = await actions.approve_wishes(session, actor=actor, picked=picked, now=now)
        return _after(decisions, form)

    return await once_page(request, session, actor, now, work)


async def _picked(session: AsyncSession, actor: Actor, form: BulkForm) -> Mapping[UUID, int | None]:
    if form.one:
        return picked_of(form.one)
    if form.scope != "matching":
        return picked_of(",".join(form.ids))
    narrowed = await _filter(session, actor, form.kind, form.category, form.q)
    found = await queries.desk_wishes(session, actor.community_id, DeskView.WAITING, narrowed, size=BULK_MAX)
    return {wish.wish_id: wish.revision for wish in found.rows}


def _words(decisions: Sequence[Decision]) -> str:
    return ",".join(f"{decision.wish_id.hex}.{decision.revision}" for decision in decisions[:UNDO_MAX])


def _after(decisions: Sequence[Decision], form: BulkForm) -> str:
    done = [decision for decision in decisions if decision.refusal is None]
    kept = [decision for decision in decisions if decision.refusal is not None]
    return address(
        "/desk/wishes",
        view=form.view,
        kind=form.kind,
        category=form.category,
        q=form.q,
        approved=_words(done),
        kept=_words(kept),
    )


@post("/desk/wishes/recall", opt=STAFF, include_in_schema=False)
async def recall_many(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo what was just approved."""
    form = await form_of(request, RecallForm)

    async def work() -> str:
        decisions = await actions.recall_wishes(session, actor=actor, picked=picked_of(form.picked), now=now)
        kept = [decision for decision in decisions if decision.refusal is not None]
        return address("/desk/wishes", view=form.view, kept=_words(kept), done="wish_recalled")

    return await once_page(request, session, actor, now, work)


@get("/desk/wishes/print", opt=READERS, include_in_schema=False)
async def print_wall(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The wall on paper, for the notice board: masked as on the phone."""
    found = await queries.wish_wall(session, actor.community_id, Filter(), size=PRINTED_MAX)
    return page(
        request,
        "wishes/print.html",
        title=_("心愿墙"),
        shown=await faces(session, actor, found.rows, now),
        now=now,
        is_cut=found.next is not None,
    )


HANDLERS = [wishes, approve_many, recall_many, print_wall]
