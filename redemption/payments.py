"""What was paid of a statement, what the bank sent back, and the shop's invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment of the bank. One that came back says when and why; the one that repeats it names its number."""

    number: int
    points: int
    fen: int
    bank_reference: str
    payee_id: UUID | None
    tail: str | None
    """The last four digits of the account it went to."""
    repeats: int | None
    approved_by: UUID | None
    paid_by: UUID
    paid_at: datetime
    returned_at: datetime | None
    returned_by: UUID | None
    return_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """A number under which the shop invoiced the statement."""

    invoice_no: str
    fen: int
    noted_by: UUID
    noted_at: datetime


async def pay_settlement(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    *,
    key: UUID,
    bank_reference: str,
    actor_id: UUID,
    now: datetime,
    fen: int | None = None,
) -> None:
    """Record that the bank paid `fen`, or all that is open without the disputed lines.

    Burns the merchant's points with the part that completes it. Never by who approved. Refuses PayoutFrozen while the
    shop's account is new.
    """
    await act(session, "pay_settlement", book, key, settlement_id, bank_reference, actor_id, aware(now), fen)


async def return_payment(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    number: int,
    *,
    key: UUID,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """The bank sent a payment back: it is open again, and a second person approves before it is paid again."""
    await act(session, "return_payment", book, key, settlement_id, number, reason, actor_id, aware(now))


async def payments(session: AsyncSession, book: int, settlement_id: UUID) -> list[Payment]:
    """Every payment of a statement in its order, those that came back too."""
    found = await rows(
        session,
        """
        SELECT p.number, p.points, p.fen, p.bank_reference, p.payee_id, a.tail, p.repeats, p.approved_by, p.paid_by, p.paid_at,
               p.returned_at, p.returned_by, p.return_reason
          FROM redemption.payment p
          LEFT JOIN redemption.payee a ON a.community_id = p.community_id AND a.payee_id = p.payee_id
         WHERE p.community_id = :book AND p.settlement_id = :settlement_id ORDER BY p.number
        """,
        book=book,
        settlement_id=settlement_id,
    )
    return [Payment(**row) for row in found]


async def note_invoice(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    *,
    key: UUID,
    invoice_no: str,
    fen: int,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Write an invoice of the shop down; its number of 8 to 20 digits stands once in a community."""
    await act(session, "note_invoice", book, key, settlement_id, invoice_no, fen, actor_id, aware(now))


async def withdraw_invoice(
    session: AsyncSession, book: int, settlement_id: UUID, invoice_no: str, *, actor_id: UUID, now: datetime
) -> None:
    """Take a slip of the pen back; the number is free again, and what was written stays to be seen."""
    await act(session, "withdraw_invoice", book, settlement_id, invoice_no, actor_id, aware(now))


async def invoices(session: AsyncSession, book: int, settlement_id: UUID) -> list[Invoice]:
    """The invoices of a statement that stand, in the order they were written down."""
    found = await rows(
        session,
        """
        SELECT invoice_no, fen, noted_by, noted_at FROM redemption.invoice
         WHERE community_id = :book AND settlement_id = :settlement_id AND withdrawn_at IS NULL ORDER BY noted_at, invoice_no
        """,
        book=book,
        settlement_id=settlement_id,
    )
    return [Invoice(**row) for row in found]
