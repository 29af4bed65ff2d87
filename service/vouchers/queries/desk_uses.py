"""What staff used, or want to use, for members at the desk: with both names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import organisations_by_ids
from service.identity import Person, people_by_ids
from service.kit.paging import PAGE_SIZE


@dataclass(frozen=True, slots=True)
class DeskLine:
    """One use at the desk that waits for a second person, or what became of it."""

    desk_use_id: UUID
    voucher_id: int
    title: str
    member_id: UUID
    shop_id: UUID
    shop: str
    quantity: int
    way: str
    state: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    use_seq: int | None


_LINES = """
SELECT d.desk_use_id, d.voucher_id, o.title, d.member_id, d.shop_id, d.quantity, d.way, d.state, d.reason,
       d.proposed_by, d.proposed_at, d.decided_by, d.decided_at, d.use_seq
  FROM desk_use d
  JOIN redemption.voucher v ON v.community_id = d.community_id AND v.voucher_id = d.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE d.community_id = :community_id
"""
_WAITING = sa.text(f"{_LINES} AND d.state = 'proposed' ORDER BY d.proposed_at, d.desk_use_id LIMIT :limit")
_DECIDED = sa.text(f"""{_LINES} AND d.state <> 'proposed'
   AND (CAST(:at AS timestamptz) IS NULL OR (d.proposed_at, d.desk_use_id) < (:at, CAST(:id AS uuid)))
 ORDER BY d.proposed_at DESC, d.desk_use_id DESC LIMIT :limit""")
AT_MOST = 200


async def waiting_uses(session: AsyncSession, community_id: int) -> Sequence[DeskLine]:
    """Those that wait for a second person, the longest waiting first."""
    found = await session.execute(_WAITING, {"community_id": community_id, "limit": AT_MOST})
    return await _named(session, community_id, found.mappings().all())


async def decided_uses(
    session: AsyncSession, community_id: int, before: tuple[datetime, UUID] | None = None
) -> tuple[Sequence[DeskLine], tuple[datetime, UUID] | None]:
    """Those that were used or refused, the newest question first, and where the list goes on."""
    at, last = before or (None, None)
    found = await session.execute(
        _DECIDED, {"community_id": community_id, "at": at, "id": last, "limit": PAGE_SIZE + 1}
    )
    rows = found.mappings().all()
    lines = await _named(session, community_id, rows[:PAGE_SIZE])
    return lines, (lines[-1].proposed_at, lines[-1].desk_use_id) if len(rows) > PAGE_SIZE else None


async def _named(session: AsyncSession, community_id: int, rows: Sequence[sa.RowMapping]) -> Sequence[DeskLine]:
    shops = await organisations_by_ids(session, community_id, {row["shop_id"] for row in rows})
    return [DeskLine(**row, shop=shops[row["shop_id"]].name if row["shop_id"] in shops else "") for row in rows]


async def people_of(session: AsyncSession, community_id: int, lines: Sequence[DeskLine]) -> Mapping[UUID, Person]:
    """Everybody named in these lines."""
    named = {line.member_id for line in lines} | {line.proposed_by for line in lines}
    named |= {line.decided_by for line in lines if line.decided_by is not None}
    return await people_by_ids(session, community_id, named)
