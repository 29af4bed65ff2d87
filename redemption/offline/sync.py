"""What phones upload, and what people decide of what was held."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.letters import new_short_code
from redemption.rules import ReviewState


@dataclass(frozen=True, slots=True)
class Terms:
    """A community's limits: what one phone may accept without us, and what the fund may lose in a month.

    `vouchers` and `fen` add up, `voucher_fen` is for one scan; a record is judged by what its phone was told (`tell_floor`). After
    `soft_hours` alone a phone takes half of what adds up, after `hard_hours` nothing; a lease lasts `lease_hours`.
    `loss_millionths` of what was redeemed since `month_began` is the month's budget, and at least `fen`. A record older than
    `late_days` and every doubtful one is held for `review_days`.
    """

    month_on: date
    month_began: datetime
    vouchers: int = 20
    fen: int = 30_000
    voucher_fen: int = 3_000
    loss_millionths: int = 1_000
    late_days: int = 30
    review_days: int = 7
    soft_hours: int = 24
    hard_hours: int = 72
    lease_hours: int = 72

    def as_json(self) -> str:
        """As the functions of sql/ read them."""
        return json.dumps(
            {
                "month_on": self.month_on.isoformat(),
                "month_began": self.month_began.isoformat(),
                "vouchers": self.vouchers,
                "fen": self.fen,
                "voucher_fen": self.voucher_fen,
                "loss_millionths": self.loss_millionths,
                "late_days": self.late_days,
                "review_days": self.review_days,
            }
        )


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
class LossMonth:
    """What the fund has borne of conflicts in one month, of what it may. `is_alarming` from half on."""

    began_on: date
    lost_fen: int
    allowed_fen: int
    alarmed_at: datetime | None

    @property
    def is_alarming(self) -> bool:
        """Whether half of the month's budget is gone."""
        return self.alarmed_at is not None


async def sync_records(
    session: AsyncSession,
    book: int,
    device_id: UUID,
    records: Sequence[Mapping[str, Any]],
    *,
    terms: Terms,
    is_brought: bool = False,
    now: datetime,
) -> Sequence[Mapping[str, Any]]:
    """Take what a phone uploads, in the order of its numbers: one answer for each record that has one, in one call.

    A record is what the phone wrote (rules.RECORD_KEYS), its `hash` and `text`, and what the caller found out: `fault` (forged,
    unknown, malformed; nothing when the code was good at that time), `code_seq`, `is_clerk` and the clerk's household as `group`.
    One that takes an earlier scan back (rules.UNDO_KEYS) has `undoes` and the limits `minutes` and `per_day` instead.
    A record that could not be read at all has `is_unread`, `nonce` and `hash`, and gets no answer.
    `is_brought` by people for a phone that is dead: then the phone has not heard of us by it.
    """
    told = json.dumps([{**each, "short_code": new_short_code()} if "undoes" in each else each for each in records])
    limits = json.loads(terms.as_json()) | ({"is_brought": True} if is_brought else {})
    _, detail = await act(session, "sync_records", book, device_id, told, aware(now), json.dumps(limits))
    answers: Sequence[Mapping[str, Any]] = detail["answers"]
    return answers


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


async def reviews(session: AsyncSession, book: int, *, is_open: bool = True, limit: int = 200) -> tuple[Review, ...]:
    """Held records, the one that is due first at the top; or those that were decided, the newest first."""
    found = await rows(
        session,
        """
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
         WHERE r.community_id = :book AND (r.state <> 'decided') = :is_open
         ORDER BY CASE WHEN :is_open THEN r.due_at END, r.decided_at DESC, r.nonce LIMIT :limit
        """,
        book=book,
        is_open=is_open,
        limit=limit,
    )
    return tuple(Review(**{**row, "flags": tuple(row["flags"]), "state": ReviewState(row["state"])}) for row in found)


async def losses(session: AsyncSession, book: int, *, limit: int = 12) -> tuple[LossMonth, ...]:
    """What the fund has borne of conflicts, month by month, the newest first."""
    found = await rows(
        session,
        """
        SELECT began_on, lost_fen, allowed_fen, alarmed_at FROM redemption.loss_month
         WHERE community_id = :book ORDER BY began_on DESC LIMIT :limit
        """,
        book=book,
        limit=limit,
    )
    return tuple(LossMonth(**row) for row in found)
