"""The resident's pages: say what is broken, see how it goes, agree to a price, show the code, claim the warranty."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.photos import ACCEPT, BODY_BYTES_MAX
from service.kit.refusals import Invalid
from service.repairs import actions
from service.repairs.pages.shared import TEMPLATE, AnyRequest, context, drawn, step, trades
from service.repairs.payloads import AgreeForm, NoteIn, Nothing, ReasonForm, ReportForm
from service.repairs.queries import orders as queries
from service.repairs.rules import Moment, RepairState
from service.repairs.view import listed, photo_answer

ASKERS = allow(Role.RESIDENT, Role.STAFF, Role.STEWARD, Role.VOLUNTEER)


@get("/repairs", opt=SIGNED_IN, include_in_schema=False)
async def mine(request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> Template:
    """What I reported, or somebody for me."""
    found = await listed(session, actor, await queries.orders(session, actor.community_id, asked_by=actor.member_id))
    return page(
        request,
        "repairs/mine.html",
        title=_("我的报修"),
        repairs=found,
        may_report=actor.has(Role.RESIDENT, Role.STAFF, Role.STEWARD, Role.VOLUNTEER),
        is_repairer=actor.has(Role.REPAIRER),
    )


def _form() -> dict[str, Any]:
    return {"title": _("报修"), "trades": trades(), "accept": ACCEPT}


@get("/repairs/new", opt=ASKERS, include_in_schema=False)
async def new(request: AnyRequest) -> Template:
    """What is broken, of which kind, with a photo where one helps."""
    return page(request, "repairs/new.html", **_form())


@post("/repairs", opt=ASKERS, include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def report(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Something is broken at my place; pressed twice, it is one order."""
    picture = await drawn(request)
    with refill(request, "repairs/new.html", **_form()):
        picture.check()
        form = await form_of(request, ReportForm)

        async def work() -> str:
            order = await actions.report(
                session,
                actor=actor,
                text=form.text,
                trade=form.trade,
                is_urgent=form.is_urgent,
                photo=picture.photo,
                now=now,
            )
            return f"/repairs/{order.order_id}?done=repairs.reported"

        return await once_page(request, session, actor, now, work)


@get("/repairs/{order_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def one(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Where it is, what comes next, what it costs, and what happened."""
    return page(request, TEMPLATE, **await context(request, session, actor, order_id, now))


@get("/repairs/{order_id:uuid}/code", opt=SIGNED_IN, include_in_schema=False)
async def code(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The part of the page that changes by itself: a new code every minute, and that it was scanned."""
    return page(request, "repairs/code.html", **await context(request, session, actor, order_id, now))


@get("/repairs/{order_id:uuid}/photos/{photo_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def photo(
    order_id: FromPath[UUID],
    photo_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Response[bytes]:
    """The picture, for whoever may see its order."""
    return photo_answer(await queries.photo_for(session, actor, order_id, photo_id))


@post("/repairs/{order_id:uuid}/photos", opt=SIGNED_IN, include_in_schema=False, request_max_body_size=BODY_BYTES_MAX)
async def add_photo(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """One more photo: of the work from its repairer on site, else of the fault."""
    picture = await drawn(request)

    async def act(_form: Nothing) -> None:
        if picture.photo is None:
            raise Invalid({"photo": "required"})
        order = await queries.order_for(session, actor, order_id)
        is_work = order.repairer_id == actor.member_id and order.state in (RepairState.ON_SITE, RepairState.DONE)
        moment = Moment.AFTER if is_work else Moment.BEFORE
        await actions.add_photo(session, actor=actor, order_id=order_id, photo=picture.photo, moment=moment, now=now)

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.photographed", picture=picture)


@post("/repairs/{order_id:uuid}/agree", opt=SIGNED_IN, include_in_schema=False)
async def agree(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Yes to the price."""

    async def act(form: AgreeForm) -> None:
        await actions.agree(session, actor=actor, order_id=order_id, revision=form.revision, now=now)

    return await step(request, session, actor, order_id, now, AgreeForm, act, "repairs.agreed")


@post("/repairs/{order_id:uuid}/changes/{change_id:uuid}/agree", opt=SIGNED_IN, include_in_schema=False)
async def agree_to_change(
    request: AnyRequest,
    order_id: FromPath[UUID],
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Yes to the higher price."""

    async def act(_form: Nothing) -> None:
        await actions.answer_change(
            session, actor=actor, order_id=order_id, change_id=change_id, is_agreed=True, now=now
        )

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.agreed")


@post("/repairs/{order_id:uuid}/changes/{change_id:uuid}/refuse", opt=SIGNED_IN, include_in_schema=False)
async def refuse_change(
    request: AnyRequest,
    order_id: FromPath[UUID],
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """No, or by its repairer: never mind."""

    async def act(_form: Nothing) -> None:
        await actions.answer_change(
            session, actor=actor, order_id=order_id, change_id=change_id, is_agreed=False, now=now
        )

    return await step(request, session, actor, order_id, now, Nothing, act, "repairs.refused")


@post("/repairs/{order_id:uuid}/cancel", opt=SIGNED_IN, include_in_schema=False)
async def cancel(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Not needed any more."""

    async def act(form: NoteIn) -> None:
        await actions.cancel(session, actor=actor, order_id=order_id, note=form.note, now=now)

    return await step(request, session, actor, order_id, now, NoteIn, act, "repairs.cancelled")


@post("/repairs/{order_id:uuid}/claim", opt=SIGNED_IN, include_in_schema=False)
async def claim(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """It broke again within the warranty."""

    async def act(form: ReasonForm) -> None:
        await actions.claim_warranty(session, actor=actor, order_id=order_id, reason=form.reason, now=now)

    return await step(request, session, actor, order_id, now, ReasonForm, act, "repairs.claimed")


HANDLERS = [
    mine,
    new,
    report,
    one,
    code,
    photo,
    add_photo,
    agree,
    agree_to_change,
    refuse_change,
    cancel,
    claim,
]
