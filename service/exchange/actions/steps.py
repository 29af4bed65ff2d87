"""What every step leaves behind: the next line of the history, an audit line, and a word to the other side."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.rules import WAITING, State, Verb
from service.exchange.tables import Exchange, ExchangeEvent
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.outbox import Fact

DEEDS = {
    Verb.ASK: "exchange.asked",
    Verb.DECLINE: "exchange.declined",
    Verb.WITHDRAW: "exchange.withdrawn",
    Verb.FINISH: "exchange.done",
    Verb.DISPUTE: "exchange.disputed",
    Verb.DECIDE: "exchange.decided",
    Verb.EXPIRE: "exchange.expired",
    Verb.THANK: "exchange.thanked",
}


def move(
    session: AsyncSession,
    row: Exchange,
    verb: Verb,
    state: State,
    *,
    actor: Actor | None,
    facts: tuple[Fact, ...],
    now: datetime,
    due_at: datetime | None = None,
    note: str | None = None,
) -> None:
    """Take a locked exchange to its next state. `due_at` is when time alone moves it on from there."""
    assert (due_at is not None) == (state in WAITING), "what waits has an end"
    row.state, row.changed_at, row.due_at, row.revision = state, now, due_at, row.revision + 1
    leave(session, row, verb, actor=actor, facts=facts, now=now, note=note)


def leave(
    session: AsyncSession,
    row: Exchange,
    verb: Verb,
    *,
    actor: Actor | None,
    facts: tuple[Fact, ...],
    now: datetime,
    note: str | None = None,
) -> None:
    """The line of the history for the row as it is, the audit's, and what others hear."""
    member: UUID | None = actor.member_id if actor is not None else None
    session.add(
        ExchangeEvent(
            community_id=row.community_id,
            exchange_id=row.exchange_id,
            revision=row.revision,
            verb=verb,
            state=row.state,
            at=now,
            actor_id=member,
            note=note or None,
        )
    )
    audit.record(
        session,
        actor,
        DEEDS[verb],
        kind="exchange",
        id=row.exchange_id,
        now=now,
        community_id=row.community_id,
        detail={"minutes": row.minutes},
    )
    for fact in facts:
        outbox.record(session, fact, now=now)
