"""How often a shop is settled, and the bank account that its money goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.rules import PayeeState, Rhythm


@dataclass(frozen=True, slots=True)
class RhythmChoice:
    """From a day on, a shop is settled so often."""

    merchant_id: UUID
    effective_from: date
    rhythm: Rhythm
    chosen_by: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """A shop's bank account as it was proposed and decided. `sealed` is the number, for whoever has the key."""

    payee_id: UUID
    merchant_id: UUID
    number: int | None
    state: PayeeState
    holder: str
    bank: str
    tail: str
    sealed: bytes
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    refusal: str | None
    frozen_until: datetime | None


async def choose_rhythm(
    session: AsyncSession,
    book: int,
    merchant_id: UUID,
    rhythm: Rhythm,
    *,
    effective_from: date,
    today: date,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Settle a shop so often from a day on, tomorrow at the earliest."""
    await act(session, "choose_rhythm", book, merchant_id, rhythm.value, effective_from, today, actor_id, aware(now))


async def rhythms(session: AsyncSession, book: int, *, since: date) -> Sequence[RhythmChoice]:
    """Of each shop the choice in force on a day and those to come, by shop and day. A shop without one is settled weekly."""
    found = await rows(
        session,
        """
        SELECT r.merchant_id, r.effective_from, r.rhythm, r.chosen_by
          FROM redemption.rhythm r
         WHERE r.community_id = :book
           AND r.effective_from >= coalesce((SELECT max(x.effective_from) FROM redemption.rhythm x
                                              WHERE x.community_id = r.community_id AND x.merchant_id = r.merchant_id
                                                AND x.effective_from <= :since), r.effective_from)
         ORDER BY r.merchant_id, r.effective_from
        """,
        book=book,
        since=since,
    )
    return [
        RhythmChoice(row["merchant_id"], row["effective_from"], Rhythm(row["rhythm"]), row["chosen_by"])
        for row in found
    ]


async def rhythms_on(session: AsyncSession, book: int, day: date) -> Mapping[UUID, Rhythm]:
    """By shop, how often it is settled on a day; one that nobody chose for is not in it."""
    return {
        choice.merchant_id: choice.rhythm
        for choice in await rhythms(session, book, since=day)
        if choice.effective_from <= day
    }


async def propose_payee(
    session: AsyncSession,
    book: int,
    *,
    payee_id: UUID,
    merchant_id: UUID,
    holder: str,
    bank: str,
    tail: str,
    sealed: bytes,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Propose a shop's bank account; payee_id is the caller's key."""
    await act(
        session, "propose_payee", book, payee_id, merchant_id, holder, bank, tail, sealed, reason, actor_id, aware(now)
    )


async def decide_payee(
    session: AsyncSession,
    book: int,
    payee_id: UUID,
    *,
    key: UUID,
    agreed: bool,
    reason: str,
    freeze_days: int,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Agree to an account or refuse it with a reason, as a second person. A change freezes payments for freeze_days."""
    await act(session, "decide_payee", book, key, payee_id, agreed, reason, freeze_days, actor_id, aware(now))


async def payees(session: AsyncSession, book: int, *, merchant_id: UUID | None = None) -> Sequence[Payee]:
    """Accounts of one shop or of all, the last proposed first. In force is the agreed one with the highest number."""
    found = await rows(
        session,
        """
        SELECT payee_id, merchant_id, number, state, holder, bank, tail, sealed, reason, proposed_by, proposed_at, decided_by,
               decided_at, refusal, frozen_until
          FROM redemption.payee
         WHERE community_id = :book AND (CAST(:merchant_id AS uuid) IS NULL OR merchant_id = :merchant_id)
         ORDER BY proposed_at DESC, payee_id LIMIT 500
        """,
        book=book,
        merchant_id=merchant_id,
    )
    return [Payee(**{**row, "state": PayeeState(row["state"])}) for row in found]
