"""A scan at the counter: one answer, always the first that applies."""

from dataclasses import replace
from typing import Any

import pytest

import ledger
import redemption
from redemption import REDEEM_ORDER, DeviceKind, VoucherState
from tests.db import Database
from tests.redemption.crowd import as_superuser
from tests.redemption.market import Market, some_id

pytestmark = pytest.mark.anyio


async def test_answers_come_in_their_order(market: Market) -> None:
    """Everything is wrong at once; each step mends the first thing, and the next in the order is answered."""
    shop = some_id()
    haircut = await market.publish(merchant_ids=(market.barber, shop))
    other, voucher_id = [await market.issue(haircut, quantity=2) for _ in range(2)]
    used_nonce, revoked = some_id(), some_id()
    await market.scan(other, nonce=used_nonce, device=revoked)
    async with market.sessions.begin() as session:
        await redemption.revoke_device(session, market.book, revoked, actor_id=market.staff, now=market.now)
    await market.freeze(voucher_id)
    late = market.at(days=7)
    answers = []

    async def ask(desk: Market, asked: int, **wrong: Any) -> None:
        scan = await desk.scan(asked, **wrong)
        answers.append(scan.verdict)

    wrong: dict[str, Any] = {"merchant": market.bakery, "clerk": market.li, "code_seq": 9, "quantity": 5}
    await ask(late, 12345, nonce=used_nonce, device=revoked, **wrong)
    await ask(late, 12345, device=revoked, **wrong)
    await ask(late, 12345, **wrong)
    await ask(late, voucher_id, **wrong)
    wrong["merchant"] = shop
    await ask(late, voucher_id, **wrong)
    del wrong["clerk"]
    await ask(late, voucher_id, group=market.household, **wrong)
    await ask(late, voucher_id, **wrong)
    await market.unfreeze(voucher_id)
    await ask(late, voucher_id, **wrong)
    await ask(market, voucher_id, **wrong)
    del wrong["code_seq"]
    await ask(market, voucher_id, **wrong)
    del wrong["quantity"]
    # This shop never got an account.
    await ask(market, voucher_id, **wrong)
    await ask(market, voucher_id)

    assert answers == [
        "nonce_differs",
        "device_refused",
        "unknown",
        "wrong_merchant",
        "own_voucher",
        "own_voucher",
        "frozen",
        "expired",
        "code_outdated",
        "quantity_wrong",
        "ledger_refused",
        "redeemed",
    ]
    assert [REDEEM_ORDER.index(answer) for answer in answers] == sorted(
        REDEEM_ORDER.index(answer) for answer in answers
    )


@pytest.mark.parametrize(
    ("state", "verdict"),
    [("RESERVED", "not_issued"), ("LOCKED", "locked"), ("CANCEL_PENDING", "cancel_pending")],
)
async def test_states_that_wait_for_something_have_their_own_answer(
    market: Market, database: Database, state: str, verdict: str
) -> None:
    voucher_id = await market.issue(await market.publish(), reserved_minutes=10 if state == "RESERVED" else None)
    if state == "LOCKED":
        await market.lock(voucher_id)
    elif state == "CANCEL_PENDING":
        await as_superuser(database, f"UPDATE redemption.voucher SET state = '{state}'")

    assert (await market.scan(voucher_id, code_seq=9)).verdict == verdict


async def test_a_finished_voucher_says_how_it_ended_even_with_an_old_code(market: Market) -> None:
    haircut = await market.publish()
    used, cancelled, voided, expired = [await market.issue(haircut) for _ in range(4)]
    await market.scan(used)
    await market.cancel(cancelled)
    await market.void(voided)
    late = market.at(days=7)
    await late.expire()

    assert (await late.scan(used, code_seq=9)).verdict == "used"
    assert (await late.scan(cancelled, code_seq=9)).verdict == "cancelled"
    assert (await late.scan(voided, code_seq=9)).verdict == "void"
    assert (await late.scan(expired, code_seq=9)).verdict == "expired"


async def test_a_used_voucher_says_when_where_and_by_whom(market: Market) -> None:
    haircut = await market.publish(merchant_ids=(market.barber, market.bakery))
    voucher_id = await market.issue(haircut)
    await market.scan(voucher_id)

    late = await market.at(hours=3).scan(voucher_id, merchant=market.bakery)

    assert late.verdict == "used"
    assert late.detail["merchant_id"] == str(market.barber)
    assert late.detail["clerk_id"] == str(market.clerk)
    assert late.detail["received_at"].startswith("2025-11-22T06:00:00")


async def test_another_shops_voucher_says_nothing_more(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    await market.scan(voucher_id)

    scan = await market.scan(voucher_id, merchant=market.bakery)

    assert (scan.verdict, dict(scan.detail)) == ("wrong_merchant", {})


async def test_a_retry_gets_the_first_answer_for_ever(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    nonce = some_id()
    first = await market.scan(voucher_id, nonce=nonce)
    await market.at(days=1).close()

    again = await market.at(days=30).scan(voucher_id, nonce=nonce)

    assert again.verdict == "replayed"
    stable = ("voucher_id", "seq", "title", "points", "quantity", "merchant_id", "received_at")
    assert {key: again.detail[key] for key in stable} == {key: first.detail[key] for key in stable}
    assert (await market.scan(voucher_id, nonce=nonce, quantity=2)).verdict == "nonce_differs"


async def test_a_refused_scan_writes_nothing(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    device, nonce = some_id(), some_id()
    assert (
        await market.scan(voucher_id, nonce=nonce, device=device, merchant=market.bakery)
    ).verdict == "wrong_merchant"

    assert (await market.scan(voucher_id, nonce=nonce, device=device)).verdict == "redeemed"


async def test_an_enrolled_device_belongs_to_one_shop(market: Market) -> None:
    voucher_id = await market.issue(await market.publish(merchant_ids=(market.barber, market.bakery)))
    device, key = some_id(), bytes(32)

    async def register(merchant: object, public_key: bytes | None) -> None:
        async with market.sessions.begin() as session:
            await redemption.register_device(
                session,
                market.book,
                device,
                kind=DeviceKind.ENROLLED,
                merchant_id=merchant,  # type: ignore[arg-type]  # None is tried on purpose
                public_key=public_key,
                actor_id=market.staff,
                now=market.now,
            )

    with pytest.raises(redemption.DeviceWrong):
        await register(None, None)
    await register(market.barber, key)
    await register(market.barber, key)
    with pytest.raises(redemption.DeviceDiffers):
        await register(market.bakery, key)
    assert (await market.scan(voucher_id, device=device, merchant=market.bakery)).verdict == "device_refused"
    assert (await market.scan(voucher_id, device=device)).verdict == "redeemed"
    with pytest.raises(redemption.DeviceUnknown):
        async with market.sessions.begin() as session:
            await redemption.revoke_device(session, market.book, some_id(), actor_id=market.staff, now=market.now)


async def test_a_typed_code_finds_its_voucher_in_any_writing(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    code = (await market.voucher(voucher_id)).short_code

    async with market.sessions.begin() as session:
        for typed in (code, code.lower(), redemption.in_groups(code), f" {code[:4]}-{code[4:8]} - {code[8:]}\t"):
            assert await redemption.voucher_by_code(session, market.book, typed) == voucher_id
        assert await redemption.voucher_by_code(session, market.book, "222222222") is None
        assert await redemption.voucher_by_code(session, market.book + 1, code) is None


async def test_a_typed_code_dies_with_a_reversal_and_with_a_reprint(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    first = (await market.voucher(voucher_id)).short_code
    assert (await market.scan(voucher_id)).verdict == "redeemed"
    await market.reverse(voucher_id)
    second = (await market.voucher(voucher_id)).short_code
    async with market.sessions.begin() as session:
        assert await redemption.voucher_by_code(session, market.book, first) is None
        assert await redemption.voucher_by_code(session, market.book, second) == voucher_id
        await redemption.renew_code(
            session, market.book, voucher_id, reason="lost", actor_id=market.staff, now=market.now
        )
        assert await redemption.voucher_by_code(session, market.book, second) is None


async def test_a_scan_is_one_round_trip(market: Market) -> None:
    """One statement in autocommit is enough: all of the desk's work is inside the function."""
    voucher_id = await market.issue(await market.publish())
    async with market.sessions() as session:
        connection = await session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        row = await connection.exec_driver_sql(
            "SELECT code FROM redemption.redeem($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            (
                market.book,
                market.device,
                some_id(),
                voucher_id,
                1,
                market.barber,
                None,
                market.clerk,
                1,
                market.now,
                market.now,
            ),
        )
        assert row.scalar_one() == "redeemed"
    assert (await market.voucher(voucher_id)).state is VoucherState.USED
    assert await market.faults() == []


async def test_other_communities_see_nothing(market: Market) -> None:
    voucher_id = await market.issue(await market.publish())
    elsewhere = replace(market, book=market.book + 1)

    assert (await elsewhere.scan(voucher_id)).verdict == "unknown"
    with pytest.raises(redemption.VoucherUnknown):
        await elsewhere.cancel(voucher_id)
    with pytest.raises(ledger.LedgerRefusal):
        await elsewhere.balance("escrow")


class TestTakingBack:
    """Within the hour, by who scanned or the owner, three times a day, and never twice."""

    async def test_not_by_another_clerk_but_by_the_owner(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish())
        await market.scan(voucher_id)

        with pytest.raises(redemption.NotYourUse):
            await market.reverse(voucher_id, actor=some_id())

        assert (await market.reverse(voucher_id, actor=some_id(), as_owner=True)).points == 20

    async def test_not_after_an_hour(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish())
        await market.scan(voucher_id)

        with pytest.raises(redemption.ReversalTooLate):
            await market.at(hours=1).reverse(voucher_id)

    async def test_not_twice(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish())
        await market.scan(voucher_id)
        await market.reverse(voucher_id)

        with pytest.raises(redemption.AlreadyReversed):
            await market.reverse(voucher_id)
        with pytest.raises(redemption.UseUnknown):
            await market.reverse(voucher_id, seq=2)

    async def test_not_once_a_batch_has_it(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish())
        await market.scan(voucher_id)
        await market.at(minutes=10).close()

        with pytest.raises(redemption.UseSettled):
            await market.at(minutes=11).reverse(voucher_id)

    async def test_three_a_day_for_a_device(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish())
        for seq in (1, 2, 3):
            assert (await market.scan(voucher_id)).verdict == "redeemed"
            await market.reverse(voucher_id, seq)
        await market.scan(voucher_id)

        with pytest.raises(redemption.TooManyReversals):
            await market.reverse(voucher_id, 4)
        assert await market.faults() == []

    async def test_while_the_rest_was_cancelled_it_stays(self, market: Market) -> None:
        voucher_id = await market.issue(await market.publish(), quantity=2)
        await market.scan(voucher_id)
        await market.cancel(voucher_id)

        with pytest.raises(redemption.VoucherCancelled):
            await market.reverse(voucher_id)
