"""A voucher is locked for a counter or a job, let go, or redeemed by whoever locked it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, ask, aware
from redemption.desk import Scan

COUNTER_LOCK_MINUTES = 2
"""How long a clerk who prepares something holds a voucher. A job holds it to its end and a day more."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Whoever has the token redeems the voucher or changes its price. It is a secret between the library and the job."""

    token: UUID
    until: datetime
    replayed: bool


@dataclass(frozen=True, slots=True)
class LockRound:
    """One round of letting go. `found` equal to the limit means that there may be more; `refused` names faults to look into."""

    released: tuple[int, ...]
    refused: tuple[int, ...]
    found: int


async def lock_voucher(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    code_seq: int | None = None,
    merchant_id: UUID,
    redeemer_id: UUID,
    owner_group_of_redeemer: UUID | None,
    until: datetime,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    device_id: UUID | None = None,
    now: datetime,
) -> Lock:
    """Keep a voucher for one counter or one job: its member cannot give it up alone, and no other scan takes it.

    redeemer_id is who will scan at the end, never of the owner's household. code_seq is None where no code was shown.
    device_id is the counter's; a job has none. While another phone has the lease the answer is VoucherLeased.
    """
    replayed, detail = await act(
        session,
        "take_lock",
        book,
        key,
        voucher_id,
        code_seq,
        merchant_id,
        redeemer_id,
        owner_group_of_redeemer,
        aware(until),
        reason,
        actor_id,
        on_behalf_of,
        aware(now),
        device_id,
    )
    return Lock(UUID(detail["token"]), datetime.fromisoformat(detail["until"]), replayed)


async def unlock_voucher(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    token: UUID | None = None,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Let a voucher go: by its lock's token, or without one by a leader. What ran out meanwhile expires at once."""
    await act(session, "release_lock", book, key, voucher_id, token, reason, actor_id, aware(now))


async def unlock_due(session: AsyncSession, book: int, *, now: datetime, limit: int = 200) -> LockRound:
    """Let go of the vouchers whose lock is over. Call again while `found` equals `limit`."""
    _, detail = await ask(session, "release_locks_due", book, aware(now), limit)
    return LockRound(tuple(detail["released"]), tuple(detail["refused"]), detail["found"])


async def redeem_locked(
    session: AsyncSession,
    book: int,
    *,
    token: UUID,
    device_id: UUID,
    nonce: UUID,
    voucher_id: int,
    code_seq: int | None,
    merchant_id: UUID,
    owner_group_of_clerk: UUID | None,
    clerk_id: UUID,
    quantity: int = 1,
    scanned_at: datetime,
    on_behalf_of: UUID | None = None,
    only_locked: bool = False,
    now: datetime,
) -> Scan:
    """Redeem what is locked, as `redeem` does, by the lock's token. A no leaves the lock as it is.

    What was in time when it was locked is in time while the lock lasts, and a shop that left meanwhile is still paid for it.
    Without the right token the answer is `locked`; while a dearer price waits for the member it is `change_waits`. What is
    not locked is an ordinary scan, or with `only_locked` the answer is `not_locked`: for whoever shows no code.
    """
    code, detail = await ask(
        session,
        "redeem_locked",
        book,
        device_id,
        nonce,
        voucher_id,
        code_seq,
        merchant_id,
        owner_group_of_clerk,
        clerk_id,
        quantity,
        aware(scanned_at),
        aware(now),
        on_behalf_of,
        token,
        only_locked,
    )
    return Scan(code, detail)
