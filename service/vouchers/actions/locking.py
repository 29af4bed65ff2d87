"""A clerk who prepares something keeps the voucher for two minutes: the member cannot cancel, and no other counter takes it."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys, CodeVerdict
from service.facts import VoucherRedeemed
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.words import yuan
from service.vouchers.actions.scan import STATIC, day_began
from service.vouchers.rules import NameNotCompared, ScanItsCode, StaticDayFull, key_for

PREPARING = "preparing"
"""The reason that stands in the history of a voucher that a counter keeps."""
_STATIC_KEEP = "SELECT code, day_fen FROM static_keep($1, $2, $3, $4, $5, $6, $7)"
_REDEEM_KEPT = """
SELECT code, detail::text AS detail FROM redeem_kept($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
_READABLE = (CodeVerdict.PHONE, CodeVerdict.PRINTED, CodeVerdict.SIGNED)


@dataclass(frozen=True, slots=True)
class Kept:
    """A voucher that waits for this counter. Whoever has the token redeems it or lets it go."""

    voucher: redemption.Voucher
    token: UUID
    until: datetime


def is_static(code: str, keys: CodeKeys, actor: Actor, now: datetime) -> bool:
    """Whether what was scanned is a code that does not change."""
    return redemption.read_code(code, keys, community_id=actor.community_id, now=now).verdict in STATIC


async def keep(
    session: AsyncSession,
    keys: CodeKeys,
    *,
    actor: Actor,
    shop_id: UUID,
    code: str,
    is_compared: bool,
    device_id: UUID,
    key: str,
    now: datetime,
) -> Kept:
    """Keep the voucher whose code was scanned; the same key again is the same lock.

    A printed code that a scan would be refused or asked for is refused or asked for here, and it is asked and counted when
    it is used (`redeem_kept`): nothing is counted for what is let go.

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
        if read.verdict in STATIC:
            await _keep_static(session, actor, read.voucher_id, lock.token, is_compared=is_compared, now=now)
        _record(session, actor, "vouchers.kept", read.voucher_id, shop_id, now)
    voucher = await redemption.voucher(session, actor.community_id, read.voucher_id)
    return Kept(voucher, lock.token, lock.until)


async def _keep_static(
    session: AsyncSession, actor: Actor, voucher_id: int, token: UUID, *, is_compared: bool, now: datetime
) -> None:
    """Tell the lock how it was got. A refusal takes the lock back with the transaction."""
    connection = await session.connection()
    asked = (actor.community_id, voucher_id, token, is_compared, local_day(now), day_began(now), now)
    said = (await connection.exec_driver_sql(_STATIC_KEEP, asked)).one()
    if said.code == "static_day":
        raise StaticDayFull(yuan(said.day_fen))
    if said.code == "compare":
        raise NameNotCompared


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
    is_compared: bool,
    now: datetime,
) -> redemption.Scan:
    """Redeem what this counter keeps; exactly once by the nonce. A no leaves it kept.

    What was got by a printed code may be told `compare` or `static_day`, as a scan of it would be.

    Raises VoucherNotLocked when the token keeps nothing any more: then its code is scanned again. Were it an ordinary scan,
    whoever knows a voucher's number could use it without its code.
    """
    connection = await session.connection()
    asked = (
        actor.community_id,
        device_id,
        nonce,
        voucher_id,
        shop_id,
        actor.household_id,
        actor.member_id,
        quantity,
        token,
        is_compared,
        local_day(now),
        day_began(now),
        now,
    )
    row = (await connection.exec_driver_sql(_REDEEM_KEPT, asked)).one()
    scan = redemption.Scan(row.code, json.loads(row.detail) if row.detail else {})
    if scan.verdict == "not_locked":
        raise redemption.VoucherNotLocked
    if scan.verdict == "redeemed":
        _record(session, actor, "vouchers.redeemed", voucher_id, shop_id, now)
        member_id = UUID(scan.detail["member_id"])
        fact = VoucherRedeemed(
            community_id=actor.community_id,
            voucher_id=voucher_id,
            member_id=member_id,
            merchant_id=shop_id,
            seq=scan.detail["seq"],
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
