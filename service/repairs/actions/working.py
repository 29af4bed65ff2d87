"""From the report to the work done: report, assign, take or decline, on the way, on site, done."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts, identity
from service.kit import outbox
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.photos import Photo
from service.kit.refusals import NotAllowed
from service.repairs.actions.lines import add_line, check_repairer, write
from service.repairs.actions.showing import keep_photo
from service.repairs.queries import orders as queries
from service.repairs.rules import (
    DISPATCHERS,
    Decline,
    Moment,
    NoRepairer,
    NotYourJob,
    OwnRepair,
    PhotoMissing,
    RepairState,
    Step,
    Trade,
    check_minutes,
    check_step,
)
from service.repairs.tables import RepairOrder


async def report(
    session: AsyncSession,
    *,
    actor: Actor,
    text: str,
    is_urgent: bool,
    now: datetime,
    asked_by: UUID | None = None,
    trade: Trade = Trade.OTHER,
    photo: Photo | None = None,
) -> RepairOrder:
    """Something is broken; staff write it down for somebody who phones."""
    asker_id = asked_by or actor.member_id
    acts_for = asker_id != actor.member_id
    if acts_for and not actor.has(*DISPATCHERS):
        raise NotAllowed
    asker = await identity.person(session, actor.community_id, asker_id)
    if not asker.is_open:
        raise identity.PersonNotFound
    home = (await identity.particulars_by_ids(session, actor.community_id, [asker_id]))[asker_id].building
    order = RepairOrder(
        community_id=actor.community_id,
        order_id=new_id(),
        state=RepairState.REPORTED,
        text=text,
        trade=trade,
        is_urgent=is_urgent,
        building=home,
        asked_by=asker_id,
        posted_by=actor.member_id,
        posted_at=now,
        changed_at=now,
    )
    session.add(order)
    # The history refers to the order, and nothing but this flush says so to the mapper.
    await session.flush()
    add_line(session, order, Step.REPORT, actor=actor, now=now, on_behalf_of=asker_id if acts_for else None)
    if photo is not None:
        await keep_photo(session, order, photo, moment=Moment.BEFORE, actor=actor, now=now)
    return order


async def assign(
    session: AsyncSession, *, actor: Actor, order_id: UUID, team_id: UUID, repairer_id: UUID, now: datetime
) -> RepairOrder:
    """Give it to a repairer of a team, who takes or declines it; never to somebody of the resident's household.

    Whoever had it before hears that it is not theirs any more.
    """
    order = await queries.lock_order(session, actor, order_id)
    if not actor.has(*DISPATCHERS):
        raise NotYourJob
    to = check_step(Step.ASSIGN, RepairState(order.state))
    roles = await identity.roles_by_member(session, actor.community_id, [repairer_id], local_day(now))
    if (Role.REPAIRER, team_id) not in roles.get(repairer_id, ()):
        raise NoRepairer
    await _check_not_family(session, order, repairer_id)
    before = order.repairer_id
    order.team_id, order.repairer_id, order.assigned_by = team_id, repairer_id, actor.member_id
    write(session, order, Step.ASSIGN, after=to, actor=actor, now=now)
    if before is not None and before != repairer_id:
        fact = facts.RepairReassigned(
            community_id=order.community_id, order_id=order.order_id, member_id=before, revision=order.revision
        )
        outbox.record(session, fact, now=now)
    return order


async def _check_not_family(session: AsyncSession, order: RepairOrder, repairer_id: UUID) -> None:
    people = await identity.people_by_ids(session, order.community_id, [order.asked_by, repairer_id])
    asker, repairer = people[order.asked_by], people[repairer_id]
    if repairer_id == order.asked_by or (
        asker.household_id is not None and asker.household_id == repairer.household_id
    ):
        raise OwnRepair


async def take(session: AsyncSession, *, actor: Actor, order_id: UUID, now: datetime) -> RepairOrder:
    """Yes, I go."""
    order = await queries.lock_order(session, actor, order_id)
    check_repairer(order, actor)
    write(session, order, Step.TAKE, after=check_step(Step.TAKE, RepairState(order.state)), actor=actor, now=now)
    return order


async def decline(
    session: AsyncSession, *, actor: Actor, order_id: UUID, reason: Decline, now: datetime
) -> RepairOrder:
    """No, with a reason from the list; it goes back to whoever dispatches."""
    order = await queries.lock_order(session, actor, order_id)
    check_repairer(order, actor)
    to = check_step(Step.DECLINE, RepairState(order.state))
    order.repairer_id = order.team_id = order.assigned_by = None
    write(session, order, Step.DECLINE, after=to, actor=actor, now=now, note=reason.value)
    return order


async def move_on(
    session: AsyncSession,
    *,
    actor: Actor,
    order_id: UUID,
    step: Step,
    minutes: int = 0,
    note: str = "",
    photo: Photo | None = None,
    now: datetime,
) -> RepairOrder:
    """On the way, on site, done: the one big button. Done says how many minutes it took, and shows the work by a photo.

    A resident may not want one taken at home: then the note says so.
    """
    order = await queries.lock_order(session, actor, order_id)
    check_repairer(order, actor)
    to = check_step(step, RepairState(order.state))
    if step is Step.ARRIVE:
        order.arrived_at = now
    elif step is Step.FINISH:
        assert order.arrived_at is not None, "who is on site arrived"
        check_minutes(minutes, order.arrived_at, now)
        if photo is not None:
            await keep_photo(session, order, photo, moment=Moment.AFTER, actor=actor, now=now)
        elif not note.strip() and not await queries.has_photo(session, order, Moment.AFTER):
            raise PhotoMissing
        order.done_at, order.minutes = now, minutes
    write(session, order, step, after=to, actor=actor, now=now, note=note)
    return order


async def cancel(session: AsyncSession, *, actor: Actor, order_id: UUID, note: str, now: datetime) -> RepairOrder:
    """Not needed any more, before a price was agreed to: by the resident, or by staff for them."""
    order = await queries.lock_order(session, actor, order_id)
    if actor.member_id != order.asked_by and not actor.has(Role.STAFF):
        raise NotYourJob
    behalf = order.asked_by if actor.member_id != order.asked_by else None
    to = check_step(Step.CANCEL, RepairState(order.state))
    write(session, order, Step.CANCEL, after=to, actor=actor, now=now, on_behalf_of=behalf, note=note)
    return order
