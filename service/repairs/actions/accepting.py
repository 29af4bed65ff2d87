"""The resident shows the code, or the card with the PIN: that is the acceptance. And what becomes of what the warranty keeps."""

import uuid
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.communities import settings_on
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.db import keyring
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.refusals import NotAllowed
from service.records import RecordKind, Service, ServiceClass, record_services
from service.repairs.actions.lines import check_repairer, write
from service.repairs.queries import orders as queries
from service.repairs.rules import (
    PIECES,
    OtherVoucher,
    RepairState,
    SecondPersonNeeded,
    Step,
    Warranty,
    WarrantyOver,
    check_step,
)
from service.repairs.tables import RepairOrder

LOCK_DAYS = 89
"""How long what the warranty keeps is locked: as long as a lock may last, for a claim takes the time that the office takes."""
MOMENT = timedelta(minutes=1)
TRY_AGAIN = timedelta(days=1)
BATCH = 50
WARRANTY_TERMS = ("repair_warranty_days", "repair_warranty_fifths")
"""Of the day of the acceptance: an order keeps what it was accepted with."""
BACK = (redemption.VoucherState.EXPIRED, redemption.VoucherState.CANCELLED, redemption.VoucherState.VOID)


async def accept(
    session: AsyncSession, *, actor: Actor, order_id: UUID, code: str, nonce: UUID, device_id: UUID, now: datetime
) -> RepairOrder:
    """Scan the resident's code: most pieces are the team's, the minutes are the repairer's, the rest waits.

    The order first, then the repairer's own row, which the record locks too, then the voucher and the book's head. The same
    scan again is the same answer.
    """
    order = await queries.lock_order(session, actor, order_id)
    if is_accepted(order, actor):
        return order
    voucher_id, code_seq = await _shown(session, actor, code, now)
    if voucher_id != order.voucher_id:
        raise OtherVoucher
    await _close(session, order, actor, nonce=nonce, device_id=device_id, code_seq=code_seq, now=now)
    return order


async def accept_by_card(
    session: AsyncSession, *, actor: Actor, order_id: UUID, card: identity.Card | None, now: datetime
) -> RepairOrder:
    """The same by the resident's card, whose PIN was right (`actions.cards.prove`), under the same locks.

    The card is read anew, for it may have been withdrawn or printed again while the PIN was looked at. An order is accepted
    once, so it is a scan of its own number; one that is accepted is answered as it stands.
    """
    order = await queries.lock_order(session, actor, order_id)
    if is_accepted(order, actor):
        return order
    held = (await identity.cards_of(session, actor.community_id, [order.asked_by])).get(order.asked_by)
    if card is None or held is None or (held.handle, held.card_seq) != (card.handle, card.card_seq):
        raise identity.CardUnknown
    nonce = uuid.uuid5(order.order_id, "card")
    await _close(session, order, actor, nonce=nonce, device_id=actor.session_id, code_seq=None, now=now)
    audit.record(
        session,
        actor,
        "repairs.accepted_by_card",
        kind="repair",
        id=order.order_id,
        now=now,
        on_behalf_of=order.asked_by,
    )
    return order


def is_accepted(order: RepairOrder, actor: Actor) -> bool:
    """Whether there is nothing left to accept; raises for a stranger's order, and for one that is not done."""
    check_repairer(order, actor)
    if order.state == RepairState.ACCEPTED:
        return True
    check_step(Step.ACCEPT, RepairState(order.state))
    return False


async def _close(
    session: AsyncSession,
    order: RepairOrder,
    actor: Actor,
    *,
    nonce: UUID,
    device_id: UUID,
    code_seq: int | None,
    now: datetime,
) -> None:
    to = check_step(Step.ACCEPT, RepairState(order.state))
    await identity.lock_people(session, actor.community_id, [actor.member_id])
    terms = await settings_on(session, order.community_id, WARRANTY_TERMS, local_day(now))
    kept = terms["repair_warranty_fifths"] if order.payable_fen and terms["repair_warranty_days"] else 0
    order.accepted_at = now
    if kept:
        order.warranty, order.warranty_until = Warranty.HELD, now + timedelta(days=terms["repair_warranty_days"])
    write(session, order, Step.ACCEPT, after=to, actor=actor, now=now)
    await session.flush()
    await _redeem(session, order, actor, PIECES - kept, nonce=nonce, device_id=device_id, code_seq=code_seq, now=now)
    if kept:
        until = now + timedelta(days=LOCK_DAYS)
        await _lock(session, order, redeemer_id=actor.member_id, household_id=actor.household_id, until=until, now=now)
        await session.flush()
    await _record(session, order, actor, now)


async def _shown(session: AsyncSession, actor: Actor, code: str, now: datetime) -> tuple[int | None, int | None]:
    """The voucher of a code that was scanned or typed, and the number of the code."""
    read = redemption.read_code(code, code_keys(keyring(session), now), community_id=actor.community_id, now=now)
    if read.short_code:
        return await redemption.voucher_by_code(session, actor.community_id, read.short_code), None
    if read.voucher_id is None:
        raise OtherVoucher
    return read.voucher_id, read.code_seq


async def _redeem(
    session: AsyncSession,
    order: RepairOrder,
    actor: Actor | None,
    pieces: int,
    *,
    nonce: UUID,
    device_id: UUID,
    code_seq: int | None,
    now: datetime,
) -> None:
    assert order.voucher_id is not None, "ck_repair_order_agreed"
    assert order.lock_token is not None, "an agreed order's voucher is locked"
    assert order.team_id is not None, "an agreed order has a team"
    assert order.repairer_id is not None, "an agreed order has a repairer"
    scan = await redemption.redeem_locked(
        session,
        order.community_id,
        token=order.lock_token,
        device_id=device_id,
        nonce=nonce,
        voucher_id=order.voucher_id,
        code_seq=code_seq,
        merchant_id=order.team_id,
        owner_group_of_clerk=actor.household_id if actor else None,
        clerk_id=order.repairer_id,
        quantity=pieces,
        scanned_at=now,
        now=now,
    )
    if not scan.is_accepted:
        raise redemption.BY_CODE[scan.verdict].from_answer(scan.detail)


async def _lock(
    session: AsyncSession,
    order: RepairOrder,
    *,
    redeemer_id: UUID | None,
    household_id: UUID | None,
    until: datetime,
    now: datetime,
) -> None:
    assert order.voucher_id is not None, "ck_repair_order_agreed"
    assert order.team_id is not None, "an agreed order has a team"
    assert redeemer_id is not None, "an agreed order has a repairer"
    lock = await redemption.lock_voucher(
        session,
        order.community_id,
        order.voucher_id,
        key=new_id(),
        merchant_id=order.team_id,
        redeemer_id=redeemer_id,
        owner_group_of_redeemer=household_id,
        until=until,
        reason="warranty",
        actor_id=redeemer_id,
        now=now,
    )
    order.lock_token = lock.token


async def _record(session: AsyncSession, order: RepairOrder, actor: Actor, now: datetime) -> None:
    if not order.minutes:
        return
    assert order.arrived_at is not None, "who is done was there"
    await record_services(
        session,
        community_id=order.community_id,
        services=[
            Service(
                member_id=actor.member_id,
                minutes=order.minutes,
                kind=RecordKind.CREDITED,
                service_class=ServiceClass.SKILLED,
                title=order.text[:40],
                source=f"repair:{order.order_id}",
                reference=f"repair:{order.order_id}:accepted",
                served_on=local_day(order.arrived_at),
                served_from_at=order.arrived_at,
                served_until_at=order.arrived_at + timedelta(minutes=order.minutes),
            )
        ],
        actor=actor,
        now=now,
        on_behalf_of=order.asked_by,
    )


async def claim_warranty(
    session: AsyncSession, *, actor: Actor, order_id: UUID, reason: str, now: datetime
) -> RepairOrder:
    """It broke again: what was kept waits until a second person of the office decides."""
    order = await queries.lock_order(session, actor, order_id)
    if actor.member_id != order.asked_by and not actor.has(Role.STAFF):
        raise NotAllowed
    if order.warranty != Warranty.HELD or order.warranty_until is None or now >= order.warranty_until:
        raise WarrantyOver
    order.warranty, order.claimed_by = Warranty.CLAIMED, actor.member_id
    write(session, order, Step.CLAIM, actor=actor, now=now, note=reason)
    return order


async def decide_claim(
    session: AsyncSession, *, actor: Actor, order_id: UUID, is_upheld: bool, reason: str, now: datetime
) -> RepairOrder:
    """Give what was kept back to who paid it, or let the team have it; by neither who claimed it nor who repaired."""
    order = await queries.lock_order(session, actor, order_id)
    if order.warranty != Warranty.CLAIMED:
        raise WarrantyOver
    if actor.member_id in (order.claimed_by, order.repairer_id, order.asked_by):
        raise SecondPersonNeeded
    order.decided_by = actor.member_id
    order.warranty = Warranty.GIVEN_BACK if is_upheld else Warranty.RELEASED
    write(session, order, Step.GIVE_BACK if is_upheld else Step.REFUSE_CLAIM, actor=actor, now=now, note=reason)
    await session.flush()
    if is_upheld:
        await _give_back(session, order, actor, reason, now)
    else:
        await _release(session, order, now)
    return order


async def _rest(session: AsyncSession, order: RepairOrder) -> redemption.Voucher:
    """The voucher, whose open pieces are what the warranty keeps."""
    assert order.voucher_id is not None, "ck_repair_order_agreed"
    return await redemption.voucher(session, order.community_id, order.voucher_id)


async def _give_back(session: AsyncSession, order: RepairOrder, actor: Actor, reason: str, now: datetime) -> None:
    """To who paid it. A claim that was decided late may find that the lock was let go, and that time was quicker."""
    assert order.voucher_id is not None, "ck_repair_order_agreed"
    if (await _rest(session, order)).state is redemption.VoucherState.LOCKED:
        await redemption.unlock_voucher(
            session,
            order.community_id,
            order.voucher_id,
            key=new_id(),
            reason=reason,
            actor_id=actor.member_id,
            now=now,
        )
    if (await _rest(session, order)).state in BACK:
        # It ran out while it was locked, and went back when it was let go.
        return
    await redemption.cancel_voucher(
        session,
        order.community_id,
        order.voucher_id,
        key=new_id(),
        reason=reason,
        actor_id=actor.member_id,
        on_behalf_of=order.asked_by,
        now=now,
    )


async def _release(session: AsyncSession, order: RepairOrder, now: datetime) -> None:
    """What was kept is the team's. The order's id is the device and names the scan, so that it happens once.

    A piece that has gone back with its voucher is nobody's to have any more. One whose lock was let go is locked once more:
    what is not locked takes a code.
    """
    rest = await _rest(session, order)
    state = rest.state
    if state in BACK:
        order.warranty = Warranty.RETURNED
        return
    if state is redemption.VoucherState.USED:
        # Its lock was let go and the resident showed the code again: the team has it.
        return
    if state is redemption.VoucherState.PART_USED:
        await _lock(session, order, redeemer_id=order.repairer_id, household_id=None, until=now + MOMENT, now=now)
    nonce = uuid.uuid5(order.order_id, "warranty")
    await _redeem(
        session, order, None, rest.quantity_open, nonce=nonce, device_id=order.order_id, code_seq=None, now=now
    )


async def release_warranties(session: AsyncSession, now: datetime) -> int:
    """Let teams have what nobody claimed in time: one community a transaction, and each order for itself.

    One that cannot be released, for its voucher is frozen, stands in the office's list and is tried again a day later.
    """
    found = await queries.warranties_over(session, now, BATCH)
    for order in found:
        try:
            async with session.begin_nested():
                order.warranty = Warranty.RELEASED
                write(session, order, Step.RELEASE, actor=None, now=now)
                await session.flush()
                await _release(session, order, now)
        except redemption.RedemptionRefusal:
            await session.refresh(order)
            order.release_after = now + TRY_AGAIN
            await session.flush()
    return len(found)
