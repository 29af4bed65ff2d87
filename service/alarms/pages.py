"""The queue, the calls, shops' hours."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import AlarmRule, AlarmState
from service.alarms import actions, queries
from service.alarms.payloads import CallIn, HoursIn, Reason, told
from service.alarms.rules import (
    CALL_READERS,
    CALLERS,
    DAYS,
    DECIDERS,
    READERS,
    CallState,
    ShopNotFound,
    use_name,
    uses_of,
    written,
)
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.export import csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/alarms"
CALLS = "/desk/alarms/calls"
HOURS = "/shop/hours"


class DecideForm(msgspec.Struct):
    """Which uses, and why."""

    reason: Reason
    ids: list[str] = []


async def _listed(
    session: AsyncSession,
    actor: Actor,
    rule: AlarmRule | None = None,
    shop: UUID | None = None,
    after: str | None = None,
    *,
    decided: bool = False,
) -> dict[str, Any]:
    found = await queries.alarms(
        session, actor, state=None if decided else AlarmState.OPEN, rule=rule, shop_id=shop, after=after
    )

    def url(chosen: AlarmRule | None, *, is_decided: bool = decided, at: str | None = None, base: str = PAGE) -> str:
        asked = {
            "rule": chosen.value if chosen else None,
            "shop": shop,
            "decided": "true" if is_decided else None,
            "after": at,
        }
        kept = {key: value for key, value in asked.items() if value is not None}
        return f"{base}?{urlencode(kept)}" if kept else base

    return {
        "title": _("先看再结"),
        "rows": [(view, use_name(view.alarm.voucher_id, view.alarm.use_seq), told(view.alarm)) for view in found.rows],
        "decided": decided,
        "views": [
            {"label": _("等人看"), "url": url(rule, is_decided=False), "current": not decided},
            {"label": _("全部"), "url": url(rule, is_decided=True), "current": decided},
        ],
        "chips": [{"label": _("所有规则"), "url": url(None), "current": rule is None}]
        + [
            {"label": translate(f"alarm_rule.{each.value}"), "url": url(each), "current": rule is each}
            for each in AlarmRule
        ],
        "here": url(rule),
        "csv_url": url(rule, base=f"{PAGE}.csv"),
        "may_decide": actor.has(*DECIDERS) and not decided,
        "next_url": url(rule, at=found.next) if found.next else None,
        "first_url": url(rule) if after else None,
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def alarms_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    rule: FromQuery[AlarmRule | None] = None,
    shop: FromQuery[UUID | None] = None,
    decided: FromQuery[bool | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What is kept out of the batches until somebody has looked."""
    return page(
        request, "alarms/alarms.html", **await _listed(session, actor, rule, shop, after, decided=bool(decided))
    )


@get(f"{PAGE}.csv", opt=allow(*READERS), include_in_schema=False)
async def alarms_csv(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    rule: FromQuery[AlarmRule | None] = None,
    shop: FromQuery[UUID | None] = None,
    decided: FromQuery[bool | None] = None,
) -> Response[bytes]:
    """The same rows as a file; members' names stay in the house."""
    found = await queries.alarms(
        session, actor, state=None if decided else AlarmState.OPEN, rule=rule, shop_id=shop, limit=5000
    )
    audit.record(session, actor, "alarms.taken_out", kind="community", id=actor.community_id, now=now)
    header = [_("核销时间"), _("店"), _("兑换项目"), _("为什么"), _("应付（分）"), _("状态"), _("原因")]
    rows = [
        (
            view.alarm.received_at,
            view.shop,
            view.alarm.title,
            told(view.alarm),
            view.alarm.payable_fen,
            translate(f"alarm_state.{view.alarm.state.value}"),
            view.alarm.reason or "",
        )
        for view in found.rows
    ]
    return csv_answer(f"{_('先看再结')}-{local_day(now).isoformat()}", csv_bytes(header, rows))


async def _decide(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, *, is_cleared: bool
) -> Redirect:
    with refill(request, "alarms/alarms.html", **await _listed(session, actor)):
        form = await form_of(request, DecideForm)
        uses = uses_of(form.ids)

        async def work() -> str:
            await actions.decide(session, actor=actor, uses=uses, is_cleared=is_cleared, reason=form.reason, now=now)
            return f"{PAGE}?done=alarms.{'cleared' if is_cleared else 'disputed'}"

        return await once_page(request, session, actor, now, work)


@post(f"{PAGE}/clear", opt=allow(*DECIDERS), include_in_schema=False)
async def clear(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Let the picked uses through."""
    return await _decide(request, session, actor, now, is_cleared=True)


@post(f"{PAGE}/dispute", opt=allow(*DECIDERS), include_in_schema=False)
async def dispute(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Send the picked uses into the next statement as lines in dispute."""
    return await _decide(request, session, actor, now, is_cleared=False)


async def _calls(session: AsyncSession, actor: Actor, state: CallState) -> dict[str, Any]:
    return {
        "title": _("随机回访"),
        "calls": [
            (view, use_name(view.voucher_id, view.use_seq))
            for view in await queries.calls(session, actor.community_id, state=state)
        ],
        "state": state,
        "chips": [
            {
                "label": translate(f"call_state.{each.value}"),
                "url": f"{CALLS}?outcome={each.value}",
                "current": each is state,
            }
            for each in CallState
        ],
        "outcomes": [
            (each.value, translate(f"call_state.{each.value}")) for each in CallState if each is not CallState.WAITING
        ],
        "may_call": actor.has(*CALLERS) and state is CallState.WAITING,
        "me": actor.member_id,
        "opened": None,
        "phone": None,
    }


@get(CALLS, opt=allow(*CALL_READERS), include_in_schema=False)
async def calls_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    outcome: FromQuery[CallState] = CallState.WAITING,
) -> Template:
    """Members to call about a use that was drawn by lot."""
    return page(request, "alarms/calls.html", **await _calls(session, actor, outcome))


@post(CALLS + "/{use:str}/phone", opt=allow(*CALLERS), include_in_schema=False, status_code=200)
async def phone(
    request: AnyRequest,
    use: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The list with one number opened; that somebody looked is written down."""
    shown = await _calls(session, actor, CallState.WAITING)
    with refill(request, "alarms/calls.html", **shown):
        [(voucher_id, seq)] = uses_of([use])
        number = await actions.phone_of(session, actor=actor, voucher_id=voucher_id, use_seq=seq, now=now)
    return page(request, "alarms/calls.html", **{**shown, "opened": use, "phone": number})


@post(CALLS + "/{use:str}", opt=allow(*CALLERS), include_in_schema=False)
async def note_call(
    request: AnyRequest,
    use: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """What came of a call."""
    with refill(request, "alarms/calls.html", **await _calls(session, actor, CallState.WAITING)):
        form = await form_of(request, CallIn)
        [(voucher_id, seq)] = uses_of([use])

        async def work() -> str:
            await actions.note_call(
                session, actor=actor, voucher_id=voucher_id, use_seq=seq, state=form.state, note=form.note, now=now
            )
            return f"{CALLS}?done=alarms.called"

        return await once_page(request, session, actor, now, work)


@get(f"{PAGE}/hours", opt=allow(*READERS), include_in_schema=False)
async def openings_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """When every shop is open."""
    return page(
        request,
        "alarms/openings.html",
        title=_("营业时间"),
        shops=await queries.openings(session, actor.community_id, local_day(now)),
        days=_days(),
        written=written,
    )


def _days() -> list[tuple[int, str, str]]:
    return [(number, name, translate(f"weekday.{name}")) for number, name in enumerate(DAYS, 1)]


async def _own(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    today = local_day(now)
    owned = {shop.organisation_id for shop in await queries.own_shops(session, actor, today)}
    shops = [
        (shop, own)
        for shop, own in await queries.openings(session, actor.community_id, today)
        if shop.organisation_id in owned
    ]
    return {
        "title": _("营业时间"),
        "shops": shops,
        "days": _days(),
        "written": written,
        "tomorrow": (today + timedelta(days=1)).isoformat(),
    }


@get(HOURS, opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def hours_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The owner's shops and their hours."""
    return page(request, "alarms/hours.html", **await _own(session, actor, now))


@post(HOURS + "/{shop_id:uuid}", opt=allow(Role.MERCHANT_OWNER), include_in_schema=False)
async def set_hours(
    request: AnyRequest,
    shop_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """A shop's own hours from a day on."""
    shown = await _own(session, actor, now)
    if shop_id not in {shop.organisation_id for shop, _own_hours in shown["shops"]}:
        raise ShopNotFound
    with refill(request, "alarms/hours.html", **shown):
        form = await form_of(request, HoursIn)
        hours = form.hours()

        async def work() -> str:
            await actions.set_hours(
                session, actor=actor, shop_id=shop_id, hours=hours, effective_from=form.effective_from, now=now
            )
            return f"{HOURS}?done=alarms.hours_set"

        return await once_page(request, session, actor, now, work)


HANDLERS = [
    alarms_page,
    alarms_csv,
    clear,
    dispute,
    calls_page,
    phone,
    note_call,
    openings_page,
    hours_page,
    set_hours,
]
