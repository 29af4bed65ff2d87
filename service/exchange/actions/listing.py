"""The board: putting something up, taking it down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.exchange.actions.steps import move
from service.exchange.queries.listings import count_open, lock_listing
from service.exchange.rules import (
    LISTING_DAYS,
    MOST_MINUTES,
    OPEN_LISTINGS_MAX,
    Category,
    Kind,
    ListingClosed,
    ListingNotFound,
    ListingState,
    State,
    TooManyListings,
    Verb,
    check_minutes,
    due_after,
)
from service.exchange.tables import Exchange, ExchangeListing
from service.facts import ExchangeDeclined
from service.identity import lock_people
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id

BATCH = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """What is offered or asked for."""

    kind: Kind
    category: Category
    title: str
    text: str
    minutes: int


async def check_draft(session: AsyncSession, community_id: int, minutes: int, now: datetime) -> None:
    """Refuse more minutes than the community allows at once."""
    most = await settings_on(session, community_id, (MOST_MINUTES,), local_day(now))
    check_minutes(minutes, most[MOST_MINUTES])


async def post_listing(session: AsyncSession, *, actor: Actor, draft: Draft, now: datetime) -> UUID:
    """Put an offer or a request on the board; answers its id. The person's row keeps two at once from passing the number."""
    settings = await settings_on(session, actor.community_id, (MOST_MINUTES, LISTING_DAYS), local_day(now))
    check_minutes(draft.minutes, settings[MOST_MINUTES])
    await lock_people(session, actor.community_id, [actor.member_id])
    if await count_open(session, actor.community_id, actor.member_id) >= OPEN_LISTINGS_MAX:
        raise TooManyListings(OPEN_LISTINGS_MAX)
    row = ExchangeListing(
        community_id=actor.community_id,
        listing_id=new_id(),
        kind=draft.kind,
        category=draft.category,
        title=draft.title,
        text=draft.text,
        minutes=draft.minutes,
        owner_id=actor.member_id,
        state=ListingState.OPEN,
        posted_at=now,
        changed_at=now,
        expires_at=due_after(now, settings[LISTING_DAYS]),
    )
    session.add(row)
    audit.record(session, actor, "exchange.posted", kind="exchange_listing", id=row.listing_id, now=now)
    await session.flush()
    return row.listing_id


async def close_listing(session: AsyncSession, *, actor: Actor, listing_id: UUID, now: datetime) -> None:
    """Take one's own listing down; answers that wait are declined. What was accepted goes on."""
    row = await lock_listing(session, actor.community_id, listing_id)
    if row.owner_id != actor.member_id:
        raise ListingNotFound
    if row.state != ListingState.OPEN:
        raise ListingClosed
    await _end(session, [row], ListingState.CLOSED, actor, now)


async def _end(
    session: AsyncSession, rows: Sequence[ExchangeListing], state: ListingState, actor: Actor | None, now: datetime
) -> None:
    owners = {(row.community_id, row.listing_id): row.owner_id for row in rows}
    for row in rows:
        row.state, row.changed_at = state, now
        audit.record(
            session,
            actor,
            "exchange.taken_down",
            kind="exchange_listing",
            id=row.listing_id,
            now=now,
            community_id=row.community_id,
        )
    found = await session.exec(
        select(Exchange)
        .where(
            sa.tuple_(col(Exchange.community_id), col(Exchange.listing_id)).in_(list(owners)),
            col(Exchange.state) == State.ASKED,
        )
        .order_by(col(Exchange.community_id), col(Exchange.exchange_id))
        .with_for_update(key_share=True)
    )
    for waiting in found.all():
        owner = owners[waiting.community_id, waiting.listing_id]
        asker = waiting.helper_id if waiting.payer_id == owner else waiting.payer_id
        fact = ExchangeDeclined(community_id=waiting.community_id, exchange_id=waiting.exchange_id, member_id=asker)
        move(session, waiting, Verb.DECLINE, State.DECLINED, actor=actor, facts=(fact,), now=now)


async def expire_listings(session: AsyncSession, now: datetime) -> int:
    """Timed: what has been on the board for its days comes down."""
    found = await session.exec(
        select(ExchangeListing)
        .where(col(ExchangeListing.state) == ListingState.OPEN, col(ExchangeListing.expires_at) <= now)
        .order_by(col(ExchangeListing.community_id), col(ExchangeListing.listing_id))
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    )
    rows = found.all()
    if rows:
        await _end(session, rows, ListingState.EXPIRED, None, now)
    return len(rows)
