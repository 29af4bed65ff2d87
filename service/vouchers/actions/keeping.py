"""What staff do with somebody's voucher: stop it and let it go, and with a second person call it back or give it more days."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import StaffStep
from service.facts import VoucherExtended, VoucherFrozen, VoucherReturned, VoucherUnfrozen
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import FIRST_DAY, LAST_DAY, day_begins
from service.kit.refusals import Invalid
from service.vouchers.rules import VoucherNotFound, key_for


async def freeze(session: AsyncSession, *, actor: Actor, voucher_id: int, reason: str, key: str, now: datetime) -> None:
    """Stop a voucher at once while somebody looks into it. Nothing moves and it does not run out."""
    voucher = await found(session, actor.community_id, voucher_id)
    audit.record(session, actor, "vouchers.frozen", kind="voucher", id=voucher_id, now=now)
    fact = VoucherFrozen(community_id=actor.community_id, voucher_id=voucher_id, member_id=voucher.member_id)
    outbox.record(session, fact, now=now)
    await session.flush()
    await redemption.freeze(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"freeze:{voucher_id}:{key}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def unfreeze(
    session: AsyncSession, *, actor: Actor, voucher_id: int, reason: str, key: str, now: datetime
) -> None:
    """Let a stopped voucher go: it is as it was before."""
    voucher = await found(session, actor.community_id, voucher_id)
    audit.record(session, actor, "vouchers.unfrozen", kind="voucher", id=voucher_id, now=now)
    fact = VoucherUnfrozen(community_id=actor.community_id, voucher_id=voucher_id, member_id=voucher.member_id)
    outbox.record(session, fact, now=now)
    await session.flush()
    await redemption.unfreeze(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"unfreeze:{voucher_id}:{key}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def propose(
    session: AsyncSession,
    *,
    actor: Actor,
    voucher_id: int,
    step: StaffStep,
    last_day: date | None,
    reason: str,
    key: str,
    now: datetime,
) -> UUID:
    """Ask a second person to call a voucher back, or to make it good until the end of `last_day`."""
    await found(session, actor.community_id, voucher_id)
    until = None
    if step is StaffStep.EXTEND:
        if last_day is None:
            raise Invalid({"last_day": "required"})
        if not FIRST_DAY <= last_day <= LAST_DAY:
            raise Invalid({"last_day": "date_range"})
        until = day_begins(last_day + timedelta(days=1))
    request_id = key_for(actor.member_id, f"propose:{voucher_id}:{step}:{key}")
    audit.record(
        session, actor, "vouchers.step_proposed", kind="voucher", id=voucher_id, now=now, detail={"step": step.value}
    )
    await session.flush()
    await redemption.propose_step(
        session,
        actor.community_id,
        voucher_id,
        step,
        request_id=request_id,
        extend_until=until,
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )
    return request_id


async def decide(session: AsyncSession, *, actor: Actor, request_id: UUID, is_agreed: bool, now: datetime) -> int:
    """Do what was proposed as the second person, or leave it; answers with the voucher. Pressed twice it happens once."""
    done = await redemption.decide_step(
        session,
        actor.community_id,
        request_id,
        key=key_for(actor.member_id, f"decide:{request_id}:{is_agreed}"),
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        now=now,
    )
    if done.replayed:
        return done.voucher_id
    audit.record(
        session,
        actor,
        "vouchers.step_done" if is_agreed else "vouchers.step_refused",
        kind="voucher",
        id=done.voucher_id,
        now=now,
        detail={"step": done.step.value, "points": done.points},
    )
    if is_agreed:
        community_id, member_id = actor.community_id, done.member_id
        fact: VoucherReturned | VoucherExtended
        if done.step is StaffStep.VOID:
            fact = VoucherReturned(
                community_id=community_id, voucher_id=done.voucher_id, member_id=member_id, reason="void"
            )
        else:
            fact = VoucherExtended(community_id=community_id, voucher_id=done.voucher_id, member_id=member_id)
        outbox.record(session, fact, now=now)
    return done.voucher_id


async def found(session: AsyncSession, community_id: int, voucher_id: int) -> redemption.Voucher:
    """A voucher of this community."""
    try:
        return await redemption.voucher(session, community_id, voucher_id)
    except redemption.VoucherUnknown as unknown:
        raise VoucherNotFound from unknown
