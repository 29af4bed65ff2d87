"""The asker says that it was done, and the helper's minutes and points arrive."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.facts import WishConfirmed
from service.kit import outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.records import Credited, RecordKind, Service, ServiceClass, record_services
from service.wishes import queries, rules
from service.wishes.actions.steps import take_step
from service.wishes.kinds import Warmth
from service.wishes.queries import who_of
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish


async def confirm_wish(
    session: AsyncSession,
    *,
    actor: Actor,
    wish_id: UUID,
    now: datetime,
    revision: int | None = None,
    warmth: Warmth | None = None,
    thanks: str = "",
    note: str = "",
) -> Wish:
    """Confirm a served wish and credit its helper, in this one transaction; confirming again changes nothing.

    Staff confirm for an asker who cannot or did not, and note how they know that it was done. Which minutes count is
    the records' business (daily cap, store): the wish keeps what arrived.
    """
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    if wish.state == WishState.CONFIRMED and wish.confirmed_by == actor.member_id:
        return wish
    rules.check_confirmation(wish, who_of(actor), revision)
    if actor.member_id == wish.asked_by:
        rules.check_note("thanks", thanks, required=False)
        wish.warmth, wish.thanks = warmth, thanks or None
    else:
        await _check_for_asker(session, wish, note, now)
    wish.confirmed_at, wish.confirmed_by, wish.reason = now, actor.member_id, None
    take_step(session, wish, Verb.CONFIRM, after=WishState.CONFIRMED, actor=actor, now=now, note=note)
    held, wish.reward_hold = wish.reward_hold, None
    await session.flush()
    await _credit(session, wish, held, actor, now)
    return wish


async def _check_for_asker(session: AsyncSession, wish: Wish, note: str, now: datetime) -> None:
    rules.check_note("note", note, required=True)
    asker = (await identity.particulars_by_ids(session, wish.community_id, [wish.asked_by]))[wish.asked_by]
    assert wish.confirm_due_at is not None, "a served wish has a term"
    rules.check_confirmation_for(wish, wish.confirm_due_at, now, reachable=asker.signs_in)


async def _credit(session: AsyncSession, wish: Wish, held: UUID | None, actor: Actor, now: datetime) -> None:
    """Record the service, and keep what arrived before the book's head is taken."""
    assert wish.volunteer_id is not None, "ck_wish_taken"
    assert wish.served_minutes is not None, "ck_wish_served"
    assert wish.served_from_at is not None, "ck_wish_served"
    await record_services(
        session,
        community_id=wish.community_id,
        services=[
            Service(
                member_id=wish.volunteer_id,
                minutes=wish.served_minutes,
                kind=RecordKind.CREDITED,
                service_class=ServiceClass(wish.service_class),
                title=wish.title,
                source=f"wish:{wish.wish_id}",
                reference=f"wish:{wish.wish_id}:confirmed",
                served_on=local_day(wish.served_from_at),
                served_from_at=wish.served_from_at,
                served_until_at=wish.served_from_at + timedelta(minutes=wish.served_minutes),
                reward_points=wish.reward_points,
                reward_budget=wish.reward_budget,
                reward_hold=held,
            )
        ],
        actor=actor,
        now=now,
        on_behalf_of=wish.asked_by if actor.member_id != wish.asked_by else None,
        told=lambda credited: _keep(session, wish, credited[0], now),
    )


def _keep(session: AsyncSession, wish: Wish, credited: Credited, now: datetime) -> None:
    assert wish.volunteer_id is not None, "ck_wish_taken"
    wish.credited_minutes, wish.credited_points_hundredths = credited.minutes, credited.points_hundredths
    outbox.record(
        session,
        WishConfirmed(
            community_id=wish.community_id,
            wish_id=wish.wish_id,
            asked_by=wish.asked_by,
            volunteer_id=wish.volunteer_id,
            minutes=credited.minutes,
            points_hundredths=credited.points_hundredths,
        ),
        now=now,
    )
