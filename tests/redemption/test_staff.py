"""What takes two of staff: one proposes, another decides, never one person, never about a voucher of their own."""

from datetime import timedelta

import pytest

import redemption
from redemption import RequestState, StaffStep, VoucherState
from tests.db import Database
from tests.redemption.crowd import one_after_another, without_lock
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio

OFFERS = "SELECT FROM redemption.offer FOR NO KEY UPDATE"


async def asked(market: Market, voucher_id: int) -> list[redemption.Request]:
    async with market.sessions.begin() as session:
        return list(await redemption.requests(session, market.book, voucher_id=voucher_id))


async def test_two_call_a_voucher_back_and_its_points_return(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(), quantity=2)
    await market.scan(voucher_id)
    request_id = await market.propose(voucher_id, StaffStep.VOID)
    assert (await market.voucher(voucher_id)).state is VoucherState.PART_USED

    key = some_id()
    done = await market.decide(request_id, key=key)

    assert (done.state, done.points, done.replayed) == (VoucherState.VOID, 20, False)
    assert (await market.decide(request_id, key=key)).replayed
    assert await market.points() == 80
    [request] = await asked(market, voucher_id)
    assert (request.state, request.proposed_by, request.decided_by) == (RequestState.DONE, market.staff, market.second)
    assert await market.faults() == []


async def test_never_by_one_person_but_the_proposer_may_take_it_back(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    request_id = await market.propose(voucher_id, StaffStep.VOID)

    with pytest.raises(redemption.SamePerson):
        await market.decide(request_id, actor=market.staff)
    assert (await market.decide(request_id, is_agreed=False, actor=market.staff)).state is VoucherState.ISSUED
    with pytest.raises(redemption.RequestDecided):
        await market.decide(request_id)
    assert (await market.scan(voucher_id)).verdict == "redeemed"


@pytest.mark.parametrize("step", list(StaffStep))
async def test_nobody_asks_or_decides_about_a_voucher_of_their_own(market: Market, step: StaffStep) -> None:
    until = market.at(days=30).now if step is StaffStep.EXTEND else None
    voucher_id = await market.issue(await market.publish())

    with pytest.raises(redemption.OwnVoucher):
        await market.propose(voucher_id, step, until=until, actor=market.li)
    request_id = await market.propose(voucher_id, step, until=until)
    with pytest.raises(redemption.OwnVoucher):
        await market.decide(request_id, actor=market.li)


async def test_more_days_keep_the_grace_and_it_is_good_until_then(market: Market) -> None:
    haircut = await market.publish(offline_class=redemption.OfflineClass.LEASED)
    voucher_id = await market.issue(haircut, grace_hours=5)
    until = market.at(days=20).now
    await market.decide(await market.propose(voucher_id, StaffStep.EXTEND, until=until))

    voucher = await market.voucher(voucher_id)
    assert (voucher.expires_at, voucher.due_at) == (until, until + timedelta(hours=5))
    assert (await market.at(days=8).expire()).expired == ()
    assert (await market.at(days=19).scan(voucher_id)).verdict == "redeemed"
    async with market.sessions.begin() as session:
        story = await redemption.history(session, market.book, voucher_id)
    assert [(line.action, line.second_id) for line in story][1] == ("extend", market.second)
    assert await market.faults() == []


@pytest.mark.parametrize("days", [0, 7, 4000])
async def test_the_end_is_later_and_not_out_of_reason(market: Market, days: int) -> None:
    voucher_id = await market.issue(await market.publish())

    with pytest.raises(redemption.ExtensionWrong):
        await market.propose(voucher_id, StaffStep.EXTEND, until=market.at(days=days).now)


async def test_one_of_a_kind_waits_and_the_same_again_is_the_same(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    request_id = await market.propose(voucher_id, StaffStep.VOID)

    await market.propose(voucher_id, StaffStep.VOID, request_id=request_id)
    with pytest.raises(redemption.RequestWaits):
        await market.propose(voucher_id, StaffStep.VOID)
    await market.propose(voucher_id, StaffStep.EXTEND, until=market.at(days=30).now)
    with pytest.raises(redemption.RequestUnknown):
        await market.decide(some_id())


async def test_what_was_used_while_it_waited_is_not_called_back(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    request_id = await market.propose(voucher_id, StaffStep.VOID)
    await market.scan(voucher_id)

    with pytest.raises(redemption.VoucherUsed):
        await market.decide(request_id)
    await market.decide(request_id, is_agreed=False)
    assert await market.faults() == []


async def two_decide(market: Market, database: Database) -> list[str]:
    voucher_id = await market.issue(await market.publish())
    request_id = await market.propose(voucher_id, StaffStep.VOID)
    answers = await one_after_another(database, [market.decide(request_id), market.decide(request_id, actor=some_id())])
    return [type(answer).__name__ for answer in answers]


async def test_of_two_who_decide_at_once_the_second_is_told(fresh_market: Market, fresh_database: Database) -> None:
    assert await two_decide(fresh_market, fresh_database) == ["Decided", "RequestDecided"]
    assert await fresh_market.faults() == []


async def test_without_the_locks_only_the_ledger_notices(fresh_market: Market, fresh_database: Database) -> None:
    await without_lock(fresh_database, "ending", "lock_voucher")
    await without_lock(fresh_database, "staff", "decide_step")

    assert await two_decide(fresh_market, fresh_database) == ["Decided", "LedgerRefused"]


async def test_a_voucher_that_gets_more_days_does_not_run_out_in_the_same_moment(
    fresh_market: Market, fresh_database: Database
) -> None:
    """The timer has found it and waits for the offer, which whoever extends it holds."""
    market = fresh_market
    voucher_id = await market.issue(await market.publish())
    request_id = await market.propose(voucher_id, StaffStep.EXTEND, until=market.at(days=30).now)
    end = market.at(days=7)

    done, expiry = await one_after_another(fresh_database, [end.decide(request_id), end.expire()], holding=OFFERS)

    assert isinstance(done, redemption.Decided)
    assert (expiry.found, expiry.expired) == (1, ())
    assert (await market.voucher(voucher_id)).state is VoucherState.ISSUED
    assert await market.faults() == []
