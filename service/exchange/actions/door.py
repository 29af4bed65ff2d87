"""The steps that move value for many at once: read, give the connection back, then ask at the door (decision 0009).

Each is two functions. The first reads in a short transaction and says what to post: who may ask is judged there, for it never
changes. The second asks at the door, without any transaction; whether it may still happen is judged by the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import Capture, Effect, Hold, Journal, Posted, Release
from service import chart
from service.chart import Reason
from service.communities import settings_on
from service.exchange.queries.exchanges import exchange_row, sides
from service.exchange.rules import (
    AGAIN,
    DONE_DAYS,
    MOST_OF_PAIR,
    REFUSALS,
    ExchangeNotFound,
    MovedOn,
    NotEnough,
    NotYours,
    OverPair,
    Sides,
    TheirNotEnough,
    Unknown,
    Verb,
    due_after,
    reference,
)
from service.exchange.tables import Exchange
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.refusals import Refusal
from service.kit.words import hours

TRIES = 100
"""So often is asked again whoever met others about the same rows in one batch: each batch takes one of them."""


class Post(Protocol):
    """The door: `GroupPoster.post`, or one that posts in a transaction that is open."""

    async def __call__(self, book: int, journal: Journal, *, now: datetime, effect: Effect | None = None) -> Posted:
        """Post, or raise the refusal."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What goes through the door, and what a refusal needs to be said."""

    book: int
    journal: Journal
    effect: Effect
    is_own: bool
    """Whether the minutes are those of whoever asks: only then may it be said that they are too few."""
    limits: Mapping[str, Refusal] = field(default_factory=dict)
    """Refusals that name how much may be."""


async def accepting(session: AsyncSession, *, actor: Actor, exchange_id: UUID, now: datetime) -> Asked:
    """The owner says yes: the payer's minutes are to be set aside."""
    row, listing = await exchange_row(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    if not who.has(actor.member_id):
        raise ExchangeNotFound
    if actor.member_id != who.owner_id:
        raise NotYours
    day = local_day(now)
    settings = await settings_on(session, actor.community_id, (MOST_OF_PAIR, DONE_DAYS), day)
    values = {
        "exchange": str(exchange_id),
        "actor": str(actor.member_id),
        "minutes": row.minutes,
        "month_from": day_begins(day.replace(day=1)).isoformat(),
        "pair_max": settings[MOST_OF_PAIR],
        "due_at": due_after(now, settings[DONE_DAYS]).isoformat(),
        "request_id": audit.request_id.get(),
    }
    journal = Journal(
        reference=reference(exchange_id, "accepted"),
        reason=Reason.EXCHANGE_HELD,
        legs=(Hold(exchange_id, chart.member(row.payer_id), chart.MINUTE, row.minutes),),
        actor_id=actor.member_id,
    )
    pair = ":".join(sorted((row.payer_id.hex, row.helper_id.hex)))
    effect = Effect("public.exchange_accept", pair, values)
    is_own = actor.member_id == row.payer_id
    limits = {OverPair.code: OverPair(hours(settings[MOST_OF_PAIR]))}
    return Asked(actor.community_id, journal, effect, is_own, limits)


async def confirming(session: AsyncSession, *, actor: Actor, exchange_id: UUID) -> Asked:
    """The payer says that it is done: everything is to be the helper's."""
    row, listing = await exchange_row(session, actor.community_id, exchange_id)
    who = sides(row, listing)
    if not who.has(actor.member_id):
        raise ExchangeNotFound
    if actor.member_id != who.payer_id:
        raise NotYours
    return settling(row, Verb.CONFIRM, actor.member_id)


async def withdrawing(session: AsyncSession, *, actor: Actor, exchange_id: UUID) -> Asked | None:
    """Either side steps back before it is done: everything is to return. None when nothing was set aside yet."""
    row, listing = await exchange_row(session, actor.community_id, exchange_id)
    who: Sides = sides(row, listing)
    if not who.has(actor.member_id):
        raise ExchangeNotFound
    return settling(row, Verb.WITHDRAW, actor.member_id) if row.accepted_at is not None else None


def settling(row: Exchange, verb: Verb, actor_id: UUID | None) -> Asked:
    """The journal and the rows of a hold's end. By the payer or by time, it is confirmed under one reference."""
    is_paid = verb in (Verb.CONFIRM, Verb.LAPSE)
    step = Capture(row.exchange_id, chart.member(row.helper_id), row.minutes) if is_paid else Release(row.exchange_id)
    journal = Journal(
        reference=reference(row.exchange_id, "confirmed" if is_paid else "returned"),
        reason=Reason.EXCHANGE_PAID if is_paid else Reason.EXCHANGE_RETURNED,
        legs=(step,),
        actor_id=actor_id,
    )
    values = {
        "exchange": str(row.exchange_id),
        "verb": verb.value,
        "actor": str(actor_id) if actor_id else None,
        "request_id": audit.request_id.get(),
    }
    effect = Effect("public.exchange_settle", str(row.exchange_id), values)
    return Asked(row.community_id, journal, effect, is_own=False)


async def through(post: Post, asked: Asked, *, now: datetime) -> Posted:
    """Ask at the door. The caller holds no transaction and no connection meanwhile, unless `post` is in its own."""
    for _ in range(TRIES):
        try:
            return await post(asked.book, asked.journal, now=now, effect=asked.effect)
        except ledger.EffectRefused as no:
            if no.code != AGAIN:
                raise (asked.limits[no.code] if no.code in asked.limits else REFUSALS[no.code]()) from no
        except ledger.ReferenceReused as other:
            raise MovedOn from other
        except ledger.InsufficientBalance as short:
            raise (NotEnough if asked.is_own else TheirNotEnough) from short
        except ledger.OutcomeUnknown as lost:
            raise Unknown from lost
    raise ledger.TooBusy(reference=asked.journal.reference)


def inside(session: AsyncSession) -> Post:
    """A door in a transaction that is open, for what is posted one by one: nothing may be locked after it."""

    async def post(book: int, journal: Journal, *, now: datetime, effect: Effect | None = None) -> Posted:
        assert effect is not None, "every step brings its rows"
        (verdict,) = await ledger.post_many_with(session, book, [journal], [effect], now=now)
        if not isinstance(verdict, Posted):
            raise verdict
        return verdict

    return post
