"""Writing messages, and reading them."""

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import holders_of, organisation_people
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.outbox import Fact
from service.notifications.rules import POST, Letter
from service.notifications.tables import Message

# One statement for all of them: one for each cost more than everything else about a scan's receipt.
_LEAVE = sa.text("""
INSERT INTO message (community_id, message_id, member_id, fact, fact_key, numbers, url, sent_at)
SELECT r.community_id, r.message_id, r.member_id, r.fact, decode(r.fact_key, 'hex'), r.numbers, r.url, :now
  FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
       community_id bigint, message_id uuid, member_id uuid, fact text, fact_key text, numbers jsonb, url text)
    ON CONFLICT DO NOTHING
""")


async def send(session: AsyncSession, told: Sequence[Fact], now: datetime) -> None:
    """Leave a message with everybody the facts concern. The same facts again change nothing."""
    known: dict[tuple[int, Letter], Sequence[UUID]] = {}
    rows = []
    for fact in told:
        key = hashlib.sha256(type(fact).__name__.encode() + msgspec.json.encode(fact)).hexdigest()[:32]
        numbers = {name: value for name, value in msgspec.to_builtins(fact).items() if type(value) is int}
        # A coded word of a closed set is said in the reader's language; any other text stays out of messages.
        codes = {
            name: value.value for name in fact.__struct_fields__ if isinstance(value := getattr(fact, name), StrEnum)
        }
        for letter in POST[type(fact)](fact):
            if (fact.community_id, letter) not in known:
                known[fact.community_id, letter] = await _readers(session, fact.community_id, letter, now)
            rows += [
                {
                    "community_id": fact.community_id,
                    "message_id": new_id(),
                    "member_id": member_id,
                    "fact": type(fact).__name__,
                    "fact_key": key,
                    "numbers": {**numbers, **codes},
                    "url": letter.url,
                }
                for member_id in known[fact.community_id, letter]
            ]
    if rows:
        await session.execute(_LEAVE, {"rows": msgspec.json.encode(rows).decode(), "now": now})


async def _readers(session: AsyncSession, community_id: int, letter: Letter, now: datetime) -> Sequence[UUID]:
    readers = set(letter.members)
    if letter.roles:
        readers |= set(await holders_of(session, community_id, letter.roles, local_day(now)))
    if letter.organisation is not None:
        people = await organisation_people(session, community_id, letter.organisation, local_day(now))
        readers |= {member_id for member_id, _ in people}
    return sorted(readers)


async def mark_read(session: AsyncSession, *, actor: Actor, ids: Collection[UUID], now: datetime) -> None:
    """These of this person's messages were shown to them."""
    await session.execute(
        sa.update(Message)
        .where(
            col(Message.community_id) == actor.community_id,
            col(Message.member_id) == actor.member_id,
            col(Message.message_id).in_(list(ids)),
            col(Message.read_at).is_(None),
        )
        .values(read_at=now)
    )


async def mark_all_read(session: AsyncSession, *, actor: Actor, now: datetime) -> None:
    """Everything that waits for this person is read."""
    await session.execute(
        sa.update(Message)
        .where(
            col(Message.community_id) == actor.community_id,
            col(Message.member_id) == actor.member_id,
            col(Message.read_at).is_(None),
        )
        .values(read_at=now)
    )
