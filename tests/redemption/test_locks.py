"""Reserved for ten minutes, locked for a job, redeemed by the lock, and a price that changes on the way."""

from datetime import timedelta

import pytest

import redemption
from redemption import VoucherState
from tests.db import Database
from tests.redemption.crowd import one_after_another, without_lock
from tests.redemption.market import Market, account, some_id

pytestmark = pytest.mark.anyio


async def test_a_reservation_freezes_everything_and_becomes_a_voucher(market: Market) -> None:
    haircut = await market.publish(usable_from=None, subsidy_points=5, price_list_version="2025-10")
    voucher_id = await market.issue(haircut, reserved_minutes=10)

    reserved = await market.voucher(voucher_id)
    assert (reserved.state, reserved.points_each, reserved.subsidy_points_each) == (VoucherState.RESERVED, 15, 5)
    assert reserved.expires_at == reserved.due_at == market.now + timedelta(minutes=10)
    assert await market.points() == 85
    assert (await market.offer(haircut)).stock_taken == 1

    key, later = some_id(), market.at(minutes=9)
    assert [await later.confirm_voucher(voucher_id, key=key) for _ in range(2)] == [False, True]
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.points_each) == (VoucherState.ISSUED, 15)
    assert voucher.expires_at == later.now + timedelta(days=7)
    assert (await later.scan(voucher_id)).verdict == "redeemed"
    assert await market.faults() == []


async def test_what_nobody_confirms_goes_back_by_itself(market: Market) -> None:
    haircut = await market.publish()
    voucher_id = await market.issue(haircut, reserved_minutes=10)
    later = market.at(minutes=10)

    with pytest.raises(redemption.VoucherExpired):
        await later.confirm_voucher(voucher_id)
    assert [each.points for each in (await later.expire()).expired] == [20]

    assert await market.points() == 100
    assert (await market.offer(haircut)).stock_taken == 0
    assert await market.faults() == []


async def test_a_reserved_voucher_is_not_scanned_and_may_be_given_up(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(), reserved_minutes=10)
    assert (await market.scan(voucher_id)).verdict == "not_issued"
    assert (await market.cancel(voucher_id)).points == 20
    assert await market.faults() == []


async def test_reservations_take_from_the_same_stock(market: Market) -> None:
    haircut = await market.publish(stock_total=1)
    await market.issue(haircut, reserved_minutes=10)
    with pytest.raises(redemption.OutOfStock):
        await market.issue(haircut)


@pytest.mark.parametrize("first", ["confirm", "expire"])
async def test_the_last_second_of_a_reservation_is_one_or_the_other(
    fresh_market: Market, fresh_database: Database, first: str
) -> None:
    """Confirming looked at a clock before the end, the job at one after: whoever has the offer decides."""
    voucher_id = await fresh_market.issue(await fresh_market.publish(), reserved_minutes=10)
    racers = {
        "confirm": fresh_market.at(minutes=9).confirm_voucher(voucher_id),
        "expire": fresh_market.at(minutes=11).expire(),
    }
    order = [racers.pop(first), *racers.values()]

    one, two = await one_after_another(fresh_database, order, holding="SELECT FROM redemption.offer FOR UPDATE")

    voucher = await fresh_market.voucher(voucher_id)
    if first == "confirm":
        assert one is False
        assert two.expired == ()
        assert voucher.state is VoucherState.ISSUED
    else:
        assert len(one.expired) == 1
        assert isinstance(two, redemption.VoucherExpired)
        assert voucher.state is VoucherState.EXPIRED
    assert await fresh_market.faults() == []


async def test_a_locked_voucher_waits_for_whoever_locked_it(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    key = some_id()
    lock = await market.lock(voucher_id, key=key)
    assert (await market.lock(voucher_id, key=key)).token == lock.token

    with pytest.raises(redemption.VoucherLocked):
        await market.cancel(voucher_id)
    assert (await market.scan(voucher_id)).verdict == "locked"
    assert (await market.scan_locked(voucher_id, some_id())).verdict == "locked"
    assert (await market.scan_locked(voucher_id, lock.token, merchant=market.bakery)).verdict == "wrong_merchant"
    assert (await market.voucher(voucher_id)).state is VoucherState.LOCKED

    nonce = some_id()
    verdicts = [(await market.scan_locked(voucher_id, lock.token, nonce=nonce)).verdict for _ in range(2)]
    assert verdicts == ["redeemed", "replayed"]
    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.lock_until) == (VoucherState.USED, None)
    assert await market.faults() == []


async def test_who_locks_is_asked_what_who_redeems_is_asked(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    with pytest.raises(redemption.WrongMerchant):
        await market.lock(voucher_id, merchant=market.bakery)
    with pytest.raises(redemption.OwnVoucher):
        await market.lock(voucher_id, redeemer=market.li)
    with pytest.raises(redemption.OwnVoucher):
        await market.lock(voucher_id, group=market.household)
    with pytest.raises(redemption.CodeOutdated):
        await market.lock(voucher_id, code_seq=7)
    with pytest.raises(redemption.LockWrong):
        await market.lock(voucher_id, hours=0)
    with pytest.raises(redemption.VoucherExpired):
        await market.at(days=7).lock(voucher_id)


async def test_a_lock_ends_by_its_token_by_the_leader_and_by_time(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    with pytest.raises(redemption.VoucherLocked):
        await market.unlock(voucher_id, token=some_id())
    await market.unlock(voucher_id, token=lock.token)
    await market.lock(voucher_id)
    await market.unlock(voucher_id)
    await market.lock(voucher_id, hours=1)
    assert (await market.unlock_due()).found == 0
    assert (await market.at(hours=1).unlock_due()).released == (voucher_id,)
    assert (await market.cancel(voucher_id)).points == 20
    assert await market.faults() == []


async def test_what_ran_out_while_locked_is_redeemed_or_expires_when_let_go(market: Market) -> None:
    haircut = await market.publish()
    done, given_up = [await market.issue(haircut) for _ in range(2)]
    friday = market.at(days=6)
    locks = {voucher_id: await friday.lock(voucher_id) for voucher_id in (done, given_up)}
    monday = market.at(days=7, hours=3)
    assert (await monday.expire()).found == 0

    assert (await monday.scan_locked(done, locks[done].token)).verdict == "redeemed"
    await monday.unlock(given_up)

    assert (await market.voucher(done)).state is VoucherState.USED
    assert (await market.voucher(given_up)).state is VoucherState.EXPIRED
    assert await market.points() == 80
    assert await market.faults() == []


async def two_locks(market: Market, database: Database) -> list[str]:
    voucher_id = await market.issue(await market.publish())
    answers = await one_after_another(
        database,
        [market.lock(voucher_id), market.lock(voucher_id)],
        holding="SELECT FROM redemption.voucher FOR UPDATE",
    )
    return [type(answer).__name__ for answer in answers]


async def test_two_jobs_cannot_lock_one_voucher(fresh_market: Market, fresh_database: Database) -> None:
    assert await two_locks(fresh_market, fresh_database) == ["Lock", "VoucherLocked"]
    assert await fresh_market.faults() == []


async def test_without_the_row_only_the_history_stands_between_two_locks(
    fresh_market: Market, fresh_database: Database
) -> None:
    await without_lock(fresh_database, "lock", "take_lock")
    assert await two_locks(fresh_market, fresh_database) == ["Lock", "IntegrityError"]


@pytest.mark.parametrize("first", ["lock", "cancel"])
async def test_locking_and_giving_up_at_once(fresh_market: Market, fresh_database: Database, first: str) -> None:
    voucher_id = await fresh_market.issue(await fresh_market.publish())
    racers = {"lock": fresh_market.lock(voucher_id), "cancel": fresh_market.cancel(voucher_id)}
    order = [racers.pop(first), *racers.values()]

    answers = await one_after_another(fresh_database, order, holding="SELECT FROM redemption.voucher FOR UPDATE")

    second = {"lock": "VoucherLocked", "cancel": "VoucherCancelled"}[first]
    assert type(answers[1]).__name__ == second
    assert await fresh_market.faults() == []


async def test_cheaper_holds_at_once(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)

    change_id = some_id()
    for _ in range(2):
        await market.propose_change(voucher_id, lock.token, change_id=change_id, points=12, payable_fen=900)

    assert await market.points() == 88
    (change,) = await market.changes(voucher_id)
    assert (change.is_dearer, change.is_agreed, change.before.points, change.after.points) == (False, True, 20, 12)
    assert (await market.scan_locked(voucher_id, lock.token)).detail["payable_fen"] == 900
    assert await market.balance(account("merchant", market.barber)) == 1200
    assert await market.faults() == []


async def test_dearer_waits_for_the_member(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    change_id = await market.propose_change(voucher_id, lock.token, points=30, payable_fen=2500)
    assert await market.points() == 80

    assert (await market.scan_locked(voucher_id, lock.token)).verdict == "change_waits"
    with pytest.raises(redemption.ChangeWaits):
        await market.propose_change(voucher_id, lock.token, points=1)
    for nobody, refusal in ((market.clerk, redemption.SamePerson), (market.staff, redemption.ChangeNotYours)):
        with pytest.raises(refusal):
            await market.answer_change(change_id, actor=nobody)

    await market.answer_change(change_id, actor=market.staff, on_behalf_of=market.li)

    assert await market.points() == 70
    with pytest.raises(redemption.ChangeAnswered):
        await market.answer_change(change_id, is_agreed=False)
    assert (await market.scan_locked(voucher_id, lock.token)).verdict == "redeemed"
    assert await market.balance(account("merchant", market.barber), "fen") == 2500
    assert await market.faults() == []


async def test_a_part_that_is_dearer_makes_all_of_it_wait(market: Market) -> None:
    """Fewer points of the member's and more of the sponsor's fen is no discount that a repairer gives."""
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    await market.propose_change(voucher_id, lock.token, points=1, payable_fen=1600)
    assert [change.is_agreed for change in await market.changes(voucher_id)] == [None]


async def test_no_leaves_the_price_as_it_was(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    change_id = await market.propose_change(voucher_id, lock.token, points=30)
    await market.answer_change(change_id, is_agreed=False)
    assert (await market.scan_locked(voucher_id, lock.token)).detail["points"] == 20
    assert await market.faults() == []


async def test_a_price_beyond_the_points_is_not_agreed_to(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    change_id = await market.propose_change(voucher_id, lock.token, points=130)
    with pytest.raises(redemption.PointsShort) as refused:
        await market.answer_change(change_id)
    assert refused.value.missing_points == 30
    assert await market.points() == 80
    assert await market.faults() == []


async def test_what_cannot_be_changed(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    with pytest.raises(redemption.VoucherNotLocked):
        await market.propose_change(voucher_id, some_id(), points=1)
    lock = await market.lock(voucher_id)
    with pytest.raises(redemption.VoucherLocked):
        await market.propose_change(voucher_id, some_id(), points=1)
    with pytest.raises(redemption.ChangeWrong):
        await market.propose_change(voucher_id, lock.token, points=-1)
    with pytest.raises(redemption.ChangeWrong):
        await market.propose_change(voucher_id, lock.token)
    with pytest.raises(redemption.ReasonMissing):
        await market.propose_change(voucher_id, lock.token, points=1, reason="")
    with pytest.raises(redemption.ChangeUnknown):
        await market.answer_change(some_id())
    change_id = await market.propose_change(voucher_id, lock.token, points=30)
    await market.unlock(voucher_id)
    await market.lock(voucher_id)
    with pytest.raises(redemption.VoucherNotLocked):
        await market.answer_change(change_id)


@pytest.mark.parametrize("first", ["answer", "scan"])
async def test_the_member_agrees_while_the_code_is_scanned(
    fresh_market: Market, fresh_database: Database, first: str
) -> None:
    """Either the new price is redeemed, or the scan is told to wait: never the old one under a price that was agreed to."""
    market = fresh_market
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    change_id = await market.propose_change(voucher_id, lock.token, points=30)
    racers = {"answer": market.answer_change(change_id), "scan": market.scan_locked(voucher_id, lock.token)}
    order = [racers.pop(first), *racers.values()]

    answers = await one_after_another(fresh_database, order, holding="SELECT FROM redemption.voucher FOR UPDATE")

    scan = answers[0] if first == "scan" else answers[1]
    assert scan.verdict == ("redeemed" if first == "answer" else "change_waits")
    assert await market.points() == 70
    assert await market.faults() == []


@pytest.mark.parametrize("first", ["change", "scan"])
async def test_a_cheaper_price_while_the_code_is_scanned(
    fresh_market: Market, fresh_database: Database, first: str
) -> None:
    market = fresh_market
    voucher_id = await market.issue(await market.publish())
    lock = await market.lock(voucher_id)
    racers = {
        "change": market.propose_change(voucher_id, lock.token, points=5),
        "scan": market.scan_locked(voucher_id, lock.token),
    }
    order = [racers.pop(first), *racers.values()]

    answers = await one_after_another(fresh_database, order, holding="SELECT FROM redemption.voucher FOR UPDATE")

    if first == "change":
        assert answers[1].detail["points"] == 5
    else:
        assert isinstance(answers[1], redemption.VoucherUsed)
    assert await market.faults() == []
