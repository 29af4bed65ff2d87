"""Somebody's voucher in the hands of staff, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.ids import new_id
from service.kit.once import once
from service.vouchers.actions import keeping
from service.vouchers.payloads import EventOut, HeldOut, ReasonIn, StepIn, StepMade, StepOut

AnyRequest = Request[Any, Any, Any]
KEEPERS = allow(Role.STAFF)
SECONDS = allow(Role.STAFF, Role.APPROVER)


def _key(request: AnyRequest) -> str:
    return request.headers.get("idempotency-key") or new_id().hex


@get("/api/desk/vouchers/{voucher_id:int}", opt=SECONDS)
async def held(
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> HeldOut:
    """A voucher with its history, and what waits about it. The look is logged."""
    voucher = await keeping.found(session, actor.community_id, voucher_id)
    story = await redemption.history(session, actor.community_id, voucher_id)
    asked = await redemption.requests(session, actor.community_id, voucher_id=voucher_id)
    audit.record(
        session,
        actor,
        "vouchers.looked_up",
        kind="member",
        id=voucher.member_id,
        now=now,
        on_behalf_of=voucher.member_id,
    )
    return HeldOut(
        voucher_id=str(voucher_id),
        member_id=voucher.member_id,
        title=voucher.title,
        state=voucher.state.value.lower(),
        quantity_total=voucher.quantity_total,
        quantity_used=voucher.quantity_used,
        quantity_open=voucher.quantity_open,
        points_each=voucher.points_each,
        subsidy_points_each=voucher.subsidy_points_each,
        payable_fen_each=voucher.payable_fen_each,
        cash_fen_each=voucher.cash_fen_each,
        price_list_version=voucher.price_list_version,
        issued_at=voucher.issued_at,
        expires_at=voucher.expires_at,
        history=[_event(line) for line in story],
        requests=[_step(each) for each in asked],
    )


def _event(line: redemption.VoucherEvent) -> EventOut:
    return EventOut(
        line.action,
        line.from_state,
        line.to_state,
        line.actor_id,
        line.second_id,
        line.on_behalf_of,
        line.reason,
        line.quantity,
        line.at,
    )


def _step(asked: redemption.Request) -> StepOut:
    return StepOut(
        asked.request_id,
        asked.step,
        asked.state,
        asked.extend_until,
        asked.reason,
        asked.proposed_by,
        asked.proposed_at,
        asked.decided_by,
        asked.decided_at,
    )


@post("/api/vouchers/{voucher_id:int}/freezing", opt=KEEPERS, status_code=204)
async def freeze(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Stop a voucher at once."""

    async def work() -> None:
        await keeping.freeze(
            session, actor=actor, voucher_id=voucher_id, reason=data.reason, key=_key(request), now=now
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/vouchers/{voucher_id:int}/release", opt=KEEPERS, status_code=204)
async def unfreeze(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Let a stopped voucher go."""

    async def work() -> None:
        await keeping.unfreeze(
            session, actor=actor, voucher_id=voucher_id, reason=data.reason, key=_key(request), now=now
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/vouchers/{voucher_id:int}/requests", opt=KEEPERS)
async def propose(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[StepIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[StepMade]:
    """Ask a second person to call a voucher back, or to give it more days."""

    async def work() -> StepMade:
        made = await keeping.propose(
            session,
            actor=actor,
            voucher_id=voucher_id,
            step=data.step,
            last_day=data.last_day,
            reason=data.reason,
            key=_key(request),
            now=now,
        )
        return StepMade(made)

    return await once(request, session, actor, now, work, status=201)


@post("/api/voucher-requests/{request_id:uuid}/confirmation", opt=SECONDS, status_code=204)
async def agree(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Do what was proposed, as the second person."""

    async def work() -> None:
        await keeping.decide(session, actor=actor, request_id=request_id, is_agreed=True, now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/voucher-requests/{request_id:uuid}/refusal", opt=SECONDS, status_code=204)
async def refuse(
    request: AnyRequest,
    request_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Leave what was proposed, or take it back."""

    async def work() -> None:
        await keeping.decide(session, actor=actor, request_id=request_id, is_agreed=False, now=now)

    return await once(request, session, actor, now, work, status=204)
