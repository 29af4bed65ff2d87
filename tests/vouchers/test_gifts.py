"""Giving a voucher to another member: by card and name together, once, and the points come back to who paid."""

import pytest

from tests.vouchers.conftest import scan_of
from tests.vouchers.test_offers import drafted
from tests.vouchers.test_take import points_of

CHEN = {"card_no": "0012-0003", "name": "陈助人"}


@pytest.fixture
async def gift(li, give, offer_of):
    await give(li, 100)
    offer_id = await offer_of(is_giftable=True)
    return (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()


async def test_a_gift_is_in_the_others_wallet_and_the_old_code_is_dead(app, li, chen, phone, gift):
    path = f"/vouchers/{gift['voucher_id']}"
    assert f"{path}/give" in (await li.get(path)).text
    assert "对方的卡号" in (await li.get(f"{path}/give")).text

    answers = [await li.post(f"{path}/give", data={**CHEN, "_key": "g"}) for _ in range(2)]  # a double tap gives once
    assert [answer.status_code for answer in answers] == [303, 303]

    given = (await li.get(answers[1].headers["location"])).text
    assert "您已经把它送给别人了" in given
    assert gift["short_code"] not in given
    assert (await li.get(f"/api{path}")).json()["qr"] is None
    theirs = (await chen.get(f"/api{path}")).json()
    assert (theirs["state"], theirs["is_gift"], theirs["may_give"]) == ("issued", True, False)
    assert "别人送给您" in (await chen.get(path)).text
    await app.state.worker.drain()
    assert "有人送给您一张券" in (await chen.get("/messages")).text

    old = await phone.post("/api/scans", json=scan_of(gift["qr"]))
    assert old.json()["code"] == "vouchers.scan_code_outdated"
    assert (await phone.post("/api/scans", json=scan_of(theirs["qr"]))).status_code == 200


async def test_what_is_given_back_returns_to_who_paid(li, chen, gift):
    path = f"/api/vouchers/{gift['voucher_id']}"
    assert (await li.post(f"{path}/gift", json=CHEN)).status_code == 204

    assert (await li.post(f"{path}/cancellation")).status_code == 404
    assert "回到送您的人那里" in (await chen.get(f"/vouchers/{gift['voucher_id']}/cancel")).text
    before = await points_of(chen)
    assert (await chen.post(f"{path}/cancellation")).status_code == 204

    assert await points_of(li) == 10000
    assert await points_of(chen) == before


@pytest.mark.parametrize(
    "wrong",
    [{"card_no": "0012-0004"}, {"card_no": "0099-9999"}, {"name": "陈"}, {"card_no": "0001-0001", "name": "外乡人"}],
)
async def test_card_and_name_belong_together(li, gift, wrong):
    page = await li.post(f"/vouchers/{gift['voucher_id']}/give", data={**CHEN, **wrong, "_key": "g"})

    assert page.status_code == 404
    assert "卡号和姓名对不上" in page.text
    assert (await li.get(f"/api/vouchers/{gift['voucher_id']}")).json()["state"] == "issued"


async def test_what_may_not_be_given_says_so(li, haircut):
    path = f"/vouchers/{haircut['voucher_id']}"
    assert f"{path}/give" not in (await li.get(path)).text
    assert "不能送给别人" in (await li.get(f"{path}/give")).text

    refused = await li.post(f"/api{path}/gift", json=CHEN)

    assert (refused.status_code, refused.json()["code"]) == (409, "redemption.not_giftable")


async def test_the_office_says_which_offers_can_be_given(wu, town):
    address = await drafted(wu, town, is_giftable="1")

    assert "可以送给别的居民" in (await wu.get(address)).text
    assert "checked" in (await wu.get(f"{address}/edit")).text.partition('name="is_giftable"')[2][:80]
