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
    written: int | None = None,
    is_brought: bool = False,
    now: datetime,
) -> Sequence[Mapping[str, Any]]:
    """Take what a phone uploads, in the order of its numbers: one answer for each record that has one, in one call.

    A record is what the phone wrote (rules.RECORD_KEYS), its `hash` and `text`, and what the caller found out: `fault` (forged,
    unknown, malformed; nothing when the code was good at that time), `code_seq`, `is_clerk` and the clerk's household as `group`.
    One that takes an earlier scan back (rules.UNDO_KEYS) has `undoes` and the limits `minutes` and `per_day` instead.
    A record that could not be read at all has `is_unread`, `nonce` and `hash`, and gets no answer.
    `written` is how far the phone's log went when it sent them: what has a higher number was scanned later than now.
    `is_brought` by people for a phone that is dead: then the phone has not heard of us by it.
    """
    told = json.dumps([{**each, "short_code": new_short_code()} if "undoes" in each else each for each in records])
    limits = json.loads(terms.as_json()) | ({"is_brought": True} if is_brought else {}) | {"written": written}
    _, detail = await act(session, "sync_records", book, device_id, told, aware(now), json.dumps(limits))
    answers: Sequence[Mapping[str, Any]] = detail["answers"]
    return answers


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
