"""The desk's page of money that comes in: what merchants paid, donations, and what waits for a second person."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.fund.actions.income import agree_to_income, record_donation, record_payment, refuse_income
from service.fund.payloads import DonationForm, PaymentForm, fen_of
from service.fund.queries.income import income, waiting_income
from service.fund.queries.shops import shops
from service.fund.rules import CASHIERS, DECIDERS, KEEPERS, READERS
from service.identity import people_by_ids
from service.kit import audit
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.export import csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/fund/money"
TEMPLATE = "fund/desk_money.html"


async def _shown(session: AsyncSession, actor: Actor, now: datetime, after: str | None = None) -> dict[str, Any]:
    today = local_day(now)
    found = await income(session, actor.community_id, after=after)
    waiting = await waiting_income(session, actor.community_id)
    ids = {who for view in (*found.rows, *waiting) for who in (view.recorded_by, view.decided_by) if who is not None}
    every = await shops(session, actor.community_id, today)
    held = await settings_on(session, actor.community_id, ["fund_donation_one_person_fen_max"], today)
    return {
        "title": _("公益基金的收入"),
        "rows": found.rows,
        "waiting": waiting,
        "people": await people_by_ids(session, actor.community_id, ids),
        "owing": [shop for shop in every if shop.open_fen],
        "givers": [(shop.organisation_id, shop.name) for shop in every if shop.rate is not None or shop.open_fen],
        "today": today,
        "limit_fen": held["fund_donation_one_person_fen_max"],
        "may_pay": actor.has(*CASHIERS),
        "may_take": actor.has(*KEEPERS),
        "may_decide": actor.has(*DECIDERS),
        "me": actor.member_id,
        "next_url": f"{PAGE}?after={found.next}" if found.next else None,
        "first_url": PAGE if after else None,
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def money_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """Money that came in, and the forms."""
    return page(request, TEMPLATE, **await _shown(session, actor, now, after))


@get(f"{PAGE}.csv", opt=allow(*READERS), include_in_schema=False)
async def money_csv(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Response[bytes]:
    """What the page shows, as a file; donors' names stay in the house."""
    found = await income(session, actor.community_id, after=after)
    audit.record(session, actor, "fund.income_taken_out", kind="community", id=actor.community_id, now=now)
    header = [_("收到的日子"), _("来源"), _("商户"), _("多少钱（分）"), _("单据号"), _("状态")]
    rows = [
        (
            view.received_on,
            translate(f"fund.income.{view.kind.value}"),
            view.source if view.organisation_id else "",
            view.amount_fen,
            view.document,
            translate(f"fund.income_state.{view.state.value}"),
        )
        for view in found.rows
    ]
    return csv_answer(f"{_('公益基金的收入')}-{local_day(now).isoformat()}", csv_bytes(header, rows))


async def _act(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, act: Callable[[], Awaitable[str]]
) -> Redirect:
    with refill(request, TEMPLATE, **await _shown(session, actor, now)):

        async def work() -> str:
            return f"{PAGE}?done={await act()}"

        return await once_page(request, session, actor, now, work)


@post(f"{PAGE}/payments", opt=allow(*CASHIERS), include_in_schema=False)
async def pay_in(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Record what a merchant paid."""

    async def act() -> str:
        form = await form_of(request, PaymentForm)
        await record_payment(
            session,
            actor=actor,
            organisation_id=form.shop,
            amount_fen=fen_of(form.amount_yuan),
            document=form.document,
            received_on=form.received_on,
            now=now,
        )
        return "fund.recorded"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/donations", opt=allow(*KEEPERS), include_in_schema=False)
async def donate(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take a donation in."""

    async def act() -> str:
        form = await form_of(request, DonationForm)
        await record_donation(
            session,
            actor=actor,
            donor=form.donor,
            is_named=form.is_named,
            amount_fen=fen_of(form.donation_yuan),
            document=form.receipt,
            received_on=form.donated_on,
            now=now,
        )
        return "fund.donated"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/{{income_id:uuid}}/agree", opt=allow(*DECIDERS), include_in_schema=False)
async def agree(
    request: AnyRequest,
    income_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree to what somebody else recorded."""

    async def act() -> str:
        await agree_to_income(session, actor=actor, income_id=income_id, now=now)
        return "fund.income_posted"

    return await _act(request, session, actor, now, act)


@post(f"{PAGE}/{{income_id:uuid}}/refuse", opt=allow(*DECIDERS, *KEEPERS), include_in_schema=False)
async def refuse(
    request: AnyRequest,
    income_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say no, or take one's own record back."""

    async def act() -> str:
        await refuse_income(session, actor=actor, income_id=income_id, now=now)
        return "fund.income_refused"

    return await _act(request, session, actor, now, act)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Money that waits for this person's agreement."""
    del now
    if not actor.has(*DECIDERS):
        return []
    return [
        InboxRow(f"fund_{view.kind.value}", view.document, "", view.recorded_at, PAGE)
        for view in await waiting_income(session, actor.community_id)
        if view.recorded_by != actor.member_id
    ]


HANDLERS = [money_page, money_csv, pay_in, donate, agree, refuse]
