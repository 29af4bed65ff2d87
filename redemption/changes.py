"""Change orders: another price for a locked voucher. Down at once; up when the member says yes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What one piece costs whom: the member's points, the sponsor's points and fen, what the member pays in cash (fen)."""

    points: int
    subsidy_points: int = 0
    payable_fen: int = 0
    cash_fen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A proposal and its answer, if there is one."""

    change_id: UUID
    voucher_id: int
    is_dearer: bool
    before: Split
    after: Split
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    is_agreed: bool | None
    """Nothing while it waits."""
    answered_by: UUID | None
    answered_at: datetime | None


async def propose_change(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    price: Split,
    *,
    change_id: UUID,
    token: UUID,
    price_list_version: str | None = None,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> bool:
    """Ask for another price of one piece, by the lock's token. Answers whether it waits for the member.

    Where no part is dearer it holds at once: escrow moves to the new price in one journal. The id is the client's key.
    """
    _, detail = await act(
        session,
        "propose_change",
        book,
        change_id,
        voucher_id,
        token,
        price.points,
        price.subsidy_points,
        price.payable_fen,
        price.cash_fen,
        price_list_version,
        reason,
        actor_id,
        on_behalf_of,
        aware(now),
    )
    waits: bool = detail["waits"]
    return waits


async def answer_change(
    session: AsyncSession,
    book: int,
    change_id: UUID,
    *,
    key: UUID,
    is_agreed: bool,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> None:
    """Yes by the voucher's member, or for them by somebody else than proposed it; no by either side."""
    await act(session, "answer_change", book, key, change_id, is_agreed, actor_id, on_behalf_of, aware(now))


async def changes_of(session: AsyncSession, book: int, voucher_ids: Collection[int]) -> tuple[Change, ...]:
    """All proposals for these vouchers, the oldest first."""
    found = await rows(
        session,
        """
        SELECT c.*, a.is_agreed, a.answered_by, a.answered_at
          FROM redemption.change_order c
          LEFT JOIN redemption.change_answer a ON a.community_id = c.community_id AND a.change_id = c.change_id
         WHERE c.community_id = :book AND c.voucher_id = ANY(:voucher_ids)
         ORDER BY c.proposed_at, c.change_id
        """,
        book=book,
        voucher_ids=list(voucher_ids),
    )
    return tuple(
        Change(
            change_id=row["change_id"],
            voucher_id=row["voucher_id"],
            is_dearer=row["is_dearer"],
            before=Split(
                points=row["old_points_each"],
                subsidy_points=row["old_subsidy_points_each"],
                payable_fen=row["old_payable_fen_each"],
                cash_fen=row["old_cash_fen_each"],
            ),
            after=Split(
                points=row["points_each"],
                subsidy_points=row["subsidy_points_each"],
                payable_fen=row["payable_fen_each"],
                cash_fen=row["cash_fen_each"],
            ),
            reason=row["reason"],
            proposed_by=row["proposed_by"],
            proposed_at=row["proposed_at"],
            is_agreed=row["is_agreed"],
            answered_by=row["answered_by"],
            answered_at=row["answered_at"],
        )
        for row in found
    )
