"""On a statement's page: what the bank paid, whole or in part, what it sent back, and the shop's invoices."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, refill
from service.vouchers.actions import paying
from service.vouchers.pages.desk_settlements import statement_shown
from service.vouchers.payloads import InvoiceForm, PayForm, ReasonForm
from service.vouchers.terms import fen_of

AnyRequest = Request[Any, Any, Any]


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    settlement_id: UUID,
    act: Callable[[], Awaitable[str]],
) -> Redirect:
    with refill(request, "vouchers/desk_settlement.html", **await statement_shown(session, actor, settlement_id)):

        async def work() -> str:
            return f"/desk/settlements/{settlement_id}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post("/desk/settlements/{settlement_id:uuid}/pay", opt=allow(Role.FINANCE), include_in_schema=False)
async def pay(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Record the bank's payment, of all that is open or of a part."""

    async def act() -> str:
        form = await form_of(request, PayForm)
        await paying.pay(
            session,
            actor=actor,
            settlement_id=settlement_id,
            bank_reference=form.bank_reference,
            fen=None if form.yuan is None else fen_of(form.yuan),
            now=now,
        )
        return "vouchers.paid"

    return await _act(request, session, actor, now, settlement_id, act)


@post(
    "/desk/settlements/{settlement_id:uuid}/payments/{number:int}/return",
    opt=allow(Role.FINANCE),
    include_in_schema=False,
)
async def send_back(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    number: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The bank sent a payment back."""

    async def act() -> str:
        form = await form_of(request, ReasonForm)
        await paying.send_back(
            session, actor=actor, settlement_id=settlement_id, number=number, reason=form.reason, now=now
        )
        return "vouchers.payment_returned"

    return await _act(request, session, actor, now, settlement_id, act)


@post("/desk/settlements/{settlement_id:uuid}/invoices", opt=allow(Role.FINANCE), include_in_schema=False)
async def note_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Write an invoice of the shop down."""

    async def act() -> str:
        form = await form_of(request, InvoiceForm)
        await paying.note_invoice(
            session,
            actor=actor,
            settlement_id=settlement_id,
            invoice_no=form.invoice_no,
            fen=fen_of(form.invoice_yuan),
            key=new_id(),
            now=now,
        )
        return "vouchers.invoice_noted"

    return await _act(request, session, actor, now, settlement_id, act)


@post(
    "/desk/settlements/{settlement_id:uuid}/invoices/{invoice_no:str}/withdraw",
    opt=allow(Role.FINANCE),
    include_in_schema=False,
)
async def withdraw_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    invoice_no: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take a slip of the pen back."""

    async def act() -> str:
        await paying.withdraw_invoice(session, actor=actor, settlement_id=settlement_id, invoice_no=invoice_no, now=now)
        return "vouchers.invoice_withdrawn"

    return await _act(request, session, actor, now, settlement_id, act)
