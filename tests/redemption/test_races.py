"""Races come in pairs: without the lock the race is real, with it there is none."""

from collections import Counter

import pytest
from sqlalchemy.exc import IntegrityError

import ledger
import redemption
from redemption import CapPeriod
from tests.db import Database
from tests.redemption.crowd import all_at_once, one_after_another, without_lock
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def forty_scans(market: Market, database: Database) -> Counter[str]:
    haircut = await market.publish()
    voucher_id = await market.issue(haircut)
    scans = await all_at_once(database, [market.scan(voucher_id, device=some_id()) for _ in range(40)])
    return Counter(scan.verdict if isinstance(scan, redemption.Scan) else type(scan).__name__ for scan in scans)


async def test_forty_scans_of_one_voucher_redeem_it_once(fresh_market: Market, fresh_database: Database) -> None:
    assert await forty_scans(fresh_market, fresh_database) == {"redeemed": 1, "used": 39}
    assert await fresh_market.balance(account("merchant", fresh_market.barber)) == 2000
    assert await fresh_market.faults() == []


async def test_without_the_vouchers_lock_a_late_scan_is_not_told_that_it_was_used(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "redeem", "redeem")

    verdicts = await forty_scans(fresh_market, fresh_database)

    # The escrow of the ledger is the second wall: it still pays once.
    assert verdicts == {"redeemed": 1, "ledger_refused": 39}
    assert await fresh_market.balance(account("merchant", fresh_market.barber)) == 2000


async def forty_issues(market: Market, database: Database) -> Counter[str]:
    soap = await market.publish(price_points=1, stock_total=10)
    return Counter(
        type(answer).__name__ for answer in await all_at_once(database, [market.issue(soap) for _ in range(40)])
    )


async def test_forty_people_share_a_stock_of_ten(fresh_market: Market, fresh_database: Database) -> None:
    assert await forty_issues(fresh_market, fresh_database) == {"int": 10, "OutOfStock": 30}
    assert await fresh_market.points() == 90
    assert await fresh_market.faults() == []


async def test_without_the_offers_lock_only_the_constraint_guards_the_stock(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "issue", "issue_voucher")

    assert await forty_issues(fresh_market, fresh_database) == {"int": 10, IntegrityError.__name__: 30}


async def ten_for_one_member(market: Market, database: Database) -> Counter[str]:
    soap = await market.publish(price_points=1, per_member_cap=1, cap_period=CapPeriod.QUARTER)
    return Counter(
        type(answer).__name__ for answer in await all_at_once(database, [market.issue(soap) for _ in range(10)])
    )


async def test_one_member_gets_no_more_than_the_cap(fresh_market: Market, fresh_database: Database) -> None:
    assert await ten_for_one_member(fresh_market, fresh_database) == {"int": 1, "MemberCap": 9}
    assert await fresh_market.faults() == []


async def test_without_the_offers_lock_the_cap_is_passed(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "issue", "issue_voucher")

    assert (await ten_for_one_member(fresh_market, fresh_database))["int"] == 10


async def two_offers_of_one_budget(market: Market, database: Database) -> list[str]:
    """Each needs 60,000 of the 100,000 fen. The first has looked, but not committed, when the second looks."""
    offers = [market.terms(stock_total=40) for _ in range(2)]
    async with market.sessions.begin() as session:
        for terms in offers:
            await redemption.draft_offer(session, market.book, terms, actor_id=market.staff, now=market.now)

    async def publish(terms: redemption.OfferTerms) -> None:
        async with market.sessions.begin() as session:
            await redemption.publish_offer(
                session, market.book, terms.offer_id, key=some_id(), actor_id=market.staff, now=market.now
            )
            await ledger.post(session, market.book, market.nothing_much(), now=market.now)

    answers = await one_after_another(database, [publish(terms) for terms in offers])
    return [type(answer).__name__ for answer in answers]


async def test_two_offers_cannot_promise_the_same_budget(fresh_market: Market, fresh_database: Database) -> None:
    assert await two_offers_of_one_budget(fresh_market, fresh_database) == ["NoneType", "BudgetShort"]


async def test_without_the_sponsors_locks_both_promise_it(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "offers", "publish_offer")

    assert await two_offers_of_one_budget(fresh_market, fresh_database) == ["NoneType", "NoneType"]


async def test_the_member_cancels_first_and_the_clerk_is_told(fresh_market: Market, fresh_database: Database) -> None:
    voucher_id = await fresh_market.issue(await fresh_market.publish())

    cancelled, scan = await one_after_another(
        fresh_database, [fresh_market.cancel(voucher_id), fresh_market.scan(voucher_id)]
    )

    assert cancelled.points == 20
    assert scan.verdict == "cancelled"
    assert await fresh_market.faults() == []


async def test_the_clerk_scans_first_and_the_member_is_told(fresh_market: Market, fresh_database: Database) -> None:
    voucher_id = await fresh_market.issue(await fresh_market.publish())

    scan, refused = await one_after_another(
        fresh_database, [fresh_market.scan(voucher_id), fresh_market.cancel(voucher_id)]
    )

    assert scan.verdict == "redeemed"
    assert isinstance(refused, redemption.VoucherUsed)
    assert await fresh_market.faults() == []


async def test_without_the_lock_the_clerk_runs_into_the_ledger(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "redeem", "redeem")
    voucher_id = await fresh_market.issue(await fresh_market.publish())

    cancelled, scan = await one_after_another(
        fresh_database, [fresh_market.cancel(voucher_id), fresh_market.scan(voucher_id)]
    )

    assert cancelled.points == 20
    assert scan.verdict == "ledger_refused"


async def test_a_scan_in_progress_wins_against_expiry(fresh_market: Market, fresh_database: Database) -> None:
    voucher_id = await fresh_market.issue(await fresh_market.publish())
    last_minute, over = fresh_market.at(days=7, seconds=-1), fresh_market.at(days=7)

    scan, expiry = await one_after_another(fresh_database, [last_minute.scan(voucher_id), over.expire()])

    assert scan.verdict == "redeemed"
    assert (expiry.found, expiry.expired, expiry.refused) == (1, (), ())
    assert await over.faults() == []


async def test_a_scan_that_comes_after_expiry_is_told(fresh_market: Market, fresh_database: Database) -> None:
    voucher_id = await fresh_market.issue(await fresh_market.publish())
    last_minute, over = fresh_market.at(days=7, seconds=-1), fresh_market.at(days=7)

    expiry, scan = await one_after_another(fresh_database, [over.expire(), last_minute.scan(voucher_id)])

    assert [each.points for each in expiry.expired] == [20]
    assert scan.verdict == "expired"
    assert await over.faults() == []


async def test_without_the_lock_expiry_runs_into_the_ledger(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "ending", "expire_due", " FOR NO KEY UPDATE SKIP LOCKED")
    voucher_id = await fresh_market.issue(await fresh_market.publish())
    last_minute, over = fresh_market.at(days=7, seconds=-1), fresh_market.at(days=7)

    scan, expiry = await one_after_another(fresh_database, [last_minute.scan(voucher_id), over.expire()])

    assert scan.verdict == "redeemed"
    assert expiry.refused == (voucher_id,)


async def test_a_scan_in_flight_belongs_to_the_next_batch(fresh_market: Market, fresh_database: Database) -> None:
    haircut = await fresh_market.publish()
    early, late = [await fresh_market.issue(haircut) for _ in range(2)]
    await fresh_market.scan(early)
    evening = fresh_market.at(hours=2)

    scan, first = await one_after_another(fresh_database, [fresh_market.scan(late), evening.close()])

    assert scan.verdict == "redeemed"
    assert first.line_count == 1
    assert (await evening.at(hours=1).close()).line_count == 1
    assert await fresh_market.faults() == []


async def reversal_then_closing(market: Market, database: Database) -> tuple[object, object]:
    voucher_id = await market.issue(await market.publish())
    await market.scan(voucher_id)
    later = market.at(minutes=30)
    undone, batch = await one_after_another(database, [later.reverse(voucher_id), later.close()])
    return undone, batch


async def test_closing_waits_for_a_use_that_is_being_taken_back(fresh_market: Market, fresh_database: Database) -> None:
    undone, batch = await reversal_then_closing(fresh_market, fresh_database)

    assert isinstance(undone, redemption.Reversed)
    assert isinstance(batch, redemption.NothingToSettle)
    assert await fresh_market.faults() == []


async def test_if_the_batch_took_what_it_had_seen_only_a_constraint_would_stop_it(
    fresh_market: Market, fresh_database: Database
) -> None:
    """The state is a condition of the update itself, which looks again at a row it had to wait for."""
    seen = "(u.voucher_id, u.seq) IN (SELECT y.voucher_id, y.seq FROM redemption.use y WHERE y.state = 'ACCEPTED')"
    condition = "(u.state = 'ACCEPTED' OR u.state = 'CONFLICT')"
    await without_lock(fresh_database, "settlement", "take_uses", condition, seen)

    undone, batch = await reversal_then_closing(fresh_market, fresh_database)

    assert isinstance(undone, redemption.Reversed)
    assert isinstance(batch, IntegrityError)


async def test_the_same_scan_sent_twice_at_once_is_one_use(fresh_market: Market, fresh_database: Database) -> None:
    haircut = await fresh_market.publish()
    voucher_id = await fresh_market.issue(haircut, quantity=2)
    nonce = some_id()

    scans = await all_at_once(fresh_database, [fresh_market.scan(voucher_id, nonce=nonce) for _ in range(8)])

    assert Counter(scan.verdict for scan in scans) == {"redeemed": 1, "replayed": 7}
    assert (await fresh_market.voucher(voucher_id)).quantity_open == 1


async def test_the_same_order_sent_twice_at_once_is_one_voucher(fresh_market: Market, fresh_database: Database) -> None:
    haircut = await fresh_market.publish()
    key = some_id()

    vouchers = await all_at_once(fresh_database, [fresh_market.issue(haircut, key=key) for _ in range(8)])

    assert len(set(vouchers)) == 1
    assert await fresh_market.points() == 80


async def test_everybody_at_once_ends_with_clean_books(fresh_market: Market, fresh_database: Database) -> None:
    haircut = await fresh_market.publish(price_points=2, subsidy_points=1)
    vouchers = [await fresh_market.issue(haircut, quantity=2) for _ in range(4)]
    racers = [
        *(fresh_market.scan(voucher_id) for voucher_id in vouchers),
        *(fresh_market.cancel(voucher_id) for voucher_id in vouchers),
        *(fresh_market.scan(voucher_id, quantity=2) for voucher_id in vouchers),
        *(fresh_market.issue(haircut) for _ in range(6)),
        fresh_market.at(days=8).expire(),
        fresh_market.at(seconds=1).close(),
        *(fresh_market.void(voucher_id) for voucher_id in vouchers),
    ]

    answers = await all_at_once(fresh_database, racers)

    strange = [a for a in answers if isinstance(a, Exception) and not isinstance(a, redemption.RedemptionRefusal)]
    assert strange == []
    assert await fresh_market.faults() == []
