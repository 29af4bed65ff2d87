"""The board as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.actions import answering, listing
from service.exchange.payloads import AnswerIn, ListingIn, ListingOut, ListingsOut, listing_out
from service.exchange.queries import listings as queries
from service.exchange.rules import Category, Kind
from service.kit.access import SIGNED_IN, Actor
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/exchange/listings", opt=SIGNED_IN)
async def board(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    kind: FromQuery[Kind | None] = None,
    category: FromQuery[Category | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> ListingsOut:
    """What neighbours offer and ask for, newest first."""
    found = await queries.board(session, actor, kind=kind, category=category, text=q, after=after)
    return ListingsOut([listing_out(view) for view in found.rows], found.next)


@get("/api/exchange/listings/mine", opt=SIGNED_IN)
async def mine(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> ListingsOut:
    """One's own, also what is over."""
    found = await queries.my_listings(session, actor, after)
    return ListingsOut([listing_out(view) for view in found.rows], found.next)


@get("/api/exchange/listings/{listing_id:uuid}", opt=SIGNED_IN)
async def one(
    listing_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> ListingOut:
    """One listing."""
    return listing_out(await queries.listing_for(session, actor, listing_id))


@post("/api/exchange/listings", opt=SIGNED_IN)
async def put_up(
    request: AnyRequest,
    data: JSONBody[ListingIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ListingOut]:
    """Offer or ask for something."""

    async def work() -> ListingOut:
        listing_id = await listing.post_listing(session, actor=actor, draft=data.draft(), now=now)
        return listing_out(await queries.listing_for(session, actor, listing_id))

    return await once(request, session, actor, now, work, status=201)


@post("/api/exchange/listings/{listing_id:uuid}/close", opt=SIGNED_IN, status_code=200)
async def close(
    request: AnyRequest,
    listing_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ListingOut]:
    """Take one's own down."""

    async def work() -> ListingOut:
        await listing.close_listing(session, actor=actor, listing_id=listing_id, now=now)
        await session.flush()
        return listing_out(await queries.listing_for(session, actor, listing_id))

    return await once(request, session, actor, now, work)


@post("/api/exchange/listings/{listing_id:uuid}/answers", opt=SIGNED_IN)
async def answer(
    request: AnyRequest,
    listing_id: FromPath[UUID],
    data: JSONBody[AnswerIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[dict[str, UUID]]:
    """Ask for what is offered, or take on what is needed."""

    async def work() -> dict[str, UUID]:
        note = data.note.strip()
        return {"exchange_id": await answering.answer(session, actor=actor, listing_id=listing_id, note=note, now=now)}

    return await once(request, session, actor, now, work, status=201)


HANDLERS = [board, mine, one, put_up, close, answer]
