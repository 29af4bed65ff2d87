"""Every state against every action: what the table in rules.py allows happens, and nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import redemption
from redemption import TRANSITIONS, OfflineClass, UseState, VoucherState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, some_id
from tests.redemption.phones import Phone

pytestmark = pytest.mark.anyio

S = VoucherState
FULLY_USED = {S.USED}
OFFLINE = {"merge": OfflineClass.ROAMING, "ask_to_cancel": OfflineClass.LEASED, "end_cancelling": OfflineClass.LEASED}
"""The class of voucher that an action is about; all others are tried with one that is good online only."""


async def bring_to(market: Market, database: Database, state: VoucherState, offline_class: OfflineClass) -> int:
    """A voucher for two, in this state. Where used at all, one use exists that could be taken back."""
    haircut = await market.publish(is_giftable=offline_class is OfflineClass.ONLINE_ONLY, offline_class=offline_class)
    voucher_id = await market.issue(haircut, quantity=2, reserved_minutes=10 if state is S.RESERVED else None)
    if state is S.LOCKED:
        await market.lock(voucher_id)
    elif state is S.PART_USED:
        await market.scan(voucher_id)
    elif state is S.USED:
        await market.scan(voucher_id, quantity=2)
    elif state is S.CANCELLED:
        await market.cancel(voucher_id)
    elif state is S.EXPIRED:
        await market.at(days=10).expire()
    elif state is S.VOID:
        await market.void(voucher_id)
    elif state is S.FROZEN:
        await market.freeze(voucher_id)
    elif state is S.CANCEL_PENDING and offline_class is OfflineClass.LEASED:
        await ask_to_cancel(market, voucher_id)
    elif state is S.CANCEL_PENDING:
        # Nothing brings a voucher of another class here; the rules must hold all the same.
        await as_superuser(
            database,
            f"UPDATE redemption.voucher SET state = '{state}' WHERE voucher_id = {voucher_id}",
            f"UPDATE redemption.voucher_event SET to_state = '{state}' WHERE voucher_id = {voucher_id}",
        )
    return voucher_id


async def redeem(market: Market, voucher_id: int) -> None:
    scan = await market.scan(voucher_id)
    if not scan.is_accepted:
        raise redemption.RedemptionRefusal({"verdict": scan.verdict})


async def expire(market: Market, voucher_id: int) -> None:
    expiry = await market.at(days=7).expire()
    if voucher_id not in [each.voucher_id for each in expiry.expired]:
        raise redemption.RedemptionRefusal


async def refund(market: Market, voucher_id: int) -> None:
    """Close the batch that has the use, object and decide against the shop."""
    evening = market.at(hours=2)
    batch = (await evening.close()).settlement_id
    await evening.dispute(batch)
    await evening.resolve(batch, for_shop=False)


async def adjust(market: Market, voucher_id: int) -> None:
    """Close the batch that has the use, confirm it, propose and agree."""
    evening = market.at(hours=2)
    batch = (await evening.close()).settlement_id
    await evening.confirm(batch)
    await evening.decide_adjustment(await evening.propose_adjustment(batch))


async def extend(market: Market, voucher_id: int) -> None:
    """Two of staff give it a month more."""
    await market.decide(await market.propose(voucher_id, redemption.StaffStep.EXTEND, until=market.at(days=37).now))


async def void(market: Market, voucher_id: int) -> None:
    """As staff do it: one proposes and another agrees."""
    await market.decide(await market.propose(voucher_id, redemption.StaffStep.VOID))


async def token_of(market: Market, database: Database, voucher_id: int) -> UUID:
    """The lock's token; somebody's where nothing is locked."""
    owner = await asyncpg.connect(database.owner_url)
    try:
        return (
            await owner.fetchval("SELECT lock_token FROM redemption.voucher WHERE voucher_id = $1", voucher_id)
            or some_id()
        )
    finally:
        await owner.close()


async def redeem_locked(market: Market, database: Database, voucher_id: int) -> None:
    scan = await market.scan_locked(voucher_id, await token_of(market, database, voucher_id))
    if not scan.is_accepted:
        raise redemption.RedemptionRefusal({"verdict": scan.verdict})


async def change(market: Market, database: Database, voucher_id: int) -> None:
    """Dearer, and the member agrees."""
    token = await token_of(market, database, voucher_id)
    await market.answer_change(await market.propose_change(voucher_id, token, points=25))


async def merge(market: Market, voucher_id: int) -> None:
    """A phone uploads that it took one piece an hour from now, when the grace is over."""
    phone = await Phone(market).enrol()
    verdict, reason, _ = await phone.upload(voucher_id, market.at(hours=1), later=timedelta(days=12))
    if verdict != "accepted" and not reason.endswith("_before"):
        raise redemption.RedemptionRefusal({"verdict": verdict, "reason": reason})


async def ask_to_cancel(market: Market, voucher_id: int) -> None:
    """The member gives it up while a phone has the lease."""
    await (await Phone(market).enrol()).take_lease()
    await market.cancel(voucher_id)


async def end_cancelling(market: Market, voucher_id: int) -> None:
    """The lease is over."""
    later = market.at(hours=73)
    async with market.sessions.begin() as session:
        round_ = await redemption.end_cancelling(session, market.book, now=later.now)
    if not round_.expired:
        raise redemption.RedemptionRefusal


ACTIONS: dict[str, Callable[[Market, int], Awaitable[Any]]] = {
    "confirm": lambda market, voucher_id: market.confirm_voucher(voucher_id),
    "lock": lambda market, voucher_id: market.lock(voucher_id),
    "unlock": lambda market, voucher_id: market.unlock(voucher_id),
    "redeem": redeem,
    "reverse": lambda market, voucher_id: market.reverse(voucher_id),
    "cancel": lambda market, voucher_id: market.cancel(voucher_id),
    "expire": expire,
    "refund": refund,
    "adjust": adjust,
    "freeze": lambda market, voucher_id: market.freeze(voucher_id),
    "unfreeze": lambda market, voucher_id: market.unfreeze(voucher_id),
    "void": void,
    "extend": extend,
    "give": lambda market, voucher_id: market.give(voucher_id, some_id()),
    "merge": merge,
    "ask_to_cancel": ask_to_cancel,
    "end_cancelling": end_cancelling,
}
ALSO = {"redeem_locked": "redeem", "merge": "reopen", "ask_to_cancel": "cancel"}
"""What an action is when it is not itself: what is not locked is scanned, a late upload reopens, a reservation ends."""
BY_TOKEN: dict[str, Callable[[Market, Database, int], Awaitable[Any]]] = {
    "redeem_locked": redeem_locked,
    "change": change,
}
MOVES: dict[str, dict[VoucherState | None, tuple[VoucherState, ...]]] = {}
for transition in TRANSITIONS:
    MOVES.setdefault(transition.action, {}).update(transition.moves)


def test_the_seventeen_steps_are_all_there() -> None:
    assert {transition.number for transition in TRANSITIONS} - {0} == set(range(1, 18))
    assert all(transition.who and transition.guard and transition.effect for transition in TRANSITIONS)


def test_every_action_is_tried() -> None:
    assert set(ACTIONS) | set(BY_TOKEN) | {"issue", "reserve", "close", "reopen"} == set(MOVES)


def test_a_use_comes_to_every_state_but_the_one_of_phones() -> None:
    by_uses = {target for each in TRANSITIONS for target in each.uses.values()}
    assert by_uses == set(UseState) - {UseState.PENDING_DEVICE}


@pytest.mark.parametrize("action", [*ACTIONS, *BY_TOKEN])
@pytest.mark.parametrize("state", list(VoucherState))
async def test_action_in_state(market: Market, database: Database, state: VoucherState, action: str) -> None:
    voucher_id = await bring_to(market, database, state, OFFLINE.get(action, OfflineClass.ONLINE_ONLY))
    before = await market.voucher(voucher_id)
    assert before.state is state
    allowed = MOVES[action].get(state, ())
    if not allowed:
        allowed = MOVES.get(ALSO.get(action, ""), {}).get(state, ())

    refused = None
    try:
        if action in BY_TOKEN:
            await BY_TOKEN[action](market, database, voucher_id)
        else:
            await ACTIONS[action](market, voucher_id)
    except redemption.RedemptionRefusal as refusal:
        refused = refusal

    after = await market.voucher(voucher_id)
    if allowed:
        assert refused is None
        assert after.state in allowed
    else:
        assert refused is not None
        assert after == before
    assert await market.faults() == []
