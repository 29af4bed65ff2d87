"""The board: what neighbours offer and ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from service.exchange.rules import Category, Kind, ListingNotFound, ListingState
from service.exchange.tables import ExchangeListing
from service.identity import people_by_ids
from service.kit.access import Actor
from service.kit.paging import Page, decode_cursor, encode_cursor, page_of

BOARD_SIZE = 20
"""Cards on one page of the board."""


@dataclass(frozen=True, slots=True)
class ListingView:
    """A listing as its reader may see it; the owner's name is masked."""

    listing_id: UUID
    kind: Kind
    category: Category
    title: str
    text: str
    minutes: int
    owner_id: UUID
    owner: str
    is_mine: bool
    state: ListingState
    posted_at: datetime
    expires_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it can be answered."""
        return self.state is ListingState.OPEN


async def board(
    session: AsyncSession,
    actor: Actor,
    *,
    kind: Kind | None = None,
    category: Category | None = None,
    text: str = "",
    after: str | None = None,
) -> Page[ListingView]:
    """What is open, newest first; `text` is searched in the words of the listing."""
    query = select(ExchangeListing).where(
        col(ExchangeListing.community_id) == actor.community_id, col(ExchangeListing.state) == ListingState.OPEN
    )
    if kind is not None:
        query = query.where(col(ExchangeListing.kind) == kind)
    if category is not None:
        query = query.where(col(ExchangeListing.category) == category)
    if text := text.strip():
        query = query.where(
            sa.or_(
                col(ExchangeListing.title).icontains(text, autoescape=True),
                col(ExchangeListing.text).icontains(text, autoescape=True),
            )
        )
    return await _page(session, actor, query, after)


async def my_listings(session: AsyncSession, actor: Actor, after: str | None = None) -> Page[ListingView]:
    """What one person offers and asks for, also what is over; newest first."""
    query = select(ExchangeListing).where(
        col(ExchangeListing.community_id) == actor.community_id, col(ExchangeListing.owner_id) == actor.member_id
    )
    return await _page(session, actor, query, after)


async def listing_for(session: AsyncSession, actor: Actor, listing_id: UUID) -> ListingView:
    """One listing: what is open is everybody's to see, what is over its owner's."""
    row = await session.get(ExchangeListing, (actor.community_id, listing_id))
    if row is None or (row.state != ListingState.OPEN and row.owner_id != actor.member_id):
        raise ListingNotFound
    return (await _views(session, actor, [row]))[0]


async def lock_listing(session: AsyncSession, community_id: int, listing_id: UUID) -> ExchangeListing:
    """The row itself, locked and as it stands now."""
    found = await session.exec(
        select(ExchangeListing)
        .where(col(ExchangeListing.community_id) == community_id, col(ExchangeListing.listing_id) == listing_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise ListingNotFound
    return row


async def count_open(session: AsyncSession, community_id: int, owner_id: UUID) -> int:
    """How many listings of one person are on the board."""
    counted = await session.execute(
        sa.select(sa.func.count()).where(
            col(ExchangeListing.community_id) == community_id,
            col(ExchangeListing.owner_id) == owner_id,
            col(ExchangeListing.state) == ListingState.OPEN,
        )
    )
    return int(counted.scalar_one())


async def _page(
    session: AsyncSession, actor: Actor, query: SelectOfScalar[ExchangeListing], after: str | None
) -> Page[ListingView]:
    if (cursor := decode_cursor(after, str, str)) is not None:
        place = (datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        here = sa.tuple_(col(ExchangeListing.posted_at), col(ExchangeListing.listing_id))
        query = query.where(here < sa.tuple_(sa.literal(place[0]), sa.literal(place[1])))
    order = (col(ExchangeListing.posted_at).desc(), col(ExchangeListing.listing_id).desc())
    rows = (await session.exec(query.order_by(*order).limit(BOARD_SIZE + 1))).all()
    views = await _views(session, actor, rows)
    return page_of(views, lambda last: encode_cursor(last.posted_at.isoformat(), last.listing_id.hex), BOARD_SIZE)


async def _views(session: AsyncSession, actor: Actor, rows: Sequence[ExchangeListing]) -> list[ListingView]:
    people = await people_by_ids(session, actor.community_id, {row.owner_id for row in rows})
    return [
        ListingView(
            row.listing_id,
            Kind(row.kind),
            Category(row.category),
            row.title,
            row.text,
            row.minutes,
            row.owner_id,
            people[row.owner_id].masked,
            row.owner_id == actor.member_id,
            ListingState(row.state),
            row.posted_at,
            row.expires_at,
        )
        for row in rows
    ]
