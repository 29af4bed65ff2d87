"""Money that comes in, and the public account that equals the ledger to the fen."""

import asyncio
from datetime import timedelta

import pytest

import ledger
from service import chart
from service.kit.clock import local_day
from tests.cast import HERE, START
from tests.fund.conftest import line, owed, rows, sent

pytestmark = pytest.mark.anyio
TODAY = local_day(START)
ACCOUNT = f"/api/fund/{HERE}/account"


def payment(shop, fen, document="流水 1", **more):
    return {"shop": str(shop), "amount_fen": fen, "document": document, "received_on": TODAY.isoformat()} | more


def donation(fen, document="收据 1", **more):
    return {"amount_fen": fen, "document": document, "received_on": TODAY.isoformat()} | more


async def fund(app):
    async with app.state.sessions() as session:
        return await ledger.balance(session, HERE, chart.FUND, chart.FEN)


async def test_what_a_merchant_paid_counts_when_a_second_person_has_agreed(app, zhou, qian, feng, wu, bakery):
    await zhou.post(sent(bakery), json={"lines": [line(number) for number in range(10)]})

    assert (await wu.post("/api/fund/payments", json=payment(bakery, 60))).status_code == 403
    made = (await qian.post("/api/fund/payments", json=payment(bakery, 60))).json()
    assert (made["state"], await fund(app)) == ("proposed", 0)
    where = f"/api/fund/income/{made['income_id']}"
    alone = await qian.post(f"{where}/agreement")
    agreed = await asyncio.gather(feng.post(f"{where}/agreement"), feng.post(f"{where}/agreement"))
    late = await qian.post(f"{where}/refusal")

    assert alone.json()["code"] == "fund.second_person_needed"
    assert [answer.status_code for answer in agreed] == [200, 200]
    assert late.json()["code"] == "fund.income_decided"
    assert (await fund(app), await owed(app, bakery)) == (60, [40])
    account = (await zhou.get(ACCOUNT)).json()
    assert (account["shops_fen"], account["promised_fen"], account["is_whole"]) == (60, 40, True)


async def test_who_pays_more_than_promised_has_it_for_later_sales(app, zhou, qian, feng, bakery):
    made = (await qian.post("/api/fund/payments", json=payment(bakery, 25))).json()
    await feng.post(f"/api/fund/income/{made['income_id']}/agreement")
    assert await owed(app, bakery) == [-25]

    await zhou.post(sent(bakery), json={"lines": [line(number) for number in range(3)]})
    assert await owed(app, bakery) == [5]
    assert (await zhou.get(f"/shop/fund/{bakery}")).status_code == 200


async def test_one_person_takes_a_donation_in_and_above_the_limit_two(app, wu, zheng, qian):
    small = (await wu.post("/api/fund/donations", json=donation(100_000, "1"))).json()
    large = (await wu.post("/api/fund/donations", json=donation(100_001, "2"))).json()
    assert (small["state"], large["state"], await fund(app)) == ("posted", "proposed", 100_000)

    assert (await zheng.post(f"/api/fund/income/{large['income_id']}/agreement")).status_code == 200
    assert await fund(app) == 200_001
    waits = (await qian.get("/api/fund/income")).json()
    assert (waits["waiting"], len(waits["items"])) == ([], 2)


async def test_a_document_counts_once_even_when_two_record_it_at_once(app, wu, qian, zheng):
    answers = await asyncio.gather(
        *(client.post("/api/fund/donations", json=donation(500)) for client in (wu, qian, zheng))
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"fund.document_reused"}
    assert await fund(app) == 500


async def test_a_refused_document_is_free_again_and_a_day_ahead_is_not_taken(wu, qian, bakery, town):
    made = (await qian.post("/api/fund/payments", json=payment(bakery, 60))).json()
    assert (await qian.post("/api/fund/payments", json=payment(bakery, 61))).json()["code"] == "fund.document_reused"
    assert (await qian.post(f"/api/fund/income/{made['income_id']}/refusal")).json()["state"] == "refused"
    assert (await qian.post("/api/fund/payments", json=payment(bakery, 61))).status_code == 201

    tomorrow = (TODAY + timedelta(days=1)).isoformat()
    ahead = await wu.post("/api/fund/donations", json=donation(5, received_on=tomorrow))
    never = await qian.post("/api/fund/payments", json=payment(town.organisations["barbershop"], 60, "3"))
    assert ahead.json()["code"] == "fund.received_ahead"
    assert never.json()["code"] == "fund.never_gave"


async def test_the_public_account_equals_the_ledger_in_every_month_and_names_only_who_agreed(
    app, anon, wu, zhou, qian, feng, bakery, clock
):
    async def given(document, fen, **more):
        gift = donation(fen, document, **more)
        assert (await wu.post("/api/fund/donations", json=gift)).status_code == 201

    await given("1", 3_000)
    clock.move(days=12)
    await given("2", 1_000, donor="热心人张三", is_named=True)
    await given("3", 2_000, donor="低调的李四")
    await given("4", 5_000, donor="=1+1", is_named=True)
    await zhou.post(sent(bakery), json={"lines": [line(number) for number in range(10)]})
    made = (await qian.post("/api/fund/payments", json=payment(bakery, 70))).json()
    await feng.post(f"/api/fund/income/{made['income_id']}/agreement")

    this, last, year = [(await anon.get(ACCOUNT, params={"of": of})).json() for of in ("2026-12", "2026-11", "2026")]

    assert (last["before_fen"], last["donations_fen"], last["after_fen"]) == (0, 3_000, 3_000)
    assert (this["before_fen"], this["donations_fen"], this["shops_fen"], this["after_fen"]) == (
        3_000,
        8_000,
        70,
        11_070,
    )
    assert year["donations_fen"] + year["shops_fen"] == year["after_fen"] == await fund(app)
    assert all(each["is_whole"] for each in (this, last, year))
    async with app.state.sessions() as session:
        assert list(await ledger.verify(session, HERE)) == []
    for path in (f"/fund/{HERE}", f"/fund/{HERE}/print"):
        page = (await anon.get(path)).text
        assert "热心人张三" in page
        assert "低调的李四" not in page
        assert "周记面包坊" in page
    assert "李四" not in str(this)
    readable = "SELECT count(*) FROM fund_income WHERE position(convert_to('张三', 'UTF8') IN donor_sealed) > 0"
    assert await rows(app, readable) == [(0,)]
    assert (await anon.get(ACCOUNT, params={"of": "2026-13"})).status_code == 422
    assert (await anon.get("/api/fund/7/account")).status_code == 404


async def test_the_desk_records_on_its_page_and_takes_a_file_away(wu, qian, feng, he, bakery):
    page = "/desk/fund/money"
    day = TODAY.isoformat()
    gift = {"donation_yuan": "12.5", "receipt": "=HYPERLINK(1)", "donated_on": day, "donor": "张三", "is_named": "1"}
    assert (await wu.post(f"{page}/donations", data=gift)).headers["location"] == f"{page}?done=fund.donated"
    paid = {"shop": str(bakery), "amount_yuan": "3", "document": "流水 9", "received_on": day}
    assert (await qian.post(f"{page}/payments", data=paid)).status_code == 303
    again = await qian.post(f"{page}/payments", data=paid)
    assert again.status_code == 409
    assert "流水 9" in again.text

    waiting = (await feng.get("/api/fund/income")).json()["waiting"][0]
    assert (await feng.post(f"{page}/{waiting['income_id']}/agree")).status_code == 303
    nameless = await wu.post(f"{page}/donations", data=gift | {"donor": "", "receipt": "2"})
    assert nameless.status_code == 409
    assert (await he.get(page)).status_code == 200
    file = (await he.get(f"{page}.csv")).content.decode("utf-8-sig")
    assert "'=HYPERLINK(1)" in file
    assert "张三" not in file
