"""Vouchers on paper: printed in batches, and a batch voided as a whole. There are never two live papers of one voucher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.letters import new_short_code
from redemption.refusals import BatchUnknown


@dataclass(frozen=True, slots=True)
class PaperBatch:
    """Vouchers that were printed in one go."""

    batch_id: UUID
    papers: int
    live: int
    """How many of them are good still."""
    key_number: int
    printed_by: UUID
    printed_at: datetime
    voided_by: UUID | None
    voided_at: datetime | None
    void_reason: str | None


@dataclass(frozen=True, slots=True)
class PrintedPaper:
    """One voucher of a batch; `is_live` while it can be used and was not printed again."""

    number: int
    voucher_id: int
    code_seq: int
    is_live: bool


async def print_batch(
    session: AsyncSession,
    book: int,
    *,
    batch_id: UUID,
    voucher_ids: Sequence[int],
    key_number: int,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> int:
    """Give each of these vouchers a new code for one paper and answer how many there are. The same batch again changes nothing.

    Vouchers that cannot be used now are left out. Raises NothingToPrint when none is left.
    """
    wanted = list(voucher_ids)
    codes = [new_short_code() for _ in wanted]
    _, detail = await act(
        session, "print_batch", book, batch_id, wanted, codes, key_number, reason, actor_id, aware(now)
    )
    return int(detail["papers"])


async def void_batch(
    session: AsyncSession, book: int, batch_id: UUID, *, key: UUID, reason: str, actor_id: UUID, now: datetime
) -> int:
    """Kill every paper of a batch at once and answer how many were alive. The vouchers themselves stay as they are."""
    printed = await paper_batch(session, book, batch_id)
    codes = [new_short_code() for _ in range(printed.papers)]
    _, detail = await act(session, "void_batch", book, key, batch_id, codes, reason, actor_id, aware(now))
    return int(detail["papers"])


_LIVE = "v.code_seq = p.code_seq AND v.state NOT IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID')"
_BATCH = f"""
SELECT b.*, (SELECT count(*) FROM redemption.paper p
               JOIN redemption.voucher v ON v.community_id = p.community_id AND v.voucher_id = p.voucher_id
              WHERE p.community_id = b.community_id AND p.batch_id = b.batch_id AND {_LIVE}) AS live
  FROM redemption.paper_batch b
"""  # noqa: S608  (our own words)


async def paper_batch(session: AsyncSession, book: int, batch_id: UUID) -> PaperBatch:
    """One batch; raises BatchUnknown."""
    found = await rows(
        session, f"{_BATCH} WHERE b.community_id = :book AND b.batch_id = :batch_id", book=book, batch_id=batch_id
    )
    if not found:
        raise BatchUnknown
    return _batch(found[0])


async def paper_batches(
    session: AsyncSession, book: int, *, before: tuple[datetime, UUID] | None = None, limit: int = 50
) -> Sequence[PaperBatch]:
    """The batches of a community, newest first, older than the mark if there is one."""
    at, batch_id = before or (None, None)
    found = await rows(
        session,
        f"{_BATCH} WHERE b.community_id = :book"
        " AND (CAST(:at AS timestamptz) IS NULL OR (b.printed_at, b.batch_id) < (:at, CAST(:batch_id AS uuid)))"
        " ORDER BY b.printed_at DESC, b.batch_id DESC LIMIT :limit",
        book=book,
        at=at,
        batch_id=batch_id,
        limit=limit,
    )
    return [_batch(row) for row in found]


async def papers_of(session: AsyncSession, book: int, batch_id: UUID) -> Sequence[PrintedPaper]:
    """The papers of a batch, in the order of the sheets."""
    found = await rows(
        session,
        f"SELECT p.number, p.voucher_id, p.code_seq, {_LIVE} AS is_live FROM redemption.paper p"  # noqa: S608  (our own words)
        " JOIN redemption.voucher v ON v.community_id = p.community_id AND v.voucher_id = p.voucher_id"
        " WHERE p.community_id = :book AND p.batch_id = :batch_id ORDER BY p.number",
        book=book,
        batch_id=batch_id,
    )
    return [PrintedPaper(row["number"], row["voucher_id"], row["code_seq"], row["is_live"]) for row in found]


def _batch(row: RowMapping) -> PaperBatch:
    return PaperBatch(
        row["batch_id"],
        row["papers"],
        row["live"],
        row["key_number"],
        row["printed_by"],
        row["printed_at"],
        row["voided_by"],
        row["voided_at"],
        row["void_reason"],
    )
