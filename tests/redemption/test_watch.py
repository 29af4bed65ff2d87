"""What looks odd stays out of the batch until somebody has looked; whoever is second is told."""

import asyncio
from datetime import timedelta

import pytest

import redemption
from redemption import AlarmRule, AlarmState, Hours, UseState, Watch
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio

OFF = {"hours_grace_minutes": 15, "seconds_between": 0, "member_per_day": 0, "sigmas": 0, "typed_fen_per_day": 0}


def watch(**rules: int) -> Watch:
    return Watch(zone="Asia/Shanghai", **{**OFF, **rules})


async def close(market: Market, rules: Watch | None, *, key: object = None) -> redemption.Settlement:
    async with market.sessions.begin() as session:
        return await redemption.close_settlement(
            session,
            market.book,
            settlement_id=key or some_id(),  # type: ignore[arg-type]  # a key of the test
            merchant_id=market.barber,
            received_until=market.now,
            actor_id=market.finance,
            watch=rules,
            now=market.now,
        )


async def decide(market: Market, uses: list[tuple[int, int]], *, is_cleared: bool = True, actor: object = None) -> int:
    async with market.sessions.begin() as session:
        return await redemption.decide_alarms(
            session,
            market.book,
            uses,
            key=some_id(),
            is_cleared=is_cleared,
            reason="looked at the camera",
            actor_id=actor or market.staff,  # type: ignore[arg-type]  # an id of the test
            now=market.now,
        )


async def found(market: Market, state: AlarmState | None = AlarmState.OPEN) -> tuple[redemption.Alarm, ...]:
    async with market.sessions.begin() as session:
        return (await redemption.alarms(session, market.book, state=state)).alarms


async def used(market: Market, *seconds: float) -> list[int]:
    """One voucher used at each of these seconds after the market's now, on one device."""
    haircut = await market.publish(price_points=5, stock_total=20)
    vouchers = [await market.issue(haircut) for _ in seconds]
    for voucher_id, later in zip(vouchers, seconds, strict=True):
        assert (await market.at(seconds=later).scan(voucher_id)).verdict == "redeemed"
    return vouchers


async def test_two_uses_within_five_seconds_wait_and_the_rest_is_closed(market: Market) -> None:
    vouchers = await used(market, 0, 3, 60)
    evening = market.at(hours=2)
    batch = await close(evening, watch(seconds_between=5))
    assert (batch.line_count, batch.payable_fen) == (2, 3000)
    [alarm] = await found(evening)
    assert (alarm.voucher_id, alarm.rule, alarm.seen, alarm.allowed) == (vouchers[1], AlarmRule.TOO_FAST, 3, 5)
    async with market.sessions.begin() as session:
        assert await redemption.open_batches(session, market.book, received_until=evening.now) == {}
    with pytest.raises(redemption.NothingToSettle):
        await close(evening.at(minutes=1), watch(seconds_between=5))

    assert await decide(evening, [(alarm.voucher_id, 1)]) == 1
    later = evening.at(hours=1)
    second = await close(later, watch(seconds_between=5))
    assert (second.line_count, second.number) == (1, 2)
    assert await market.faults() == []
    await later.confirm(second.settlement_id)
    with pytest.raises(redemption.SamePerson):
        await later.approve(second.settlement_id, actor=market.staff)
    await later.approve(second.settlement_id, actor=market.second)


async def test_all_of_a_batch_may_wait_and_the_alarms_stay(market: Market) -> None:
    await used(market, 0, 60)
    evening = market.at(hours=2)
    refused = False
    async with market.sessions.begin() as session:
        await redemption.set_opening(
            session,
            market.book,
            market.barber,
            [Hours(6, 0, 60)],
            effective_from=market.now.date(),
            today=market.now.date() - timedelta(days=1),
            actor_id=market.clerk,
            now=market.now,
        )
        try:
            await redemption.close_settlement(
                session,
                market.book,
                settlement_id=some_id(),
                merchant_id=market.barber,
                received_until=evening.now,
                actor_id=market.finance,
                watch=watch(),
                now=evening.now,
            )
        except redemption.NothingToSettle:
            refused = True
    assert refused
    assert [alarm.rule for alarm in await found(evening)] == [AlarmRule.OUTSIDE_HOURS] * 2


async def test_the_fourth_of_a_member_in_a_day_waits_and_the_days_before_count(market: Market) -> None:
    vouchers = await used(market, 0, 60, 120, 180, 24 * 3600)
    later = market.at(days=2)
    batch = await close(later, watch(member_per_day=3))
    assert batch.line_count == 4
    [alarm] = await found(later)
    assert (alarm.voucher_id, alarm.rule, alarm.seen, alarm.allowed) == (vouchers[3], AlarmRule.MEMBER_OFTEN, 4, 3)


async def test_a_day_far_above_the_usual_waits(market: Market) -> None:
    haircut = await market.publish(price_points=0, payable_fen=100, stock_total=60)
    for day in range(10):
        voucher_id = await market.at(days=day).issue(haircut)
        await market.at(days=day).scan(voucher_id)
    await close(market.at(days=11), watch())
    busy = market.at(days=12)
    for minute in range(12):
        voucher_id = await busy.issue(haircut)
        await busy.at(minutes=minute).scan(voucher_id)
    evening = busy.at(hours=2)
    assert (await close(evening, watch(sigmas=4))).line_count == 10
    assert {(alarm.rule, alarm.seen, alarm.allowed) for alarm in await found(evening)} == {
        (AlarmRule.DAY_UNUSUAL, 11, 10),
        (AlarmRule.DAY_UNUSUAL, 12, 10),
    }


async def test_typed_codes_above_fifty_yuan_wait(market: Market) -> None:
    haircut = await market.publish(price_points=5, stock_total=20)
    for minute in range(4):
        voucher_id = await market.issue(haircut)
        await market.at(minutes=minute).scan(voucher_id, code_seq=1 if minute == 0 else None)
    evening = market.at(hours=2)
    assert (await close(evening, watch(typed_fen_per_day=3000))).line_count == 3
    [alarm] = await found(evening)
    assert (alarm.rule, alarm.seen, alarm.allowed) == (AlarmRule.TYPED_MUCH, 4500, 3000)


async def test_what_is_not_let_through_is_a_line_in_dispute_that_a_second_person_decides(market: Market) -> None:
    vouchers = await used(market, 0, 3)
    evening = market.at(hours=2)
    await close(evening, watch(seconds_between=5))
    with pytest.raises(redemption.OwnVoucher):
        await decide(evening, [(vouchers[1], 1)], actor=market.clerk)
    await decide(evening, [(vouchers[1], 1)], is_cleared=False)
    later = evening.at(hours=1)
    batch = await close(later, watch(seconds_between=5))
    assert (batch.line_count, batch.open_disputes, batch.due_fen) == (1, 1, 0)
    with pytest.raises(redemption.SamePerson):
        await later.resolve(batch.settlement_id, 1, for_shop=True, actor=market.staff)
    await later.resolve(batch.settlement_id, 1, for_shop=False, actor=market.second)
    async with market.sessions.begin() as session:
        [use] = await redemption.uses_of(session, market.book, vouchers[1])
    assert use.state is UseState.REVERSED
    assert await market.faults() == []


async def test_of_two_who_decide_at_once_one_is_told(market: Market) -> None:
    vouchers = await used(market, 0, 3)
    evening = market.at(hours=2)
    await close(evening, watch(seconds_between=5))
    answers = await asyncio.gather(
        decide(evening, [(vouchers[1], 1)]),
        decide(evening, [(vouchers[1], 1)], is_cleared=False, actor=market.second),
        return_exceptions=True,
    )
    assert sorted(map(str, map(type, answers))) == sorted(map(str, (int, redemption.AlarmDecided)))


async def test_closing_goes_on_while_a_use_is_flagged_and_cleared(market: Market) -> None:
    """Whoever is first, each use is in one batch or waits, and the sums agree."""
    vouchers = await used(market, 0, 3, 60, 63)
    evening = market.at(hours=2)
    rules = watch(seconds_between=5)

    async def look() -> int:
        async with market.sessions.begin() as session:
            return await redemption.watch_uses(
                session, market.book, market.barber, until=evening.now, watch=rules, now=evening.now
            )

    async def clear() -> int:
        return await decide(evening, [(vouchers[1], 1)])

    await look()
    answers = await asyncio.gather(close(evening, rules), clear(), look(), clear(), return_exceptions=True)
    lines = answers[0].line_count  # type: ignore[union-attr]  # nobody else closes
    still = {alarm.voucher_id for alarm in await found(evening)}
    assert (lines, still) in ((2, {vouchers[3]}), (3, {vouchers[3]}))
    assert sum(isinstance(answer, redemption.AlarmDecided) for answer in answers) == 1
    assert await market.faults() == []


async def test_a_member_who_denies_raises_an_alarm_unless_a_batch_has_the_use(market: Market) -> None:
    vouchers = await used(market, 0, 60)

    async def deny(voucher_id: int) -> None:
        async with market.sessions.begin() as session:
            await redemption.raise_alarm(
                session, market.book, voucher_id, 1, actor_id=market.staff, now=market.at(hours=1).now
            )

    await deny(vouchers[0])
    await deny(vouchers[0])
    assert [alarm.rule for alarm in await found(market)] == [AlarmRule.DENIED]
    assert (await close(market.at(hours=2), None)).line_count == 1
    with pytest.raises(redemption.UseSettled):
        await deny(vouchers[1])
    with pytest.raises(redemption.UseUnknown):
        await deny(1)


async def test_a_use_taken_back_at_the_counter_waits_for_nobody(market: Market) -> None:
    vouchers = await used(market, 0, 3)
    soon = market.at(minutes=10)
    async with market.sessions.begin() as session:
        assert await redemption.watch_uses(
            session, market.book, market.barber, until=soon.now, watch=watch(seconds_between=5), now=soon.now
        )
    await soon.reverse(vouchers[1])
    assert await found(soon) == ()
    assert len(await found(soon, None)) == 1


async def test_hours_change_from_tomorrow_and_do_not_overlap(market: Market) -> None:
    await market.publish()
    today = market.now.date()

    async def hours(*spans: Hours, days: int = 1) -> None:
        async with market.sessions.begin() as session:
            await redemption.set_opening(
                session,
                market.book,
                market.barber,
                spans,
                effective_from=today + timedelta(days=days),
                today=today,
                actor_id=market.clerk,
                now=market.now,
            )

    with pytest.raises(redemption.OpeningDayWrong):
        await hours(Hours(1, 480, 1200), days=0)
    for wrong in ((), (Hours(1, 480, 800), Hours(1, 700, 900)), (Hours(8, 1, 2),), (Hours(1, 800, 700),)):
        with pytest.raises(redemption.OpeningWrong):
            await hours(*wrong)
    await hours(Hours(1, 480, 1200))
    await hours(Hours(1, 480, 720), Hours(1, 840, 1200))
    async with market.sessions.begin() as session:
        [opening] = await redemption.openings(session, market.book, since=today)
    assert opening.hours == (Hours(1, 480, 720), Hours(1, 840, 1200))
