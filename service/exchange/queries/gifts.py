"""Gifts of one person, and whom they may give to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.tables import ExchangeGift
from service.identity import Person, people_by_ids, people_of_household
from service.kit.access import Actor
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class GiftView:
    """A gift as one of its two sides sees it; they live behind one door, so names are open."""

    gift_id: UUID
    is_mine: bool
    other: str
    minutes: int
    note: str
    given_at: datetime


async def kin(session: AsyncSession, actor: Actor) -> Sequence[Person]:
    """Whom this person may give to: those of the same household."""
    if actor.household_id is None:
        return []
    found = await people_of_household(session, actor.community_id, actor.household_id)
    return [one for one in found if one.member_id != actor.member_id]


async def gift_row(session: AsyncSession, community_id: int, gift_id: UUID) -> ExchangeGift | None:
    """The row itself."""
    return await session.get(ExchangeGift, (community_id, gift_id))


async def my_gifts(session: AsyncSession, actor: Actor, after: str | None = None) -> Page[GiftView]:
    """What one person gave and got, newest first."""
    query = select(ExchangeGift).where(
        col(ExchangeGift.community_id) == actor.community_id,
        sa.or_(col(ExchangeGift.giver_id) == actor.member_id, col(ExchangeGift.receiver_id) == actor.member_id),
    )
    if (cursor := decode_cursor(after, str, str)) is not None:
        place = (datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        here = sa.tuple_(col(ExchangeGift.given_at), col(ExchangeGift.gift_id))
        query = query.where(here < sa.tuple_(sa.literal(place[0]), sa.literal(place[1])))
    order = (col(ExchangeGift.given_at).desc(), col(ExchangeGift.gift_id).desc())
    rows = (await session.exec(query.order_by(*order).limit(PAGE_SIZE + 1))).all()
    people = await people_by_ids(
        session, actor.community_id, {one for row in rows for one in (row.giver_id, row.receiver_id)}
    )
    views = [
        GiftView(
            row.gift_id,
            row.giver_id == actor.member_id,
            people[row.receiver_id if row.giver_id == actor.member_id else row.giver_id].name,
            row.minutes,
            row.note,
            row.given_at,
        )
        for row in rows
    ]
    return page_of(views, lambda last: encode_cursor(last.given_at.isoformat(), last.gift_id.hex))
