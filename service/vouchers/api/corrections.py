"""Corrections of what shops have confirmed, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.once import once
from service.vouchers.actions import correcting, settling
from service.vouchers.payloads.corrections import CorrectionIn, CorrectionOut, CorrectionsOut
from service.vouchers.queries.counter import shops_of, statement_for

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)
DECIDERS = allow(Role.FINANCE, Role.APPROVER)


def _out(found: redemption.Adjustment) -> CorrectionOut:
    return CorrectionOut(
        correction_id=found.adjustment_id,
        settlement_id=found.settlement_id,
        line_no=found.line_no,
        shop=found.merchant_id,
        cause=found.cause,
        state=found.state.value,
        title=found.title,
        quantity=found.quantity,
        points=found.points,
        fen=found.payable_fen,
        reason=found.reason,
        proposed_by=found.proposed_by,
        proposed_at=found.proposed_at,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        carried_number=found.carried_number,
    )


@get("/api/corrections", opt=READERS)
async def waiting_corrections(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> CorrectionsOut:
    """What waits for a second person."""
    found = await redemption.adjustments(session, actor.community_id, state=redemption.RequestState.PROPOSED)
    return CorrectionsOut([_out(each) for each in found])


@get("/api/settlements/{settlement_id:uuid}/corrections", opt=READERS)
async def corrections(
    settlement_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> CorrectionsOut:
    """What was corrected of the lines of a statement, or is proposed to be."""
    await settling.found(session, actor.community_id, settlement_id)
    found = await redemption.adjustments(session, actor.community_id, settlement_id=settlement_id)
    return CorrectionsOut([_out(each) for each in found])


@get("/api/shop/settlements/{settlement_id:uuid}/corrections", opt=allow(Role.MERCHANT_OWNER))
async def own_corrections(
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> CorrectionsOut:
    """What was corrected of the shop's own lines, and why."""
    await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
    found = await redemption.adjustments(session, actor.community_id, settlement_id=settlement_id)
    return CorrectionsOut([_out(each) for each in found])


@post("/api/settlements/{settlement_id:uuid}/lines/{line_no:int}/corrections", opt=allow(Role.FINANCE), status_code=201)
async def propose_correction(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    data: JSONBody[CorrectionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[CorrectionOut]:
    """Propose to take the use of a line back that the shop has confirmed."""

    async def work() -> CorrectionOut:
        correction_id = await correcting.propose(
            session,
            actor=actor,
            settlement_id=settlement_id,
            line_no=line_no,
            cause=data.cause,
            reason=data.reason,
            now=now,
        )
        return _out(await redemption.adjustment(session, actor.community_id, correction_id))

    return await once(request, session, actor, now, work, status=201)


@post("/api/corrections/{correction_id:uuid}/confirmation", opt=DECIDERS, status_code=200)
async def agree(
    request: AnyRequest,
    correction_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[CorrectionOut]:
    """Agree as a second person: the points go back now, the shop's next statement has the line with its sign turned."""
    return await _decided(request, correction_id, session, actor, now, is_agreed=True)


@post("/api/corrections/{correction_id:uuid}/withdrawal", opt=DECIDERS, status_code=200)
async def turn_down(
    request: AnyRequest,
    correction_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[CorrectionOut]:
    """Turn a correction down, or take one's own back."""
    return await _decided(request, correction_id, session, actor, now, is_agreed=False)


async def _decided(
    request: AnyRequest, correction_id: UUID, session: AsyncSession, actor: Actor, now: datetime, *, is_agreed: bool
) -> Response[CorrectionOut]:
    async def work() -> CorrectionOut:
        await correcting.decide(session, actor=actor, correction_id=correction_id, is_agreed=is_agreed, now=now)
        return _out(await redemption.adjustment(session, actor.community_id, correction_id))

    return await once(request, session, actor, now, work)
