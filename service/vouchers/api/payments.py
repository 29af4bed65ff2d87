"""Payments of statements and their invoices as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.once import once
from service.vouchers.actions import paying, settling
from service.vouchers.api.settlements import READERS, settlement_out
from service.vouchers.payloads import InvoiceIn, InvoiceOut, PayIn, PaymentOut, PaymentsOut, ReasonIn, SettlementOut
from service.vouchers.queries.counter import shops_of, statement_for

AnyRequest = Request[Any, Any, Any]


async def _payments(session: AsyncSession, actor: Actor, settlement_id: UUID) -> PaymentsOut:
    paid = await redemption.payments(session, actor.community_id, settlement_id)
    invoiced = await redemption.invoices(session, actor.community_id, settlement_id)
    return PaymentsOut(
        [
            PaymentOut(
                number=each.number,
                points=each.points,
                fen=each.fen,
                bank_reference=each.bank_reference,
                account_tail=each.tail,
                repeats=each.repeats,
                approved_by=each.approved_by,
                paid_by=each.paid_by,
                paid_at=each.paid_at,
                returned_at=each.returned_at,
                return_reason=each.return_reason,
            )
            for each in paid
        ],
        [InvoiceOut(each.invoice_no, each.fen, each.noted_by, each.noted_at) for each in invoiced],
    )


@get("/api/settlements/{settlement_id:uuid}/payments", opt=READERS)
async def payments(
    settlement_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> PaymentsOut:
    """What was paid of a statement, what the bank sent back, and its invoices."""
    await settling.found(session, actor.community_id, settlement_id)
    return await _payments(session, actor, settlement_id)


@post("/api/settlements/{settlement_id:uuid}/payment", opt=allow(Role.FINANCE), status_code=200)
async def pay(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    data: JSONBody[PayIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SettlementOut]:
    """Record the bank's payment, of all that is open or of a part. Never by who approved."""

    async def work() -> SettlementOut:
        await paying.pay(
            session,
            actor=actor,
            settlement_id=settlement_id,
            bank_reference=data.bank_reference,
            fen=data.fen,
            now=now,
        )
        return settlement_out(await settling.found(session, actor.community_id, settlement_id))

    return await once(request, session, actor, now, work)


@post("/api/settlements/{settlement_id:uuid}/payments/{number:int}/return", opt=allow(Role.FINANCE), status_code=200)
async def send_back(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    number: FromPath[int],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SettlementOut]:
    """The bank sent a payment back: it is owed again, and approved anew before it is paid again."""

    async def work() -> SettlementOut:
        await settling.found(session, actor.community_id, settlement_id)
        await paying.send_back(
            session, actor=actor, settlement_id=settlement_id, number=number, reason=data.reason, now=now
        )
        return settlement_out(await settling.found(session, actor.community_id, settlement_id))

    return await once(request, session, actor, now, work)


@post("/api/settlements/{settlement_id:uuid}/invoices", opt=allow(Role.FINANCE))
async def note_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    data: JSONBody[InvoiceIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PaymentsOut]:
    """Write an invoice of the shop down; a number stands once in a community."""

    async def work() -> PaymentsOut:
        await settling.found(session, actor.community_id, settlement_id)
        await paying.note_invoice(
            session,
            actor=actor,
            settlement_id=settlement_id,
            invoice_no=data.invoice_no,
            fen=data.fen,
            key=new_id(),
            now=now,
        )
        return await _payments(session, actor, settlement_id)

    return await once(request, session, actor, now, work, status=201)


@post(
    "/api/settlements/{settlement_id:uuid}/invoices/{invoice_no:str}/withdrawal",
    opt=allow(Role.FINANCE),
    status_code=200,
)
async def withdraw_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    invoice_no: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PaymentsOut]:
    """Take a slip of the pen back: the number is free again."""

    async def work() -> PaymentsOut:
        await paying.withdraw_invoice(session, actor=actor, settlement_id=settlement_id, invoice_no=invoice_no, now=now)
        return await _payments(session, actor, settlement_id)

    return await once(request, session, actor, now, work)


@get("/api/shop/settlements/{settlement_id:uuid}/payments", opt=allow(Role.MERCHANT_OWNER))
async def own_payments(
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> PaymentsOut:
    """What the shop was paid of its statement, and its invoices."""
    await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
    return await _payments(session, actor, settlement_id)


@post("/api/shop/settlements/{settlement_id:uuid}/invoices", opt=allow(Role.MERCHANT_OWNER))
async def note_own_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    data: JSONBody[InvoiceIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PaymentsOut]:
    """The shop says under which number it invoiced its statement."""

    async def work() -> PaymentsOut:
        await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
        await paying.note_invoice(
            session,
            actor=actor,
            settlement_id=settlement_id,
            invoice_no=data.invoice_no,
            fen=data.fen,
            key=new_id(),
            now=now,
        )
        return await _payments(session, actor, settlement_id)

    return await once(request, session, actor, now, work, status=201)
