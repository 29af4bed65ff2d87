"""The shop's statements: agree, or object to a line."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill
from service.vouchers.actions import paying, settling
from service.vouchers.browser import settlement_cursor, settlement_mark, shop_here
from service.vouchers.payloads import InvoiceForm, ReasonForm
from service.vouchers.queries.counter import shops_of, statement_for
from service.vouchers.queries.office import all_lines
from service.vouchers.rules import ChooseShop
from service.vouchers.statement_files import statement_file
from service.vouchers.terms import fen_of

AnyRequest = Request[Any, Any, Any]


@get("/shop/settlements", opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def statements_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template | Redirect:
    """The shop's statements, the last first."""
    try:
        _shops, shop = await shop_here(request, session, actor, now)
    except ChooseShop:
        return go("/shop/choose")
    found = await redemption.settlements(
        session, actor.community_id, merchant_id=shop.organisation_id, before=settlement_mark(after)
    )
    cursor = settlement_cursor(found.next)
    return page(
        request,
        "vouchers/statements.html",
        title=_("对账单"),
        shop=shop,
        statements=found.settlements if shop.is_owner else [],
        next_url=f"/shop/settlements?after={cursor}" if cursor else None,
        first_url="/shop/settlements" if after else None,
    )


@get("/shop/settlements/{settlement_id:uuid}", opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def statement_page(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One statement with its lines: agree, or object to a line."""
    shops = await shops_of(session, actor, local_day(now))
    found = await statement_for(session, actor, shops, settlement_id)
    return page(
        request,
        "vouchers/statement.html",
        title=_("对账单第 {number} 期").format(number=found.number),
        shop=shops[found.merchant_id],
        statement=found,
        lines=await all_lines(session, actor.community_id, settlement_id),
        payments=await redemption.payments(session, actor.community_id, settlement_id),
        invoices=await redemption.invoices(session, actor.community_id, settlement_id),
    )


@get(
    "/shop/settlements/{settlement_id:uuid}/files/{kind:str}",
    opt=allow(Role.MERCHANT_OWNER),
    include_in_schema=False,
)
async def export(
    settlement_id: FromPath[UUID],
    kind: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """The shop's copy, as CSV, as a workbook or on paper."""
    found = await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
    return await statement_file(session, actor.community_id, found, kind)


@post("/shop/settlements/{settlement_id:uuid}/confirm", opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def confirm(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The shop agrees."""

    async def work() -> str:
        await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
        await settling.confirm(session, actor=actor, settlement_id=settlement_id, now=now)
        return f"/shop/settlements/{settlement_id}?done=vouchers.confirmed"

    return await once_page(request, session, actor, now, work)


@post(
    "/shop/settlements/{settlement_id:uuid}/lines/{line_no:int}/dispute",
    opt=allow(Role.MERCHANT_OWNER),
    include_in_schema=False,
)
async def dispute(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The shop objects to one line: it leaves the batch, the rest goes on."""
    shops = await shops_of(session, actor, local_day(now))
    found = await statement_for(session, actor, shops, settlement_id)
    lines = await all_lines(session, actor.community_id, settlement_id)
    with refill(
        request,
        "vouchers/statement.html",
        title=_("对账单第 {number} 期").format(number=found.number),
        shop=shops[found.merchant_id],
        statement=found,
        lines=lines,
        payments=await redemption.payments(session, actor.community_id, settlement_id),
        invoices=await redemption.invoices(session, actor.community_id, settlement_id),
    ):
        form = await form_of(request, ReasonForm)

        async def work() -> str:
            await settling.dispute(
                session, actor=actor, settlement_id=settlement_id, line_no=line_no, reason=form.reason, now=now
            )
            return f"/shop/settlements/{settlement_id}?done=vouchers.disputed"

        return await once_page(request, session, actor, now, work)


@post("/shop/settlements/{settlement_id:uuid}/invoices", opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def note_invoice(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The shop says under which number it invoiced its statement."""
    shops = await shops_of(session, actor, local_day(now))
    found = await statement_for(session, actor, shops, settlement_id)
    with refill(
        request,
        "vouchers/statement.html",
        title=_("对账单第 {number} 期").format(number=found.number),
        shop=shops[found.merchant_id],
        statement=found,
        lines=await all_lines(session, actor.community_id, settlement_id),
        payments=await redemption.payments(session, actor.community_id, settlement_id),
        invoices=await redemption.invoices(session, actor.community_id, settlement_id),
    ):
        form = await form_of(request, InvoiceForm)

        async def work() -> str:
            await paying.note_invoice(
                session,
                actor=actor,
                settlement_id=settlement_id,
                invoice_no=form.invoice_no,
                fen=fen_of(form.invoice_yuan),
                key=new_id(),
                now=now,
            )
            return f"/shop/settlements/{settlement_id}?done=vouchers.invoice_noted"

        return await once_page(request, session, actor, now, work)
