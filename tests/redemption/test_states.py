"""Every state against every action: what the table in rules.py allows happens, and nothing else does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

import redemption
from redemption import TRANSITIONS, Stands, UseState, VoucherState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio

S = VoucherState
FULLY_USED = {S.USED}
PLANTED = {S.CANCEL_PENDING}


async def bring_to(market: Market, database: Database, state: VoucherState) -> int:
    """A voucher for two, in this state. Where used at all, one use exists that could be taken back."""
    haircut = await market.publish(is_giftable=True)
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
        await market.at(days=7).expire()
    elif state is S.VOID:
        await market.void(voucher_id)
    elif state is S.FROZEN:
        await market.freeze(voucher_id)
    elif state in PLANTED:
        # Nothing brings a voucher here yet; the rules must hold all the same.
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


ACTIONS: dict[str, Callable[[Market, int], Awaitable[Any]]] = {
    "confirm": lambda market, voucher_id: market.confirm_voucher(voucher_id),
    "lock": lambda market, voucher_id: market.lock(voucher_id),
    "unlock": lambda market, voucher_id: market.unlock(voucher_id),
    "redeem": redeem,
    "reverse": lambda market, voucher_id: market.reverse(voucher_id),
    "cancel": lambda market, voucher_id: market.cancel(voucher_id),
    "expire": expire,
    "refund": refund,
    "freeze": lambda market, voucher_id: market.freeze(voucher_id),
    "unfreeze": lambda market, voucher_id: market.unfreeze(voucher_id),
    "void": void,
    "extend": extend,
    "give": lambda market, voucher_id: market.give(voucher_id, some_id()),
}
BY_TOKEN: dict[str, Callable[[Market, Database, int], Awaitable[Any]]] = {
    "redeem_locked": redeem_locked,
    "change": change,
}
WORKING = [transition for transition in TRANSITIONS if transition.stands is Stands.WORKS]
MOVES: dict[str, dict[VoucherState | None, tuple[VoucherState, ...]]] = {}
for transition in WORKING:
    MOVES.setdefault(transition.action, {}).update(transition.moves)


def test_the_seventeen_steps_are_all_there() -> None:
    assert {transition.number for transition in TRANSITIONS} - {0} == set(range(1, 18))
    assert all(transition.who and transition.guard and transition.effect for transition in TRANSITIONS)


def test_every_action_is_tried() -> None:
    assert set(ACTIONS) | set(BY_TOKEN) | {"issue", "reserve", "close"} == set(MOVES)


def test_what_comes_later_is_out_of_reach() -> None:
    """Only letting a frozen voucher go could lead there, and it leads back to where the voucher was."""
    moves = [move for each in WORKING if each.action != "unfreeze" for move in each.moves.items()]
    reached = {target for origin, to in moves for target in to if target is not origin}
    assert reached & PLANTED == set()
    by_uses = {target for each in WORKING for target in each.uses.values()}
    assert by_uses == {UseState.ACCEPTED, UseState.REVERSED, UseState.SETTLED}


@pytest.mark.parametrize("action", [*ACTIONS, *BY_TOKEN])
@pytest.mark.parametrize("state", list(VoucherState))
async def test_action_in_state(market: Market, database: Database, state: VoucherState, action: str) -> None:
    voucher_id = await bring_to(market, database, state)
    before = await market.voucher(voucher_id)
    assert before.state is state
    allowed = MOVES[action].get(state, ())
    if action == "redeem_locked":
        # What is not locked is an ordinary scan.
        allowed += MOVES["redeem"].get(state, ())

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
