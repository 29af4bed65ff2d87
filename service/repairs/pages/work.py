"""The repairer's pages: my jobs, take or decline, the one big button that changes, done with a photo, the resident's code."""

from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import organisations_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.db import sessions_of_app, transaction
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.photos import BODY_BYTES_MAX
from service.repairs import actions
from service.repairs.pages.shared import AnyRequest, context, drawn, step
from service.repairs.payloads import CodeForm, DeclineForm, FinishForm, Nothing, PinForm
from service.repairs.queries import orders as queries
from service.repairs.rules import NotYourJob, RepairInOtherState, RepairState, Step
from service.repairs.view import listed

WORKERS = allow(Role.REPAIRER)
AT_THE_DOOR = (
    RepairState.TAKEN,
    RepairState.QUOTED,
    RepairState.AGREED,
    RepairState.ON_WAY,
    RepairState.ON_SITE,
    RepairState.DONE,
)
"""While there is something to do at the resident's."""


@get("/repairs/jobs", opt=WORKERS, include_in_schema=False)
async def jobs(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """What was given to me and is not over, urgent first."""
    found = await queries.orders(session, actor.community_id, repairer_id=actor.member_id, is_open=True)
    return page(request, "repairs/jobs.html", title=_("我的维修单"), repairs=await listed(session, actor, found))


@post("/repairs/{order_id:uuid}/take", opt=WORKERS, include_in_schema=False)
async def take(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """I go."""

    async def act(_form: Nothing) -> None:
        await actions.take(session, actor=actor, order_id=order_id, now=now)

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.taken")


@post("/repairs/{order_id:uuid}/decline", opt=WORKERS, include_in_schema=False)
async def decline(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """I cannot, and why. The order is not mine to see any more, so the way leads to my jobs."""

    async def act(form: DeclineForm) -> None:
        await actions.decline(session, actor=actor, order_id=order_id, reason=form.reason, now=now)

    return await step(request, session, actor, order_id, now, DeclineForm, act, "repairs.declined", to="/repairs/jobs")


@post("/repairs/{order_id:uuid}/go", opt=WORKERS, include_in_schema=False)
async def set_out(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """On the way."""

    async def act(_form: Nothing) -> None:
        await actions.move_on(session, actor=actor, order_id=order_id, step=Step.GO, now=now)

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.gone")


@post("/repairs/{order_id:uuid}/arrive", opt=WORKERS, include_in_schema=False)
async def arrive(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """On site."""

    async def act(_form: Nothing) -> None:
        await actions.move_on(session, actor=actor, order_id=order_id, step=Step.ARRIVE, now=now)

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.arrived")


@post("/repairs/{order_id:uuid}/finish", opt=WORKERS, include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def finish(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Done: how long it took, and a photo or why there is none."""
    picture = await drawn(request)

    async def act(form: FinishForm) -> None:
        await actions.move_on(
            session,
            actor=actor,
            order_id=order_id,
            step=Step.FINISH,
            minutes=form.minutes,
            note=form.note,
            photo=picture.photo,
            now=now,
        )

    return await step(request, session, actor, order_id, now, FinishForm, act, "repairs.finished", picture=picture)


@get("/repairs/{order_id:uuid}/accept", opt=WORKERS, include_in_schema=False)
async def scan(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The camera for the resident's code, and a field to type what stands below it."""
    return page(request, "repairs/scan.html", **await _scanning(request, session, actor, order_id, now))


async def _scanning(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, now: datetime
) -> dict[str, Any]:
    return {**await context(request, session, actor, order_id, now), "title": _("扫居民的验收码或会员卡")}


@post("/repairs/{order_id:uuid}/accept", opt=WORKERS, include_in_schema=False)
async def accept(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The resident's code: done, paid and recorded. The same press again is the same scan. A card asks for its PIN first."""
    with refill(request, "repairs/scan.html", **await _scanning(request, session, actor, order_id, now)):
        form = await form_of(request, CodeForm)
        if await actions.names_a_card(session, actor, form.code, now):
            await actions.card_at_door(session, actor=actor, order_id=order_id, text=form.code, now=now)
            return Redirect(f"/repairs/{order_id}/cards/{quote(form.code.strip().rpartition('/')[2])}", status_code=303)

        async def work() -> str:
            await actions.accept(
                session,
                actor=actor,
                order_id=order_id,
                code=form.code,
                nonce=form.nonce,
                device_id=actor.session_id,
                now=now,
            )
            return f"/repairs/{order_id}?done=repairs.accepted"

        return await once_page(request, session, actor, now, work)


@get("/repairs/{order_id:uuid}/cards/{code:str}", opt=WORKERS, include_in_schema=False)
async def card_page(
    request: AnyRequest,
    order_id: FromPath[UUID],
    code: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template | Redirect:
    """The resident's card was shown: the phone is handed over for the PIN."""
    shown = await _carded(request, session, actor, order_id, code, now)
    if shown["card"] is None:
        return Redirect(f"/repairs/{order_id}", status_code=303)
    return page(request, "repairs/pin.html", **shown)


async def _carded(
    request: AnyRequest, session: AsyncSession, actor: Actor, order_id: UUID, code: str, now: datetime
) -> dict[str, Any]:
    card = await actions.card_at_door(session, actor=actor, order_id=order_id, text=code, now=now)
    shown = await context(request, session, actor, order_id, now)
    return {**shown, "title": _("居民按口令"), "card": card, "code": code}


@post("/repairs/{order_id:uuid}/cards/{code:str}", opt=WORKERS, include_in_schema=False)
async def accept_by_card(
    request: AnyRequest,
    order_id: FromPath[UUID],
    code: FromPath[str],
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The resident typed the PIN: the same acceptance as by the code. Pressed twice, the second finds it done.

    The form's key is not kept: with it a hash of the PIN would be.
    """
    sessions = sessions_of_app(state)
    async with transaction(sessions) as session:
        shown = await _carded(request, session, actor, order_id, code, now)
    with refill(request, "repairs/pin.html", **shown):
        form = await form_of(request, PinForm)
        card = await actions.prove(sessions, actor=actor, order_id=order_id, text=code, pin=form.pin, now=now)
        async with transaction(sessions) as session:
            await actions.accept_by_card(session, actor=actor, order_id=order_id, card=card, now=now)
    return Redirect(f"/repairs/{order_id}?done=repairs.accepted", status_code=303)


@get("/repairs/{order_id:uuid}/badge", opt=WORKERS, include_in_schema=False)
async def badge(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """A sheet to show at the door: who comes from which team for which order. It names no resident."""
    shown = await context(request, session, actor, order_id, now)
    if not shown["is_my_job"]:
        raise NotYourJob
    order = await queries.order_for(session, actor, order_id)
    if order.state not in AT_THE_DOOR:
        raise RepairInOtherState(RepairState(order.state))
    team = (
        await organisations_by_ids(session, actor.community_id, {order.team_id} if order.team_id else set())
    ).values()
    return page(
        request,
        "repairs/badge.html",
        **{**shown, "title": _("上门证")},
        team=next(iter(team), None),
        card_no=actor.card_no,
        name=actor.name,
        today=local_day(now),
    )


HANDLERS = [jobs, take, decline, set_out, arrive, finish, scan, accept, card_page, accept_by_card, badge]
