"""Settlements as JSON, for finance and for shops."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.once import once
from service.vouchers.actions import settling
from service.vouchers.browser import settlement_cursor, settlement_mark
from service.vouchers.payloads import (
    ClosedAll,
    ClosedOut,
    CloseIn,
    DisputeIn,
    DisputeOut,
    DisputesOut,
    ResolveIn,
    SettlementOut,
    SettlementsOut,
)
from service.vouchers.queries.counter import shops_of, statement_for
from service.vouchers.rules import Decision
from service.vouchers.terms import settled_until

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)


@get("/api/settlements", opt=READERS)
async def settlements(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    shop: FromQuery[UUID | None] = None,
    after: FromQuery[str | None] = None,
) -> SettlementsOut:
    """Statements, the last closed first."""
    found = await redemption.settlements(session, actor.community_id, merchant_id=shop, before=settlement_mark(after))
    return SettlementsOut([settlement_out(item) for item in found.settlements], settlement_cursor(found.next))


@get("/api/settlements/{settlement_id:uuid}", opt=READERS)
async def settlement(
    settlement_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> SettlementOut:
    """One statement."""
    return settlement_out(await settling.found(session, actor.community_id, settlement_id))


def settlement_out(item: redemption.Settlement) -> SettlementOut:
    """A statement's head as it goes over the wire."""
    return SettlementOut(
        settlement_id=item.settlement_id,
        shop=item.merchant_id,
        number=item.number,
        state=item.state.value.lower(),
        received_from=item.received_from,
        received_until=item.received_until,
        lines=item.line_count,
        points=item.points + item.subsidy_points,
        subsidy_points=item.subsidy_points,
        fen=item.payable_fen,
        cash_fen=item.cash_fen,
        disputed_lines=item.disputed_lines,
        open_disputes=item.open_disputes,
        due_points=item.due_points,
        due_fen=item.due_fen,
        paid_fen=item.paid_fen,
        closed_by=item.closed_by,
        closed_at=item.closed_at,
        approved_by=item.approved_by,
        paid_at=item.paid_at,
        bank_reference=item.bank_reference,
        previous_hash=item.previous_hash.hex(),
        hash=item.hash.hex(),
    )


@post("/api/settlements", opt=allow(Role.FINANCE))
async def close(
    request: AnyRequest,
    data: JSONBody[CloseIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ClosedAll]:
    """Close a period for one shop, or for every shop that has something open."""
    minutes = await setting(session, actor.community_id, "voucher_reverse_minutes", local_day(now))
    until = settled_until(data.until, now, undo_minutes=minutes)

    async def work() -> ClosedAll:
        closed = await settling.close_period(
            session,
            actor=actor,
            until=until,
            merchant_id=data.shop,
            key=request.headers.get("idempotency-key") or new_id().hex,
            now=now,
        )
        return ClosedAll([ClosedOut(item.merchant_id, item.settlement_id, item.refused) for item in closed])

    return await once(request, session, actor, now, work, status=201)


@post("/api/settlements/{settlement_id:uuid}/approval", opt=allow(Role.FINANCE, Role.APPROVER), status_code=200)
async def approve(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SettlementOut]:
    """Let a statement be paid: a second person, never the one who closed it."""

    async def work() -> SettlementOut:
        await settling.approve(session, actor=actor, settlement_id=settlement_id, now=now)
        return settlement_out(await settling.found(session, actor.community_id, settlement_id))

    return await once(request, session, actor, now, work)


@get("/api/settlements/{settlement_id:uuid}/disputes", opt=READERS)
async def disputes(
    settlement_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> DisputesOut:
    """The lines of a statement that the shop objected to, and what was decided."""
    await settling.found(session, actor.community_id, settlement_id)
    return await _disputes(session, actor, settlement_id)


@post(
    "/api/settlements/{settlement_id:uuid}/disputes/{line_no:int}/resolution",
    opt=allow(Role.FINANCE, Role.APPROVER),
    status_code=200,
)
async def resolve(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    data: JSONBody[ResolveIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DisputesOut]:
    """Decide a line in dispute: by neither who closed the statement nor who objected, nor of the voucher's household."""

    async def work() -> DisputesOut:
        await settling.resolve(
            session,
            actor=actor,
            settlement_id=settlement_id,
            line_no=line_no,
            is_for_shop=data.decision is Decision.FOR_SHOP,
            reason=data.reason,
            now=now,
        )
        return await _disputes(session, actor, settlement_id)

    return await once(request, session, actor, now, work)


async def _disputes(session: AsyncSession, actor: Actor, settlement_id: UUID) -> DisputesOut:
    found = await redemption.disputes(session, actor.community_id, settlement_id=settlement_id)
    return DisputesOut(
        [
            DisputeOut(
                line_no=line.line_no,
                state=line.state.value.lower(),
                title=line.title,
                quantity=line.quantity,
                points=line.points,
                fen=line.payable_fen,
                received_at=line.received_at,
                reason=line.reason,
                raised_by=line.raised_by,
                raised_at=line.raised_at,
                resolution=line.resolution,
                resolved_by=line.resolved_by,
                resolved_at=line.resolved_at,
                carried_number=line.carried_number,
            )
            for line in found
        ]
    )


@get("/api/shop/settlements/{settlement_id:uuid}/disputes", opt=allow(Role.MERCHANT_OWNER))
async def own_disputes(
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> DisputesOut:
    """What became of the lines that the shop objected to."""
    await _own(session, actor, settlement_id, now)
    return await _disputes(session, actor, settlement_id)


@post("/api/shop/settlements/{settlement_id:uuid}/confirmation", opt=allow(Role.MERCHANT_OWNER), status_code=200)
async def confirm(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SettlementOut]:
    """The shop agrees with its statement."""

    async def work() -> SettlementOut:
        await _own(session, actor, settlement_id, now)
        await settling.confirm(session, actor=actor, settlement_id=settlement_id, now=now)
        return settlement_out(await settling.found(session, actor.community_id, settlement_id))

    return await once(request, session, actor, now, work)


@post("/api/shop/settlements/{settlement_id:uuid}/disputes", opt=allow(Role.MERCHANT_OWNER), status_code=200)
async def dispute(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    data: JSONBody[DisputeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SettlementOut]:
    """The shop objects to one line."""

    async def work() -> SettlementOut:
        await _own(session, actor, settlement_id, now)
        await settling.dispute(
            session, actor=actor, settlement_id=settlement_id, line_no=data.line_no, reason=data.reason, now=now
        )
        return settlement_out(await settling.found(session, actor.community_id, settlement_id))

    return await once(request, session, actor, now, work)


async def _own(session: AsyncSession, actor: Actor, settlement_id: UUID, now: datetime) -> None:
    """Refuse anybody else's statement as if it were not there."""
    await statement_for(session, actor, await shops_of(session, actor, local_day(now)), settlement_id)
