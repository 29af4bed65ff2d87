"""At the counter: redeem a voucher, take a use back within the hour, know the devices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, ask, aware
from redemption.letters import new_short_code
from redemption.rules import DeviceKind, VoucherState


@dataclass(frozen=True, slots=True)
class Scan:
    """The answer to one scan, a verdict of rules.REDEEM_ORDER. A no is an answer here and not an error."""

    verdict: str
    detail: Mapping[str, Any]

    @property
    def is_accepted(self) -> bool:
        """Whether the goods may leave the shop: redeemed now, or by this very scan before."""
        return self.verdict in ("redeemed", "replayed")


@dataclass(frozen=True, slots=True)
class Reversed:
    """A use that was taken back; the points are in escrow again."""

    voucher_id: int
    seq: int
    member_id: UUID
    quantity: int
    points: int
    voucher_state: VoucherState
    replayed: bool


async def redeem(
    session: AsyncSession,
    book: int,
    *,
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
    now: datetime,
) -> Scan:
    """Use a voucher, exactly once whoever asks how often, in one round trip. code_seq is None for a typed code."""
    code, detail = await ask(
        session,
        "redeem",
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
    )
    return Scan(code, detail)


async def reverse_use(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    seq: int,
    *,
    key: UUID,
    as_owner: bool = False,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    reversible_minutes: int,
    reversals_per_day: int,
    now: datetime,
) -> Reversed:
    """Take a use back in time, before a batch has it: by the clerk who scanned, or `as_owner` of the shop.

    Every code shown, printed or typed so far is dead afterwards.

    How long, and how often a device may do so in 24 hours, is the community's to say.
    """
    replayed, detail = await act(
        session,
        "reverse_use",
        book,
        key,
        voucher_id,
        seq,
        as_owner,
        reason,
        actor_id,
        on_behalf_of,
        aware(now),
        reversible_minutes,
        reversals_per_day,
        new_short_code(),
    )
    return Reversed(
        voucher_id=int(detail["voucher_id"]),
        seq=detail["seq"],
        member_id=UUID(detail["member_id"]),
        quantity=detail["quantity"],
        points=detail["points"],
        voucher_state=VoucherState(detail["voucher_state"]),
        replayed=replayed,
    )


async def voucher_by_code(session: AsyncSession, book: int, short_code: str) -> int | None:
    """The voucher of a typed code, in any case, with blanks or dashes."""
    connection = await session.connection()
    found = await connection.exec_driver_sql("SELECT redemption.voucher_by_code($1, $2)", (book, short_code))
    voucher_id: int | None = found.scalar_one()
    return voucher_id


async def register_device(
    session: AsyncSession,
    book: int,
    device_id: UUID,
    *,
    kind: DeviceKind = DeviceKind.BROWSER,
    merchant_id: UUID | None = None,
    public_key: bytes | None = None,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Make a device known. An enrolled one has a key and belongs to one shop. The same facts again change nothing."""
    await act(
        session,
        "register_device",
        book,
        device_id,
        kind.value,
        merchant_id,
        public_key,
        actor_id,
        aware(now),
    )


async def revoke_device(session: AsyncSession, book: int, device_id: UUID, *, actor_id: UUID, now: datetime) -> None:
    """Let a device redeem nothing more."""
    await act(session, "revoke_device", book, device_id, actor_id, aware(now))
