"""Exchanges: one person's, everybody's for the staff, one with its history."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.rules import OPEN, READERS, ExchangeNotFound, Kind, Sides, State, Verb, allowed
from service.exchange.tables import Exchange, ExchangeEvent, ExchangeListing
from service.identity import Person, people_by_ids
from service.kit.access import Actor
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """An exchange as its reader may see it. Names are masked until it was accepted, and open for staff."""

    exchange_id: UUID
    listing_id: UUID
    title: str
    text: str
    sides: Sides
    payer: str
    helper: str
    payer_card: str
    helper_card: str
    is_payer: bool
    is_helper: bool
    minutes: int
    note: str
    state: State
    asked_at: datetime
    changed_at: datetime
    due_at: datetime | None
    disputed_by: UUID | None
    paid_minutes: int | None
    thanks: str | None
    is_hidden: bool
    can: Collection[Verb]

    @property
    def is_mine(self) -> bool:
        """Whether the reader is one of the two."""
        return self.is_payer or self.is_helper

    @property
    def other(self) -> str:
        """The name of the one across from the reader."""
        return self.helper if self.is_payer else self.payer

    @property
    def waits_for_me(self) -> bool:
        """Whether the next step is the reader's."""
        return (
            Verb.ACCEPT in self.can
            or (self.state is State.ACCEPTED and Verb.FINISH in self.can)
            or (self.state is State.DONE and Verb.CONFIRM in self.can)
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of an exchange's history."""

    verb: Verb
    at: datetime
    actor: str
    """Empty where time alone moved it."""
    note: str | None


Row = tuple[Exchange, ExchangeListing]


def rows_of(community_id: int | None) -> Any:
    """Exchanges with their listings, of one community or, for timed work, of all."""
    query = (
        sa.select(Exchange, ExchangeListing)
        .join(
            ExchangeListing,
            sa.and_(
                col(ExchangeListing.community_id) == col(Exchange.community_id),
                col(ExchangeListing.listing_id) == col(Exchange.listing_id),
            ),
        )
        .execution_options(populate_existing=True)
    )
    return query if community_id is None else query.where(col(Exchange.community_id) == community_id)


def sides(row: Exchange, listing: ExchangeListing) -> Sides:
    """Who is who."""
    return Sides(Kind(listing.kind), listing.owner_id, row.payer_id, row.helper_id)


async def exchange_row(session: AsyncSession, community_id: int, exchange_id: UUID) -> Row:
    """The rows as they stand now, unlocked."""
    found = await session.execute(rows_of(community_id).where(col(Exchange.exchange_id) == exchange_id))
    row: Row | None = found.one_or_none()
    if row is None:
        raise ExchangeNotFound
    return row


async def lock_exchange(session: AsyncSession, community_id: int, exchange_id: UUID) -> Row:
    """The same with the exchange locked."""
    found = await session.execute(
        rows_of(community_id)
        .where(col(Exchange.exchange_id) == exchange_id)
        .with_for_update(key_share=True, of=Exchange)
    )
    row: Row | None = found.one_or_none()
    if row is None:
        raise ExchangeNotFound
    return row


async def lock_due_answers(session: AsyncSession, now: datetime, limit: int) -> Sequence[Any]:
    """Answers whose days are over, locked, of any community; what somebody is busy with is left for the next time."""
    found = await session.execute(
        rows_of(None)
        .where(col(Exchange.state) == State.ASKED, col(Exchange.due_at) <= now)
        .order_by(col(Exchange.due_at), col(Exchange.exchange_id))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=Exchange)
    )
    return found.all()


async def exchange_for(session: AsyncSession, actor: Actor, exchange_id: UUID) -> ExchangeView:
    """One exchange for either of the two and for staff; anybody else's looks as if it were not there."""
    row = await exchange_row(session, actor.community_id, exchange_id)
    if not (sides(*row).has(actor.member_id) or actor.has(*READERS)):
        raise ExchangeNotFound
    return (await _views(session, actor, [row]))[0]


async def moments(session: AsyncSession, actor: Actor, view: ExchangeView) -> Sequence[Moment]:
    """What happened to an exchange, oldest first; `view` is the one that the reader may see."""
    rows = await session.exec(
        select(ExchangeEvent)
        .where(
            col(ExchangeEvent.community_id) == actor.community_id, col(ExchangeEvent.exchange_id) == view.exchange_id
        )
        .order_by(col(ExchangeEvent.revision))
    )
    events = rows.all()
    people = await people_by_ids(session, actor.community_id, {event.actor_id for event in events})
    names = {view.sides.payer_id: view.payer, view.sides.helper_id: view.helper}
    return [
        Moment(
            Verb(event.verb),
            event.at,
            names.get(event.actor_id) or people[event.actor_id].name if event.actor_id else "",
            event.note,
        )
        for event in events
    ]


async def my_exchanges(
    session: AsyncSession, actor: Actor, *, is_open: bool = False, after: str | None = None
) -> Page[ExchangeView]:
    """One person's, last changed first; or only those that are not over."""
    query = rows_of(actor.community_id).where(
        sa.or_(col(Exchange.payer_id) == actor.member_id, col(Exchange.helper_id) == actor.member_id)
    )
    if is_open:
        query = query.where(col(Exchange.state).in_([str(state) for state in OPEN]))
    return await _page(session, actor, query, after)


async def page_of_rows(
    session: AsyncSession, actor: Actor, query: Any, after: str | None, size: int = PAGE_SIZE
) -> Page[ExchangeView]:
    """A page of any of these, last changed first."""
    return await _page(session, actor, query, after, size)


async def _page(
    session: AsyncSession, actor: Actor, query: Any, after: str | None, size: int = PAGE_SIZE
) -> Page[ExchangeView]:
    if (cursor := decode_cursor(after, str, str)) is not None:
        place = (datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        here = sa.tuple_(col(Exchange.changed_at), col(Exchange.exchange_id))
        query = query.where(here < sa.tuple_(sa.literal(place[0]), sa.literal(place[1])))
    order = (col(Exchange.changed_at).desc(), col(Exchange.exchange_id).desc())
    rows = (await session.execute(query.order_by(*order).limit(size + 1))).all()
    views = await _views(session, actor, rows)
    return page_of(views, lambda last: encode_cursor(last.changed_at.isoformat(), last.exchange_id.hex), size)


async def _views(session: AsyncSession, actor: Actor, rows: Sequence[Row]) -> list[ExchangeView]:
    ids = {one for row, _listing in rows for one in (row.payer_id, row.helper_id)}
    people = await people_by_ids(session, actor.community_id, ids)
    return [_view(actor, row, listing, people[row.payer_id], people[row.helper_id]) for row, listing in rows]


def _view(actor: Actor, row: Exchange, listing: ExchangeListing, payer: Person, helper: Person) -> ExchangeView:
    who, state = sides(row, listing), State(row.state)
    is_open = row.accepted_at is not None or not who.has(actor.member_id)  # strangers to it are staff
    return ExchangeView(
        exchange_id=row.exchange_id,
        listing_id=row.listing_id,
        title=listing.title,
        text=listing.text,
        sides=who,
        payer=payer.name if is_open or payer.member_id == actor.member_id else payer.masked,
        helper=helper.name if is_open or helper.member_id == actor.member_id else helper.masked,
        payer_card=payer.card_no,
        helper_card=helper.card_no,
        is_payer=row.payer_id == actor.member_id,
        is_helper=row.helper_id == actor.member_id,
        minutes=row.minutes,
        note=row.note,
        state=state,
        asked_at=row.asked_at,
        changed_at=row.changed_at,
        due_at=row.due_at,
        disputed_by=row.disputed_by,
        paid_minutes=row.paid_minutes,
        thanks=row.thanks if row.hidden_at is None or actor.has(*READERS) else None,
        is_hidden=row.hidden_at is not None,
        can=allowed(state, who, actor.member_id, is_thanked=row.thanks is not None),
    )
