"""What shops are owed: closed by one, agreed by the shop, approved by a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import watch_on
from service.facts import DisputeResolved, SettlementClosed, VoucherReturned
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.vouchers.hands import check_own
from service.vouchers.rules import DisputeNotFound, StatementNotFound, key_for


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of one shop: a statement, or the code of the refusal."""

    merchant_id: UUID
    settlement_id: UUID | None
    refused: str | None


async def close_period(
    session: AsyncSession, *, actor: Actor, until: datetime, merchant_id: UUID | None, key: str, now: datetime
) -> Sequence[Closed]:
    """Close what the server received before `until`, of one shop or of all, in the order of their ids.

    A shop whose three sums differ is refused with its figures and stops no other.
    """
    if merchant_id is not None:
        shops = [merchant_id]
    else:
        shops = sorted(await redemption.open_batches(session, actor.community_id, received_until=until))
    rules = await watch_on(session, actor.community_id, local_day(now))
    closed: list[Closed] = []
    for shop in shops:
        settlement_id = key_for(actor.member_id, f"close:{shop}:{key}")
        try:
            batch = await redemption.close_settlement(
                session,
                actor.community_id,
                settlement_id=settlement_id,
                merchant_id=shop,
                received_until=until,
                actor_id=actor.member_id,
                watch=rules,
                now=now,
            )
        except redemption.RedemptionRefusal as refusal:
            closed.append(Closed(shop, None, refusal.code))
            continue
        closed.append(Closed(shop, batch.settlement_id, None))
        audit.record(
            session,
            actor,
            "vouchers.settlement_closed",
            kind="settlement",
            id=settlement_id,
            now=now,
            detail={"shop": shop.hex, "lines": batch.line_count, "points": batch.points + batch.subsidy_points},
        )
        outbox.record(
            session,
            SettlementClosed(community_id=actor.community_id, settlement_id=settlement_id, merchant_id=shop),
            now=now,
        )
    return closed


async def confirm(session: AsyncSession, *, actor: Actor, settlement_id: UUID, now: datetime) -> None:
    """The shop agrees with its statement."""
    audit.record(session, actor, "vouchers.settlement_confirmed", kind="settlement", id=settlement_id, now=now)
    await redemption.confirm_settlement(
        session,
        actor.community_id,
        settlement_id,
        key=key_for(actor.member_id, f"confirm:{settlement_id}"),
        actor_id=actor.member_id,
        now=now,
    )


async def dispute(
    session: AsyncSession, *, actor: Actor, settlement_id: UUID, line_no: int, reason: str, now: datetime
) -> None:
    """The shop objects to one line: it leaves the batch and the rest goes on."""
    audit.record(
        session,
        actor,
        "vouchers.line_disputed",
        kind="settlement",
        id=settlement_id,
        now=now,
        detail={"line": line_no},
    )
    await redemption.dispute_line(
        session,
        actor.community_id,
        settlement_id,
        line_no,
        key=key_for(actor.member_id, f"dispute:{settlement_id}:{line_no}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def resolve(
    session: AsyncSession,
    *,
    actor: Actor,
    settlement_id: UUID,
    line_no: int,
    is_for_shop: bool,
    reason: str,
    now: datetime,
) -> None:
    """Decide a line in dispute: the shop's next statement carries it, or the points go back to the customer.

    By neither who closed the statement nor who objected, and nobody of the voucher's household. Of two who decide at once
    the second is told what was decided: the library locks the dispute.
    """
    line = await disputed_line(session, actor.community_id, settlement_id, line_no)
    await check_own(session, actor, line.voucher_id)
    is_new = await redemption.resolve_dispute(
        session,
        actor.community_id,
        settlement_id,
        line_no,
        key=key_for(actor.member_id, f"resolve:{settlement_id}:{line_no}:{is_for_shop}:{reason}"),
        for_shop=is_for_shop,
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )
    if not is_new:
        return
    audit.record(
        session,
        actor,
        "vouchers.dispute_resolved",
        kind="settlement",
        id=settlement_id,
        now=now,
        detail={"line": line_no, "for_shop": is_for_shop},
    )
    community_id = actor.community_id
    resolved = DisputeResolved(
        community_id=community_id, settlement_id=settlement_id, merchant_id=line.merchant_id, line_no=line_no
    )
    outbox.record(session, resolved, now=now)
    if not is_for_shop:
        returned = VoucherReturned(
            community_id=community_id, voucher_id=line.voucher_id, member_id=line.member_id, reason="dispute"
        )
        outbox.record(session, returned, now=now)


async def disputed_line(
    session: AsyncSession, community_id: int, settlement_id: UUID, line_no: int
) -> redemption.Dispute:
    """One line in dispute of this community."""
    found = await redemption.disputes(session, community_id, settlement_id=settlement_id)
    for line in found:
        if line.line_no == line_no:
            return line
    raise DisputeNotFound


async def approve(session: AsyncSession, *, actor: Actor, settlement_id: UUID, now: datetime) -> None:
    """A second person lets the statement be paid; whoever closed it may not. Pressed twice it is written down once."""
    # After each payment that came back it is approved anew, and that is another approval than the one before.
    paid = len(await redemption.payments(session, actor.community_id, settlement_id))
    is_new = await redemption.approve_settlement(
        session,
        actor.community_id,
        settlement_id,
        key=key_for(actor.member_id, f"approve:{settlement_id}:{paid}"),
        actor_id=actor.member_id,
        now=now,
    )
    if is_new:
        audit.record(session, actor, "vouchers.settlement_approved", kind="settlement", id=settlement_id, now=now)


async def found(session: AsyncSession, community_id: int, settlement_id: UUID) -> redemption.Settlement:
    """A statement of this community."""
    try:
        return await redemption.settlement(session, community_id, settlement_id)
    except redemption.SettlementUnknown as unknown:
        raise StatementNotFound from unknown
