"""A shop leaves on the pages and by the API: two people, members are told, the page says what is still open."""

import asyncio
from datetime import timedelta

import pytest

from service.kit.clock import local_day
from service.payouts import timed
from tests.cast import START
from tests.households.conftest import close
from tests.payouts.test_payouts import approved, shop
from tests.vouchers.conftest import as_owner, give, offer_of, phone, statements, used

__all__ = ["give", "offer_of", "phone", "shop", "statements", "used"]
TODAY = local_day(START).isoformat()


@pytest.fixture
def bakery(town):
    return town.organisations["bakery"]


async def propose(qian, shop, **fields):
    asked = {"shop": str(shop), "leaves_on": TODAY, "reason": "租约到期"} | fields
    answer = await qian.post("/api/payouts/departures", json=asked)
    assert answer.status_code == 200, answer.text
    return f"/api/payouts/departures/{answer.json()['departure']['departure_id']}"


async def test_a_shop_leaves_by_two_people_and_the_page_says_what_is_open(
    app, town, used, qian, feng, he, barber, shop, clock
):
    await as_owner(app, town, barber)
    place = await propose(qian, shop)
    own = await qian.post(f"{place}/decision", json={"agreed": True})
    assert (own.status_code, own.json()["code"]) == (409, "redemption.same_person")
    page = place.replace("/api/", "/desk/")
    assert "要由另一个人同意" in (await qian.get(page)).text
    assert (await feng.post(f"{page}/decide", data={"agreed": "true", "_key": "d"})).status_code == 303

    seen = (await he.get(place)).json()
    assert seen["departure"]["state"] == "locked"
    assert seen["open"]["uses"] == 3
    unfinished = await qian.post(f"{page}/finish", data={"_key": "f"})
    assert unfinished.status_code == 409
    assert "这家店还有没办完的" in unfinished.text
    taken_back = await feng.post(f"{place}/decision", json={"agreed": False})
    assert (taken_back.status_code, taken_back.json()["code"]) == (409, "redemption.departure_decided")

    clock.move(hours=2)
    batch = await approved(qian, feng, barber)
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-1"})).status_code == 200
    async with app.state.sessions.begin() as session:
        assert await timed.carry_departures(session, clock()) == 0
    assert (await qian.post(f"{page}/finish", data={"_key": "g"})).status_code == 303
    listed = (await he.get("/api/payouts/departures")).json()["items"]
    assert [each["state"] for each in listed] == ["done"]
    assert "已退出" in (await he.get("/desk/payouts/departures")).text
    assert (await he.get("/api/payouts/departures/00000000-0000-7000-8000-000000000009")).status_code == 404


async def told(app, kind):
    async with app.state.sessions.begin() as session:
        found = await (await session.connection()).exec_driver_sql(f"SELECT count(*) FROM outbox WHERE fact = '{kind}'")
        return found.scalar_one()


async def test_on_its_day_the_worker_refunds_and_tells_the_members(app, li, give, offer_of, qian, feng, shop, clock):
    await give(li, 100)
    offer_id = await offer_of()
    for _ in range(2):
        assert (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 201
    tomorrow = local_day(clock.now + timedelta(days=1)).isoformat()
    made = await qian.post(
        "/desk/payouts/departures",
        data={"shop": str(shop), "leaves_on": tomorrow, "reason": "不做了", "_key": "p"},
    )
    assert made.status_code == 303
    place = made.headers["location"].split("?")[0].replace("/desk/", "/api/")
    agreed = await feng.post(f"{place}/decision", json={"agreed": True})
    assert agreed.json()["departure"]["state"] == "leaving"
    assert (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 409
    async with app.state.sessions.begin() as session:
        assert await timed.carry_departures(session, clock()) == 0

    clock.move(days=1)
    async with app.state.sessions.begin() as session:
        assert await timed.carry_departures(session, clock()) == 3
    async with app.state.sessions.begin() as session:
        assert await timed.carry_departures(session, clock()) == 0
    seen = (await qian.get(place)).json()
    assert (seen["departure"]["moved"], seen["departure"]["points"], seen["open"]["vouchers"]) == (2, 40, 0)
    assert await told(app, "VoucherReturned") == 2


async def test_another_shop_takes_over_and_the_members_are_told(app, li, give, offer_of, qian, feng, shop, bakery):
    await give(li, 100)
    offer_id = await offer_of()
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    place = await propose(qian, shop, successor=str(bakery))
    assert (await feng.post(f"{place}/decision", json={"agreed": True})).status_code == 200
    page = place.replace("/api/", "/desk/")
    assert "再处理一批" in (await qian.get(page)).text
    answers = await asyncio.gather(*(qian.post(f"{page}/carry", data={"_key": key}) for key in "ab"))
    assert [each.status_code for each in answers] == [303, 303]
    assert (await qian.get(place)).json()["departure"]["moved"] == 1
    assert await told(app, "VoucherTakenOver") == 1
    assert "周记面包坊" in (await li.get(f"/vouchers/{voucher['voucher_id']}")).text


async def test_what_the_forms_do_not_take(qian, shop):
    nowhere = "00000000-0000-7000-8000-000000000009"
    unknown = await qian.post("/api/payouts/departures", json={"shop": nowhere, "leaves_on": TODAY, "reason": "不做了"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "payouts.shop_not_found")
    past = await qian.post(
        "/api/payouts/departures", json={"shop": str(shop), "leaves_on": "2020-01-01", "reason": "不做了"}
    )
    assert (past.status_code, past.json()["code"]) == (409, "redemption.departure_day_wrong")
    itself = await qian.post(
        "/desk/payouts/departures",
        data={"shop": str(shop), "successor": str(shop), "leaves_on": TODAY, "reason": "不做了", "_key": "p"},
    )
    assert itself.status_code == 409
    assert "接手的店不能是它自己" in itself.text
    empty = await qian.post("/desk/payouts/departures", data={"_key": "e"})
    assert empty.status_code == 422


async def test_a_shop_that_closed_is_named_all_the_same(app, qian, shop, bakery):
    await propose(qian, shop, successor=str(bakery))
    for each in (shop, bakery):
        await close(app, each)
    page = await qian.get("/desk/payouts/departures")
    assert page.status_code == 200
    assert "小李理发店" in page.text
    assert "周记面包坊" in page.text
