"""The board: what neighbours offer and ask for, putting something up, answering."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.exchange.actions import answering, listing
from service.exchange.payloads import AnswerIn, ListingIn, Nothing
from service.exchange.queries import listings as queries
from service.exchange.rules import Category, Kind
from service.kit.access import SIGNED_IN, Actor
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import Typed, form_of, page, refill
from service.kit.read_only import READS_ONLY

AnyRequest = Request[Any, Any, Any]
TERMS = (15, 30, 45, 60, 90, 120, 180, 240, 480)
"""Minutes that the form offers; the interface takes any."""


def places(current: str) -> list[dict[str, object]]:
    """The lists of the slice, as tabs that stand in one row on a phone."""
    return [
        {"label": label, "url": url, "current": url == current}
        for label, url in (
            (_("交换板"), "/exchange"),
            (_("我的交换"), "/exchange/mine"),
            (_("我发的"), "/exchange/listings"),
            (_("送家人"), "/exchange/gifts"),
        )
    ]


@get("/exchange", opt=SIGNED_IN, include_in_schema=False)
async def board(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    kind: FromQuery[Kind | None] = None,
    category: FromQuery[Category | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """What is open, newest first."""
    found = await queries.board(session, actor, kind=kind, category=category, text=q, after=after)
    asked = {"kind": kind.value if kind else "", "category": category.value if category else "", "q": q.strip()}

    def here(**changed: str) -> str:
        query = urlencode({name: value for name, value in {**asked, **changed}.items() if value})
        return f"/exchange?{query}" if query else "/exchange"

    return page(
        request,
        "exchange/board.html",
        title=_("邻里交换"),
        places=places("/exchange"),
        listings=found.rows,
        kinds=[{"label": _("全部"), "url": here(kind=""), "current": kind is None}]
        + [
            {"label": translate(f"exchange.kind.{one.value}"), "url": here(kind=one.value), "current": kind is one}
            for one in Kind
        ],
        categories=[("", _("全部"))] + [(one.value, translate(f"exchange.category.{one.value}")) for one in Category],
        category=asked["category"],
        kind=asked["kind"],
        q=asked["q"],
        is_filtered=any(asked.values()),
        next_url=here(after=found.next) if found.next else None,
        first_url=here() if after else None,
    )


@get("/exchange/listings", opt=SIGNED_IN, include_in_schema=False)
async def mine(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """What I offer and ask for, also what is over."""
    found = await queries.my_listings(session, actor, after)
    return page(
        request,
        "exchange/listings.html",
        title=_("我发的"),
        places=places("/exchange/listings"),
        listings=found.rows,
        next_url=f"/exchange/listings?after={found.next}" if found.next else None,
        first_url="/exchange/listings" if after else None,
    )


def _form(kind: Kind | None) -> dict[str, Any]:
    return {
        "title": _("发一条"),
        "kind": kind.value if kind else None,
        "kinds": [(one.value, translate(f"exchange.kind.{one.value}")) for one in Kind],
        "categories": [(one.value, translate(f"exchange.category.{one.value}")) for one in Category],
        "terms": [(minutes, _("{minutes} 分钟").format(minutes=minutes)) for minutes in TERMS],
    }


@get("/exchange/new", opt=SIGNED_IN, include_in_schema=False)
async def new(request: AnyRequest, kind: FromQuery[Kind | None] = None) -> Template:
    """What, about what, how long."""
    return page(request, "exchange/new.html", **_form(kind))


@post("/exchange/new", opt={**SIGNED_IN, **READS_ONLY}, include_in_schema=False, status_code=200)
async def again(request: AnyRequest) -> Template:
    """Back from the look at everything, with what was typed."""
    typed = {name: str(text) for name, text in (await request.form()).items() if name in ListingIn.__struct_fields__}
    return page(request, "exchange/new.html", values=Typed(typed), **_form(None))


@post("/exchange/check", opt={**SIGNED_IN, **READS_ONLY}, include_in_schema=False, status_code=200)
async def check(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The same in full before it is on the board. Changes nothing, so it may be reloaded."""
    with refill(request, "exchange/new.html", **_form(None)):
        form = await form_of(request, ListingIn)
        draft = form.draft()
        await listing.check_draft(session, actor.community_id, draft.minutes, now)
    held = await _held(session, actor)
    return page(request, "exchange/check.html", title=_("看一看再发"), form=draft, held=held)


async def _held(session: AsyncSession, actor: Actor) -> int:
    return await ledger.balance(session, actor.community_id, chart.member(actor.member_id), chart.MINUTE)


@post("/exchange", opt=SIGNED_IN, include_in_schema=False)
async def put_up(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Put it on the board; pressed twice, it is there once."""
    with refill(request, "exchange/new.html", **_form(None)):
        form = await form_of(request, ListingIn)

        async def work() -> str:
            listing_id = await listing.post_listing(session, actor=actor, draft=form.draft(), now=now)
            return f"/exchange/listings/{listing_id}?done=exchange.posted"

        return await once_page(request, session, actor, now, work)


async def _one(session: AsyncSession, actor: Actor, listing_id: UUID) -> dict[str, Any]:
    view = await queries.listing_for(session, actor, listing_id)
    return {"title": view.title, "listing": view, "held": await _held(session, actor)}


@get("/exchange/listings/{listing_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def one(
    request: AnyRequest,
    listing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One listing, with everything to know before answering."""
    return page(request, "exchange/listing.html", **await _one(session, actor, listing_id))


@post("/exchange/listings/{listing_id:uuid}/answers", opt=SIGNED_IN, include_in_schema=False)
async def answer(
    request: AnyRequest,
    listing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask for it, or take it on; the owner has to say yes."""
    with refill(request, "exchange/listing.html", **await _one(session, actor, listing_id)):
        form = await form_of(request, AnswerIn)

        async def work() -> str:
            note = form.note.strip()
            found = await answering.answer(session, actor=actor, listing_id=listing_id, note=note, now=now)
            return f"/exchange/{found}?done=exchange.asked"

        return await once_page(request, session, actor, now, work)


@post("/exchange/listings/{listing_id:uuid}/close", opt=SIGNED_IN, include_in_schema=False)
async def close(
    request: AnyRequest,
    listing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take it down."""
    with refill(request, "exchange/listing.html", **await _one(session, actor, listing_id)):
        await form_of(request, Nothing)

        async def work() -> str:
            await listing.close_listing(session, actor=actor, listing_id=listing_id, now=now)
            return "/exchange/listings?done=exchange.closed"

        return await once_page(request, session, actor, now, work)


HANDLERS = [board, mine, new, again, check, put_up, one, answer, close]
