"""One voucher on the desk: its life so far, stopping it and letting it go, and what a second person is asked for."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import RequestState, VoucherState
from service.identity import people_by_ids
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import keeping
from service.vouchers.payloads import ReasonForm, StepForm
from service.vouchers.rules import RequestNotFound

AnyRequest = Request[Any, Any, Any]
KEEPERS = allow(Role.STAFF)
SECONDS = allow(Role.STAFF, Role.APPROVER)
TEMPLATE = "vouchers/desk_voucher.html"
CLOSED = (VoucherState.USED, VoucherState.CANCELLED, VoucherState.EXPIRED, VoucherState.VOID)


async def _shown(session: AsyncSession, actor: Actor, voucher_id: int) -> dict[str, Any]:
    voucher = await keeping.found(session, actor.community_id, voucher_id)
    story = await redemption.history(session, actor.community_id, voucher_id)
    asked = await redemption.requests(session, actor.community_id, voucher_id=voucher_id)
    named = {line.actor_id for line in story} | {line.second_id for line in story}
    named |= {each.proposed_by for each in asked} | {each.decided_by for each in asked} | {voucher.member_id}
    people = await people_by_ids(session, actor.community_id, named - {None})
    return {
        "title": voucher.title,
        "voucher": voucher,
        "state": voucher.state.value.lower(),
        "is_open": voucher.state not in CLOSED,
        "is_frozen": voucher.state is VoucherState.FROZEN,
        "holder": people.get(voucher.member_id),
        "people": people,
        "story": [_line(line, people) for line in story],
        "waiting": [each for each in asked if each.state is RequestState.PROPOSED],
        "decided": [each for each in asked if each.state is not RequestState.PROPOSED],
        "may_keep": actor.has(Role.STAFF) and voucher.member_id != actor.member_id,
        "me": actor.member_id,
    }


def _line(line: redemption.VoucherEvent, people: Any) -> dict[str, object]:
    """One line of the history in words."""
    names = [people[who].name for who in (line.actor_id, line.second_id) if who in people]
    quantity = " " + _("{count} 份").format(count=line.quantity) if line.quantity else ""
    return {
        "label": translate(f"voucher.action.{line.action}") + quantity,
        "at": line.at,
        "who": _("、").join(names) or _("系统"),
        "note": line.reason if line.action in ("freeze", "unfreeze", "void", "extend", "reverse", "refund") else None,
    }


@get("/desk/vouchers/{voucher_id:int}", opt=SECONDS, include_in_schema=False)
async def voucher_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """A voucher's life, and what can be done about it. The look is logged."""
    shown = await _shown(session, actor, voucher_id)
    member_id = shown["voucher"].member_id
    audit.record(session, actor, "vouchers.looked_up", kind="member", id=member_id, now=now, on_behalf_of=member_id)
    return page(request, TEMPLATE, **shown)


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    voucher_id: int,
    act: Callable[[str], Awaitable[str]],
) -> Redirect:
    key = str((await request.form()).get("_key") or "")
    with refill(request, TEMPLATE, **await _shown(session, actor, voucher_id)):

        async def work() -> str:
            return f"/desk/vouchers/{voucher_id}?done={await act(key)}"

        return await once_page(request, session, actor, now, work)


@post("/desk/vouchers/{voucher_id:int}/freeze", opt=KEEPERS, include_in_schema=False)
async def freeze(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Stop it at once."""

    async def act(key: str) -> str:
        form = await form_of(request, ReasonForm)
        await keeping.freeze(session, actor=actor, voucher_id=voucher_id, reason=form.reason, key=key, now=now)
        return "vouchers.frozen"

    return await _act(request, session, actor, now, voucher_id, act)


@post("/desk/vouchers/{voucher_id:int}/unfreeze", opt=KEEPERS, include_in_schema=False)
async def unfreeze(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Let it go."""

    async def act(key: str) -> str:
        form = await form_of(request, ReasonForm)
        await keeping.unfreeze(session, actor=actor, voucher_id=voucher_id, reason=form.reason, key=key, now=now)
        return "vouchers.unfrozen"

    return await _act(request, session, actor, now, voucher_id, act)


@post("/desk/vouchers/{voucher_id:int}/requests", opt=KEEPERS, include_in_schema=False)
async def propose(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask a second person to call it back, or to give it more days."""

    async def act(key: str) -> str:
        form = await form_of(request, StepForm)
        await keeping.propose(
            session,
            actor=actor,
            voucher_id=voucher_id,
            step=form.step,
            last_day=form.last_day,
            reason=form.reason,
            key=key,
            now=now,
        )
        return "vouchers.step_proposed"

    return await _act(request, session, actor, now, voucher_id, act)


async def _decide(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, request_id: UUID, *, is_agreed: bool
) -> Redirect:
    voucher_id = await redemption.request_voucher(session, actor.community_id, request_id)
    if voucher_id is None:
        raise RequestNotFound

    async def act(_key: str) -> str:
        await keeping.decide(session, actor=actor, request_id=request_id, is_agreed=is_agreed, now=now)
        return "vouchers.step_done" if is_agreed else "vouchers.step_refused"

    return await _act(request, session, actor, now, voucher_id, act)


@post("/desk/voucher-requests/{request_id:uuid}/confirm", opt=SECONDS, include_in_schema=False)
async def agree(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Do what was proposed, as the second person."""
    return await _decide(request, session, actor, now, request_id, is_agreed=True)


@post("/desk/voucher-requests/{request_id:uuid}/refuse", opt=SECONDS, include_in_schema=False)
async def refuse(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Leave it, or take it back."""
    return await _decide(request, session, actor, now, request_id, is_agreed=False)
