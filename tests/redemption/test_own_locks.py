"""A voucher that a phone itself keeps, scanned there without a network: its own under its lease, and nobody else's."""

from dataclasses import replace

import pytest

import ledger
import redemption
from redemption import OfflineClass, UseState, VoucherState
from tests.db import Database
from tests.redemption.crowd import one_after_another, without_lock
from tests.redemption.market import Market, account
from tests.redemption.phones import Phone

pytestmark = pytest.mark.anyio

ROW = "SELECT FROM redemption.voucher FOR UPDATE"


async def kept(market: Market, pieces: int = 1) -> tuple[Phone, int, redemption.Lock]:
    """A phone with the lease, and a voucher of it that it keeps."""
    offer = await market.publish(offline_class=OfflineClass.LEASED, price_points=5, payable_fen=100)
    voucher_id = await market.issue(offer, quantity=pieces)
    phone = await Phone(market).enrol()
    await phone.take_lease()
    return phone, voucher_id, await market.lock(voucher_id, device=phone.device_id)


async def device_of(market: Market, voucher_id: int) -> object:
    async with market.sessions.begin() as session:
        connection = await session.connection()
        query = "SELECT lock_device_id FROM redemption.voucher WHERE voucher_id = $1"
        return (await connection.exec_driver_sql(query, (voucher_id,))).scalar_one()


async def test_what_a_phone_keeps_and_scans_without_a_network_is_accepted_and_the_lock_ends(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    assert await device_of(market, voucher_id) == phone.device_id

    assert await phone.upload(voucher_id, market.at(minutes=1)) == ("accepted", "accepted", None)

    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.lock_until) == (VoucherState.USED, None)
    assert await device_of(market, voucher_id) is None
    assert await market.balance(account("merchant", market.barber), "fen") == 100
    assert (await market.scan_locked(voucher_id, lock.token)).verdict == "used"
    assert await market.faults() == []


async def test_the_same_record_again_is_the_same_use(market: Market) -> None:
    phone, voucher_id, _lock = await kept(market)
    record = phone.scan(voucher_id, market.at(minutes=1))
    for verdict in ("accepted", "already", "already"):
        [answer] = await phone.sync(market.at(minutes=2), [record])
        assert answer["verdict"] == verdict
    assert (await market.voucher(voucher_id)).quantity_used == 1
    assert await market.faults() == []


async def test_some_pieces_of_it_end_the_lock_and_the_rest_is_open(market: Market) -> None:
    phone, voucher_id, lock = await kept(market, pieces=3)

    assert await phone.upload(voucher_id, market.at(minutes=1)) == ("accepted", "accepted", None)

    voucher = await market.voucher(voucher_id)
    assert (voucher.state, voucher.quantity_open) == (VoucherState.PART_USED, 2)
    with pytest.raises(redemption.VoucherNotLocked):
        await market.unlock(voucher_id, token=lock.token)
    assert await market.faults() == []


async def test_its_snapshot_goes_on_to_have_it_and_nobody_elses_does(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    assert await phone.listed() == [voucher_id]
    await phone.return_lease()
    other = await Phone(market).enrol()
    await other.take_lease()
    assert await other.listed() == []
    await market.unlock(voucher_id, token=lock.token)
    assert await other.listed() == [voucher_id]


async def test_what_another_phone_keeps_is_for_people_as_before(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    await phone.return_lease()
    other = await Phone(market).enrol()
    await other.take_lease()

    assert await other.upload(voucher_id, market.at(minutes=1)) == ("review", "locked", None)

    assert (await market.scan_locked(voucher_id, lock.token)).verdict == "redeemed"
    assert await market.faults() == []


async def test_a_jobs_lock_and_one_without_a_lease_are_for_people_as_before(market: Market) -> None:
    roaming = await market.issue(await market.publish(offline_class=OfflineClass.ROAMING, price_points=5))
    phone = await Phone(market).enrol()
    await market.lock(roaming, device=phone.device_id)
    assert await phone.upload(roaming, market.at(minutes=1), lease=None) == ("review", "locked", None)

    job = await market.issue(await market.publish(offline_class=OfflineClass.LEASED, price_points=5))
    await market.lock(job)
    await phone.take_lease()
    assert await device_of(market, job) is None
    assert await phone.upload(job, market.at(minutes=1)) == ("review", "locked", None)
    assert await market.faults() == []


async def test_after_the_lease_it_is_the_shops_own_risk_as_before(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    assert await phone.upload(voucher_id, market.at(hours=80)) == ("conflict", "lease_over", "merchant")
    assert (await market.voucher(voucher_id)).state is VoucherState.LOCKED
    await market.unlock(voucher_id, token=lock.token)
    assert await market.faults() == []


async def test_it_is_taken_back_on_the_phone_as_any_other(market: Market) -> None:
    phone, voucher_id, _lock = await kept(market)
    record = phone.scan(voucher_id, market.at(minutes=1))
    phone.undo(record, market.at(minutes=2))

    answers = await phone.sync(market.at(minutes=3))

    assert [(each["verdict"], each["reason"]) for each in answers] == [("accepted", "undone")] * 2
    # Nothing was given out, so the counter keeps it as before.
    assert (await market.voucher(voucher_id)).state is VoucherState.LOCKED
    assert await market.faults() == []


async def test_when_it_is_frozen_meanwhile_people_decide_and_the_lock_is_whole(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    await market.freeze(voucher_id)
    assert (await phone.upload(voucher_id, market.at(minutes=1)))[:2] == ("review", "frozen")
    await market.unfreeze(voucher_id)
    assert await device_of(market, voucher_id) == phone.device_id
    assert (await market.scan_locked(voucher_id, lock.token)).verdict == "redeemed"
    assert await market.faults() == []


async def test_what_the_books_refuse_is_held_and_stays_locked(market: Market) -> None:
    phone, voucher_id, lock = await kept(market)
    async with market.sessions.begin() as session:
        await ledger.close_account(session, market.book, account("merchant", market.barber), "fen", now=market.now)

    assert await phone.upload(voucher_id, market.at(minutes=1)) == ("review", "ledger_refused", None)

    assert (await market.voucher(voucher_id)).state is VoucherState.LOCKED
    await market.unlock(voucher_id, token=lock.token)
    assert await market.faults() == []


@pytest.mark.parametrize("first", ["online", "upload"])
async def test_used_online_by_the_token_and_uploaded_at_once_it_is_taken_once(
    fresh_market: Market, fresh_database: Database, first: str
) -> None:
    """Both wait for the voucher's row: whoever comes second sees what the first one did."""
    phone, voucher_id, lock = await kept(fresh_market)
    phone.scan(voucher_id, fresh_market.at(minutes=1))
    here = replace(fresh_market, device=phone.device_id)
    racers = {
        "online": here.scan_locked(voucher_id, lock.token),
        "upload": phone.sync(fresh_market.at(minutes=2)),
    }
    order = [racers.pop(first), *racers.values()]

    answers = await one_after_another(fresh_database, order, holding=ROW)

    online, upload = answers if first == "online" else reversed(answers)
    told = (online.verdict, upload[0]["verdict"], upload[0]["reason"])
    assert told == (("redeemed", "conflict", "used_here") if first == "online" else ("used", "accepted", "accepted"))
    assert (await fresh_market.voucher(voucher_id)).quantity_used == 1
    async with fresh_market.sessions.begin() as session:
        uses = await redemption.uses_of(session, fresh_market.book, voucher_id)
    assert [each.state for each in uses if each.state is UseState.ACCEPTED] == [UseState.ACCEPTED]
    assert await fresh_market.faults() == []


async def test_without_the_vouchers_lock_the_upload_would_judge_what_is_no_more(
    fresh_market: Market, fresh_database: Database
) -> None:
    """The control: it would see a lock of its own that is used by then, and only the table's check would stop it."""
    phone, voucher_id, lock = await kept(fresh_market)
    phone.scan(voucher_id, fresh_market.at(minutes=1))
    await without_lock(
        fresh_database, "sync", "sync_records", "ORDER BY v.voucher_id FOR NO KEY UPDATE", "ORDER BY v.voucher_id"
    )

    online, upload = await one_after_another(
        fresh_database,
        [fresh_market.scan_locked(voucher_id, lock.token), phone.sync(fresh_market.at(minutes=2))],
        holding=ROW,
    )

    assert online.verdict == "redeemed"
    assert upload == []  # a record without an answer: it broke on ck_voucher_closed and stays on the phone
