"""The pages of the second factor: one's own in two steps, the question for a code, and the desk's list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import actions_factor as factors
from service.identity import actions_removal as removals
from service.identity.actions_sessions import Entrance
from service.identity.asking import ASKED, asked_page, kept_fields
from service.identity.browsers import renewed_cookies
from service.identity.payloads_factor import CodeForm, PinForm, RemovalForm
from service.identity.queries import people_by_ids
from service.identity.queries_factor import office_factors, own_factor, waiting_removals
from service.identity.rules_factor import ENROL_MINUTES, KEEPERS, RemovalReason
from service.kit.access import OFFICE, Actor, Role, allow
from service.kit.clock import Clock
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app, transaction
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, go, page, refill, safe_path
from service.kit.words import masked_name

AnyRequest = Request[Any, Any, Any]
OFFICERS = allow(*OFFICE)
OWN, DESK = "/me/second-factor", "/desk/second-factors"
OWN_PAGE = "identity/factor.html"


def _now(state: State) -> datetime:
    return cast("Clock", state.clock)()


async def _own(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    return {"title": _("验证码"), "factor": await own_factor(session, actor, now)}


@get(OWN, opt=OFFICERS, include_in_schema=False)
async def factor_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What it is for, and how one stands."""
    return page(request, OWN_PAGE, **await _own(session, actor, now))


@post(f"{OWN}/begin", opt=OFFICERS, include_in_schema=False, status_code=200)
async def begin(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Template:
    """The code to scan, once. Answered without a redirect on purpose: no address shows a secret."""
    now = _now(state)
    async with transaction(sessions_of_app(state)) as session:
        shown = await _own(session, actor, now)
    with refill(request, OWN_PAGE, **shown):
        form = await form_of(request, PinForm)
        enrolment = await factors.start_enrolment(
            sessions_of_app(state), cast("Keyring", state.keyring), actor=actor, secret=form.secret, now=now
        )
    return page(
        request,
        "identity/factor_begin.html",
        title=_("登记验证器"),
        qr=redemption.qr_svg(enrolment.uri, title=_("验证器的二维码")),
        secret=redemption.in_groups(enrolment.secret),
        minutes=ENROL_MINUTES,
    )


@post(f"{OWN}/confirm", opt=OFFICERS, include_in_schema=False, status_code=200)
async def confirm(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Template:
    """The first code of the authenticator; then the recovery codes, once."""
    again = {"title": _("登记验证器"), "qr": "", "secret": "", "minutes": ENROL_MINUTES}
    now = _now(state)
    with refill(request, "identity/factor_begin.html", **again):
        form = await form_of(request, CodeForm)
        entrance, codes = await factors.confirm_enrolment(sessions_of_app(state), actor=actor, code=form.code, now=now)
    return _codes_page(request, state, actor, entrance, codes, now)


@post(f"{OWN}/recovery-codes", opt=OFFICERS, include_in_schema=False, status_code=200)
async def new_codes(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Template:
    """Ten other recovery codes, once."""
    now = _now(state)
    async with transaction(sessions_of_app(state)) as session:
        shown = await _own(session, actor, now)
    with refill(request, OWN_PAGE, **shown):
        form = await form_of(request, CodeForm)
        entrance, codes = await factors.new_recovery_codes(sessions_of_app(state), actor=actor, code=form.code, now=now)
    return _codes_page(request, state, actor, entrance, codes, now)


def _codes_page(
    request: AnyRequest, state: State, actor: Actor, entrance: Entrance, codes: Sequence[str], now: datetime
) -> Template:
    shown = page(
        request,
        "identity/recovery_codes.html",
        title=_("应急码"),
        codes=codes,
        who=masked_name(actor.name),
        card_no=actor.card_no,
        back=OWN,
        now=now,
    )
    return _with_cookies(shown, state, entrance, now)


def _with_cookies(shown: Template, state: State, entrance: Entrance, now: datetime) -> Template:
    for cookie in renewed_cookies(state, entrance, now):
        shown.set_cookie(cookie)
    return shown


@post(f"{OWN}/proof", opt=OFFICERS, include_in_schema=False, status_code=200)
async def prove(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Template | Redirect:
    """Take a code; an act that was stopped for it waits on the next page, as it was typed."""
    raw = await request.form()
    url, kept = safe_path(str(raw.get("url") or OWN), OWN), str(raw.get("kept") or "")
    now = _now(state)
    with refill(request, ASKED, **asked_page(url, kept, is_whole=raw.get("whole") != "0")):
        form = await form_of(request, CodeForm)
        entrance = await factors.prove(sessions_of_app(state), actor=actor, code=form.code, now=now)
    if not kept:
        path = f"{url}?done=code_given" if url == OWN else url
        return Redirect(path, status_code=303, cookies=renewed_cookies(state, entrance, now))
    shown = page(
        request,
        "identity/proven.html",
        title=_("验证过了"),
        url=url,
        fields=kept_fields(kept),
        is_whole=raw.get("whole") != "0",
        in_office=url.startswith("/desk"),
    )
    return _with_cookies(shown, state, entrance, now)


@post(f"{OWN}/end", opt=OFFICERS, include_in_schema=False)
async def give_up(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Redirect:
    """End one's own, with a code of it: a new phone is enrolled next."""
    now = _now(state)
    async with transaction(sessions_of_app(state)) as session:
        shown = await _own(session, actor, now)
    with refill(request, OWN_PAGE, **shown):
        form = await form_of(request, CodeForm)
        await factors.give_up(sessions_of_app(state), actor=actor, code=form.code, now=now)
    return go(OWN, "factor_ended")


async def _desk(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "title": _("验证码"),
        "found": await office_factors(session, actor.community_id, now),
        "reasons": [(reason.value, translate(f"removal_reason.{reason.value}")) for reason in RemovalReason],
        "may_keep": actor.has(*KEEPERS),
        "may_set": actor.has(Role.ADMIN),
    }


@get(DESK, opt=OFFICERS, include_in_schema=False)
async def desk_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Whether a second factor is asked of the office, who has one, and what waits for a second person."""
    return page(request, "identity/desk_factors.html", **await _desk(session, actor, now))


@post(f"{DESK}/{{member_id:uuid}}/removals", opt=allow(*KEEPERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask for somebody's to be taken away."""
    with refill(request, "identity/desk_factors.html", **await _desk(session, actor, now)):
        form = await form_of(request, RemovalForm)

        async def work() -> str:
            await removals.propose_removal(session, actor=actor, member_id=member_id, reason=form.reason, now=now)
            return f"{DESK}?done=removal_proposed"

        return await once_page(request, session, actor, now, work)


@post(f"{DESK}/removals/{{removal_id:uuid}}/agree", opt=allow(*KEEPERS), include_in_schema=False)
async def agree(
    request: AnyRequest,
    removal_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take it away."""
    with refill(request, "identity/desk_factors.html", **await _desk(session, actor, now)):

        async def work() -> str:
            await removals.agree_removal(session, actor=actor, removal_id=removal_id, now=now)
            return f"{DESK}?done=removal_agreed"

        return await once_page(request, session, actor, now, work)


@post(f"{DESK}/removals/{{removal_id:uuid}}/refuse", opt=OFFICERS, include_in_schema=False)
async def refuse(
    request: AnyRequest,
    removal_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Leave it as it is."""
    with refill(request, "identity/desk_factors.html", **await _desk(session, actor, now)):

        async def work() -> str:
            await removals.refuse_removal(session, actor=actor, removal_id=removal_id, now=now)
            return f"{DESK}?done=removal_refused"

        return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """What waits for a second person who is neither whose it is nor who asked."""
    del now
    if not actor.has(*KEEPERS):
        return []
    waiting = await waiting_removals(session, actor.community_id)
    mine = [one for one in waiting if actor.member_id not in (one.member_id, one.proposed_by)]
    people = await people_by_ids(session, actor.community_id, {one.proposed_by for one in mine})
    return [
        InboxRow("factor_removal", _("收回验证器"), people[one.proposed_by].masked, one.proposed_at, DESK)
        for one in mine
    ]


HANDLERS = [
    factor_page,
    begin,
    confirm,
    new_codes,
    prove,
    give_up,
    desk_page,
    propose,
    agree,
    refuse,
]
