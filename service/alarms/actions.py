"""Let uses through or dispute them; draw calls and write down what came of them; set a shop's hours."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.alarms.queries import own_shops
from service.alarms.rules import CallDone, CallNotFound, CallState, OwnCall, ShopNotFound, use_name
from service.alarms.tables import UseCall
from service.identity import contact_of
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id


async def decide(
    session: AsyncSession,
    *,
    actor: Actor,
    uses: Sequence[tuple[int, int]],
    is_cleared: bool,
    reason: str,
    now: datetime,
) -> int:
    """Let uses through, or into the next statement in dispute. Of two who decide at once the second is told: the library locks."""
    audit.record(
        session,
        actor,
        "alarms.cleared" if is_cleared else "alarms.disputed",
        kind="use",
        id=use_name(*uses[0]),
        now=now,
        detail={"uses": [use_name(*each) for each in uses], "reason": reason},
    )
    await session.flush()
    return await redemption.decide_alarms(
        session,
        actor.community_id,
        uses,
        key=new_id(),
        is_cleared=is_cleared,
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def _locked(session: AsyncSession, actor: Actor, voucher_id: int, use_seq: int) -> UseCall:
    row = await session.get(UseCall, (actor.community_id, voucher_id, use_seq), with_for_update=True)
    if row is None:
        raise CallNotFound
    if actor.member_id in (row.member_id, row.clerk_id):
        raise OwnCall
    if row.state != CallState.WAITING:
        raise CallDone
    return row


async def phone_of(session: AsyncSession, *, actor: Actor, voucher_id: int, use_seq: int, now: datetime) -> str:
    """The member's number for this call, empty when they left none; that somebody looked is written down."""
    row = await _locked(session, actor, voucher_id, use_seq)
    return (await contact_of(session, actor, row.member_id, now, reason="call_back")).phone or ""


async def note_call(
    session: AsyncSession,
    *,
    actor: Actor,
    voucher_id: int,
    use_seq: int,
    state: CallState,
    note: str,
    now: datetime,
) -> None:
    """What came of a call. A member who says it was not them raises an alarm.

    Where a batch has the use already nothing is raised: its line is disputed there.
    """
    row = await _locked(session, actor, voucher_id, use_seq)
    row.state, row.note, row.called_by, row.called_at = state, note, actor.member_id, now
    audit.record(
        session,
        actor,
        "alarms.called",
        kind="use",
        id=use_name(voucher_id, use_seq),
        now=now,
        detail={"state": state.value},
    )
    await session.flush()
    if state is CallState.DENIED:
        try:
            await redemption.raise_alarm(
                session, actor.community_id, voucher_id, use_seq, actor_id=actor.member_id, now=now
            )
        except redemption.UseSettled:
            return


async def set_hours(
    session: AsyncSession,
    *,
    actor: Actor,
    shop_id: UUID,
    hours: Sequence[redemption.Hours],
    effective_from: date,
    now: datetime,
) -> None:
    """A shop's owner says when it is open, from tomorrow at the earliest; the desk sees it."""
    if shop_id not in {shop.organisation_id for shop in await own_shops(session, actor, local_day(now))}:
        raise ShopNotFound
    audit.record(
        session,
        actor,
        "alarms.hours_set",
        kind="shop",
        id=shop_id,
        now=now,
        detail={"from": effective_from.isoformat(), "hours": [[h.weekday, h.opens, h.closes] for h in hours]},
    )
    await session.flush()
    await redemption.set_opening(
        session,
        actor.community_id,
        shop_id,
        hours,
        effective_from=effective_from,
        today=local_day(now),
        actor_id=actor.member_id,
        now=now,
    )
