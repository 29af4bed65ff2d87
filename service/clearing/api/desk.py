"""Agreements, positions and nettings as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions import agreements as acts
from service.clearing.actions.netting import confirm_netting, propose_netting, refuse_netting
from service.clearing.payloads import (
    AgreementOut,
    ClearingOut,
    ComparedOut,
    NettingOut,
    ProposeIn,
    TransfersOut,
    agreement_out,
    difference_out,
    netting_out,
    position_out,
    transfer_out,
)
from service.clearing.queries.agreements import agreement, agreements
from service.clearing.queries.nettings import netting, nettings
from service.clearing.queries.positions import first_difference, positions
from service.clearing.queries.transfers import Shown, partner_transfers
from service.clearing.rules import AGREERS, NETTERS, READERS
from service.kit.access import Actor, allow
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]
DESK = allow(*READERS)


@get("/api/clearing/positions", opt=DESK)
async def overview(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> ClearingOut:
    """Every partner: what was agreed, what we owe and are owed."""
    return ClearingOut(
        [agreement_out(view) for view in await agreements(session, actor.community_id)],
        [position_out(item) for item in await positions(session, actor.community_id)],
    )


@get("/api/clearing/partners/{partner_id:int}", opt=DESK)
async def compared(
    partner_id: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> ComparedOut:
    """One partner: both sides' figures, the first transfer that differs, the nettings."""
    return ComparedOut(
        agreement_out(await agreement(session, actor.community_id, partner_id)),
        [position_out(item) for item in await positions(session, actor.community_id, partner_id)],
        difference_out(await first_difference(session, actor.community_id, partner_id)),
        [netting_out(view) for view in await nettings(session, actor.community_id, partner_id)],
    )


@get("/api/clearing/partners/{partner_id:int}/transfers", opt=DESK)
async def transfers(
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    shown: FromQuery[Shown] = Shown.ALL,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> TransfersOut:
    """What went and came between two communities, newest first."""
    await agreement(session, actor.community_id, partner_id)
    found = await partner_transfers(
        session, actor.community_id, partner_id, shown=shown, text=q.strip(), after=after, now=now
    )
    return TransfersOut([transfer_out(view) for view in found.rows], found.next)


@post("/api/clearing/agreements", opt=allow(*AGREERS))
async def propose(
    request: AnyRequest,
    data: JSONBody[ProposeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[AgreementOut]:
    """Ask another community to clear with us."""

    async def work() -> AgreementOut:
        await acts.propose(
            session,
            actor=actor,
            partner_id=data.partner,
            minutes_max=data.minutes_max,
            points_max=data.points_max,
            now=now,
        )
        return await _agreed(session, actor, data.partner)

    return await once(request, session, actor, now, work, status=201)


async def _agreed(session: AsyncSession, actor: Actor, partner_id: int) -> AgreementOut:
    await session.flush()
    return agreement_out(await agreement(session, actor.community_id, partner_id))


@post("/api/clearing/agreements/{partner_id:int}/acceptance", opt=allow(*AGREERS), status_code=200)
async def accept(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[AgreementOut]:
    """Agree to what they proposed."""

    async def work() -> AgreementOut:
        await acts.accept(session, actor=actor, partner_id=partner_id, now=now)
        return await _agreed(session, actor, partner_id)

    return await once(request, session, actor, now, work)


@post("/api/clearing/agreements/{partner_id:int}/end", opt=allow(*AGREERS), status_code=200)
async def end(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[AgreementOut]:
    """Withdraw, decline or end it."""

    async def work() -> AgreementOut:
        await acts.end(session, actor=actor, partner_id=partner_id, now=now)
        return await _agreed(session, actor, partner_id)

    return await once(request, session, actor, now, work)


@post("/api/clearing/partners/{partner_id:int}/nettings", opt=allow(*NETTERS))
async def net(
    request: AnyRequest,
    partner_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[NettingOut]:
    """Propose to set to zero what was sent before this month."""

    async def work() -> NettingOut:
        netting_id = await propose_netting(session, actor=actor, partner_id=partner_id, now=now)
        return netting_out(await netting(session, actor.community_id, netting_id))

    return await once(request, session, actor, now, work, status=201)


@get("/api/clearing/nettings/{netting_id:uuid}", opt=DESK)
async def one_netting(
    netting_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> NettingOut:
    """One netting."""
    return netting_out(await netting(session, actor.community_id, netting_id))


@post("/api/clearing/nettings/{netting_id:uuid}/confirmation", opt=allow(*NETTERS), status_code=200)
async def confirm(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[NettingOut]:
    """Agree, and post."""

    async def work() -> NettingOut:
        await confirm_netting(session, actor=actor, netting_id=netting_id, now=now)
        return netting_out(await netting(session, actor.community_id, netting_id))

    return await once(request, session, actor, now, work)


@post("/api/clearing/nettings/{netting_id:uuid}/refusal", opt=allow(*NETTERS), status_code=200)
async def refuse(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[NettingOut]:
    """Do not agree."""

    async def work() -> NettingOut:
        await refuse_netting(session, actor=actor, netting_id=netting_id, now=now)
        return netting_out(await netting(session, actor.community_id, netting_id))

    return await once(request, session, actor, now, work)


HANDLERS = [overview, compared, transfers, propose, accept, end, net, one_netting, confirm, refuse]
