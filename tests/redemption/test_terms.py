"""On which days a voucher can be used, from when, how many go in a week, and for whom an offer is."""

from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

import redemption
from redemption import CapPeriod, OfferKind
from tests.db import Database
from tests.redemption.crowd import all_at_once, without_lock
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio

MONDAY, SATURDAY, SUNDAY = 1, 32, 64


async def test_on_its_days_only_as_the_clock_of_the_community_has_them(market: Market) -> None:
    """The market opens on a Saturday at 14:00; from 00:00 in the community, 16:00 in UTC, it is Sunday."""
    voucher_id = await market.issue(await market.publish(weekdays=MONDAY | SUNDAY))

    refused = await market.at(hours=9, minutes=59).scan(voucher_id)
    assert (refused.verdict, refused.detail["weekdays"]) == ("not_today", MONDAY | SUNDAY)
    assert (await market.at(hours=10).scan(voucher_id)).verdict == "redeemed"
    assert await market.faults() == []


async def test_the_day_is_looked_at_before_the_code_and_after_the_expiry(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(weekdays=SUNDAY))

    assert (await market.scan(voucher_id, code_seq=9)).verdict == "not_today"
    assert (await market.at(days=7).scan(voucher_id, code_seq=9)).verdict == "expired"


async def test_not_before_its_time_and_its_days_count_from_there(market: Market) -> None:
    opens = market.at(days=10)
    voucher_id = await market.issue(await market.publish(usable_from=opens.now, weekdays=SUNDAY))

    refused = await market.scan(voucher_id)
    assert (refused.verdict, refused.detail["usable_from"]) == ("not_yet", opens.now.isoformat())
    assert (await market.voucher(voucher_id)).expires_at == opens.now + timedelta(days=7)
    assert (await opens.at(days=5).scan(voucher_id)).verdict == "redeemed"


async def test_one_week_has_so_many_for_everybody_and_what_comes_back_can_be_taken_again(market: Market) -> None:
    haircut = await market.publish(price_points=1, period_cap=2, period_cap_per=CapPeriod.WEEK)
    sun = await market.join()
    first = await market.issue(haircut)
    await market.issue(haircut, member=sun)

    with pytest.raises(redemption.OfferCap) as refused:
        await market.issue(haircut)
    assert (refused.value.cap, refused.value.taken, refused.value.period) == (2, 2, "week")
    async with market.sessions.begin() as session:
        full = await redemption.periods_full(session, market.book, [haircut.offer_id], now=market.now)
    assert [again.isoformat() for again in full.values() if again] == ["2025-11-23T16:00:00+00:00"]

    await market.cancel(first)
    await market.issue(haircut)
    monday = market.at(days=2)
    await monday.issue(haircut)
    await monday.scan(await monday.issue(haircut))
    with pytest.raises(redemption.OfferCap):
        await monday.issue(haircut)
    assert await market.faults() == []


@pytest.mark.parametrize(
    "terms",
    [
        {"weekdays": 0},
        {"weekdays": 128},
        {"period_cap": 1},
        {"period_cap_per": CapPeriod.DAY},
        {"pieces": 2, "period_cap": 1, "period_cap_per": CapPeriod.DAY},
    ],
    ids=str,
)
async def test_terms_that_nobody_could_meet_are_refused(market: Market, terms: dict[str, object]) -> None:
    with pytest.raises(redemption.OfferWrong):
        await market.publish(**terms)


async def test_one_of_what_is_required_is_enough_and_nothing_of_it_is_kept(market: Market) -> None:
    perk = await market.publish(requires=("role:steward", "stars:3"))

    for tags in ((), ("role:volunteer", "stars:2")):
        with pytest.raises(redemption.NotEligible) as refused:
            await market.issue(perk, tags=tags)
        assert refused.value.detail == {}
    voucher_id = await market.issue(perk, tags=("stars:1", "stars:2", "stars:3"))

    told = [await market.voucher(voucher_id), await market.scan(voucher_id)]
    async with market.sessions.begin() as session:
        told += [*await redemption.history(session, market.book, voucher_id)]
        told += [*(await redemption.takings(session, market.book, market.barber)).uses]
    assert "stars" not in repr(told)
    assert "steward" not in repr(told)


async def test_lists_leave_out_what_is_for_others(market: Market) -> None:
    for_all = await market.publish(kind=OfferKind.GOODS)
    perk = await market.publish(requires=("role:steward",))

    async def listed(**which: object) -> set[object]:
        async with market.sessions.begin() as session:
            page = await redemption.offers(session, market.book, open_at=market.now, **which)  # type: ignore[arg-type]
        return {offer.offer_id for offer in page.offers}

    assert await listed() == {for_all.offer_id, perk.offer_id}
    assert await listed(tags=()) == {for_all.offer_id}
    assert await listed(tags=("role:steward",)) == {for_all.offer_id, perk.offer_id}
    assert await listed(kind=OfferKind.GOODS) == {for_all.offer_id}


async def forty_in_one_week(market: Market, database: Database) -> Counter[str]:
    haircut = await market.publish(price_points=1, stock_total=50, period_cap=7, period_cap_per=CapPeriod.WEEK)
    answers = await all_at_once(database, [market.issue(haircut, key=some_id()) for _ in range(40)])
    return Counter(type(answer).__name__ for answer in answers)


async def test_forty_people_share_a_week_of_seven(fresh_market: Market, fresh_database: Database) -> None:
    assert await forty_in_one_week(fresh_market, fresh_database) == {"int": 7, "OfferCap": 33}
    assert await fresh_market.faults() == []


async def test_without_the_offers_lock_only_the_constraint_guards_the_week(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "issue", "issue_voucher")

    assert await forty_in_one_week(fresh_market, fresh_database) == {"int": 7, IntegrityError.__name__: 33}
