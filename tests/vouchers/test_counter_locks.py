"""An offer is reserved before it is taken, and a counter keeps a voucher while it prepares."""

import asyncio
from uuid import UUID, uuid4

import pytest

import redemption
from tests.cast import HERE, client_of
from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.phone import Phone

LOCKS = "/api/shop/locks"


async def reserved(client, offer_id):
    answer = await client.post(f"/api/offers/{offer_id}/reservations", json={})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def points(app, client):
    async with app.state.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT balance FROM ledger.account WHERE code = $1 AND unit = 'point'",
            (f"member:{client.actor.member_id.hex}",),
        )
        return found.scalar_one() // 100


async def verified(app):
    async with app.state.sessions.begin() as session:
        assert await redemption.verify(session, HERE) == []


async def test_a_reservation_shows_the_price_and_is_confirmed(app, li, give, offer_of, clock):
    await give(li, 100)
    seen = await reserved(li, await offer_of(subsidy_points=5, price_list_version="2025-10"))
    assert (seen["state"], seen["price"], seen["subsidy"], seen["price_list_version"]) == (
        "reserved",
        1500,
        500,
        "2025-10",
    )
    assert (seen["qr"], seen["short_code"]) == (None, None)
    assert await points(app, li) == 85

    path = f"/api/vouchers/{seen['voucher_id']}"
    clock.move(minutes=9)
    made = [await li.post(f"{path}/confirmation", headers={"idempotency-key": "yes"}) for _ in range(2)]
    assert [answer.status_code for answer in made] == [200, 200]
    assert made[0].json()["state"] == "issued"
    assert made[0].json()["qr"]
    again = await li.post(f"{path}/confirmation")
    assert again.status_code == 409
    await verified(app)


async def test_a_reservation_is_given_up_or_its_time_is_over(app, li, sun, give, offer_of, clock):
    await give(li, 100)
    offer_id = await offer_of()
    first, second = await reserved(li, offer_id), await reserved(li, offer_id)
    assert (await sun.post(f"/api/vouchers/{first['voucher_id']}/confirmation")).status_code == 404
    assert (await li.post(f"/api/vouchers/{first['voucher_id']}/cancellation")).status_code == 204
    assert await points(app, li) == 80
    clock.move(minutes=10)
    late = await li.post(f"/api/vouchers/{second['voucher_id']}/confirmation")
    assert late.json()["code"] == "redemption.expired"
    await verified(app)


@pytest.fixture
async def kept(phone, haircut):
    """Li's haircut, kept by the barber."""
    answer = await phone.post(LOCKS, json={"code": haircut["qr"]})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_counter_keeps_it_and_its_member_cannot_cancel(app, li, phone, zhou, haircut, kept, clock):
    path = f"/api/vouchers/{haircut['voucher_id']}"
    assert (kept["title"], kept["open"]) == ("理发一次", 1)
    assert (await li.get(path)).json()["state"] == "locked"
    assert (await li.post(f"{path}/cancellation")).json()["code"] == "redemption.locked"
    other = await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))
    assert other.json()["code"] == "vouchers.scan_locked"

    use = {"token": kept["token"], "nonce": str(uuid4())}
    answers = [await phone.post(f"{LOCKS}/{kept['voucher_id']}/use", json=use) for _ in range(2)]
    assert [answer.json()["state"] for answer in answers] == ["ok", "ok"]
    assert (await li.get(path)).json()["state"] == "used"
    await verified(app)


async def test_a_lock_is_used_once_however_many_use_it_at_once(app, phone, kept):
    """The second finds the lock gone: a scan without a code is no scan."""
    asks = [{"token": kept["token"], "nonce": str(uuid4())} for _ in range(4)]
    answers = await asyncio.gather(*(phone.post(f"{LOCKS}/{kept['voucher_id']}/use", json=each) for each in asks))
    said = sorted(answer.json().get("state") or answer.json()["code"] for answer in answers)
    assert said == ["ok", *["redemption.not_locked"] * 3]
    await verified(app)


async def test_a_token_keeps_what_it_keeps_and_nothing_else(app, li, phone, give, offer_of, haircut, kept, clock):
    wrong = {"token": str(uuid4()), "nonce": str(uuid4())}
    use = f"{LOCKS}/{kept['voucher_id']}/use"
    assert (await phone.post(use, json=wrong)).json()["code"] == "redemption.not_locked"
    other = (await li.post(f"/api/offers/{await offer_of()}/vouchers", json={})).json()["voucher_id"]
    answer = await phone.post(f"{LOCKS}/{other}/use", json={"token": kept["token"], "nonce": str(uuid4())})
    assert answer.json()["code"] == "redemption.not_locked"
    released = await phone.post(f"{LOCKS}/{kept['voucher_id']}/release", json={"token": wrong["token"]})
    assert released.status_code == 409

    assert (await phone.post(f"{LOCKS}/{kept['voucher_id']}/release", json={"token": kept["token"]})).status_code == 204
    late = await phone.post(use, json={"token": kept["token"], "nonce": str(uuid4())})
    assert late.json()["code"] == "redemption.not_locked"
    assert (await li.post(f"/api/vouchers/{haircut['voucher_id']}/cancellation")).status_code == 204
    await verified(app)


async def test_only_a_scanned_code_is_kept_by_a_shop_of_it(phone, zhou, haircut, clock):
    typed = await phone.post(LOCKS, json={"code": haircut["short_code"]})
    assert typed.json()["code"] == "vouchers.scan_its_code"
    elsewhere = await zhou.post(LOCKS, json={"code": haircut["qr"]})
    assert elsewhere.json()["code"] == "redemption.wrong_merchant"
    clock.move(minutes=5)
    stale = await phone.post(LOCKS, json={"code": haircut["qr"]})
    assert stale.json()["code"] == "vouchers.scan_its_code"


async def test_no_counter_keeps_what_a_phone_may_take_without_a_network(
    app, wu, li, town, barber, give, offer_of, clock
):
    await give(li, 100)
    offer_id = await offer_of(offline_class=redemption.OfflineClass.LEASED)
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
    async with client_of(app, None) as anonymous:
        phone = Phone(anonymous, clock, barber.actor.member_id)
        phone.device_id = UUID((await phone.enrol(ticket["ticket"])).json()["device_id"])
        assert (await phone.snapshot())["lease"]

    refused = await barber.post(LOCKS, json={"code": voucher["qr"]})

    assert (refused.status_code, refused.json()["code"]) == (409, "redemption.leased")
    assert (await li.get(f"/api/vouchers/{voucher['voucher_id']}")).json()["state"] == "issued"


async def test_reserving_on_pages(app, li, give, offer_of, clock):
    await give(li, 100)
    offer_id = await offer_of(subsidy_points=5, price_list_version="2025-10")
    assert f"/offers/{offer_id}/reserve" in (await li.get(f"/offers/{offer_id}")).text
    gone = [await li.post(f"/offers/{offer_id}/reserve", data={"_key": "a"}) for _ in range(2)]
    assert gone[0].headers["location"] == gone[1].headers["location"]
    shown = (await li.get(gone[0].headers["location"])).text
    for part in ("预留", "出资方补贴", "2025-10", "确定要", "不要了，积分回来"):
        assert part in shown
    path = gone[0].headers["location"].partition("?")[0]
    confirmed = await li.post(f"{path}/confirm", data={"_key": "b"})
    assert confirmed.headers["location"] == f"{path}?done=vouchers.taken"
    again = await li.post(f"{path}/confirm", data={"_key": "c"})
    assert again.status_code == 409
    assert "请把这个码给店员扫" in (await li.get(path)).text
    await verified(app)


async def test_keeping_on_pages(app, li, phone, haircut, clock):
    address = haircut["qr"].rpartition("/")[2]
    assert "还要准备，先留两分钟" in (await phone.get(f"/V/{address}")).text
    shown = [(await phone.post("/shop/locks", data={"code": haircut["qr"], "_key": "a"})).text for _ in range(2)]
    token = {page.partition('name="token" value="')[2][:36] for page in shown}
    assert len(token) == 1
    assert "办好以前退不了" in (await li.get(f"/vouchers/{haircut['voucher_id']}")).text
    use = {"token": token.pop(), "_key": "b"}
    used = [await phone.post(f"/shop/locks/{haircut['voucher_id']}/use", data=use) for _ in range(2)]
    assert ["核销成功" in answer.text for answer in used] == [True, True]
    await verified(app)


async def test_letting_go_on_a_page(li, phone, haircut, clock):
    shown = (await phone.post("/shop/locks", data={"code": haircut["qr"], "_key": "a"})).text
    token = shown.partition('name="token" value="')[2][:36]
    gone = await phone.post(f"/shop/locks/{haircut['voucher_id']}/release", data={"token": token, "_key": "b"})
    assert gone.headers["location"] == "/shop/today?done=vouchers.let_go"
    assert (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()["state"] == "issued"
    typed = await phone.post("/shop/locks", data={"code": haircut["short_code"], "_key": "c"})
    assert typed.status_code == 409
    assert "报出来的码不行" in typed.text
