"""Answers to a listing, and every step that moves no value: in the transaction of the request."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import setting, settings_on
from service.exchange.actions.steps import leave, move
from service.exchange.queries.exchanges import lock_exchange, sides
from service.exchange.queries.listings import listing_for, lock_listing
from service.exchange.rules import (
    ANSWER_DAYS,
    CONFIRM_DAYS,
    MOST_MINUTES,
    OPEN,
    WAITING_ANSWERS_MAX,
    AlreadyAnswered,
    AlreadyThanked,
    Kind,
    ListingClosed,
    ListingState,
    MovedOn,
    OwnListing,
    PersonGone,
    State,
    TooManyAnswers,
    Verb,
    check,
    check_household,
    check_minutes,
    due_after,
    sides_of,
)
from service.exchange.tables import Exchange, ExchangeListing
from service.facts import (
    ExchangeAsked,
    ExchangeDeclined,
    ExchangeDisputed,
    ExchangeDone,
    ExchangeThanked,
    ExchangeWithdrawn,
)
from service.identity import lock_people
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id


async def answer(session: AsyncSession, *, actor: Actor, listing_id: UUID, note: str, now: datetime) -> UUID:
    """Ask for what a neighbour offers, or take on what one needs; answers the exchange's id. Nothing is paid yet.

    The person's row keeps two at once from passing the number of answers, the listing's row from answering what is closed
    at this moment.
    """
    home = actor.community_id
    owner_id = (await listing_for(session, actor, listing_id)).owner_id
    people = await lock_people(session, home, [actor.member_id, owner_id])
    listing = await lock_listing(session, home, listing_id)
    if owner_id == actor.member_id:
        raise OwnListing
    if listing.state != ListingState.OPEN:
        raise ListingClosed
    if any(one.closed_at is not None for one in people.values()):
        raise PersonGone
    check_household(people[actor.member_id].household_id, people[owner_id].household_id)
    days = await settings_on(session, home, (MOST_MINUTES, ANSWER_DAYS), local_day(now))
    check_minutes(listing.minutes, days[MOST_MINUTES])
    who = sides_of(Kind(listing.kind), owner_id, actor.member_id)
    await _check_answers(session, actor, listing_id)
    row = Exchange(
        community_id=home,
        exchange_id=new_id(),
        listing_id=listing_id,
        payer_id=who.payer_id,
        helper_id=who.helper_id,
        minutes=listing.minutes,
        note=note,
        state=State.ASKED,
        asked_at=now,
        changed_at=now,
        due_at=due_after(now, days[ANSWER_DAYS]),
    )
    session.add(row)
    await session.flush()  # the history refers to it
    fact = ExchangeAsked(community_id=home, exchange_id=row.exchange_id, member_id=owner_id)
    leave(session, row, Verb.ASK, actor=actor, facts=(fact,), now=now, note=note)
    return row.exchange_id


async def _check_answers(session: AsyncSession, actor: Actor, listing_id: UUID) -> None:
    """Only one's own answers count, not those that wait for one's own word."""
    found = await session.execute(
        sa.select(
            sa.func.count().filter(col(Exchange.state) == State.ASKED),
            sa.func.count().filter(col(Exchange.listing_id) == listing_id),
        )
        .join(
            ExchangeListing,
            sa.and_(
                col(ExchangeListing.community_id) == col(Exchange.community_id),
                col(ExchangeListing.listing_id) == col(Exchange.listing_id),
            ),
        )
        .where(
            col(Exchange.community_id) == actor.community_id,
            sa.or_(col(Exchange.payer_id) == actor.member_id, col(Exchange.helper_id) == actor.member_id),
            col(Exchange.state).in_([str(state) for state in OPEN]),
            col(ExchangeListing.owner_id) != actor.member_id,
        )
    )
    waiting, here = found.one()
    if here:
        raise AlreadyAnswered
    if waiting >= WAITING_ANSWERS_MAX:
        raise TooManyAnswers(WAITING_ANSWERS_MAX)


async def decline(session: AsyncSession, *, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """Say no to an answer."""
    row, listing = await lock_exchange(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    check(Verb.DECLINE, State(row.state), who, actor.member_id)
    fact = ExchangeDeclined(community_id=row.community_id, exchange_id=exchange_id, member_id=who.asker_id)
    move(session, row, Verb.DECLINE, State.DECLINED, actor=actor, facts=(fact,), now=now)


async def take_back(session: AsyncSession, *, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """Take one's own answer back before it is accepted."""
    row, listing = await lock_exchange(session, actor.community_id, exchange_id)
    who, state = sides(row, listing), State(row.state)
    if state is State.WITHDRAWN:
        return  # pressed twice
    check(Verb.WITHDRAW, state, who, actor.member_id)
    if state is not State.ASKED:
        raise MovedOn
    fact = ExchangeWithdrawn(community_id=row.community_id, exchange_id=exchange_id, member_id=who.owner_id)
    move(session, row, Verb.WITHDRAW, State.WITHDRAWN, actor=actor, facts=(fact,), now=now)


async def finish(session: AsyncSession, *, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """The helper says that it is done; from now on the payer has so many days to confirm."""
    days = await setting(session, actor.community_id, CONFIRM_DAYS, local_day(now))
    row, listing = await lock_exchange(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    check(Verb.FINISH, State(row.state), who, actor.member_id)
    row.done_at = now
    fact = ExchangeDone(community_id=row.community_id, exchange_id=exchange_id, member_id=who.payer_id)
    due_at = due_after(now, days)
    move(session, row, Verb.FINISH, State.DONE, actor=actor, facts=(fact,), now=now, due_at=due_at)


async def dispute(session: AsyncSession, *, actor: Actor, exchange_id: UUID, reason: str, now: datetime) -> None:
    """Call the staff. The minutes stay aside until they have decided, or the payer confirms after all."""
    row, listing = await lock_exchange(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    check(Verb.DISPUTE, State(row.state), who, actor.member_id)
    row.disputed_by = actor.member_id
    fact = ExchangeDisputed(
        community_id=row.community_id, exchange_id=exchange_id, member_id=who.other(actor.member_id)
    )
    move(session, row, Verb.DISPUTE, State.DISPUTED, actor=actor, facts=(fact,), now=now, note=reason)


async def thank(session: AsyncSession, *, actor: Actor, exchange_id: UUID, words: str, now: datetime) -> None:
    """One short word of thanks to the helper, once."""
    row, listing = await lock_exchange(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    check(Verb.THANK, State(row.state), who, actor.member_id)
    if row.thanks is not None:
        raise AlreadyThanked
    row.thanks, row.revision = words, row.revision + 1
    fact = ExchangeThanked(community_id=row.community_id, exchange_id=exchange_id, member_id=who.helper_id)
    leave(session, row, Verb.THANK, actor=actor, facts=(fact,), now=now)
