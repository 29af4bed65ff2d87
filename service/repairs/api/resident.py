"""What residents read and decide, as JSON."""

from datetime import datetime
from typing import cast
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.crypto import Keyring
from service.kit.issuers import code_keys
from service.repairs import actions, queries
from service.repairs.api.shared import AnyRequest, acted, listed, names_of
from service.repairs.payloads import (
    ChangeOut,
    NoteIn,
    ReasonIn,
    RepairDetailOut,
    RepairOut,
    RepairsOut,
    ReportIn,
    line_out,
    repair_out,
)
from service.repairs.rules import PIECES, RepairState
from service.repairs.tables import RepairOrder


@get("/api/repairs/mine", opt=SIGNED_IN)
async def mine(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> RepairsOut:
    """What I reported, or somebody for me."""
    return await listed(session, actor, await queries.orders(session, actor.community_id, asked_by=actor.member_id))


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
    lines = await queries.history(session, actor.community_id, order_id)
    changes = await redemption.changes_of(session, actor.community_id, [order.voucher_id] if order.voucher_id else [])
    names = await names_of(session, actor, [order], lines)
    code = None
    if order.state == RepairState.DONE and order.asked_by == actor.member_id and order.voucher_id:
        voucher = await redemption.voucher(session, actor.community_id, order.voucher_id)
        shown = redemption.phone_code(
            code_keys(cast("Keyring", state.keyring), now),
            community_id=actor.community_id,
            voucher_id=voucher.voucher_id,
            code_seq=voucher.code_seq,
            now=now,
        )
        code = redemption.code_url(state.settings.origin, shown)
    return RepairDetailOut(
        repair_out(order, names, code),
        [
            ChangeOut(
                change.change_id,
                change.is_dearer,
                change.after.cash_fen * PIECES,
                change.after.payable_fen * PIECES,
                change.reason,
                change.is_agreed,
            )
            for change in changes
        ],
        [line_out(line, names) for line in lines],
    )


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
        return await actions.report(session, actor=actor, text=data.text.strip(), is_urgent=data.is_urgent, now=now)

    return await acted(request, session, actor, now, act, status=201)


@post("/api/repairs/{order_id:uuid}/agreement", opt=SIGNED_IN, status_code=200)
async def agree(
    request: AnyRequest,
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Yes to the price: the voucher is taken and kept for the job."""

    async def act() -> RepairOrder:
        return await actions.agree(session, actor=actor, order_id=order_id, now=now)

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
        return await actions.claim_warranty(session, actor=actor, order_id=order_id, now=now, reason=data.reason)

    return await acted(request, session, actor, now, act)


HANDLERS = [mine, repair, report, agree, agree_to_change, refuse_change, cancel, claim]
