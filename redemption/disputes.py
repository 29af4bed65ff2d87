"""Lines that a merchant objects to: out of their batch, decided once by a second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.rules import DisputeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """One line in dispute: what it is about, who objected, and what was decided."""

    settlement_id: UUID
    line_no: int
    number: int
    merchant_id: UUID
    closed_by: UUID
    state: DisputeState
    title: str
    voucher_id: int
    member_id: UUID
    quantity: int
    points: int
    payable_fen: int
    received_at: datetime
    reason: str
    raised_by: UUID
    on_behalf_of: UUID | None
    raised_at: datetime
    resolution: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    carried_number: int | None


async def dispute_line(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    line_no: int,
    *,
    key: UUID,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> None:
    """Take one line out of what is paid, before the shop has confirmed it; the rest of the batch goes on."""
    await act(
        session,
        "dispute_line",
        book,
        key,
        settlement_id,
        line_no,
        reason,
        actor_id,
        on_behalf_of,
        aware(now),
    )


async def resolve_dispute(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    line_no: int,
    *,
    key: UUID,
    for_shop: bool,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> bool:
    """Decide a line in dispute, by neither who closed its batch nor who objected nor whose voucher it is; whether just now.

    For the shop: the merchant's next batch carries the line. Otherwise the use is taken back by its exact opposite:
    the points go to the member, the sponsor's part to the sponsor, and the pieces cannot be used again.
    """
    replayed, _ = await act(
        session, "resolve_dispute", book, key, settlement_id, line_no, for_shop, reason, actor_id, aware(now)
    )
    return not replayed


async def disputes(
    session: AsyncSession,
    book: int,
    *,
    settlement_id: UUID | None = None,
    state: DisputeState | None = None,
    limit: int = 200,
) -> tuple[Dispute, ...]:
    """Lines in dispute, the oldest first: of one batch, in one state, or all."""
    found = await rows(
        session,
        """
        SELECT d.settlement_id, d.line_no, s.number, s.merchant_id, s.closed_by, d.state, o.title, l.voucher_id,
               coalesce(v.payer_id, v.member_id) AS member_id,
               l.quantity, l.points + l.subsidy_points AS points, l.payable_fen, l.received_at, d.reason, d.raised_by,
               d.on_behalf_of, d.raised_at, d.resolution, d.resolved_by, d.resolved_at, c.number AS carried_number
          FROM redemption.dispute d
          JOIN redemption.settlement s ON s.community_id = d.community_id AND s.settlement_id = d.settlement_id
          JOIN redemption.settlement_line l
            ON l.community_id = d.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
          JOIN redemption.voucher v ON v.community_id = l.community_id AND v.voucher_id = l.voucher_id
          JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
          LEFT JOIN redemption.settlement c ON c.community_id = d.community_id AND c.settlement_id = d.carried_settlement
         WHERE d.community_id = :book
           AND (CAST(:settlement_id AS uuid) IS NULL OR d.settlement_id = :settlement_id)
           AND (CAST(:state AS text) IS NULL OR d.state = :state)
         ORDER BY d.raised_at, d.settlement_id, d.line_no LIMIT :limit
        """,
        book=book,
        settlement_id=settlement_id,
        state=state.value if state else None,
        limit=limit,
    )
    return tuple(Dispute(**{**row, "state": DisputeState(row["state"])}) for row in found)
