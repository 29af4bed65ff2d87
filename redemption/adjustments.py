"""Uses corrected after their shop has confirmed the statement: by two people, in the shop's next statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.refusals import AdjustmentUnknown
from redemption.rules import AdjustmentCause, RequestState


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """One correction: what it is about, why, who proposed and who decided it, and which statement shows it."""

    adjustment_id: UUID
    settlement_id: UUID
    line_no: int
    number: int
    merchant_id: UUID
    cause: AdjustmentCause
    state: RequestState
    title: str
    voucher_id: int
    member_id: UUID
    """Whose points they are."""
    quantity: int
    points: int
    payable_fen: int
    received_at: datetime
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    carried_number: int | None


async def propose_adjustment(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    line_no: int,
    *,
    adjustment_id: UUID,
    cause: AdjustmentCause,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Ask a second person to take back the use of a line that the shop has confirmed.

    adjustment_id is the caller's key. A use has one correction at most; a line in dispute is decided as a dispute. Not by who holds
    the voucher or paid for it, and not of a shop that has left (MerchantLeft): no statement of it would bear the correction.
    """
    await act(
        session,
        "propose_adjustment",
        book,
        adjustment_id,
        settlement_id,
        line_no,
        cause.value,
        reason,
        actor_id,
        aware(now),
    )


async def decide_adjustment(
    session: AsyncSession,
    book: int,
    adjustment_id: UUID,
    *,
    key: UUID,
    is_agreed: bool,
    actor_id: UUID,
    now: datetime,
) -> bool:
    """Agree as a second person, or refuse as anybody; whether it was decided just now. Agreeing ends in the ledger.

    Agreed: the points go to the member and the sponsor's part to the sponsor at once, the pieces cannot be used again, and
    the shop's next statement has the line with its sign turned. The statement that has the use is never touched.
    """
    replayed, _ = await act(session, "decide_adjustment", book, key, adjustment_id, is_agreed, actor_id, aware(now))
    return not replayed


_ADJUSTMENT = """
SELECT a.adjustment_id, a.settlement_id, a.line_no, s.number, a.merchant_id, a.cause, a.state, o.title, a.voucher_id,
       coalesce(v.payer_id, v.member_id) AS member_id, l.quantity, l.points + l.subsidy_points AS points, l.payable_fen,
       l.received_at, a.reason, a.proposed_by, a.proposed_at, a.decided_by, a.decided_at, c.number AS carried_number
  FROM redemption.adjustment a
  JOIN redemption.settlement s ON s.community_id = a.community_id AND s.settlement_id = a.settlement_id
  JOIN redemption.settlement_line l
    ON l.community_id = a.community_id AND l.settlement_id = a.settlement_id AND l.line_no = a.line_no
  JOIN redemption.voucher v ON v.community_id = a.community_id AND v.voucher_id = a.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
  LEFT JOIN redemption.settlement c ON c.community_id = a.community_id AND c.settlement_id = a.carried_settlement
 WHERE a.community_id = :book
"""


async def adjustments(
    session: AsyncSession,
    book: int,
    *,
    settlement_id: UUID | None = None,
    state: RequestState | None = None,
    limit: int = 200,
) -> tuple[Adjustment, ...]:
    """Corrections of the lines of one statement, in one state, or all; the oldest first."""
    found = await rows(
        session,
        _ADJUSTMENT
        + """
           AND (CAST(:settlement_id AS uuid) IS NULL OR a.settlement_id = :settlement_id)
           AND (CAST(:state AS text) IS NULL OR a.state = :state)
         ORDER BY a.proposed_at, a.adjustment_id LIMIT :limit
        """,
        book=book,
        settlement_id=settlement_id,
        state=state.value if state else None,
        limit=limit,
    )
    return tuple(_adjustment(row) for row in found)


async def adjustment(session: AsyncSession, book: int, adjustment_id: UUID) -> Adjustment:
    """One correction, or the refusal AdjustmentUnknown."""
    found = await rows(
        session, _ADJUSTMENT + "AND a.adjustment_id = :adjustment_id", book=book, adjustment_id=adjustment_id
    )
    if not found:
        raise AdjustmentUnknown
    return _adjustment(found[0])


def _adjustment(row: RowMapping) -> Adjustment:
    return Adjustment(**{**row, "cause": AdjustmentCause(row["cause"]), "state": RequestState(row["state"])})
