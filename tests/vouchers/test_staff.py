"""Staff and somebody's voucher: stopped and let go by one, called back and given more days by two."""

import pytest

from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.test_take import points_of


@pytest.fixture
def page_of(haircut):
    return f"/desk/vouchers/{haircut['voucher_id']}"


async def test_staff_find_a_voucher_and_see_its_life(wu, haircut, page_of):
    assert page_of in (await wu.get("/desk/vouchers?card=0012-0001")).text

    page = (await wu.get(page_of)).text

    assert "李心愿 0012-0001" in page
    assert "换了券" in page
    read = (await wu.get(f"/api{page_of}")).json()
    assert [line["action"] for line in read["history"]] == ["issue"]
    assert (await wu.get("/desk/vouchers/12345")).status_code == 404


async def test_a_stopped_voucher_is_refused_until_it_is_let_go(wu, li, phone, haircut, page_of, clock):
    done = await wu.post(f"{page_of}/freeze", data={"reason": "有人举报", "_key": "f"})
    assert done.status_code == 303
    refused = await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    assert (refused.status_code, refused.json()["code"]) == (409, "vouchers.scan_frozen")
    assert "有人举报" in (await wu.get(page_of)).text
    assert await points_of(li) == 8000

    assert (await wu.post(f"{page_of}/unfreeze", data={"reason": "没有问题", "_key": "u"})).status_code == 303
    assert (await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))).status_code == 200


async def test_no_reason_is_said_and_nothing_happens(wu, li, haircut, page_of):
    page = await wu.post(f"{page_of}/freeze", data={"reason": "", "_key": "f"})

    assert page.status_code == 422
    assert (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()["state"] == "issued"


async def test_two_call_it_back_and_the_points_return(wu, zheng, li, haircut, page_of):
    asked = {"step": "void", "reason": "发错了", "_key": "v"}
    for _ in range(2):  # a double tap asks once
        assert (await wu.post(f"{page_of}/requests", data=asked)).status_code == 303
    again = await wu.post(f"{page_of}/requests", data={**asked, "_key": "w"})
    assert again.status_code == 409
    assert "正等第二个人" in again.text
    assert "收回券，等第二个人" in (await zheng.get("/desk")).text
    assert "收回券，等第二个人" not in (await wu.get("/desk")).text

    shown = (await zheng.get(page_of)).text
    confirm = shown.partition('/confirm"')[0].rpartition('action="')[2] + "/confirm"
    assert (await wu.post(confirm, data={"_key": "self"})).status_code == 409
    assert (await zheng.post(confirm, data={"_key": "y"})).status_code == 303

    assert await points_of(li) == 10000
    assert (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()["state"] == "void"
    after = (await zheng.get(page_of)).text
    assert "发错了" in after
    assert "吴办事、郑复核" in after


async def test_two_give_it_more_days_and_one_may_take_the_proposal_back(wu, zheng, li, phone, haircut, clock, page_of):
    path = f"/api/vouchers/{haircut['voucher_id']}"
    asked = {"step": "extend", "reason": "住院了", "last_day": "2026-12-31"}
    first = (await wu.post(f"{path}/requests", json=asked)).json()["request_id"]
    assert (await wu.post(f"/api/voucher-requests/{first}/refusal")).status_code == 204
    late = await zheng.post(f"/api/voucher-requests/{first}/confirmation")
    assert (late.status_code, late.json()["code"]) == (409, "redemption.request_decided")

    second = (await wu.post(f"{path}/requests", json=asked)).json()["request_id"]
    assert (await zheng.post(f"/api/voucher-requests/{second}/confirmation")).status_code == 204

    assert (await li.get(path)).json()["expires_at"].startswith("2026-12-31T16:00")
    clock.move(days=20)
    assert (await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))).status_code == 200


@pytest.mark.parametrize("last_day", ["", "2026-11-20", "9999-12-31"])
async def test_a_day_that_will_not_do_is_said(wu, haircut, page_of, last_day):
    asked = {"step": "extend", "reason": "住院了", "last_day": last_day, "_key": "e"}

    page = await wu.post(f"{page_of}/requests", data=asked)

    assert page.status_code in (409, 422)
    assert "refusal." not in page.text


async def test_nobody_keeps_a_voucher_of_their_own(wu, zheng, give, offer_of):
    await give(wu, 100)
    offer_id = await offer_of()
    own = (await wu.post(f"/api/offers/{offer_id}/vouchers", json={})).json()["voucher_id"]

    refused = await wu.post(f"/api/vouchers/{own}/requests", json={"step": "void", "reason": "不要了"})

    assert (refused.status_code, refused.json()["code"]) == (409, "redemption.own_voucher")


async def test_what_staff_did_is_told_to_the_holder_and_logged(app, wu, li, haircut, page_of):
    await wu.post(f"{page_of}/freeze", data={"reason": "有人举报", "_key": "f"})
    await app.state.worker.drain()

    assert "先停用了您的一张券" in (await li.get("/messages")).text


async def test_others_do_not_see_it(li, barber, qian, stranger_staff, page_of):
    for client in (li, barber, qian):
        assert (await client.get(page_of)).status_code == 403
    assert (await stranger_staff.get(page_of)).status_code == 404
