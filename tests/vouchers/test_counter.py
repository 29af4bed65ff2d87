"""The shop's day: takings, undoing, choosing a shop; and what falls due with time."""

import asyncio

import pytest

from service.identity import grant_role
from service.kit.access import Role
from service.kit.clock import local_day
from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.test_settlement import work_of


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


async def test_the_scanner_opens_with_the_days_sums_and_names_the_phone(phone, barber, haircut):
    await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    page = await barber.get("/shop")

    assert page.status_code == 200
    assert 'data-action="/api/scans"' in page.text
    assert "小李理发店" in page.text
    assert "<b data-count>1</b>" in page.text


async def test_a_phone_gets_its_number_once(zhou):
    first = await zhou.get("/shop")
    assert "linli_device" in first.headers["set-cookie"]

    assert "linli_device" not in (await zhou.get("/shop")).headers.get("set-cookie", "")


async def test_one_press_within_the_minute_takes_it_back(app, li, phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)
    clock.move(seconds=40)

    answers = [await phone.post("/api/scans/undo", json={"nonce": asked["nonce"]}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["points"] == -20
    assert len(await rows(app, "SELECT 1 FROM outbox WHERE fact = 'VoucherUseReversed'")) == 1
    voucher = (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()
    assert voucher["state"] == "issued"
    dead = await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))
    assert dead.json()["code"] == "vouchers.scan_code_outdated"
    live = await phone.post("/api/scans", json=scan_of(voucher["qr"]))
    assert live.json()["state"] == "ok"


async def test_later_it_takes_a_reason_and_after_the_hour_it_is_over(app, phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)
    clock.move(minutes=5)
    late = await phone.post("/api/scans/undo", json={"nonce": asked["nonce"]})
    assert (late.status_code, late.json()["code"]) == (409, "vouchers.undo_needs_reason")

    today = await phone.get("/shop/today")
    address = f"/shop/uses/{haircut['voucher_id']}/1/undo"
    assert address in today.text
    assert (await phone.post(address, data={"reason": "", "_key": "a"})).status_code == 422
    clock.move(minutes=56)
    over = await phone.post(address, data={"reason": "剪错了", "_key": "b"})
    assert over.status_code == 410
    assert address not in (await phone.get("/shop/today")).text
    clock.move(minutes=-30)
    assert (await phone.post(address, data={"reason": "剪错了", "_key": "c"})).status_code == 303
    assert "已撤销" in (await phone.get("/shop/today")).text


async def test_another_shops_use_is_not_there(phone, zhou, stranger_shop, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)

    for client in (zhou, stranger_shop):
        answer = await client.post("/api/scans/undo", json={"nonce": asked["nonce"]})
        assert answer.status_code == 404
        answer = await client.post(f"/shop/uses/{haircut['voucher_id']}/1/undo", data={"reason": "试试", "_key": "x"})
        assert answer.status_code == 404


async def test_undoing_twice_at_once_moves_the_points_once(app, li, phone, haircut):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)

    answers = await asyncio.gather(*(phone.post("/api/scans/undo", json={"nonce": asked["nonce"]}) for _ in range(4)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows(app, "SELECT 1 FROM ledger.journal WHERE reason = 'voucher_use_reversed'")) == 1
    assert len(await rows(app, "SELECT 1 FROM audit WHERE action = 'vouchers.use_reversed'")) == 1
    assert len(await rows(app, "SELECT 1 FROM outbox WHERE fact = 'VoucherUseReversed'")) == 1


@pytest.fixture
async def two_shops(app, town, barber):
    """The barber also serves at the bakery."""
    async with app.state.sessions.begin() as session:
        await grant_role(
            session,
            actor=town.actors["jiang"],
            community_id=barber.actor.community_id,
            member_id=barber.actor.member_id,
            role=Role.CLERK,
            organisation_id=town.organisations["bakery"],
            day=local_day(app.state.clock()),
            now=app.state.clock(),
        )


async def test_whoever_serves_at_two_shops_chooses(two_shops, phone, town, haircut, clock):
    assert (await phone.get("/shop")).headers["location"] == "/shop/choose"
    unsaid = await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    assert (unsaid.status_code, unsaid.json()["code"]) == (409, "vouchers.choose_shop")

    bakery = await phone.post("/shop/choose", data={"shop": str(town.organisations["bakery"])})
    assert bakery.status_code == 303
    wrong = await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    assert wrong.json()["code"] == "vouchers.scan_wrong_merchant"
    await phone.post("/shop/choose", data={"shop": str(town.organisations["barbershop"])})
    assert (await phone.post("/api/scans", json=scan_of(haircut["qr"]))).json()["state"] == "ok"
    stolen = await phone.post("/api/scans", json=scan_of(haircut["qr"], shop=str(town.organisations["elsewhere_shop"])))
    assert stolen.status_code == 403


async def test_a_voucher_that_runs_out_gives_its_points_back_and_says_so(app, li, phone, haircut, clock):
    expire = next(work for work in work_of(app) if work.name == "vouchers.expire")
    remind = next(work for work in work_of(app) if work.name == "vouchers.remind")
    clock.move(days=6, hours=1)
    assert await app.state.worker.do_timed(remind, clock.now) == 1
    assert await app.state.worker.do_timed(remind, clock.now) == 0
    clock.move(days=1)
    assert (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()["state"] == "expired"

    assert await app.state.worker.do_timed(expire, clock.now) == 1

    assert (await li.get("/api/wallet")).json()["points"]["amount"] == 10000
    facts = {fact for (fact,) in await rows(app, "SELECT fact FROM outbox")}
    assert {"VoucherExpiring", "VoucherReturned"} <= facts
    late = await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))
    assert late.json()["code"] == "vouchers.scan_expired"


async def test_the_passbook_tells_the_vouchers_story(li, phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)
    await phone.post("/api/scans/undo", json={"nonce": asked["nonce"]})
    await li.post(f"/vouchers/{haircut['voucher_id']}/cancel", data={"_key": "back"})

    lines = (await li.get("/api/wallet/statement")).json()["items"]

    assert [(line["amount"], line["title"]) for line in lines[:4]] == [
        (2000, "理发一次"),
        (-2000, "理发一次"),
        (2000, "理发一次"),
        (-2000, "理发一次"),
    ]
    detail = await li.get(f"/passbook/lines/{lines[0]['seq']}")
    assert f"/vouchers/{haircut['voucher_id']}" in detail.text


async def test_today_costs_the_same_for_one_use_and_for_many(li, phone, give, offer_of, clock, statements):
    await give(li, 1000)
    offer_id = await offer_of(per_member_cap=None)
    costs = []
    for many in (1, 9):
        for _ in range(many):
            voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
            await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))
        with statements() as seen:
            assert (await phone.get("/shop/today")).status_code == 200
        costs.append(len(seen))

    assert costs[0] == costs[1]


async def test_an_empty_typed_code_is_answered_with_what_to_type(phone, li):
    assert "请输入券上的 9 位字母和数字" in (await phone.get("/shop")).text  # what the script says
    for code in ("", "   "):
        page = await phone.post("/shop/redeem", data={"code": code, "_key": "k"})  # and what the server says without it
        assert page.status_code == 422
        assert "请填写" in page.text
    emoji = await phone.post("/shop/redeem", data={"code": "😀", "_key": "e"})
    assert emoji.status_code == 422
    assert "不是" in emoji.text or "券码" in emoji.text
