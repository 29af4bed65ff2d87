"""What the staff see: exchanges by saved view and by person, and what waits for them."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.queries.exchanges import ExchangeView, page_of_rows, rows_of
from service.exchange.rules import OPEN, State
from service.exchange.tables import Exchange
from service.identity import find_people
from service.kit.access import Actor
from service.kit.paging import PAGE_SIZE, Page

FILE_ROWS_MAX = 50_000


class Shown(StrEnum):
    """Saved views, each a tab."""

    DISPUTED = "disputed"
    OPEN = "open"
    PAID = "paid"
    THANKS = "thanks"
    ALL = "all"


async def desk_list(
    session: AsyncSession,
    actor: Actor,
    *,
    shown: Shown,
    text: str = "",
    after: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[ExchangeView]:
    """Exchanges of a view, last changed first; `text` is a card number, phone or name of either side."""
    query = rows_of(actor.community_id)
    if shown is Shown.DISPUTED:
        query = query.where(col(Exchange.state) == State.DISPUTED)
    elif shown is Shown.OPEN:
        query = query.where(col(Exchange.state).in_([str(state) for state in OPEN]))
    elif shown is Shown.PAID:
        query = query.where(col(Exchange.state) == State.CONFIRMED)
    elif shown is Shown.THANKS:
        query = query.where(col(Exchange.thanks).is_not(None))
    if text := text.strip():
        people = [one.member_id for one in (await find_people(session, actor.community_id, text)).rows]
        query = query.where(sa.or_(col(Exchange.payer_id).in_(people), col(Exchange.helper_id).in_(people)))
    return await page_of_rows(session, actor, query, after, size)


async def count_disputed(session: AsyncSession, community_id: int) -> int:
    """How many wait for a decision."""
    counted = await session.execute(
        sa.select(sa.func.count()).where(
            col(Exchange.community_id) == community_id, col(Exchange.state) == State.DISPUTED
        )
    )
    return int(counted.scalar_one())


async def count_aside(session: AsyncSession, community_id: int, until: datetime) -> int:
    """How many exchanges, accepted before a moment, have minutes that still lie aside."""
    counted = await session.execute(
        sa.select(sa.func.count()).where(
            col(Exchange.community_id) == community_id,
            col(Exchange.accepted_at) < until,
            col(Exchange.state).in_([State.ACCEPTED.value, State.DONE.value, State.DISPUTED.value]),
        )
    )
    return int(counted.scalar_one())
