"""Messages of one person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor
from service.kit.i18n import translate
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.kit.words import hours, points, sentence
from service.notifications.tables import Message


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as its reader sees it."""

    message_id: UUID
    text: str
    url: str
    sent_at: datetime
    is_read: bool


def _said(row: Message) -> MessageView:
    numbers: dict[str, Any] = dict(row.numbers)
    numbers |= {name: translate(f"{name}.{word}") for name, word in row.numbers.items() if isinstance(word, str)}
    numbers["hours"] = hours(numbers.get("minutes", 0))
    numbers["points"] = points(numbers.get("points_hundredths", 0))
    # For what is of one unit: only that one is said.
    numbers["amount"] = (
        translate("{hours} 小时", hours=numbers["hours"])
        if numbers.get("minutes")
        else translate("{points} 分", points=numbers["points"])
    )
    return MessageView(
        row.message_id, sentence(f"fact.{row.fact}", **numbers), row.url, row.sent_at, row.read_at is not None
    )


async def messages_for(session: AsyncSession, actor: Actor, after: str | None = None) -> Page[MessageView]:
    """This person's messages, newest first, a page at a time."""
    query = select(Message).where(
        col(Message.community_id) == actor.community_id, col(Message.member_id) == actor.member_id
    )
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(Message.message_id) < UUID(str(cursor[0])))
    rows = (await session.exec(query.order_by(col(Message.message_id).desc()).limit(PAGE_SIZE + 1))).all()
    return page_of([_said(row) for row in rows], lambda last: encode_cursor(last.message_id.hex))


_RECEIPTS = sa.text("""
SELECT u.voucher_id, u.seq, bool_or(m.read_at IS NOT NULL) AS is_read
  FROM unnest(CAST(:vouchers AS bigint[]), CAST(:seqs AS int[]), CAST(:members AS uuid[])) AS u (voucher_id, seq, member_id)
  JOIN message m ON m.community_id = :community_id AND m.member_id = u.member_id AND m.fact = 'VoucherRedeemed'
   AND (m.numbers ->> 'voucher_id')::bigint = u.voucher_id AND (m.numbers ->> 'seq')::int = u.seq
 GROUP BY u.voucher_id, u.seq
""")


async def receipts(
    session: AsyncSession, community_id: int, uses: Sequence[tuple[int, int, UUID]]
) -> Mapping[tuple[int, int], bool]:
    """Of uses (voucher, seq, member) those that a receipt was left for, and whether it was read."""
    found = await session.execute(
        _RECEIPTS,
        {
            "community_id": community_id,
            "vouchers": [voucher_id for voucher_id, _, _ in uses],
            "seqs": [seq for _, seq, _ in uses],
            "members": [member_id for _, _, member_id in uses],
        },
    )
    return {(row.voucher_id, row.seq): row.is_read for row in found}


async def unread_count(session: AsyncSession, actor: Actor) -> int:
    """How many messages wait."""
    counted = await session.execute(
        sa.select(sa.func.count())
        .select_from(Message)
        .where(
            col(Message.community_id) == actor.community_id,
            col(Message.member_id) == actor.member_id,
            col(Message.read_at).is_(None),
        )
    )
    return int(counted.scalar_one())
