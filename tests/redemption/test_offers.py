"""Offers and what it takes to get one."""

from datetime import UTC, datetime

import pytest

import ledger
import redemption
from redemption import CapPeriod, OfferState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def test_a_draft_can_be_written_again_until_it_is_published(market: Market) -> None:
    terms = market.terms()
    async with market.sessions.begin() as session:
        await redemption.draft_offer(session, market.book, terms, actor_id=market.staff, now=market.now)
    changed = market.terms(offer_id=terms.offer_id, title="染发", merchant_ids=(market.bakery,))
    async with market.sessions.begin() as session:
        await redemption.draft_offer(session, market.book, changed, actor_id=market.staff, now=market.now)
        await redemption.publish_offer(
            session, market.book, terms.offer_id, key=some_id(), actor_id=market.staff, now=market.now
        )

    offer = await market.offer(terms)
    assert (offer.title, offer.merchant_ids, offer.state) == ("染发", (market.bakery,), OfferState.PUBLISHED)
    with pytest.raises(redemption.OfferNotDraft):
        async with market.sessions.begin() as session:
            await redemption.draft_offer(session, market.book, terms, actor_id=market.staff, now=market.now)


@pytest.mark.parametrize(
    "wrong",
    [
        {"merchant_ids": ()},
        {"price_points": -1},
        {"subsidy_points": 21},
        {"payable_fen": -1},
        {"stock_total": 0},
        {"per_member_cap": 0},
        {"title": ""},
        {"time_zone": "Mars/Base"},
        {"voucher_days": 0},
        {"valid_until": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
    ids=str,
)
async def test_terms_out_of_bounds_are_refused(market: Market, wrong: dict[str, object]) -> None:
    with pytest.raises(redemption.OfferWrong):
        await market.publish(**wrong)


async def test_an_offer_cannot_promise_more_than_the_budget(market: Market) -> None:
    await market.publish(stock_total=40)

    with pytest.raises(redemption.BudgetShort) as refused:
        await market.publish(stock_total=40)

    assert (refused.value.needed_fen, refused.value.free_fen) == (60_000, 40_000)
    with pytest.raises(redemption.BudgetShort):
        await market.publish(stock_total=101, payable_fen=0, subsidy_points=10)


async def test_what_vouchers_hold_is_not_counted_twice(market: Market) -> None:
    haircut = await market.publish(stock_total=40)
    await market.issue(haircut)

    await market.publish(stock_total=26)
    with pytest.raises(redemption.BudgetShort):
        await market.publish(stock_total=1)


async def test_an_offer_that_asks_nothing_of_a_budget_needs_none(market: Market) -> None:
    perk = await market.publish(sponsor_id=some_id(), price_points=0, payable_fen=0)

    voucher_id = await market.issue(perk)

    assert (await market.scan(voucher_id)).verdict == "redeemed"
    assert (await market.reverse(voucher_id)).points == 0
    assert await market.faults() == []


async def test_each_reason_why_not_has_its_own_refusal(market: Market) -> None:
    haircut = await market.publish(stock_total=2)

    with pytest.raises(redemption.OfferUnknown):
        await market.issue(market.terms())
    with pytest.raises(redemption.QuantityWrong):
        await market.issue(haircut, quantity=0)
    with pytest.raises(redemption.OfferNotStarted) as early:
        await market.at(days=-2).issue(haircut)
    assert early.value.valid_from == haircut.valid_from
    with pytest.raises(redemption.OfferOver):
        await market.at(days=30).issue(haircut)
    with pytest.raises(redemption.OutOfStock) as none_left:
        await market.issue(haircut, quantity=3)
    assert none_left.value.left == 2
    poor = await market.join(points=19)
    with pytest.raises(redemption.PointsShort) as short:
        await market.issue(haircut, member=poor)
    assert short.value.missing_points == 1
    with pytest.raises(redemption.LedgerRefused):
        await market.issue(haircut, member=some_id())
    assert (await market.offer(haircut)).stock_taken == 0
    assert await market.faults() == []


async def test_a_budget_that_was_spent_elsewhere_stops_the_issue(market: Market) -> None:
    haircut = await market.publish()
    async with market.sessions.begin() as session:
        leg = ledger.Leg(account("budget", market.sponsor), "bank", "fen", 99_000)
        await ledger.post(session, market.book, ledger.Journal("spent", "spent", (leg,), None), now=market.now)

    with pytest.raises(redemption.BudgetShort):
        await market.issue(haircut)

    assert await market.points() == 100


async def test_a_withdrawn_offer_issues_no_more_and_keeps_its_promise(market: Market) -> None:
    haircut = await market.publish()
    voucher_id = await market.issue(haircut)
    key = some_id()
    for _ in range(2):
        async with market.sessions.begin() as session:
            await redemption.withdraw_offer(
                session, market.book, haircut.offer_id, key=key, reason="closed", actor_id=market.staff, now=market.now
            )

    with pytest.raises(redemption.OfferNotPublished):
        await market.issue(haircut)
    assert (await market.scan(voucher_id)).verdict == "redeemed"


async def test_the_cap_counts_a_quarter_of_the_communitys_own_days(market: Market) -> None:
    """The new quarter begins in Shanghai eight hours before it does in Greenwich."""
    soap = await market.publish(price_points=1, per_member_cap=1, valid_until=datetime(2026, 6, 1, tzinfo=UTC))
    await market.issue(soap)
    eve, new_quarter = datetime(2025, 12, 31, 15, 59, tzinfo=UTC), datetime(2025, 12, 31, 16, 0, tzinfo=UTC)

    with pytest.raises(redemption.MemberCap) as refused:
        await market.at(seconds=(eve - market.now).total_seconds()).issue(soap)
    assert (refused.value.cap, refused.value.period, refused.value.taken) == (1, "quarter", 1)
    await market.at(seconds=(new_quarter - market.now).total_seconds()).issue(soap)


async def test_what_was_given_back_does_not_count_against_the_cap(market: Market) -> None:
    soap = await market.publish(price_points=1, per_member_cap=1, cap_period=CapPeriod.EVER)
    await market.cancel(await market.issue(soap))

    await market.issue(soap)
    with pytest.raises(redemption.MemberCap):
        await market.at(days=20).issue(soap)


async def test_a_member_with_a_discount_pays_less_and_the_sponsor_more(market: Market) -> None:
    haircut = await market.publish()
    async with market.sessions.begin() as session:
        issued = await redemption.issue_voucher(
            session,
            market.book,
            key=some_id(),
            offer_id=haircut.offer_id,
            member_id=market.li,
            owner_group=None,
            subsidy_points=15,
            discount_class="low_income",
            actor_id=market.staff,
            on_behalf_of=market.li,
            grace_hours=72,
            now=market.now,
        )
    voucher = await market.voucher(issued.voucher_id)

    assert (voucher.points_each, voucher.subsidy_points_each, voucher.discount_class) == (5, 15, "low_income")
    assert await market.points() == 95
    await market.scan(issued.voucher_id)
    assert await market.faults() == []


async def test_the_price_is_frozen_when_the_voucher_is_issued(market: Market, database: Database) -> None:
    haircut = await market.publish()
    voucher_id = await market.issue(haircut)
    await as_superuser(database, "UPDATE redemption.offer SET price_points = 99, payable_fen = 9900")

    scan = await market.scan(voucher_id)

    assert (scan.detail["points"], scan.detail["payable_fen"]) == (20, 1500)


async def test_the_window_shows_what_can_be_taken_now(market: Market) -> None:
    first = await market.publish()
    second = await market.publish(merchant_ids=(market.bakery,))
    sold_out = await market.publish(stock_total=1, price_points=1)
    await market.issue(sold_out)

    async with market.sessions.begin() as session:
        window = await redemption.offers(session, market.book, open_at=market.now)
        shop = await redemption.offers(session, market.book, merchant_id=market.bakery, state=OfferState.PUBLISHED)
        theirs = await redemption.offers(session, market.book, sponsor_id=market.sponsor, limit=2)
        rest = await redemption.offers(session, market.book, sponsor_id=market.sponsor, before=theirs.next, limit=2)

    assert {offer.offer_id for offer in window.offers} == {first.offer_id, second.offer_id}
    assert [offer.offer_id for offer in shop.offers] == [second.offer_id]
    assert (len(theirs.offers), len(rest.offers), rest.next) == (2, 1, None)


async def test_vouchers_and_takings_are_paged_newest_first(market: Market) -> None:
    soap = await market.publish(price_points=1)
    vouchers = [await market.at(minutes=minute).issue(soap) for minute in range(5)]
    for minute, voucher_id in enumerate(vouchers):
        await market.at(hours=1, minutes=minute).scan(voucher_id)

    async with market.sessions.begin() as session:
        page = await redemption.vouchers_of(session, market.book, market.li, limit=3)
        more = await redemption.vouchers_of(session, market.book, market.li, before=page.next, limit=3)
        usable = await redemption.vouchers_of(session, market.book, market.li, states=redemption.USABLE)
        uses = await redemption.takings(session, market.book, market.barber, limit=3)
        older = await redemption.takings(session, market.book, market.barber, before=uses.next, limit=3)
        sums = await redemption.takings_sums(
            session,
            market.book,
            market.barber,
            received_from=market.now,
            received_until=market.at(hours=2).now,
        )
        story = await redemption.history(session, market.book, vouchers[0])

    assert [v.voucher_id for v in (*page.vouchers, *more.vouchers)] == vouchers[::-1]
    assert more.next is None
    assert usable.vouchers == ()
    assert [u.voucher_id for u in (*uses.uses, *older.uses)] == vouchers[::-1]
    assert sums == redemption.Sums(count=5, points=5, payable_fen=7500, cash_fen=0)
    assert [(event.action, event.to_state) for event in story] == [("issue", "ISSUED"), ("redeem", "USED")]
