"""What the bank did about a statement: paid it, whole or in part, or sent a payment back. And the shop's invoices."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import SettlementPaid
from service.kit import audit, outbox
from service.kit.access import Actor
from service.vouchers.actions.settling import found
from service.vouchers.rules import key_for


async def pay(
    session: AsyncSession,
    *,
    actor: Actor,
    settlement_id: UUID,
    bank_reference: str,
    now: datetime,
    fen: int | None = None,
) -> None:
    """Record that the bank paid `fen`, or all that is open: with the last part the points are burnt and the debt is gone."""
    batch = await found(session, actor.community_id, settlement_id)
    audit.record(
        session,
        actor,
        "vouchers.settlement_paid",
        kind="settlement",
        id=settlement_id,
        now=now,
        detail={} if fen is None else {"fen": fen},
    )
    if batch.state is not redemption.SettlementState.PAID:
        outbox.record(
            session,
            SettlementPaid(community_id=actor.community_id, settlement_id=settlement_id, merchant_id=batch.merchant_id),
            now=now,
        )
    await session.flush()
    await redemption.pay_settlement(
        session,
        actor.community_id,
        settlement_id,
        key=key_for(actor.member_id, f"pay:{settlement_id}:{bank_reference}"),
        bank_reference=bank_reference,
        actor_id=actor.member_id,
        now=now,
        fen=fen,
    )


async def send_back(
    session: AsyncSession, *, actor: Actor, settlement_id: UUID, number: int, reason: str, now: datetime
) -> None:
    """The bank sent a payment back: it is owed again, and approved anew before it is paid again."""
    audit.record(
        session,
        actor,
        "vouchers.payment_returned",
        kind="settlement",
        id=settlement_id,
        now=now,
        detail={"payment": number},
    )
    await session.flush()
    await redemption.return_payment(
        session,
        actor.community_id,
        settlement_id,
        number,
        key=key_for(actor.member_id, f"return:{settlement_id}:{number}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def note_invoice(
    session: AsyncSession, *, actor: Actor, settlement_id: UUID, invoice_no: str, fen: int, key: UUID, now: datetime
) -> None:
    """Write down under which number the shop invoiced its statement."""
    audit.record(session, actor, "vouchers.invoice_noted", kind="settlement", id=settlement_id, now=now)
    await session.flush()
    await redemption.note_invoice(
        session,
        actor.community_id,
        settlement_id,
        key=key,
        invoice_no=invoice_no,
        fen=fen,
        actor_id=actor.member_id,
        now=now,
    )


async def withdraw_invoice(
    session: AsyncSession, *, actor: Actor, settlement_id: UUID, invoice_no: str, now: datetime
) -> None:
    """Take a slip of the pen back."""
    audit.record(session, actor, "vouchers.invoice_withdrawn", kind="settlement", id=settlement_id, now=now)
    await session.flush()
    await redemption.withdraw_invoice(
        session, actor.community_id, settlement_id, invoice_no, actor_id=actor.member_id, now=now
    )
