"""What the staff do: decide a dispute, hide words of thanks that hurt somebody."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.exchange.actions.steps import move
from service.exchange.queries.exchanges import exchange_row, lock_exchange, sides
from service.exchange.rules import Concerned, MovedOn, State, Verb, reference
from service.exchange.tables import Exchange
from service.facts import ExchangeDecided
from service.identity import lock_people
from service.kit import audit
from service.kit.access import Actor
from service.kit.refusals import Invalid


async def decide(
    session: AsyncSession, *, actor: Actor, exchange_id: UUID, paid_minutes: int, reason: str, now: datetime
) -> None:
    """End a dispute: so many minutes are the helper's, the rest returns. Never by one of the two or their household.

    Posts in this transaction, last: one act of one person, with two journals that stand or fall together.
    """
    row, listing = await exchange_row(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    people = await lock_people(session, actor.community_id, [who.payer_id, who.helper_id, actor.member_id])
    row, _ = await lock_exchange(session, actor.community_id, exchange_id)
    doors = {people[one].household_id for one in (who.payer_id, who.helper_id)} - {None}
    if who.has(actor.member_id) or people[actor.member_id].household_id in doors:
        raise Concerned
    if row.state != State.DISPUTED:
        raise MovedOn
    if not 0 <= paid_minutes <= row.minutes:
        raise Invalid({"paid_minutes": "number"})
    row.decided_by = actor.member_id
    row.paid_minutes = paid_minutes or None
    facts = tuple(
        ExchangeDecided(community_id=row.community_id, exchange_id=exchange_id, member_id=one, minutes=paid_minutes)
        for one in (who.payer_id, who.helper_id)
    )
    state = State.CONFIRMED if paid_minutes else State.RETURNED
    move(session, row, Verb.DECIDE, state, actor=actor, facts=facts, now=now, note=reason)
    await session.flush()
    for verdict in await ledger.post_many(session, row.community_id, _journals(row, paid_minutes, actor), now=now):
        if not isinstance(verdict, ledger.Posted):
            raise verdict


def _journals(row: Exchange, paid_minutes: int, actor: Actor) -> list[ledger.Journal]:
    """Apart, so that what comes back never looks like something earned."""
    journals = []
    if paid_minutes:
        capture = ledger.Capture(row.exchange_id, chart.member(row.helper_id), paid_minutes)
        paid = reference(row.exchange_id, "confirmed")
        journals.append(ledger.Journal(paid, Reason.EXCHANGE_PAID, (capture,), actor.member_id))
    if paid_minutes < row.minutes:
        back = reference(row.exchange_id, "returned")
        release = ledger.Release(row.exchange_id)
        journals.append(ledger.Journal(back, Reason.EXCHANGE_RETURNED, (release,), actor.member_id))
    return journals


async def hide_thanks(session: AsyncSession, *, actor: Actor, exchange_id: UUID, now: datetime) -> None:
    """Words that should not be read are read by staff alone from now on. They are not deleted."""
    row, _ = await lock_exchange(session, actor.community_id, exchange_id)
    if row.thanks is None:
        raise MovedOn
    if row.hidden_at is not None:
        return
    row.hidden_by, row.hidden_at = actor.member_id, now
    audit.record(session, actor, "exchange.thanks_hidden", kind="exchange", id=exchange_id, now=now)
