"""Files of payments for the bank: which statements, to which accounts, and which files never reached it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFile:
    """One file, whatever became of it."""

    file_id: UUID
    number: int
    line_count: int
    fen: int
    live_count: int
    """Lines that no recorded payment has ended."""
    made_by: UUID
    made_at: datetime
    voided_by: UUID | None
    voided_at: datetime | None
    void_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankFileLine:
    """What a file pays of one statement. `sealed` is the account's number, for whoever has the key."""

    line_no: int
    settlement_id: UUID
    settlement_number: int
    merchant_id: UUID
    payee_id: UUID
    holder: str
    bank: str
    sealed: bytes
    fen: int
    is_live: bool


async def make_bank_file(
    session: AsyncSession, book: int, file_id: UUID, settlements: Iterable[UUID], *, actor_id: UUID, now: datetime
) -> None:
    """Put all that is open of approved statements into the next file; file_id is the caller's key.

    Refuses InBankFile for a statement that is in a file already, PayeeMissing, PayoutFrozen, and SamePerson for who approved one.
    """
    await act(session, "make_bank_file", book, file_id, sorted(set(settlements)), actor_id, aware(now))


async def void_bank_file(
    session: AsyncSession, book: int, file_id: UUID, *, reason: str, actor_id: UUID, now: datetime
) -> None:
    """The file never reached the bank: what it would have paid may go into another one."""
    await act(session, "void_bank_file", book, file_id, reason, actor_id, aware(now))


async def bank_files(session: AsyncSession, book: int, *, limit: int = 200) -> list[BankFile]:
    """The last files, the newest first."""
    found = await rows(
        session,
        """
        SELECT f.file_id, f.number, f.line_count, f.fen, f.made_by, f.made_at, f.voided_by, f.voided_at, f.void_reason,
               (SELECT count(*) FROM redemption.bank_file_line l
                 WHERE l.community_id = f.community_id AND l.file_id = f.file_id AND l.is_live) AS live_count
          FROM redemption.bank_file f WHERE f.community_id = :book ORDER BY f.number DESC LIMIT :limit
        """,
        book=book,
        limit=limit,
    )
    return [BankFile(**row) for row in found]


async def bank_file_lines(session: AsyncSession, book: int, file_id: UUID) -> list[BankFileLine]:
    """The lines of a file, in order."""
    found = await rows(
        session,
        """
        SELECT l.line_no, l.settlement_id, s.number AS settlement_number, s.merchant_id, l.payee_id, p.holder, p.bank, p.sealed,
               l.fen, l.is_live
          FROM redemption.bank_file_line l
          JOIN redemption.settlement s ON s.community_id = l.community_id AND s.settlement_id = l.settlement_id
          JOIN redemption.payee p ON p.community_id = l.community_id AND p.payee_id = l.payee_id
         WHERE l.community_id = :book AND l.file_id = :file_id ORDER BY l.line_no
        """,
        book=book,
        file_id=file_id,
    )
    return [BankFileLine(**row) for row in found]


async def payable(session: AsyncSession, book: int, *, limit: int = 500) -> list[UUID]:
    """Approved statements with something open that are in no live file, the oldest first."""
    found = await rows(
        session,
        """
        SELECT s.settlement_id FROM redemption.settlement s
         WHERE s.community_id = :book AND s.state IN ('APPROVED', 'PART_PAID') AND s.approved_fen > s.paid_fen
           AND NOT EXISTS (SELECT FROM redemption.bank_file_line l
                            WHERE l.community_id = s.community_id AND l.settlement_id = s.settlement_id AND l.is_live)
         ORDER BY s.approved_at, s.settlement_id LIMIT :limit
        """,
        book=book,
        limit=limit,
    )
    return [row["settlement_id"] for row in found]
