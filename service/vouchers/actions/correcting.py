"""A use whose shop has confirmed the statement is corrected: proposed by finance, agreed to by a second person."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherReturned
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.ids import new_id
from service.vouchers.hands import check_own, check_second
from service.vouchers.rules import key_for


async def propose(
    session: AsyncSession,
    *,
    actor: Actor,
    settlement_id: UUID,
    line_no: int,
    cause: redemption.AdjustmentCause,
    reason: str,
    now: datetime,
) -> UUID:
    """Ask a second person to take the use of a confirmed line back; never of one's own household's voucher.

    Two may ask in the same second: the library locks the statement, and the other is told that one waits.
    """
    page = await redemption.settlement_lines(session, actor.community_id, settlement_id, after=line_no - 1, limit=1)
    for line in page.lines:
        if line.line_no == line_no:
            await check_own(session, actor, line.voucher_id)
    correction_id = new_id()
    audit.record(
        session,
        actor,
        "vouchers.correction_proposed",
        kind="settlement",
        id=settlement_id,
        now=now,
        detail={"line": line_no, "cause": cause.value},
    )
    await session.flush()
    await redemption.propose_adjustment(
        session,
        actor.community_id,
        settlement_id,
        line_no,
        adjustment_id=correction_id,
        cause=cause,
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )
    return correction_id


async def decide(
    session: AsyncSession, *, actor: Actor, correction_id: UUID, is_agreed: bool, now: datetime
) -> redemption.Adjustment:
    """Agree as a second person: the points are back at once, and the shop's next statement says so. Or turn it down.

    Who agrees is neither of the voucher's household nor of that of who proposed it; anybody may say no. Of two who decide at
    once the second is told what was decided: the library locks the correction. Pressed twice it happens once.
    """
    found = await redemption.adjustment(session, actor.community_id, correction_id)
    if is_agreed:
        await check_second(session, actor, found)
    is_done_now = await redemption.decide_adjustment(
        session,
        actor.community_id,
        correction_id,
        key=key_for(actor.member_id, f"correction:{correction_id}:{is_agreed}"),
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        now=now,
    )
    if not is_done_now:
        return found
    audit.record(
        session,
        actor,
        "vouchers.correction_agreed" if is_agreed else "vouchers.correction_refused",
        kind="settlement",
        id=found.settlement_id,
        now=now,
        on_behalf_of=found.member_id,
        detail={"line": found.line_no},
    )
    if is_agreed:
        fact = VoucherReturned(
            community_id=actor.community_id,
            voucher_id=found.voucher_id,
            member_id=found.member_id,
            reason=found.cause.value,
        )
        outbox.record(session, fact, now=now)
    return found
