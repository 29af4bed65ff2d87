"""What residents read and decide, as JSON."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.once import once
from service.kit.photos import BODY_BYTES_MAX
from service.repairs import actions
from service.repairs.api.shared import AnyRequest, acted, photo_of
from service.repairs.payloads import (
    AgreeIn,
    NoteIn,
    PhotoMade,
    ReasonIn,
    RepairDetailOut,
    RepairOut,
    RepairsOut,
    ReportIn,
)
from service.repairs.queries import orders as queries
from service.repairs.tables import RepairOrder
from service.repairs.view import answer_of, detail, photo_answer


@get("/api/repairs/mine", opt=SIGNED_IN)
async def mine(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> RepairsOut:
    """What I reported, or somebody for me."""
    return await answer_of(session, actor, await queries.orders(session, actor.community_id, asked_by=actor.member_id))


@get("/api/repairs/{order_id:uuid}", opt=SIGNED_IN)
async def repair(
    order_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> RepairDetailOut:
    """One order with its change orders and history; for its resident, once it is done, with the code to show."""
    order = await queries.order_for(session, actor, order_id)
    return await detail(session, actor, order, state.settings.origin, now)


@get("/api/repairs/{order_id:uuid}/photos/{photo_id:uuid}", opt=SIGNED_IN)
async def photo(
    order_id: FromPath[UUID],
    photo_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Response[bytes]:
    """The picture, for whoever may see its order."""
    return photo_answer(await queries.photo_for(session, actor, order_id, photo_id))


@post("/api/repairs/{order_id:uuid}/photos", opt=SIGNED_IN, status_code=201, request_max_body_size=BODY_BYTES_MAX)
async def add_photo(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PhotoMade]:
    """Add a photo (multipart fields `photo`, `moment`): of the fault, or by the repairer of the work."""
    picture, moment = await photo_of(request)

    async def work() -> PhotoMade:
        photo_id = await actions.add_photo(
            session, actor=actor, order_id=order_id, photo=picture, moment=moment, now=now
        )
        return PhotoMade(photo_id)

    return await once(request, session, actor, now, work, status=201)


@post("/api/repairs", opt=allow(Role.RESIDENT, Role.VOLUNTEER, Role.STEWARD, Role.STAFF), status_code=201)
async def report(
    request: AnyRequest,
    data: JSONBody[ReportIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Something is broken at my place."""

    async def act() -> RepairOrder:
        return await actions.report(
            session, actor=actor, text=data.text.strip(), is_urgent=data.is_urgent, trade=data.trade, now=now
        )

    return await acted(request, session, actor, now, act, status=201)


@post("/api/repairs/{order_id:uuid}/agreement", opt=SIGNED_IN, status_code=200)
async def agree(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[AgreeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Yes to the price of this revision: the voucher is taken and kept for the job."""

    async def act() -> RepairOrder:
        return await actions.agree(session, actor=actor, order_id=order_id, revision=data.revision, now=now)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/changes/{change_id:uuid}/agreement", opt=SIGNED_IN, status_code=200)
async def agree_to_change(
    request: AnyRequest,
    order_id: FromPath[UUID],
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Yes to the higher price."""

    async def act() -> RepairOrder:
        return await actions.answer_change(
            session, actor=actor, order_id=order_id, now=now, change_id=change_id, is_agreed=True
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/changes/{change_id:uuid}/refusal", opt=SIGNED_IN, status_code=200)
async def refuse_change(
    request: AnyRequest,
    order_id: FromPath[UUID],
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """No, or by its repairer: never mind."""

    async def act() -> RepairOrder:
        return await actions.answer_change(
            session, actor=actor, order_id=order_id, now=now, change_id=change_id, is_agreed=False
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/cancellation", opt=SIGNED_IN, status_code=200)
async def cancel(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[NoteIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Not needed any more."""

    async def act() -> RepairOrder:
        return await actions.cancel(session, actor=actor, order_id=order_id, now=now, note=data.note)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/warranty-claim", opt=SIGNED_IN, status_code=200)
async def claim(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """It broke again within the warranty."""

    async def act() -> RepairOrder:
        return await actions.claim_warranty(
            session, actor=actor, order_id=order_id, now=now, reason=data.reason.strip()
        )

    return await acted(request, session, actor, now, act)


HANDLERS = [mine, repair, photo, add_photo, report, agree, agree_to_change, refuse_change, cancel, claim]
