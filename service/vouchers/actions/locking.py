"""A clerk who prepares something keeps the voucher for two minutes: the member cannot cancel, and no other counter takes it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys, CodeVerdict
from service.facts import VoucherRedeemed
from service.kit import audit, outbox
from service.kit.access import Actor
from service.vouchers.rules import ScanItsCode, key_for

PREPARING = "preparing"
"""The reason that stands in the history of a voucher that a counter keeps."""
_READABLE = (CodeVerdict.PHONE, CodeVerdict.PRINTED, CodeVerdict.SIGNED)


@dataclass(frozen=True, slots=True)
class Kept:
    """A voucher that waits for this counter. Whoever has the token redeems it or lets it go."""

    voucher: redemption.Voucher
    token: UUID
    until: datetime


async def keep(
    session: AsyncSession,
    keys: CodeKeys,
    *,
    actor: Actor,
    shop_id: UUID,
    code: str,
    device_id: UUID,
    key: str,
    now: datetime,
) -> Kept:
    """Keep the voucher whose code was scanned; the same key again is the same lock.

    Only a code with a seal is taken, so that nobody finds vouchers by guessing. While another phone has the shop's lease
    the answer is no: it may take the voucher without a network, and no lock would keep it from that.
    """
    read = redemption.read_code(code, keys, community_id=actor.community_id, now=now)
    if read.verdict not in _READABLE or read.voucher_id is None:
        raise ScanItsCode
    lock = await redemption.lock_voucher(
        session,
        actor.community_id,
        read.voucher_id,
        key=key_for(actor.member_id, f"keep:{read.voucher_id}:{key}"),
        code_seq=read.code_seq,
        merchant_id=shop_id,
        redeemer_id=actor.member_id,
        owner_group_of_redeemer=actor.household_id,
        until=now + timedelta(minutes=redemption.COUNTER_LOCK_MINUTES),
        reason=PREPARING,
        actor_id=actor.member_id,
        device_id=device_id,
        now=now,
    )
    if not lock.replayed:
        _record(session, actor, "vouchers.kept", read.voucher_id, shop_id, now)
    voucher = await redemption.voucher(session, actor.community_id, read.voucher_id)
    return Kept(voucher, lock.token, lock.until)


async def use(
    session: AsyncSession,
    *,
    actor: Actor,
    voucher_id: int,
    token: UUID,
    shop_id: UUID,
    device_id: UUID,
    nonce: UUID,
    quantity: int,
    now: datetime,
) -> redemption.Scan:
    """Redeem what this counter keeps; exactly once by the nonce. A no leaves it kept.

    Raises VoucherNotLocked when the token keeps nothing any more: then its code is scanned again. Were it an ordinary scan,
    whoever knows a voucher's number could use it without its code.
    """
    scan = await redemption.redeem_locked(
        session,
        actor.community_id,
        token=token,
        device_id=device_id,
        nonce=nonce,
        voucher_id=voucher_id,
        code_seq=None,
        merchant_id=shop_id,
        owner_group_of_clerk=actor.household_id,
        clerk_id=actor.member_id,
        quantity=quantity,
        scanned_at=now,
        only_locked=True,
        now=now,
    )
    if scan.verdict == "not_locked":
        raise redemption.VoucherNotLocked
    if scan.verdict == "redeemed":
        _record(session, actor, "vouchers.redeemed", voucher_id, shop_id, now)
        member_id = UUID(scan.detail["member_id"])
        fact = VoucherRedeemed(
            community_id=actor.community_id, voucher_id=voucher_id, member_id=member_id, merchant_id=shop_id
        )
        outbox.record(session, fact, now=now)
    return scan


async def let_go(
    session: AsyncSession, *, actor: Actor, voucher_id: int, token: UUID, shop_id: UUID, key: str, now: datetime
) -> None:
    """The counter does not need it after all: the member may use it elsewhere or cancel at once."""
    _record(session, actor, "vouchers.let_go", voucher_id, shop_id, now)
    await session.flush()
    await redemption.unlock_voucher(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"let-go:{voucher_id}:{key}"),
        token=token,
        reason=PREPARING,
        actor_id=actor.member_id,
        now=now,
    )


def _record(session: AsyncSession, actor: Actor, action: str, voucher_id: int, shop_id: UUID, now: datetime) -> None:
    audit.record(session, actor, action, kind="voucher", id=voucher_id, now=now, detail={"shop": shop_id.hex})
