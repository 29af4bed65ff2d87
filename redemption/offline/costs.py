"""What scans without a network cost others than the shop: a shop that kept the rules is paid all the same."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

_COSTS = sa.text("""
SELECT count(DISTINCT (u.voucher_id, u.seq)) AS uses,
       coalesce(sum(t.amount) FILTER (WHERE a.code = 'fund:charity'), 0)::bigint AS fund_fen,
       coalesce(sum(t.amount) FILTER (WHERE a.code = 'loss:offline' AND t.unit = 'fen'), 0)::bigint AS other_fen,
       coalesce(sum(t.amount) FILTER (WHERE a.code = 'loss:offline' AND t.unit = 'point'), 0)::bigint AS points
  FROM redemption.use u
  JOIN ledger.journal j ON j.community_id = u.community_id AND j.journal_id = u.journal_id
   AND j.posted_at >= :since AND j.posted_at < :until
  JOIN ledger.transfer t ON t.community_id = j.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers
  JOIN ledger.account a ON a.community_id = t.community_id AND a.account_id = t.debit
   AND a.code IN ('fund:charity', 'loss:offline')
 WHERE u.community_id = :book AND u.bearer IS NOT NULL AND u.received_at >= :early AND u.received_at < :late
""")
_CLOCKS = timedelta(days=1)
"""The book's clock never runs back, so a journal may be posted a little after its use was received."""


@dataclass(frozen=True, slots=True)
class ConflictCosts:
    """What conflicts of offline scans took: fen from the charity fund, and what nobody but the account of losses bears."""

    uses: int
    fund_fen: int
    other_fen: int
    points: int
    """Hundredths of points, as in the ledger."""


async def conflict_costs(session: AsyncSession, book: int, *, since: datetime, until: datetime) -> ConflictCosts:
    """What was lost from one moment until another, by the time of posting, half open."""
    bounds = {"since": since, "until": until, "early": since - _CLOCKS, "late": until + _CLOCKS}
    found = (await session.execute(_COSTS, {"book": book, **bounds})).one()
    return ConflictCosts(found.uses, found.fund_fen, found.other_fen, found.points)
