"""Asking again with the same key is no error and does nothing; asking something else with it is refused."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

import redemption
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio


async def twice(act: Callable[[UUID], Awaitable[Any]]) -> tuple[Any, Any]:
    key = some_id()
    return await act(key), await act(key)


async def test_each_verb_can_be_sent_twice(market: Market) -> None:
    haircut = await market.publish(stock_total=20)
    first, again = await twice(lambda key: market.issue(haircut, key=key))
    assert first == again
    assert await market.points() == 80

    await market.scan(first)
    first_answer, second_answer = await twice(lambda key: market.reverse(first, key=key))
    assert (first_answer.replayed, second_answer.replayed) == (False, True)
    assert second_answer.points == first_answer.points == 20

    await twice(lambda key: market.freeze(first, key=key))
    await market.unfreeze(first)
    cancelled, repeated = await twice(lambda key: market.cancel(first, key=key))
    assert (cancelled.points, repeated.points, repeated.replayed) == (20, 20, True)
    assert await market.points() == 100

    await market.scan(await market.issue(haircut))
    evening = market.at(hours=1)
    batch, same = await twice(lambda key: evening.close(settlement_id=key))
    assert batch == same
    await twice(lambda key: evening.dispute(batch.settlement_id, key=key))
    await twice(lambda key: evening.confirm(batch.settlement_id, key=key))
    await twice(lambda key: evening.approve(batch.settlement_id, key=key))
    await twice(lambda key: evening.pay(batch.settlement_id, key=key))
    assert await market.faults() == []


async def test_publishing_twice_is_publishing_once(market: Market) -> None:
    terms, key = market.terms(), some_id()
    async with market.sessions.begin() as session:
        await redemption.draft_offer(session, market.book, terms, actor_id=market.staff, now=market.now)
        for _ in range(2):
            await redemption.publish_offer(
                session, market.book, terms.offer_id, key=key, actor_id=market.staff, now=market.now
            )
    with pytest.raises(redemption.OfferNotDraft):
        async with market.sessions.begin() as session:
            await redemption.publish_offer(
                session, market.book, terms.offer_id, key=some_id(), actor_id=market.staff, now=market.now
            )


async def test_a_key_stands_for_one_request_only(market: Market) -> None:
    haircut = await market.publish()
    key = some_id()
    voucher_id = await market.issue(haircut, key=key)

    with pytest.raises(redemption.KeyDiffers):
        await market.issue(haircut, key=key, quantity=2)
    with pytest.raises(redemption.KeyDiffers):
        await market.cancel(voucher_id, key=key)
    with pytest.raises(redemption.KeyDiffers):
        await market.freeze(voucher_id, key=key)


async def test_a_refusal_does_not_use_the_key_up(market: Market) -> None:
    haircut = await market.publish()
    key = some_id()
    with pytest.raises(redemption.OfferOver):
        await market.at(days=31).issue(haircut, key=key)

    await market.issue(haircut, key=key)


async def test_two_people_and_a_reason(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())

    with pytest.raises(redemption.SamePerson):
        await market.void(voucher_id, second=market.staff)
    with pytest.raises(redemption.ReasonMissing):
        async with market.sessions.begin() as session:
            await redemption.cancel_voucher(
                session, market.book, voucher_id, key=some_id(), reason="", actor_id=market.li, now=market.now
            )
    await market.void(voucher_id)
    async with market.sessions.begin() as session:
        story = await redemption.history(session, market.book, voucher_id)
    assert (story[-1].actor_id, story[-1].second_id, story[-1].reason) == (
        market.staff,
        market.second,
        "issued in error",
    )


async def test_a_reprinted_code_kills_the_old_one(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    async with market.sessions.begin() as session:
        code_seq = await redemption.renew_code(
            session,
            market.book,
            voucher_id,
            reason="lost",
            actor_id=market.staff,
            on_behalf_of=market.li,
            now=market.now,
        )

    assert (await market.scan(voucher_id, code_seq=1)).verdict == "code_outdated"
    assert (await market.scan(voucher_id, code_seq=code_seq)).verdict == "redeemed"
    with pytest.raises(redemption.VoucherUsed):
        async with market.sessions.begin() as session:
            await redemption.renew_code(
                session, market.book, voucher_id, reason="lost", actor_id=market.staff, now=market.now
            )
    assert await market.faults() == []


async def test_offline_classes_wait_three_days_for_late_uploads(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(offline_class=redemption.OfflineClass.LEASED))

    assert (await market.at(days=7).scan(voucher_id)).verdict == "expired"
    assert (await market.at(days=9, hours=23).expire()).found == 0
    assert [each.voucher_id for each in (await market.at(days=10).expire()).expired] == [voucher_id]


async def test_expiry_goes_in_rounds(market: Market) -> None:
    soap = await market.publish(price_points=1)
    for _ in range(5):
        await market.issue(soap)
    late = market.at(days=8)

    rounds = [len((await late.expire(limit=2)).expired) for _ in range(4)]

    assert rounds == [2, 2, 1, 0]
    assert await market.points() == 100
    assert (await market.offer(soap)).stock_taken == 0
    assert await market.faults() == []
