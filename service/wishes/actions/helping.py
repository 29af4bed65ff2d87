"""What the volunteer does: take a wish on, reach the asker, give it back, say that it is done."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.facts import WishClaimed, WishReleased, WishServed
from service.kit import outbox
from service.kit.access import Actor
from service.records import Span, taken_times
from service.wishes import queries, rules
from service.wishes.actions.steps import days, take_step, without_helper
from service.wishes.queries import who_of
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish


async def claim_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime, revision: int | None = None
) -> Wish:
    """Give a wish on the wall to the first volunteer who asks.

    Two volunteers may tap in the same second: the row lock makes the second wait and then be told that it is taken. The
    same volunteer tapping twice has it once.
    """
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    if wish.state == WishState.CLAIMED and wish.volunteer_id == actor.member_id:
        return wish
    asker = await identity.person(session, actor.community_id, wish.asked_by)
    rules.check_claim(wish, who_of(actor), asker.household_id, revision)
    term = timedelta(days=await days(session, actor.community_id, "wish_claim_days", now))
    wish.volunteer_id, wish.claimed_at, wish.claim_due_at = actor.member_id, now, now + term
    take_step(session, wish, Verb.CLAIM, after=WishState.CLAIMED, actor=actor, now=now)
    outbox.record(
        session,
        WishClaimed(
            community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by, volunteer_id=actor.member_id
        ),
        now=now,
    )
    return wish


async def _check_time(
    session: AsyncSession, actor: Actor, wish_id: UUID, started_at: datetime, length: timedelta
) -> None:
    """Nobody is at two services at once: neither at one that counts already nor at a wish that waits for its asker."""
    span = Span(wish_id.hex, actor.member_id, started_at, started_at + length)
    for taken in (await taken_times(session, actor.community_id, [span])).values():
        raise rules.ServiceOverlaps(taken.title, taken.starts_at, taken.ends_at)
    other = await queries.served_elsewhere(
        session, actor.community_id, actor.member_id, started_at, length, but=wish_id
    )
    if other is not None:
        raise rules.ServiceOverlaps(*other)


async def asker_contact(session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime) -> identity.Contact:
    """Phone and door of the asker, for the helper while there is something to do, and for staff. Every look is kept."""
    wish = await queries.wish_for(session, actor, wish_id)
    who = who_of(actor)
    helps = wish.volunteer_id == actor.member_id and wish.state in (WishState.CLAIMED, WishState.DISPUTED)
    if not helps and not who.is_staff:
        raise rules.NotYours
    return await identity.contact_of(
        session, actor, wish.asked_by, now, reason="wish_claimed" if helps else "wish_handled"
    )


async def release_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime, revision: int | None = None, note: str = ""
) -> Wish:
    """Back on the wall for the next volunteer, with a fresh term. Staff say why they take it from somebody."""
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_move(Verb.RELEASE, wish, who_of(actor), revision)
    rules.check_note("note", note, required=wish.volunteer_id != actor.member_id)
    await put_back(session, wish, actor=actor, now=now, note=note)
    return wish


async def put_back(
    session: AsyncSession, wish: Wish, *, actor: Actor | None, now: datetime, note: str | None = None
) -> None:
    """Take a locked wish from its volunteer; the history keeps whose it was."""
    volunteer_id = wish.volunteer_id
    assert volunteer_id is not None, "ck_wish_taken"
    # Every question to the database before the first change: a half-changed row must never be flushed by one.
    term = timedelta(days=await days(session, wish.community_id, "wish_open_days", now))
    without_helper(wish)
    wish.reason, wish.expires_at = None, now + term
    take_step(
        session,
        wish,
        Verb.RELEASE,
        after=WishState.APPROVED,
        actor=actor,
        now=now,
        note=note,
        volunteer_id=volunteer_id,
    )
    outbox.record(
        session,
        WishReleased(
            community_id=wish.community_id, wish_id=wish.wish_id, asked_by=wish.asked_by, volunteer_id=volunteer_id
        ),
        now=now,
    )


async def serve_wish(
    session: AsyncSession,
    *,
    actor: Actor,
    wish_id: UUID,
    started_at: datetime,
    minutes: int,
    note: str,
    now: datetime,
    revision: int | None = None,
) -> Wish:
    """Say that it is done: when, for how many minutes, and what was done. The same words twice are heard once.

    The volunteer is locked before their other wishes are looked at, so that two reports at once cannot both claim the
    same hour.
    """
    rules.check_note("note", note, required=True)
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    said = (wish.state, wish.volunteer_id, wish.served_from_at, wish.served_minutes)
    if said == (WishState.SERVED, actor.member_id, started_at, minutes):
        return wish
    rules.check_move(Verb.SERVE, wish, who_of(actor), revision)
    assert wish.claimed_at is not None, "a claimed wish was claimed at some time"
    rules.check_service(started_at, minutes, wish.claimed_at, now)
    await identity.lock_people(session, actor.community_id, [actor.member_id])
    await _check_time(session, actor, wish_id, started_at, timedelta(minutes=minutes))
    term = timedelta(days=await days(session, actor.community_id, "wish_confirm_days", now))
    wish.served_from_at, wish.served_minutes, wish.served_note = started_at, minutes, note
    wish.served_at, wish.confirm_due_at, wish.reminded_at, wish.reason = now, now + term, None, None
    take_step(session, wish, Verb.SERVE, after=WishState.SERVED, actor=actor, now=now, note=note)
    outbox.record(
        session,
        WishServed(
            community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by, volunteer_id=actor.member_id
        ),
        now=now,
    )
    return wish
