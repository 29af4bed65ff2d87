"""What members and those who help them do, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions.sending import recall as call_back
from service.clearing.actions.sending import send as send_away
from service.clearing.looks import count_look
from service.clearing.payloads import LookIn, PartnerOut, ReceiverOut, SendIn, TransferOut, TransfersOut, transfer_out
from service.clearing.queries.agreements import agreements
from service.clearing.queries.transfers import my_transfers, receiver_of, transfer_for
from service.clearing.rules import HELPERS, AgreementState, NoAgreement
from service.kit.access import SIGNED_IN, Actor, allow
from service.kit.db import sessions_of_app
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


async def _partners(session: AsyncSession, actor: Actor) -> list[PartnerOut]:
    found = await agreements(session, actor.community_id)
    return [PartnerOut(one.partner_id, one.partner_name) for one in found if one.state is AgreementState.ACCEPTED]


@get("/api/clearing/partners", opt=SIGNED_IN)
async def partners(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> list[PartnerOut]:
    """The communities that members may send to."""
    return await _partners(session, actor)


@post("/api/clearing/receivers", opt=SIGNED_IN, status_code=200)
async def look(
    data: JSONBody[LookIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> ReceiverOut:
    """Whether a card number and a name belong together there; the name comes back masked. Counted."""
    await count_look(sessions_of_app(state), actor, now)
    if data.partner not in {one.partner for one in await _partners(session, actor)}:
        raise NoAgreement
    found = await receiver_of(session, data.partner, data.card, data.name)
    return ReceiverOut(found.card_no, found.masked)


@get("/api/clearing", opt=SIGNED_IN)
async def mine(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> TransfersOut:
    """What this person sent to other communities and got from them, newest first."""
    found = await my_transfers(session, actor.community_id, actor.member_id, after=after, now=now)
    return TransfersOut([transfer_out(view) for view in found.rows], found.next)


@post("/api/clearing", opt=SIGNED_IN)
async def send(
    request: AnyRequest,
    data: JSONBody[SendIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Response[dict[str, UUID]]:
    """Send minutes or hundredths of a point to somebody in another community."""
    return await _send(request, data, session, actor, now, state, None)


@post("/api/clearing/members/{member_id:uuid}", opt=allow(*HELPERS))
async def send_for(
    request: AnyRequest,
    member_id: FromPath[UUID],
    data: JSONBody[SendIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Response[dict[str, UUID]]:
    """Send somebody's for them; both names are kept."""
    return await _send(request, data, session, actor, now, state, member_id)


async def _send(
    request: AnyRequest,
    data: SendIn,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    state: State,
    member_id: UUID | None,
) -> Response[dict[str, UUID]]:
    await count_look(sessions_of_app(state), actor, now)

    async def work() -> dict[str, UUID]:
        transfer_id = await send_away(
            session,
            actor=actor,
            partner_id=data.partner,
            receiver=await receiver_of(session, data.partner, data.card, data.name),
            unit=data.unit,
            amount=data.amount,
            now=now,
            member_id=member_id,
        )
        return {"transfer_id": transfer_id}

    return await once(request, session, actor, now, work, status=201)


@get("/api/clearing/{transfer_id:uuid}", opt=SIGNED_IN)
async def one(
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> TransferOut:
    """One of this person's transfers."""
    return transfer_out(await transfer_for(session, actor.community_id, actor.member_id, transfer_id, now))


@post("/api/clearing/{transfer_id:uuid}/recall", opt=SIGNED_IN, status_code=200)
async def recall(
    request: AnyRequest,
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[TransferOut]:
    """Ask for it back while it is under way; it may have arrived already, which the next look says."""

    async def work() -> TransferOut:
        await call_back(session, actor=actor, transfer_id=transfer_id, now=now)
        await session.flush()
        return transfer_out(await transfer_for(session, actor.community_id, actor.member_id, transfer_id, now))

    return await once(request, session, actor, now, work)


@post("/api/clearing/members/{member_id:uuid}/{transfer_id:uuid}/recall", opt=allow(*HELPERS), status_code=200)
async def recall_for(
    request: AnyRequest,
    member_id: FromPath[UUID],
    transfer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[TransferOut]:
    """Ask for somebody's back for them; both names are kept."""

    async def work() -> TransferOut:
        await call_back(session, actor=actor, transfer_id=transfer_id, now=now, member_id=member_id)
        await session.flush()
        return transfer_out(await transfer_for(session, actor.community_id, member_id, transfer_id, now))

    return await once(request, session, actor, now, work)


HANDLERS = [partners, look, mine, send, send_for, one, recall, recall_for]
