"""The market's verbs of reserving, locking and changing a price."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import redemption
from tests.db import Sessions


class Jobs:
    """What a market has. Each verb runs in a transaction of its own and commits."""

    sessions: Sessions
    book: int
    now: datetime
    barber: UUID
    li: UUID
    clerk: UUID
    staff: UUID
    device: UUID

    async def confirm_voucher(self, voucher_id: int, *, key: UUID | None = None) -> bool:
        async with self.sessions.begin() as session:
            return await redemption.confirm_voucher(
                session,
                self.book,
                voucher_id,
                key=key or uuid4(),
                actor_id=self.li,
                grace_hours=72,
                now=self.now,
            )

    async def lock(
        self,
        voucher_id: int,
        *,
        hours: int = 48,
        key: UUID | None = None,
        merchant: UUID | None = None,
        redeemer: UUID | None = None,
        group: UUID | None = None,
        code_seq: int | None = None,
        device: UUID | None = None,
    ) -> redemption.Lock:
        """For a job of the barber's, by the leader."""
        async with self.sessions.begin() as session:
            return await redemption.lock_voucher(
                session,
                self.book,
                voucher_id,
                key=key or uuid4(),
                code_seq=code_seq,
                merchant_id=merchant or self.barber,
                redeemer_id=redeemer or self.clerk,
                owner_group_of_redeemer=group,
                until=self.now + timedelta(hours=hours),
                reason="job",
                actor_id=self.staff,
                device_id=device,
                now=self.now,
            )

    async def unlock(self, voucher_id: int, *, token: UUID | None = None, key: UUID | None = None) -> None:
        async with self.sessions.begin() as session:
            await redemption.unlock_voucher(
                session,
                self.book,
                voucher_id,
                key=key or uuid4(),
                token=token,
                reason="cannot come",
                actor_id=self.staff,
                now=self.now,
            )

    async def unlock_due(self) -> redemption.LockRound:
        async with self.sessions.begin() as session:
            return await redemption.unlock_due(session, self.book, now=self.now)

    async def scan_locked(
        self,
        voucher_id: int,
        token: UUID,
        *,
        nonce: UUID | None = None,
        merchant: UUID | None = None,
        clerk: UUID | None = None,
        quantity: int = 1,
    ) -> redemption.Scan:
        async with self.sessions.begin() as session:
            return await redemption.redeem_locked(
                session,
                self.book,
                token=token,
                device_id=self.device,
                nonce=nonce or uuid4(),
                voucher_id=voucher_id,
                code_seq=None,
                merchant_id=merchant or self.barber,
                owner_group_of_clerk=None,
                clerk_id=clerk or self.clerk,
                quantity=quantity,
                scanned_at=self.now,
                now=self.now,
            )

    async def propose_change(
        self,
        voucher_id: int,
        token: UUID,
        *,
        change_id: UUID | None = None,
        reason: str = "another part",
        **price: int,
    ) -> UUID:
        asked = change_id or uuid4()
        async with self.sessions.begin() as session:
            await redemption.propose_change(
                session,
                self.book,
                voucher_id,
                redemption.Split(**{"points": 20, "payable_fen": 1500} | price),
                change_id=asked,
                token=token,
                reason=reason,
                actor_id=self.clerk,
                now=self.now,
            )
        return asked

    async def answer_change(
        self,
        change_id: UUID,
        *,
        is_agreed: bool = True,
        actor: UUID | None = None,
        on_behalf_of: UUID | None = None,
        key: UUID | None = None,
    ) -> None:
        async with self.sessions.begin() as session:
            await redemption.answer_change(
                session,
                self.book,
                change_id,
                key=key or uuid4(),
                is_agreed=is_agreed,
                actor_id=actor or self.li,
                on_behalf_of=on_behalf_of,
                now=self.now,
            )

    async def changes(self, voucher_id: int) -> tuple[redemption.Change, ...]:
        async with self.sessions.begin() as session:
            return await redemption.changes_of(session, self.book, [voucher_id])
