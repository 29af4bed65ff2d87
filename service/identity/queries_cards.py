"""Members' cards: whose a code is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys, CodeVerdict
from service.identity.queries import members_by_card
from service.identity.rules import PIN_TRIES, CardUnknown, NoCard, normal_card
from service.kit.access import Actor


@dataclass(frozen=True, slots=True)
class Card:
    """A card that is good, and its holder."""

    member_id: UUID
    handle: int
    card_seq: int
    tail: str
    """The end of the number on it: all that a shop learns of somebody."""
    is_locked: bool


_CARDS = """
SELECT c.member_id, c.handle, c.card_seq, right(m.card_no, 4) AS tail, c.tries
  FROM member_card c
  JOIN member m ON m.community_id = c.community_id AND m.member_id = c.member_id AND m.closed_at IS NULL
 WHERE c.community_id = :community_id AND c.withdrawn_at IS NULL
"""


async def card_by_code(session: AsyncSession, community_id: int, code: str, keys: CodeKeys, now: datetime) -> Card:
    """Whose card this is. A forged one, one printed again, and one withdrawn all look the same."""
    read = redemption.read_code(code, keys, community_id=community_id, now=now)
    if read.verdict is not CodeVerdict.CARD:
        raise CardUnknown
    found = await session.execute(
        sa.text(f"{_CARDS} AND c.handle = :handle AND c.card_seq = :card_seq"),
        {"community_id": community_id, "handle": read.voucher_id, "card_seq": read.code_seq},
    )
    row = found.one_or_none()
    if row is None:
        raise CardUnknown
    return Card(row.member_id, row.handle, row.card_seq, row.tail, row.tries >= PIN_TRIES)


async def card_shown(session: AsyncSession, community_id: int, text: str, keys: CodeKeys, now: datetime) -> Card:
    """The card that was scanned, or whose number was typed. Neither proves anything: the PIN does.

    Raises NoCard for somebody who was given none, for there is nothing then to count wrong PINs on.
    """
    number = normal_card(text)
    member = (await members_by_card(session, community_id, [number])).get(number) if number else None
    if member is None:
        return await card_by_code(session, community_id, text, keys, now)
    card = (await cards_of(session, community_id, [member.member_id])).get(member.member_id)
    if card is None:
        raise NoCard
    return card


async def cards_of(session: AsyncSession, community_id: int, member_ids: Collection[UUID]) -> Mapping[UUID, Card]:
    """The good cards of some members."""
    rows = await session.execute(
        sa.text(f"{_CARDS} AND c.member_id = ANY (CAST(:members AS uuid[]))"),
        {"community_id": community_id, "members": list(member_ids)},
    )
    return {
        row.member_id: Card(row.member_id, row.handle, row.card_seq, row.tail, row.tries >= PIN_TRIES) for row in rows
    }


async def cards_printed(session: AsyncSession, actor: Actor, at: datetime) -> Mapping[UUID, Card]:
    """The cards of one printing of this person's that are good still."""
    rows = await session.execute(
        sa.text(f"{_CARDS} AND c.printed_by = :printed_by AND c.printed_at = :at"),
        {"community_id": actor.community_id, "printed_by": actor.member_id, "at": at},
    )
    return {
        row.member_id: Card(row.member_id, row.handle, row.card_seq, row.tail, row.tries >= PIN_TRIES) for row in rows
    }
