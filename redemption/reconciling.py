"""The bank's list: what it could be about, and booking of what it says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, refusal_of, rows
from redemption.refusals import RedemptionRefusal

__all__ = [
    "BankBooking",
    "BankTarget",
    "Booked",
    "OpenStatement",
    "TargetPayment",
    "bank_targets",
    "book_bank_lines",
    "merchants_of",
    "open_statements",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPayment:
    """A recorded payment of a statement."""

    settlement_id: UUID
    number: int
    fen: int
    bank_reference: str
    paid_at: datetime
    is_returned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BankTarget:
    """A line of a file of payments, which a line of the bank's list may be about."""

    file_number: int
    line_no: int
    made_at: datetime
    until: datetime | None
    """When its statement went into the next file, void or not."""
    is_void: bool
    is_live: bool
    settlement_id: UUID
    settlement_number: int
    merchant_id: UUID
    payee_id: UUID
    sealed: bytes
    fen: int
    payments: Sequence[TargetPayment]
    """Of its statement, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStatement:
    """A statement that money may be booked to by hand: what is open of it, or one payment of it that may have come back."""

    settlement_id: UUID
    settlement_number: int
    merchant_id: UUID
    fen: int
    payment: int | None
    """The payment's number, for one that may have come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankBooking:
    """One line to book: a payment, or one that came back. The key is the line's own, the same for ever."""

    key: UUID
    settlement_id: UUID
    fen: int
    bank_reference: str
    is_return: bool
    payment: int | None = None
    """Which one came back; None: what the live line of a file sent, or the newest of this amount."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of one line: the number of the statement's payment, or the refusal."""

    payment: int | None
    refusal: RedemptionRefusal | None


async def bank_targets(
    session: AsyncSession, book: int, *, marks: Collection[tuple[int, int]], since: datetime
) -> list[BankTarget]:
    """The lines of files that are named (file number, line number), that are live, or whose file was made since."""
    lines = await rows(
        session,
        """
        SELECT l.file_number, l.line_no, l.made_at, l.until, l.is_void, l.is_live, l.settlement_id,
               s.number AS settlement_number, s.merchant_id, l.payee_id, p.sealed, l.fen
          FROM (SELECT l.*, f.number AS file_number, f.made_at, f.voided_at IS NOT NULL AS is_void,
                       lead(f.made_at) OVER (PARTITION BY l.settlement_id ORDER BY f.number) AS until
                  FROM redemption.bank_file f
                  JOIN redemption.bank_file_line l ON l.community_id = f.community_id AND l.file_id = f.file_id
                 WHERE f.community_id = :book) l
          JOIN redemption.settlement s ON s.community_id = l.community_id AND s.settlement_id = l.settlement_id
          JOIN redemption.payee p ON p.community_id = l.community_id AND p.payee_id = l.payee_id
         WHERE l.is_live OR l.made_at >= :since
            OR (l.file_number, l.line_no) IN (SELECT * FROM unnest(CAST(:files AS int[]), CAST(:lines AS int[])))
         ORDER BY l.file_number, l.line_no
        """,
        book=book,
        since=aware(since),
        files=[file for file, _ in marks],
        lines=[line for _, line in marks],
    )
    paid = await rows(
        session,
        """
        SELECT p.settlement_id, p.number, p.fen, p.bank_reference, p.paid_at, p.returned_at IS NOT NULL AS is_returned
          FROM redemption.payment p WHERE p.community_id = :book AND p.settlement_id = ANY (:settlements)
         ORDER BY p.settlement_id, p.number
        """,
        book=book,
        settlements=sorted({row["settlement_id"] for row in lines}),
    )
    payments: dict[UUID, list[TargetPayment]] = {}
    for row in paid:
        payments.setdefault(row["settlement_id"], []).append(TargetPayment(**row))
    return [BankTarget(**row, payments=payments.get(row["settlement_id"], ())) for row in lines]


async def open_statements(session: AsyncSession, book: int, *, fen: Collection[int]) -> list[OpenStatement]:
    """Statements with something open, and those with a payment of one of these amounts that has not come back."""
    found = await rows(
        session,
        """
        SELECT s.settlement_id, s.number AS settlement_number, s.merchant_id, s.approved_fen - s.paid_fen AS fen,
               CAST(NULL AS int) AS payment
          FROM redemption.settlement s
         WHERE s.community_id = :book AND s.state IN ('APPROVED', 'PART_PAID') AND s.approved_fen > s.paid_fen
        UNION
        SELECT s.settlement_id, s.number, s.merchant_id, p.fen, p.number
          FROM redemption.payment p
          JOIN redemption.settlement s ON s.community_id = p.community_id AND s.settlement_id = p.settlement_id
         WHERE p.community_id = :book AND p.returned_at IS NULL AND p.fen = ANY (:fen)
         ORDER BY settlement_number DESC, settlement_id, payment
        """,
        book=book,
        fen=sorted(set(fen)),
    )
    return [OpenStatement(**row) for row in found]


async def merchants_of(session: AsyncSession, book: int, settlements: Collection[UUID]) -> dict[UUID, UUID]:
    """Whose statements these are."""
    found = await rows(
        session,
        """
        SELECT s.settlement_id, s.merchant_id FROM redemption.settlement s
         WHERE s.community_id = :book AND s.settlement_id = ANY (:settlements) ORDER BY s.settlement_id
        """,
        book=book,
        settlements=sorted(settlements),
    )
    return {row["settlement_id"]: row["merchant_id"] for row in found}


async def book_bank_lines(
    session: AsyncSession, book: int, lines: Sequence[BankBooking], *, actor_id: UUID, now: datetime
) -> list[Booked]:
    """Book payments and returns in this order, each once for its key. A refused one changes nothing and stops no other."""
    _, detail = await act(
        session,
        "book_bank_lines",
        book,
        [line.key for line in lines],
        [line.settlement_id for line in lines],
        [line.fen for line in lines],
        [line.bank_reference for line in lines],
        [line.is_return for line in lines],
        [line.payment for line in lines],
        [line.reason for line in lines],
        actor_id,
        aware(now),
    )
    return [
        Booked(each["detail"]["payment"], None)
        if each["code"] in ("done", "replayed")
        else Booked(None, refusal_of(each["code"], each["detail"] or {}))
        for each in detail["lines"]
    ]
