"""What repairers and whoever dispatches do, as JSON."""

from datetime import datetime
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.db import sessions_of_app, transaction
from service.kit.once import once
from service.repairs import actions
from service.repairs.api.shared import WORKERS, AnyRequest, acted, lines_of
from service.repairs.payloads import (
    AcceptIn,
    AssignIn,
    CardIn,
    ChangeIn,
    ChangeMade,
    DeclineIn,
    DeskRepairsOut,
    DoneIn,
    QuoteIn,
    ReasonIn,
    RepairOut,
    RepairsOut,
    ReportForIn,
    repair_out,
)
from service.repairs.queries import orders as queries
from service.repairs.queries.desk import Shown, desk_list
from service.repairs.rules import DISPATCHERS, OFFICE, Step, Trade
from service.repairs.tables import RepairOrder
from service.repairs.view import answer_of, listed, names_of


@get("/api/repairs/jobs", opt=WORKERS)
async def jobs(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> RepairsOut:
    """What was given to me and is not over."""
    found = await queries.orders(session, actor.community_id, repairer_id=actor.member_id, is_open=True)
    return await answer_of(session, actor, found)


@get("/api/desk/repairs", opt=allow(*OFFICE))
async def desk(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shown: FromQuery[Shown] = Shown.OPEN,
    trade: FromQuery[Trade | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> DeskRepairsOut:
    """The orders of a view, everything open unless said otherwise; `q` is a card, phone or name of resident or repairer."""
    found = await desk_list(session, actor, shown=shown, trade=trade, text=q, after=after)
    return DeskRepairsOut(await listed(session, actor, found.rows), found.next)


@post("/api/desk/repairs", opt=allow(*DISPATCHERS), status_code=201)
async def report_for(
    request: AnyRequest,
    data: JSONBody[ReportForIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Write a report down for somebody who phoned."""

    async def act() -> RepairOrder:
        return await actions.report(
            session,
            actor=actor,
            text=data.text.strip(),
            is_urgent=data.is_urgent,
            trade=data.trade,
            asked_by=data.asked_by,
            now=now,
        )

    return await acted(request, session, actor, now, act, status=201)


@post("/api/repairs/{order_id:uuid}/assignment", opt=allow(*DISPATCHERS), status_code=200)
async def assign(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[AssignIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Give it to a repairer."""

    async def act() -> RepairOrder:
        return await actions.assign(
            session, actor=actor, order_id=order_id, now=now, team_id=data.team, repairer_id=data.repairer
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/taking", opt=WORKERS, status_code=200)
async def take(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """I go."""

    async def act() -> RepairOrder:
        return await actions.take(session, actor=actor, order_id=order_id, now=now)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/declining", opt=WORKERS, status_code=200)
async def decline(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[DeclineIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """I cannot, and why."""

    async def act() -> RepairOrder:
        return await actions.decline(session, actor=actor, order_id=order_id, now=now, reason=data.reason)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/quote", opt=WORKERS, status_code=200)
async def quote(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[QuoteIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """What it will cost, by today's list and the household's discount."""

    async def act() -> RepairOrder:
        return await actions.quote(session, actor=actor, order_id=order_id, now=now, lines=lines_of(data.lines))

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/departure", opt=WORKERS, status_code=200)
async def go(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """On the way."""

    async def act() -> RepairOrder:
        return await actions.move_on(session, actor=actor, order_id=order_id, now=now, step=Step.GO)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/arrival", opt=WORKERS, status_code=200)
async def arrive(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """On site."""

    async def act() -> RepairOrder:
        return await actions.move_on(session, actor=actor, order_id=order_id, now=now, step=Step.ARRIVE)

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/completion", opt=WORKERS, status_code=200)
async def finish(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[DoneIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Done, and how long it took."""

    async def act() -> RepairOrder:
        return await actions.move_on(
            session, actor=actor, order_id=order_id, now=now, step=Step.FINISH, minutes=data.minutes, note=data.note
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/changes", opt=WORKERS, status_code=201)
async def change_price(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[ChangeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ChangeMade]:
    """Another price: lower at once, higher when the resident agrees."""

    async def work() -> ChangeMade:
        change_id = await actions.change_price(
            session, actor=actor, order_id=order_id, lines=lines_of(data.lines), reason=data.reason.strip(), now=now
        )
        return ChangeMade(change_id)

    return await once(request, session, actor, now, work, status=201)


@post("/api/repairs/{order_id:uuid}/acceptance", opt=WORKERS, status_code=200)
async def accept(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[AcceptIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """The resident's code, scanned: done, paid and recorded."""

    async def act() -> RepairOrder:
        return await actions.accept(
            session,
            actor=actor,
            order_id=order_id,
            now=now,
            code=data.code,
            nonce=data.nonce,
            device_id=actor.session_id,
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/card-acceptance", opt=WORKERS, status_code=200)
async def accept_by_card(
    order_id: FromPath[UUID],
    data: JSONBody[CardIn],
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> RepairOut:
    """The resident's card and PIN: the same acceptance. Asked again it is answered by the order; five wrong PINs lock the card."""
    sessions = sessions_of_app(state)
    card = await actions.prove(sessions, actor=actor, order_id=order_id, text=data.card, pin=data.pin, now=now)
    async with transaction(sessions) as session:
        order = await actions.accept_by_card(session, actor=actor, order_id=order_id, card=card, now=now)
        return repair_out(order, await names_of(session, actor, [order]))


@post("/api/repairs/{order_id:uuid}/warranty-claim/confirmation", opt=allow(*OFFICE), status_code=200)
async def uphold_claim(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """What was kept goes back to who paid it."""

    async def act() -> RepairOrder:
        return await actions.decide_claim(
            session, actor=actor, order_id=order_id, now=now, is_upheld=True, reason=data.reason.strip()
        )

    return await acted(request, session, actor, now, act)


@post("/api/repairs/{order_id:uuid}/warranty-claim/refusal", opt=allow(*OFFICE), status_code=200)
async def refuse_claim(
    request: AnyRequest,
    order_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """What was kept is the team's."""

    async def act() -> RepairOrder:
        return await actions.decide_claim(
            session, actor=actor, order_id=order_id, now=now, is_upheld=False, reason=data.reason.strip()
        )

    return await acted(request, session, actor, now, act)


HANDLERS = [
    jobs,
    desk,
    report_for,
    assign,
    take,
    decline,
    quote,
    go,
    arrive,
    finish,
    change_price,
    accept,
    accept_by_card,
    uphold_claim,
    refuse_claim,
]
