"""The quote from the dated price list, the resident's yes, and every later price as a change order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.communities import prices_on, settings_on
from service.households import discount_for
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.repairs.actions.lines import check_repairer, write
from service.repairs.queries import orders as queries
from service.repairs.rules import (
    PIECES,
    NoOffer,
    NotYourJob,
    Price,
    PriceChanged,
    QuoteWrong,
    RepairInOtherState,
    RepairState,
    Step,
    check_step,
    split_price,
)
from service.repairs.tables import RepairOrder, RepairPart

JOB_TERMS = ("voucher_grace_hours", "repair_job_days")
UNDER_WAY = (RepairState.AGREED, RepairState.ON_WAY, RepairState.ON_SITE, RepairState.DONE)


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """So many of one item of the price list, at a price within its range."""

    item: str
    quantity: int
    fen_each: int


async def quote(
    session: AsyncSession, *, actor: Actor, order_id: UUID, lines: Sequence[QuoteLine], now: datetime
) -> RepairOrder:
    """Say what it will cost by today's list, less what the household is entitled to today. No lines: free of charge.

    Both are frozen with it: a class that changes tomorrow changes nothing.
    """
    order = await queries.lock_order(session, actor, order_id)
    check_repairer(order, actor)
    to = check_step(Step.QUOTE, RepairState(order.state))
    assert order.team_id is not None, "an assigned order has a team"
    today = local_day(now)
    total, units = await _total(session, order, lines, now)
    asker = await identity.person(session, actor.community_id, order.asked_by)
    discount = await discount_for(session, actor.community_id, asker.household_id, order.team_id, today)
    order.priced_on = today
    order.percent = discount.percent if discount else 0
    order.entitlement_id = discount.entitlement_id if discount else None
    _set_price(order, split_price(total, order.percent))
    write(session, order, Step.QUOTE, after=to, actor=actor, now=now)
    _keep_lines(session, order, lines, units)
    return order


def _keep_lines(
    session: AsyncSession, order: RepairOrder, lines: Sequence[QuoteLine], units: Mapping[str, str]
) -> None:
    """What the price is made of, beside the step that named it."""
    session.add_all(
        RepairPart(
            community_id=order.community_id,
            order_id=order.order_id,
            revision=order.revision,
            number=number,
            item=line.item,
            unit=units[line.item],
            quantity=line.quantity,
            fen_each=line.fen_each,
        )
        for number, line in enumerate(lines, 1)
    )


def _set_price(order: RepairOrder, price: Price) -> None:
    order.cash_fen, order.payable_fen = price.cash_fen, price.payable_fen


async def _total(
    session: AsyncSession, order: RepairOrder, lines: Sequence[QuoteLine], now: datetime
) -> tuple[int, Mapping[str, str]]:
    """The sum, and the unit of each item on the list of the day."""
    assert order.team_id is not None, "an assigned order has a team"
    day = order.priced_on if order.state in UNDER_WAY and order.priced_on else local_day(now)
    known = {line.item: line for line in await prices_on(session, order.community_id, order.team_id, day)}
    for line in lines:
        listed = known.get(line.item)
        if (
            listed is None
            or line.fen_each % PIECES
            or not listed.fen_min <= line.fen_each <= (listed.fen_cap or listed.fen_max)
        ):
            raise QuoteWrong({"lines": "required"})
    return sum(line.quantity * line.fen_each for line in lines), {item: listed.unit for item, listed in known.items()}


async def agree(session: AsyncSession, *, actor: Actor, order_id: UUID, revision: int, now: datetime) -> RepairOrder:
    """The resident's yes to the quote, or staff's for somebody who phones: a voucher, locked for the job, at this price.

    The revision is the order's whose price was seen: when another was named meanwhile, that is not what was agreed to.
    The order's lock is first; redemption locks offer, voucher and the book's head, in this order, and is last.
    """
    order = await queries.lock_order(session, actor, order_id)
    behalf = _for_resident(order, actor)
    to = check_step(Step.AGREE, RepairState(order.state))
    if order.revision != revision:
        raise PriceChanged
    assert order.team_id is not None, "a quoted order has a team"
    assert order.repairer_id is not None, "a quoted order has a repairer"
    people = await identity.people_by_ids(session, actor.community_id, [order.asked_by, order.repairer_id])
    # The voucher is locked to the end of the job and a day more.
    terms = await settings_on(session, actor.community_id, JOB_TERMS, local_day(now))
    issued = await redemption.issue_voucher(
        session,
        actor.community_id,
        key=new_id(),
        offer_id=await _offer(session, order, now),
        member_id=order.asked_by,
        owner_group=people[order.asked_by].household_id,
        quantity=PIECES,
        discount_class=order.entitlement_id.hex if order.entitlement_id else None,
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        grace_hours=terms["voucher_grace_hours"],
        now=now,
    )
    lock = await redemption.lock_voucher(
        session,
        actor.community_id,
        issued.voucher_id,
        key=new_id(),
        merchant_id=order.team_id,
        redeemer_id=order.repairer_id,
        owner_group_of_redeemer=people[order.repairer_id].household_id,
        until=now + timedelta(days=terms["repair_job_days"] + 1),
        reason="repair",
        actor_id=order.assigned_by or order.repairer_id,
        now=now,
    )
    order.voucher_id, order.lock_token = issued.voucher_id, lock.token
    write(session, order, Step.AGREE, after=to, actor=actor, now=now, on_behalf_of=behalf)
    await session.flush()
    price = Price(order.cash_fen, order.payable_fen)
    if price.total_fen:
        change_id = new_id()
        await _propose(session, order, price, change_id=change_id, reason="quote", actor_id=order.repairer_id, now=now)
        await _answer(session, order, change_id, is_agreed=True, actor=actor, behalf=behalf, now=now)
    return order


def _for_resident(order: RepairOrder, actor: Actor) -> UUID | None:
    """Whom the actor decides for: nobody but themselves, or as staff the resident; never as the job's repairer."""
    if actor.member_id == order.asked_by:
        return None
    if not actor.has(Role.STAFF) or actor.member_id == order.repairer_id:
        raise NotYourJob
    return order.asked_by


async def _offer(session: AsyncSession, order: RepairOrder, now: datetime) -> UUID:
    """The team's open repair offer, whose price is nothing: each job's price is agreed to by itself."""
    found = await redemption.offers(
        session,
        order.community_id,
        open_at=now,
        merchant_id=order.team_id,
        kind=redemption.OfferKind.REPAIR,
    )
    for offer in found.offers:
        if not (offer.price_points or offer.payable_fen or offer.cash_fen or offer.requires):
            return offer.offer_id
    raise NoOffer


async def _propose(
    session: AsyncSession,
    order: RepairOrder,
    price: Price,
    *,
    change_id: UUID,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> bool:
    assert order.voucher_id is not None, "ck_repair_order_agreed"
    assert order.lock_token is not None, "an agreed order's voucher is locked"
    return await redemption.propose_change(
        session,
        order.community_id,
        order.voucher_id,
        redemption.Split(points=0, payable_fen=price.payable_fen // PIECES, cash_fen=price.cash_fen // PIECES),
        change_id=change_id,
        token=order.lock_token,
        price_list_version=order.priced_on.isoformat() if order.priced_on else None,
        reason=reason,
        actor_id=actor_id,
        now=now,
    )


async def _answer(
    session: AsyncSession,
    order: RepairOrder,
    change_id: UUID,
    *,
    is_agreed: bool,
    actor: Actor,
    behalf: UUID | None,
    now: datetime,
) -> None:
    await redemption.answer_change(
        session,
        order.community_id,
        change_id,
        key=new_id(),
        is_agreed=is_agreed,
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        now=now,
    )


async def change_price(
    session: AsyncSession, *, actor: Actor, order_id: UUID, lines: Sequence[QuoteLine], reason: str, now: datetime
) -> UUID:
    """Another price for a job under way, by the list and the discount of the quote: lower at once, higher when agreed to."""
    order = await queries.lock_order(session, actor, order_id)
    check_repairer(order, actor)
    if order.state not in UNDER_WAY:
        raise RepairInOtherState(RepairState(order.state))
    total, units = await _total(session, order, lines, now)
    price = split_price(total, order.percent)
    change_id = new_id()
    write(session, order, Step.CHANGE, actor=actor, now=now, note=reason, change_id=change_id)
    _keep_lines(session, order, lines, units)
    await session.flush()
    if not await _propose(session, order, price, change_id=change_id, reason=reason, actor_id=actor.member_id, now=now):
        _set_price(order, price)
    return change_id


async def answer_change(
    session: AsyncSession, *, actor: Actor, order_id: UUID, change_id: UUID, is_agreed: bool, now: datetime
) -> RepairOrder:
    """The resident's answer to a higher price; a no also by the repairer, who takes it back so."""
    order = await queries.lock_order(session, actor, order_id)
    is_withdrawal = not is_agreed and actor.member_id == order.repairer_id
    behalf = None if is_withdrawal else _for_resident(order, actor)
    changes = {
        change.change_id: change
        for change in await redemption.changes_of(
            session, actor.community_id, [order.voucher_id] if order.voucher_id else []
        )
    }
    if change_id not in changes:
        raise redemption.ChangeUnknown
    if is_agreed:
        after = changes[change_id].after
        _set_price(order, Price(after.cash_fen * PIECES, after.payable_fen * PIECES))
    write(session, order, Step.ANSWER, actor=actor, now=now, on_behalf_of=behalf, note="yes" if is_agreed else "no")
    await session.flush()
    await _answer(session, order, change_id, is_agreed=is_agreed, actor=actor, behalf=behalf, now=now)
    return order
