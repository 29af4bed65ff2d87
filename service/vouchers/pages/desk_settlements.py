"""What shops are owed: close, approve by a second person, pay, print, export."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import SettlementState
from service.communities import organisations_by_ids, setting
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import settling
from service.vouchers.browser import settlement_cursor, settlement_mark
from service.vouchers.payloads import CloseForm, TakeForm
from service.vouchers.queries.office import all_lines, three_sums, waiting
from service.vouchers.rules import yuan_in_words
from service.vouchers.statement_files import statement_file
from service.vouchers.terms import settled_until

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)
STATES = (
    SettlementState.CLOSED,
    SettlementState.CONFIRMED,
    SettlementState.APPROVED,
    SettlementState.PART_PAID,
    SettlementState.PAID,
)


async def _overview(
    session: AsyncSession, actor: Actor, now: datetime, state: SettlementState | None, after: str | None
) -> dict[str, Any]:
    found = await redemption.settlements(session, actor.community_id, state=state, before=settlement_mark(after))
    running = await redemption.open_batches(session, actor.community_id, received_until=now)
    named = {batch.merchant_id for batch in found.settlements} | set(running)
    counts = await waiting(session, actor.community_id)
    number: Mapping[SettlementState, int | None] = {
        SettlementState.CLOSED: counts.closed,
        SettlementState.CONFIRMED: counts.confirmed,
        SettlementState.APPROVED: counts.approved,
        SettlementState.PART_PAID: counts.part_paid,
        SettlementState.PAID: None,
    }
    query = f"view={state.value.lower()}&" if state else ""
    cursor = settlement_cursor(found.next)
    return {
        "title": _("结算"),
        "views": [{"label": _("全部"), "url": "/desk/settlements", "current": state is None}]
        + [
            {
                "label": translate(f"state.settlement.{each.value.lower()}"),
                "url": f"/desk/settlements?view={each.value.lower()}",
                "current": each is state,
                "count": number[each],
            }
            for each in STATES
        ],
        "statements": found.settlements,
        "places": await organisations_by_ids(session, actor.community_id, named),
        "running": sorted(running.items()),
        "yesterday": (local_day(now) - timedelta(days=1)).isoformat(),
        "may_close": actor.has(Role.FINANCE),
        "next_url": f"/desk/settlements?{query}after={cursor}" if cursor else None,
        "first_url": f"/desk/settlements?{query}" if after else None,
        "results": [],
    }


@get("/desk/settlements", opt=READERS, include_in_schema=False)
async def settlements_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    view: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
    closed: FromQuery[str | None] = None,
) -> Template:
    """What waits, what runs, and every statement."""
    known = {each.value.lower(): each for each in STATES}
    shown = await _overview(session, actor, now, known.get(view or ""), after)
    shown["results"] = _results(closed)
    return page(request, "vouchers/desk_settlements.html", **shown)


def _results(text: str | None) -> list[str]:
    """What the last closing came to, in sentences."""
    sentences = []
    for part in (text or "").split(","):
        code, _colon, count = part.partition(":")
        if count.isdecimal() and code.replace("_", "").replace(".", "").isalpha():
            if code == "done" and not int(count):
                sentences.append(_("没有可以结的：到那天为止，能结的都结过了；还能撤销的留到下一次。"))
                continue
            sentence = _("结好了") if code == "done" else translate(f"refusal.{code}")
            sentences.append(_("{count} 家：{sentence}").format(count=count, sentence=sentence))
    return sentences


@post("/desk/settlements/close", opt=allow(Role.FINANCE), include_in_schema=False)
async def close(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Close a period for one shop or for all, and say how many came to what."""
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/desk_settlements.html", **await _overview(session, actor, now, None, None)):
        form = await form_of(request, CloseForm)
        minutes = await setting(session, actor.community_id, "voucher_reverse_minutes", local_day(now))
        until = settled_until(form.until, now, undo_minutes=minutes)

        async def work() -> str:
            closed = await settling.close_period(
                session, actor=actor, until=until, merchant_id=form.shop, key=key, now=now
            )
            counts: dict[str, int] = {}
            for item in closed:
                counts[item.refused or "done"] = counts.get(item.refused or "done", 0) + 1
            said = ",".join(f"{code}:{count}" for code, count in sorted(counts.items())) or "done:0"
            return f"/desk/settlements?closed={said}"

        return await once_page(request, session, actor, now, work)


async def statement_shown(session: AsyncSession, actor: Actor, settlement_id: UUID) -> dict[str, Any]:
    """What the page of a statement shows."""
    found = await settling.found(session, actor.community_id, settlement_id)
    places = await organisations_by_ids(session, actor.community_id, {found.merchant_id})
    paid = await redemption.payments(session, actor.community_id, settlement_id)
    invoiced = await redemption.invoices(session, actor.community_id, settlement_id)
    hands = {found.closed_by, found.confirmed_by, found.approved_by, found.paid_by}
    hands |= {who for each in paid for who in (each.paid_by, each.returned_by)} | {each.noted_by for each in invoiced}
    people = await people_by_ids(session, actor.community_id, hands)
    shop = places[found.merchant_id].name
    return {
        "title": _("{shop} 第 {number} 期").format(shop=shop, number=found.number),
        "shop": shop,
        "statement": found,
        "people": people,
        "lines": await all_lines(session, actor.community_id, settlement_id),
        "sums": await three_sums(session, actor.community_id, settlement_id),
        "words": yuan_in_words(found.due_fen),
        "may_approve": actor.has(Role.FINANCE, Role.APPROVER) and found.closed_by != actor.member_id,
        "payments": paid,
        "invoices": invoiced,
        "may_pay": actor.has(Role.FINANCE) and found.approved_by != actor.member_id,
        "may_note": actor.has(Role.FINANCE),
    }


@get("/desk/settlements/{settlement_id:uuid}", opt=READERS, include_in_schema=False)
async def statement_page(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One statement: its lines, the three sums, the people, the next step."""
    return page(request, "vouchers/desk_settlement.html", **await statement_shown(session, actor, settlement_id))


@get("/desk/settlements/{settlement_id:uuid}/print", opt=READERS, include_in_schema=False)
async def print_page(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """The statement on A4, with the amount in words and room for signatures."""
    return page(request, "vouchers/desk_statement_print.html", **await statement_shown(session, actor, settlement_id))


@post("/desk/settlements/{settlement_id:uuid}/approve", opt=allow(Role.FINANCE, Role.APPROVER), include_in_schema=False)
async def approve(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The second person lets it be paid."""
    with refill(request, "vouchers/desk_settlement.html", **await statement_shown(session, actor, settlement_id)):
        await form_of(request, TakeForm)

        async def work() -> str:
            await settling.approve(session, actor=actor, settlement_id=settlement_id, now=now)
            return f"/desk/settlements/{settlement_id}?done=vouchers.approved"

        return await once_page(request, session, actor, now, work)


@get("/desk/settlements/{settlement_id:uuid}/files/{kind:str}", opt=READERS, include_in_schema=False)
async def export(
    settlement_id: FromPath[UUID],
    kind: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Response[bytes]:
    """The statement as CSV, as a workbook or on paper."""
    found = await settling.found(session, actor.community_id, settlement_id)
    return await statement_file(session, actor.community_id, found, kind)
