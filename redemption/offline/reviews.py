"""Records that people look at: whether the shop is paid is said by one and decided by another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.letters import new_short_code
from redemption.refusals import ReviewUnknown
from redemption.rules import ReviewState


@dataclass(frozen=True, slots=True)
class Review:
    """A record that people look at, and how far they are."""

    device_id: UUID
    nonce: UUID
    label: str
    merchant_id: UUID
    voucher_id: int | None
    title: str | None
    quantity: int
    value_fen: int
    clerk_id: UUID | None
    scanned_at: datetime
    received_at: datetime
    reason: str
    flags: tuple[str, ...]
    state: ReviewState
    due_at: datetime
    is_paid: bool | None
    note: str | None
    proposed_by: UUID | None
    proposed_at: datetime | None
    decided_by: UUID | None
    decided_at: datetime | None
    undone_at: datetime | None
    """When the phone took the scan back, by its own trusted time."""
    is_undo: bool
    """It takes a scan back that is used already: not paid means that the use is taken back."""


@dataclass(frozen=True, slots=True)
class UndoneUse:
    """A use that a decision took back."""

    voucher_id: int
    seq: int
    member_id: UUID
    merchant_id: UUID


@dataclass(frozen=True, slots=True)
class ReviewMark:
    """Where a page of reviews ended."""

    at: datetime
    device_id: UUID
    nonce: UUID


async def propose_review(
    session: AsyncSession,
    book: int,
    device_id: UUID,
    nonce: UUID,
    *,
    is_paid: bool,
    note: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Say what should become of a held record: the shop is paid, or not. Another person decides."""
    await act(session, "propose_review", book, device_id, nonce, is_paid, note, actor_id, aware(now))


async def decide_review(
    session: AsyncSession,
    book: int,
    device_id: UUID,
    nonce: UUID,
    *,
    is_agreed: bool,
    actor_id: UUID,
    month_on: date,
    now: datetime,
) -> UndoneUse | None:
    """Do what was proposed, by somebody else; or put it back. What is paid comes out of the voucher, else out of the fund.

    Answers with the use that was taken back when an undo was agreed to.
    """
    short_code = new_short_code()
    _, detail = await act(
        session, "decide_review", book, device_id, nonce, is_agreed, actor_id, aware(now), month_on, short_code
    )
    if "reversed_seq" not in detail:
        return None
    return UndoneUse(
        int(detail["voucher_id"]), detail["reversed_seq"], UUID(detail["member_id"]), UUID(detail["merchant_id"])
    )


_REVIEWS = """
SELECT r.device_id, r.nonce, coalesce(d.label, '') AS label, r.merchant_id, o.voucher_id, f.title, o.quantity, o.value_fen,
       o.clerk_id, o.scanned_at, o.received_at, o.reason, o.flags, r.state, r.due_at, r.is_paid, r.note, r.proposed_by,
       r.proposed_at, r.decided_by, r.decided_at, o.undoes IS NOT NULL AS is_undo,
       (SELECT min(back.scanned_at) FROM redemption.offline_record back
         WHERE back.community_id = o.community_id AND back.device_id = o.device_id AND back.undoes = o.nonce) AS undone_at
  FROM redemption.offline_review r
  JOIN redemption.offline_record o ON o.community_id = r.community_id AND o.device_id = r.device_id AND o.nonce = r.nonce
  JOIN redemption.device d ON d.community_id = r.community_id AND d.device_id = r.device_id
  LEFT JOIN redemption.voucher v ON v.community_id = o.community_id AND v.voucher_id = o.voucher_id
  LEFT JOIN redemption.offer f ON f.community_id = v.community_id AND f.offer_id = v.offer_id
 WHERE r.community_id = :book
"""


async def reviews(
    session: AsyncSession,
    book: int,
    *,
    is_open: bool = True,
    merchant_id: UUID | None = None,
    reason: str | None = None,
    after: ReviewMark | None = None,
    limit: int = 200,
) -> tuple[Review, ...]:
    """Held records, the one that is due first at the top; or those that were decided, the newest first. From a mark on."""
    where, order = ("state <> 'decided'", "due_at") if is_open else ("state = 'decided'", "decided_at")
    ahead = f"(r.{order}, r.device_id, r.nonce) {'>' if is_open else '<'} (:at, :device_id, :nonce)"
    way = "" if is_open else " DESC"
    found = await rows(
        session,
        f"""{_REVIEWS} AND r.{where}
           AND (CAST(:merchant_id AS uuid) IS NULL OR r.merchant_id = :merchant_id)
           AND (CAST(:reason AS text) IS NULL OR o.reason = :reason) {"AND " + ahead if after else ""}
         ORDER BY r.{order}{way}, r.device_id{way}, r.nonce{way} LIMIT :limit""",
        book=book,
        merchant_id=merchant_id,
        reason=reason,
        limit=limit,
        **({"at": after.at, "device_id": after.device_id, "nonce": after.nonce} if after else {}),
    )
    return tuple(_review(row) for row in found)


async def review(session: AsyncSession, book: int, device_id: UUID, nonce: UUID) -> Review:
    """One held record."""
    found = await rows(
        session,
        f"{_REVIEWS} AND r.device_id = :device_id AND r.nonce = :nonce",
        book=book,
        device_id=device_id,
        nonce=nonce,
    )
    if not found:
        raise ReviewUnknown
    return _review(found[0])


async def review_reasons(
    session: AsyncSession, book: int, *, is_open: bool = True
) -> tuple[tuple[str, UUID, int], ...]:
    """Why records are held, at which shop, and how many."""
    found = await rows(
        session,
        """
        SELECT o.reason, r.merchant_id, count(*) AS count
          FROM redemption.offline_review r
          JOIN redemption.offline_record o ON o.community_id = r.community_id AND o.device_id = r.device_id AND o.nonce = r.nonce
         WHERE r.community_id = :book AND (r.state <> 'decided') = :is_open
         GROUP BY o.reason, r.merchant_id ORDER BY o.reason, r.merchant_id
        """,
        book=book,
        is_open=is_open,
    )
    return tuple((row["reason"], row["merchant_id"], row["count"]) for row in found)


def _review(row: Any) -> Review:
    return Review(**{**row, "flags": tuple(row["flags"]), "state": ReviewState(row["state"])})
