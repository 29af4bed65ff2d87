"""Gifts as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.actions.gifts import give, giving
from service.exchange.payloads import GiftIn, GiftOut, GiftsOut, KinOut
from service.exchange.queries import gifts as queries
from service.kit.access import SIGNED_IN, Actor
from service.kit.db import poster_of_app, sessions_of_app, transaction

AnyRequest = Request[Any, Any, Any]


@get("/api/exchange/kin", opt=SIGNED_IN)
async def kin(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> list[KinOut]:
    """Whom I may give to."""
    return [KinOut(one.member_id, one.name) for one in await queries.kin(session, actor)]


@get("/api/exchange/gifts", opt=SIGNED_IN)
async def gifts(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> GiftsOut:
    """What I gave and got, newest first."""
    found = await queries.my_gifts(session, actor, after)
    items = [GiftOut(one.gift_id, one.is_mine, one.other, one.minutes, one.note, one.given_at) for one in found.rows]
    return GiftsOut(items, found.next)


@post("/api/exchange/gifts", opt=SIGNED_IN)
async def give_away(
    request: AnyRequest,
    data: JSONBody[GiftIn],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> dict[str, UUID]:
    """Give minutes to somebody of one's household. With an `Idempotency-Key` the same again answers the same."""
    async with transaction(sessions_of_app(state)) as session:
        asked = await giving(
            session,
            actor=actor,
            receiver_id=data.receiver,
            minutes=data.minutes,
            note=data.note.strip(),
            key=request.headers.get("idempotency-key"),
            now=now,
        )
    return {"gift_id": await give(sessions_of_app(state), poster_of_app(state).post, asked, now=now)}


HANDLERS = [kin, gifts, give_away]
