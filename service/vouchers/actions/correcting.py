"""A use whose shop has confirmed the statement is corrected: proposed by finance, agreed to by a second person."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherReturned
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.ids import new_id
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
    """Ask a second person to take the use of a confirmed line back.

    Two may ask in the same second: the library locks the statement, and the other is told that one waits.
    """
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

    Of two who decide at once the second is told what was decided: the library locks the correction. Ends in the ledger.
    """
    found = await redemption.adjustment(session, actor.community_id, correction_id)
    if found.state is redemption.RequestState.PROPOSED:
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
            outbox.record(
                session,
                VoucherReturned(
                    community_id=actor.community_id,
                    voucher_id=found.voucher_id,
                    member_id=found.member_id,
                    reason=found.cause.value,
                ),
                now=now,
            )
    await session.flush()
    await redemption.decide_adjustment(
        session,
        actor.community_id,
        correction_id,
        key=key_for(actor.member_id, f"correction:{correction_id}:{is_agreed}"),
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        now=now,
    )
    return found
