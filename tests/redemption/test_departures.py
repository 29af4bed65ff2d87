"""A shop that leaves: by two people, its offers stop, its vouchers go to another shop or back, and nothing stays open."""

import asyncio
from uuid import UUID

import pytest

import redemption
from redemption import DepartureState, OfflineClass, VoucherState, refusals
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import Phone

pytestmark = pytest.mark.anyio


async def propose(market: Market, *, successor: UUID | None = None, days: float = 0, shop: UUID | None = None) -> UUID:
    departure_id = some_id()
    async with market.sessions.begin() as session:
        await redemption.propose_departure(
            session,
            market.book,
            departure_id=departure_id,
            merchant_id=shop or market.barber,
            successor_id=successor,
            leaves_at=market.at(days=days).now,
            reason="租约到期",
            actor_id=market.staff,
            now=market.now,
        )
    return departure_id


async def decide(market: Market, departure_id: UUID, *, agreed: bool = True, actor: UUID | None = None) -> None:
    async with market.sessions.begin() as session:
        await redemption.decide_departure(
            session,
            market.book,
            departure_id,
            key=some_id(),
            is_agreed=agreed,
            actor_id=actor or market.second,
            now=market.now,
        )


async def leave(market: Market, *, successor: UUID | None = None, days: float = 0, shop: UUID | None = None) -> UUID:
    departure_id = await propose(market, successor=successor, days=days, shop=shop)
    await decide(market, departure_id)
    return departure_id


async def carry(market: Market, departure_id: UUID, limit: int = 100) -> list[int]:
    async with market.sessions.begin() as session:
        done = await redemption.carry_departure(session, market.book, departure_id, now=market.now, limit=limit)
    return [each.voucher_id for each in done.moved]


async def finish(market: Market, departure_id: UUID) -> None:
    async with market.sessions.begin() as session:
        await redemption.finish_departure(
            session, market.book, departure_id, key=some_id(), actor_id=market.staff, now=market.now
        )


async def state(market: Market, departure_id: UUID) -> redemption.Departure:
    async with market.sessions.begin() as session:
        [found] = await redemption.departures(session, market.book, departure_id=departure_id)
    return found


async def still_open(market: Market, departure_id: UUID) -> redemption.DepartureOpen:
    async with market.sessions.begin() as session:
        return await redemption.departure_open(session, market.book, departure_id, now=market.now)


async def settle(market: Market) -> None:
    batch = (await market.close()).settlement_id
    await market.confirm(batch)
    await market.approve(batch)
    await market.pay(batch)


async def test_two_people_stop_the_offers_and_refund_what_is_open(market: Market) -> None:
    offer = await market.publish(price_points=10)
    held = [await market.issue(offer) for _ in range(3)]
    await market.scan(held[0])
    departure_id = await propose(market)
    with pytest.raises(redemption.SamePerson):
        await decide(market, departure_id, actor=market.staff)
    assert (await market.offer(offer)).state == "published"

    await decide(market, departure_id)

    with pytest.raises(refusals.OfferNotPublished):
        await market.issue(offer)
    assert (await market.scan(held[1])).verdict == "wrong_merchant"
    assert (await still_open(market, departure_id)).movable == 2
    assert await carry(market, departure_id, limit=1) == [min(held[1:])]
    assert len(await carry(market, departure_id)) == 1
    assert await carry(market, departure_id) == []
    found = await state(market, departure_id)
    assert (found.state, found.moved, found.points) == (DepartureState.LOCKED, 2, 20)
    assert [(await market.voucher(each)).state for each in held] == ["USED", "VOID", "VOID"]
    assert await market.points() == 90
    assert await market.balance("escrow") == 0
    assert await market.faults() == []

    with pytest.raises(refusals.DepartureUnfinished) as refused:
        await finish(market, departure_id)
    assert refused.value.detail["open"]["uses"] == 1
    await settle(market.at(hours=2))
    await finish(market.at(hours=2), departure_id)
    assert (await state(market, departure_id)).state is DepartureState.DONE
    with pytest.raises(refusals.DepartureWaits):
        await propose(market)
    assert await market.faults() == []


async def test_another_shop_takes_the_vouchers_over_at_the_same_price(market: Market) -> None:
    offer = await market.publish()
    voucher_id = await market.issue(offer)
    assert (await market.scan(voucher_id, merchant=market.bakery)).verdict == "wrong_merchant"

    departure_id = await leave(market, successor=market.bakery)
    assert await carry(market, departure_id) == [voucher_id]

    assert (await market.offer(offer)).state == "withdrawn"
    assert (await market.scan(voucher_id)).verdict == "wrong_merchant"
    assert (await market.scan(voucher_id, merchant=market.bakery)).is_accepted
    assert await market.balance(account("merchant", market.bakery), "fen") == 1500
    assert await market.balance(account("merchant", market.barber), "fen") == 0
    assert (await still_open(market, departure_id)).is_nothing
    await finish(market, departure_id)
    assert await market.faults() == []


async def test_what_is_good_at_another_shop_too_stays_as_it_is(market: Market) -> None:
    offer = await market.publish(merchant_ids=(market.barber, market.bakery))
    first, second = await market.issue(offer), await market.issue(offer)

    departure_id = await leave(market)

    assert await carry(market, departure_id) == []
    assert (await market.offer(offer)).state == "published"
    assert (await market.scan(first)).verdict == "wrong_merchant"
    assert (await market.scan(first, merchant=market.bakery)).is_accepted
    await finish(market, departure_id)
    other = await leave(market, shop=market.bakery)
    assert (await market.offer(offer)).state == "withdrawn"
    assert await carry(market, other) == [second]


async def test_until_its_day_the_shop_goes_on_and_it_can_be_taken_back(market: Market) -> None:
    offer = await market.publish()
    voucher_id = await market.issue(offer)
    departure_id = await leave(market, days=5)

    assert (await market.offer(offer)).state == "withdrawn"
    assert await carry(market.at(days=4), departure_id) == []
    with pytest.raises(refusals.MerchantLeaving):
        await market.publish()
    await decide(market.at(days=4), departure_id, agreed=False, actor=market.staff)
    assert (await state(market, departure_id)).state is DepartureState.WITHDRAWN
    await market.publish()
    assert (await market.at(days=6).scan(voucher_id)).is_accepted
    with pytest.raises(refusals.DepartureDecided):
        await decide(market, departure_id)

    again = await leave(market)
    with pytest.raises(refusals.DepartureDecided) as refused:
        await decide(market, again, agreed=False)
    assert refused.value.state == "LOCKED"


async def test_what_cannot_be_proposed(market: Market) -> None:
    with pytest.raises(refusals.SuccessorWrong):
        await propose(market, successor=market.barber)
    with pytest.raises(refusals.DepartureDayWrong):
        await propose(market, days=401)
    with pytest.raises(refusals.DepartureUnknown):
        await decide(market, some_id())
    first = await propose(market, successor=market.bakery, days=3)
    with pytest.raises(refusals.DepartureWaits):
        await propose(market)
    second = await propose(market, shop=market.bakery)
    await decide(market, first)
    with pytest.raises(refusals.SuccessorWrong):
        await decide(market, second)  # it is to take over first
    with pytest.raises(refusals.SuccessorWrong):
        await propose(market, shop=some_id(), successor=market.barber)


async def test_a_leased_voucher_waits_for_the_phone_and_a_late_use_before_the_day_is_paid(market: Market) -> None:
    offer = await market.publish(offline_class=OfflineClass.LEASED)
    used, late, unused = [await market.issue(offer) for _ in range(3)]
    phone = await Phone(market).enrol()
    await phone.take_lease()
    departure_id = await leave(market.at(hours=1))
    phone.scan(used)
    phone.scan(late, market.at(hours=2))

    assert await carry(market.at(hours=1), departure_id) == []
    waiting = await still_open(market.at(hours=1), departure_id)
    assert (waiting.vouchers, waiting.movable, waiting.leases) == (3, 0, 1)
    said = [(each["verdict"], each["reason"]) for each in await phone.sync(market.at(hours=3))]

    assert said == [("accepted", "accepted"), ("conflict", "wrong_merchant")]
    lease = await phone.take_lease(market.at(hours=3))
    assert (lease.is_frozen, lease.ends_at) == (True, market.at(hours=72).now)
    assert await carry(market.at(hours=71), departure_id) == []
    assert sorted(await carry(market.at(hours=73), departure_id)) == sorted([late, unused])
    with pytest.raises(refusals.VoucherLeased):
        await phone.take_lease(market.at(hours=74))
    assert await market.points() == 80
    await settle(market.at(hours=75))
    await finish(market.at(hours=75), departure_id)
    assert await market.faults() == []


async def test_a_lease_ends_with_the_shops_day(market: Market) -> None:
    await market.publish(offline_class=OfflineClass.LEASED)
    phone = await Phone(market).enrol()
    await leave(market, days=1)
    assert (await phone.take_lease()).ends_at == market.at(days=1).now
    with pytest.raises(refusals.VoucherLeased):
        await phone.take_lease(market.at(days=1))


async def test_a_scan_in_progress_wins_and_the_next_round_sees_it(market: Market) -> None:
    """The race itself: a scan has been let through and is not committed while the shop is locked out and its vouchers move."""
    offer = await market.publish()
    scanned, other = await market.issue(offer), await market.issue(offer)
    async with market.sessions.begin() as scan:
        said = await redemption.redeem(
            scan,
            market.book,
            device_id=market.device,
            nonce=some_id(),
            voucher_id=scanned,
            code_seq=1,
            merchant_id=market.barber,
            owner_group_of_clerk=None,
            clerk_id=market.clerk,
            quantity=1,
            scanned_at=market.now,
            now=market.now,
        )
        assert said.is_accepted
        departure_id = await leave(market, successor=market.bakery)
        assert await carry(market, departure_id) == [other]
    assert await carry(market, departure_id) == []
    assert (await market.voucher(scanned)).state is VoucherState.USED
    assert await market.faults() == []


async def test_many_carry_it_on_at_once_and_scans_go_on_elsewhere(fresh_market: Market) -> None:
    market = fresh_market
    offer = await market.publish(price_points=1, stock_total=40, payable_fen=100)
    held = [await market.issue(offer) for _ in range(24)]
    departure_id = await leave(market, successor=market.bakery)

    rounds, scans = await asyncio.gather(
        asyncio.gather(*(carry(market, departure_id, limit=10) for _ in range(8))),
        asyncio.gather(*(market.scan(each, merchant=market.bakery) for each in held[:12])),
    )

    assert all(each.is_accepted for each in scans)
    moved = [each for round_ in rounds for each in round_]
    assert len(moved) == len(set(moved))
    assert set(held[12:]) - set(moved) <= set(await carry(market, departure_id))
    assert (await still_open(market, departure_id)).vouchers == 0
    assert await market.faults() == []


async def test_what_broke_off_is_carried_on_and_the_books_are_as_before(market: Market) -> None:
    offer = await market.publish(price_points=3, subsidy_points=1, stock_total=30)
    before = await market.points(), await market.balance(account("budget", market.sponsor), "fen")
    held = [await market.issue(offer) for _ in range(9)]
    departure_id = await leave(market)
    async with market.sessions() as session:
        done = await redemption.carry_departure(session, market.book, departure_id, now=market.now, limit=4)
        assert len(done.moved) == 4
        await session.rollback()  # the line is cut before the commit
    assert (await state(market, departure_id)).moved == 0

    moved = [each for _ in range(4) for each in await carry(market, departure_id, limit=4)]

    assert moved == sorted(held)
    assert (await market.points(), await market.balance(account("budget", market.sponsor), "fen")) == before
    assert await market.balance("escrow") == await market.balance("escrow", "fen") == 0
    assert await market.faults() == []


async def test_what_was_locked_before_the_day_is_paid_and_nothing_new_is_locked(market: Market) -> None:
    offer = await market.publish(pieces=5, price_points=2, stock_total=30)
    begun, kept_back, free = [await market.issue(offer, quantity=5) for _ in range(3)]
    job, other = await market.lock(begun), await market.lock(kept_back)
    market = market.at(hours=1)
    departure_id = await leave(market)
    assert await carry(market, departure_id) == [free]

    assert not (await market.scan_locked(begun, other.token, quantity=4)).is_accepted
    elsewhere = await market.scan_locked(begun, job.token, merchant=market.bakery, quantity=4)
    assert elsewhere.verdict == "wrong_merchant"
    assert (await market.scan_locked(begun, job.token, quantity=4)).verdict == "redeemed"
    # The rest is kept in the same moment, and by nobody afterwards.
    rest = await market.lock(begun)
    later = market.at(hours=1)
    await later.unlock(begun, token=rest.token)
    with pytest.raises(redemption.WrongMerchant):
        await later.lock(begun)
    assert (await later.scan(begun)).verdict == "wrong_merchant"
    assert (await later.scan_locked(kept_back, other.token, clerk=market.li, quantity=5)).verdict == "own_voucher"
    assert (await later.scan_locked(kept_back, other.token, quantity=5)).verdict == "redeemed"

    assert await carry(later, departure_id) == [begun]
    assert [(await market.voucher(each)).state for each in (begun, kept_back, free)] == ["VOID", "USED", "VOID"]
    assert await market.faults() == []
