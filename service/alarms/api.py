"""Alarms, calls and hours as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import AlarmRule, AlarmState
from service.alarms import actions, queries
from service.alarms.payloads import (
    AlarmsOut,
    CallIn,
    CallOut,
    CallsOut,
    DecidedOut,
    DecisionIn,
    HoursIn,
    HoursOut,
    PhoneOut,
    ShopHoursOut,
    alarm_out,
    call_out,
    opening_out,
)
from service.alarms.rules import CALL_READERS, CALLERS, DECIDERS, READERS, CallNotFound, CallState, uses_of
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/alarms", opt=allow(*READERS))
async def alarms(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    decided: FromQuery[bool | None] = None,
    rule: FromQuery[AlarmRule | None] = None,
    shop: FromQuery[UUID | None] = None,
    after: FromQuery[str | None] = None,
) -> AlarmsOut:
    """What is kept out of the batches, the oldest first; with `decided` all that ever was."""
    found = await queries.alarms(
        session, actor, state=None if decided else AlarmState.OPEN, rule=rule, shop_id=shop, after=after
    )
    return AlarmsOut([alarm_out(view) for view in found.rows], found.next)


@post("/api/alarms/decisions", opt=allow(*DECIDERS), status_code=200)
async def decide(
    request: AnyRequest,
    data: JSONBody[DecisionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DecidedOut]:
    """Let uses through, or send them into the next statement in dispute."""

    async def work() -> DecidedOut:
        return DecidedOut(
            await actions.decide(
                session, actor=actor, uses=uses_of(data.ids), is_cleared=data.cleared, reason=data.reason, now=now
            )
        )

    return await once(request, session, actor, now, work)


@get("/api/alarms/calls", opt=allow(*CALL_READERS))
async def calls(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    outcome: FromQuery[CallState] = CallState.WAITING,
) -> CallsOut:
    """Members to call about a use that was drawn by lot."""
    return CallsOut([call_out(view) for view in await queries.calls(session, actor.community_id, state=outcome)])


def _use(use: str) -> tuple[int, int]:
    [found] = uses_of([use])
    return found


@post("/api/alarms/calls/{use:str}/phone", opt=allow(*CALLERS), status_code=200)
async def phone(
    use: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> PhoneOut:
    """The number to call; that somebody looked is written down."""
    voucher_id, seq = _use(use)
    return PhoneOut(await actions.phone_of(session, actor=actor, voucher_id=voucher_id, use_seq=seq, now=now))


@post("/api/alarms/calls/{use:str}", opt=allow(*CALLERS), status_code=200)
async def note_call(
    request: AnyRequest,
    use: FromPath[str],
    data: JSONBody[CallIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[CallOut]:
    """What came of a call."""
    voucher_id, seq = _use(use)

    async def work() -> CallOut:
        await actions.note_call(
            session, actor=actor, voucher_id=voucher_id, use_seq=seq, state=data.state, note=data.note, now=now
        )
        for view in await queries.calls(session, actor.community_id, state=data.state):
            if (view.voucher_id, view.use_seq) == (voucher_id, seq):
                return call_out(view)
        raise CallNotFound

    return await once(request, session, actor, now, work)


@get("/api/alarms/hours", opt=allow(*READERS))
async def hours(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> HoursOut:
    """When every shop is open."""
    found = await queries.openings(session, actor.community_id, local_day(now))
    return HoursOut(
        [ShopHoursOut(shop.organisation_id, shop.name, [opening_out(each) for each in own]) for shop, own in found]
    )


@post("/api/shop/hours/{shop_id:uuid}", opt=allow(Role.MERCHANT_OWNER), status_code=204)
async def set_hours(
    shop_id: FromPath[UUID],
    data: JSONBody[HoursIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """A shop's own hours from a day on, tomorrow at the earliest."""
    await actions.set_hours(
        session, actor=actor, shop_id=shop_id, hours=data.hours(), effective_from=data.effective_from, now=now
    )


HANDLERS = [alarms, decide, calls, phone, note_call, hours, set_hours]
