"""Gifts within a household, through the door: the key of the form, or of the request, makes each happen once."""

from datetime import datetime
from uuid import UUID, uuid5

from sqlmodel.ext.asyncio.session import AsyncSession

from ledger import Effect, Journal, Leg
from service import chart
from service.chart import Reason
from service.communities import settings_on
from service.exchange.actions.door import Asked, Post, through
from service.exchange.queries.gifts import gift_row, kin
from service.exchange.rules import GIFT_MINUTES, GIFT_MONTH, MovedOn, NotKin, OverGifts, check_minutes
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.db import Sessions, transaction
from service.kit.ids import new_id
from service.kit.once import KEY_LENGTH_MAX, KeyReused
from service.kit.refusals import Invalid
from service.kit.words import hours

KEYS = UUID("8b1e6f0a-6f5e-5d6b-9a35-9d5f7e0f2c11")
"""Where numbers of gifts come from that carry a key: the same key is the same gift."""


async def check_gift(
    session: AsyncSession, *, actor: Actor, receiver_id: UUID, minutes: int, now: datetime
) -> tuple[str, int]:
    """Refuse what can be refused before anybody asks at the door; answers the receiver's name and the month's limit."""
    limits = await settings_on(session, actor.community_id, (GIFT_MINUTES, GIFT_MONTH), local_day(now))
    check_minutes(minutes, limits[GIFT_MINUTES])
    names = {one.member_id: one.name for one in await kin(session, actor)}
    if receiver_id not in names:
        raise NotKin
    return names[receiver_id], limits[GIFT_MONTH]


async def giving(
    session: AsyncSession,
    *,
    actor: Actor,
    receiver_id: UUID,
    minutes: int,
    note: str,
    key: str | None,
    now: datetime,
) -> Asked:
    """What to post. With a key, the same key is the same gift for ever."""
    if key is not None and (len(key) > KEY_LENGTH_MAX or not key.isprintable()):
        raise Invalid({"Idempotency-Key": "text"})
    _, month_max = await check_gift(session, actor=actor, receiver_id=receiver_id, minutes=minutes, now=now)
    gift_id = uuid5(KEYS, f"{actor.community_id}:{actor.member_id.hex}:{key}") if key else new_id()
    journal = Journal(
        reference=f"exchange.gift:{gift_id}",
        reason=Reason.GIFT,
        legs=(Leg(chart.member(actor.member_id), chart.member(receiver_id), chart.MINUTE, minutes),),
        actor_id=actor.member_id,
    )
    values = {
        "gift": str(gift_id),
        "giver": str(actor.member_id),
        "receiver": str(receiver_id),
        "minutes": minutes,
        "note": note,
        "month_from": day_begins(local_day(now).replace(day=1)).isoformat(),
        "month_max": month_max,
        "request_id": audit.request_id.get(),
    }
    effect = Effect("public.exchange_give", str(actor.member_id), values)
    return Asked(actor.community_id, journal, effect, is_own=True, limits={OverGifts.code: OverGifts(hours(month_max))})


async def give(sessions: Sessions, post: Post, asked: Asked, *, now: datetime) -> UUID:
    """Ask at the door; answers the gift's id. The same key with anything else in it is refused."""
    gift_id = UUID(str(asked.effect.values["gift"]))
    try:
        posted = await through(post, asked, now=now)
    except MovedOn as other:
        raise KeyReused({"Idempotency-Key": "reused"}) from other
    if posted.replayed:
        async with transaction(sessions) as session:
            row = await gift_row(session, asked.book, gift_id)
        if row is None or row.note != asked.effect.values["note"]:
            raise KeyReused({"Idempotency-Key": "reused"})
    return gift_id
