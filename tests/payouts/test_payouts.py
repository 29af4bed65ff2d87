"""A shop's account changes by two people and freezes; the calendar closes days and weeks; the bank sends money back."""

from datetime import date

import pytest

from redemption import Rhythm
from service.payouts.rules import period_end
from service.vouchers.rules import is_working_day, objection_over
from tests.cast import START
from tests.vouchers.conftest import as_owner, closed, give, offer_of, phone, statements, used

__all__ = ["give", "offer_of", "phone", "statements", "used"]

ACCOUNT = {"holder": "小李理发店", "bank": "工商银行兴乐支行", "account": "6222 0212 3456 7890 123", "reason": "开户"}


@pytest.fixture
def shop(town):
    return town.organisations["barbershop"]


async def account(qian, feng, shop, **fields):
    """Proposed by one and agreed to by another."""
    answer = await qian.post(f"/api/payouts/{shop}/account", json=ACCOUNT | fields)
    assert answer.status_code == 200, answer.text
    account_id = answer.json()["proposed"]["account_id"]
    agreed = await feng.post(f"/api/payouts/accounts/{account_id}/decision", json={"agreed": True})
    assert agreed.status_code == 200, agreed.text
    return agreed.json()["account"]


async def approved(qian, feng, barber):
    [item] = await closed(qian)
    await barber.post(f"/api/shop/settlements/{item['settlement_id']}/confirmation")
    assert (await feng.post(f"/api/settlements/{item['settlement_id']}/approval")).status_code == 200
    return f"/api/settlements/{item['settlement_id']}"


async def test_a_change_of_account_by_two_people_stops_payment_for_three_days(
    app, town, used, qian, feng, barber, shop, clock
):
    await as_owner(app, town, barber)
    first = await account(qian, feng, shop)
    assert (first["tail"], first["state"]) == ("0123", "approved")
    batch = await approved(qian, feng, barber)
    proposed = await qian.post(f"/api/payouts/{shop}/account", json=ACCOUNT | {"account": "6222021234567899999"})
    account_id = proposed.json()["proposed"]["account_id"]
    own = await qian.post(f"/api/payouts/accounts/{account_id}/decision", json={"agreed": True})
    assert (own.status_code, own.json()["code"]) == (409, "redemption.same_person")
    page = await qian.get(f"/desk/payouts/{shop}")
    assert "要由另一个人同意" in page.text
    assert (
        await feng.post(f"/desk/payouts/accounts/{account_id}/decide", data={"agreed": "true", "_key": "d"})
    ).status_code == 303

    frozen = await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-1"})
    assert (frozen.status_code, frozen.json()["code"]) == (409, "redemption.payout_frozen")
    assert "账户刚换过" in (await qian.get(f"/desk/payouts/{shop}")).text
    clock.move(days=3)
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-1"})).status_code == 200


async def test_the_number_is_sealed_masked_and_each_look_is_written_down(app, qian, feng, he, shop, statements):
    made = await account(qian, feng, shop)
    listed = (await he.get("/api/payouts")).text + (await he.get(f"/desk/payouts/{shop}")).text
    assert "0123" in listed
    assert "6222021234567890123" not in listed
    async with app.state.sessions.begin() as session:
        rows = (
            (await (await session.connection()).exec_driver_sql("SELECT p::text FROM redemption.payee p"))
            .scalars()
            .all()
        )
    assert b"6222021234567890123".hex() not in str(rows)
    assert "6222021234567890123" not in str(rows)

    number = await qian.post(f"/api/payouts/accounts/{made['account_id']}/number")
    assert number.json() == {"account": "6222021234567890123"}
    page = await qian.post(f"/desk/payouts/accounts/{made['account_id']}/number", data={"_key": "n"})
    assert "6222021234567890123" in page.text
    assert (await he.post(f"/api/payouts/accounts/{made['account_id']}/number")).status_code == 403
    async with app.state.sessions.begin() as session:
        looks = await (await session.connection()).exec_driver_sql(
            "SELECT count(*) FROM audit WHERE action = 'payouts.account_read'"
        )
        assert looks.scalar_one() == 2


async def test_bad_input_stands_at_its_field(qian, shop):
    for field, value in (("account", "1234567"), ("account", "6222x0212345"), ("holder", "x"), ("reason", "")):
        page = await qian.post(
            f"/desk/payouts/{shop}/account", data=ACCOUNT | {field: value, "_key": f"{field}{value}"}
        )
        assert page.status_code == 422
        answer = await qian.post(f"/api/payouts/{shop}/account", json=ACCOUNT | {field: value})
        assert (answer.status_code, list(answer.json()["problems"])) == (422, [field])
    early = await qian.post(f"/api/payouts/{shop}/rhythm", json={"rhythm": "daily", "effective_from": "2026-11-22"})
    assert (early.status_code, early.json()["code"]) == (409, "redemption.rhythm_day_wrong")
    nowhere = "00000000-0000-7000-8000-000000000009"
    assert (await qian.get(f"/desk/payouts/{nowhere}")).status_code == 404
    assert (await qian.post(f"/api/payouts/accounts/{nowhere}/number")).status_code == 404


async def test_another_community_sees_no_shop_of_ours(qian, feng, shop, stranger_staff):
    made = await account(qian, feng, shop)
    assert (await stranger_staff.get(f"/desk/payouts/{shop}")).status_code in (403, 404)
    answer = await stranger_staff.post(f"/api/payouts/accounts/{made['account_id']}/number")
    assert answer.status_code in (403, 404)


async def test_paid_in_parts_sent_back_and_paid_again(app, town, used, qian, feng, he, barber):
    await as_owner(app, town, barber)
    batch = await approved(qian, feng, barber)
    desk = batch.removeprefix("/api").join(("/desk", ""))
    part = await qian.post(f"{desk}/pay", data={"bank_reference": "ICBC-1", "yuan": "10.50", "_key": "p"})
    assert part.status_code == 303
    assert (await he.get(batch)).json()["state"] == "part_paid"
    page = await qian.get(desk)
    assert "34.50" in page.text
    too_much = await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-2", "fen": 3451})
    assert (too_much.status_code, too_much.json()["code"]) == (409, "redemption.amount_wrong")
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-2"})).json()["state"] == "paid"
    own = await qian.post(f"{desk}/payments/2/return", data={"reason": "户名不符", "_key": "r"})
    assert own.status_code == 303

    shown = (await he.get(f"{batch}/payments")).json()["items"]
    assert [(each["fen"], each["return_reason"]) for each in shown] == [(1050, None), (3450, "户名不符")]
    assert (await he.get(batch)).json()["state"] == "confirmed"
    assert (await feng.post(f"{batch}/approval")).status_code == 200
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-3"})).json()["state"] == "paid"
    assert (await he.get(f"{batch}/payments")).json()["items"][2]["repeats"] == 2
    assert (await he.get("/api/books/verification")).json()["is_whole"]
    circulation = (await he.get("/desk/books")).text
    assert "ICBC" not in circulation
    own_view = (await barber.get(f"/api/shop{batch.removeprefix('/api')}/payments")).json()
    assert len(own_view["items"]) == 3
    assert "户名不符" in (await barber.get(f"/shop{batch.removeprefix('/api')}")).text


async def test_an_invoice_number_stands_once_and_a_slip_is_taken_back(app, town, used, qian, feng, he, barber):
    await as_owner(app, town, barber)
    batch = await approved(qian, feng, barber)
    path = batch.removeprefix("/api")
    form = {"invoice_no": "24312000000012345678", "invoice_yuan": "45", "_key": "i"}
    assert (await barber.post(f"/shop{path}/invoices", data=form)).status_code == 303
    taken = await qian.post(f"{batch}/invoices", json={"invoice_no": "24312000000012345678", "fen": 4500})
    assert (taken.status_code, taken.json()["code"]) == (409, "redemption.invoice_taken")
    wrong = await qian.post(f"/desk{path}/invoices", data={"invoice_no": "12", "invoice_yuan": "45", "_key": "w"})
    assert wrong.status_code == 422
    assert "发票号码是 8 到 20 位数字" in wrong.text
    gone = await qian.post(f"/desk{path}/invoices/24312000000012345678/withdraw", data={"_key": "x"})
    assert gone.status_code == 303
    again = await barber.post(f"/api/shop{path}/invoices", json={"invoice_no": "24312000000012345678", "fen": 4500})
    assert [each["fen"] for each in again.json()["invoices"]] == [4500]
    assert (await barber.post(f"{batch}/invoices", json={"invoice_no": "12345678", "fen": 1})).status_code == 403


async def test_the_calendar_closes_days_and_weeks_and_two_people_still_pay(
    app, town, used, qian, feng, barber, shop, clock
):
    timed = next(work for item in app.state.slices for work in item.timed if work.name == "payouts.close_due")
    await app.state.worker.do_timed(timed, clock.now)
    assert (await qian.get("/api/settlements")).json()["items"] == []  # Sunday: the week runs
    chosen = await qian.post(f"/api/payouts/{shop}/rhythm", json={"rhythm": "daily", "effective_from": "2026-11-23"})
    assert chosen.json()["changes"] == [{"rhythm": "daily", "effective_from": "2026-11-23"}]
    clock.move(days=1)
    for _ in range(2):
        await app.state.worker.do_timed(timed, clock.now)

    [batch] = (await qian.get("/api/settlements")).json()["items"]
    assert (batch["lines"], batch["received_until"]) == (3, "2026-11-22T16:00:00Z")
    assert "到期自动" in (await qian.get(f"/desk/settlements/{batch['settlement_id']}")).text


def test_a_period_ends_at_midnight_or_before_monday():
    assert period_end(Rhythm.DAILY, START).isoformat() == "2026-11-22T00:00:00+08:00"
    assert period_end(Rhythm.WEEKLY, START).isoformat() == "2026-11-16T00:00:00+08:00"


def test_holidays_do_not_count_and_moved_weekends_do():
    assert not is_working_day(date(2026, 10, 1))
    assert is_working_day(date(2026, 10, 10))  # a Saturday that offices work for the week of the National Day
    assert not is_working_day(date(2027, 1, 2))  # not announced here yet: a Saturday
    assert not objection_over(date(2026, 9, 30), date(2026, 10, 13), 5)
    assert objection_over(date(2026, 9, 30), date(2026, 10, 15), 5)
