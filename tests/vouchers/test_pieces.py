"""A voucher for five lunches: offered by the office, eaten one by one, and some of it given back."""

import pytest

from tests.vouchers.conftest import scan_of
from tests.vouchers.test_offers import drafted, form_of
from tests.vouchers.test_take import points_of

LUNCHES = {"title": "午餐五次", "price_points": 6, "pieces": 5}


@pytest.fixture
async def lunches(li, give, offer_of):
    await give(li, 100)
    offer_id = await offer_of(**LUNCHES)
    return (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()


def parts(voucher):
    return voucher["quantity_total"], voucher["quantity_used"], voucher["quantity_open"]


async def test_the_price_is_for_all_pieces(li, lunches):
    assert parts(lunches) == (5, 0, 5)
    assert lunches["price"] == 3000
    assert await points_of(li) == 7000
    shown = (await li.get(f"/vouchers/{lunches['voucher_id']}")).text
    assert "还剩 5 份，一共 5 份" in shown


async def test_the_counter_asks_how_many_and_says_what_is_left(li, phone, lunches):
    asked = await phone.post("/api/scans", json=scan_of(lunches["qr"]))
    assert (asked.status_code, asked.json()["state"]) == (409, "question")

    page = await phone.post("/shop/redeem", data={"code": lunches["short_code"], "quantity": "2", "_key": "two"})

    assert "核销成功" in page.text
    assert "这张券还能用 3 份" in page.text
    assert "2 份，12 分" in page.text
    assert parts((await li.get(f"/api/vouchers/{lunches['voucher_id']}")).json()) == (5, 2, 3)
    assert "× 2" in (await phone.get("/shop/today")).text
    assert (await phone.get("/api/shop/today")).json()["items"][0]["quantity"] == 2


async def test_each_use_and_each_undo_is_told(app, li, phone, lunches):
    """The same voucher at the same shop: five lunches are five receipts, and what was taken back twice is said twice."""
    for _ in range(2):
        asked = scan_of(lunches["qr"], quantity=1)
        eaten = await phone.post("/api/scans", json=asked)
        assert eaten.status_code == 200, eaten.text
        undone = await phone.post("/api/scans/undo", json={"nonce": asked["nonce"]})
        assert undone.status_code == 200, undone.text
        lunches = (await li.get(f"/api/vouchers/{lunches['voucher_id']}")).json()
    for _ in range(3):
        await app.state.worker.drain()

    texts = [item["text"] for item in (await li.get("/api/messages")).json()["items"]]
    assert sum(text.startswith("券用掉了") for text in texts) == 2
    assert sum(text.startswith("店家撤销了") for text in texts) == 2


async def test_some_pieces_go_back_and_the_rest_stays_good(li, phone, lunches):
    path = f"/vouchers/{lunches['voucher_id']}"
    assert "退几份" in (await li.get(f"{path}/cancel")).text

    for _ in range(2):  # a double tap gives back once
        answer = await li.post(f"{path}/cancel", data={"quantity": "2", "_key": "c"})
        assert answer.status_code == 303

    assert await points_of(li) == 8200
    left = (await li.get(f"/api{path}")).json()
    assert (parts(left), left["state"]) == ((5, 0, 3), "issued")
    eaten = await phone.post("/api/scans", json=scan_of(lunches["qr"], quantity=3))
    assert eaten.status_code == 200, eaten.text


async def test_the_api_gives_back_all_or_some(li, lunches):
    path = f"/api/vouchers/{lunches['voucher_id']}/cancellation"

    assert (await li.post(path, json={"quantity": 1})).status_code == 204
    refused = await li.post(path, json={"quantity": 9})
    assert (refused.status_code, refused.json()["code"]) == (409, "redemption.quantity_wrong")
    assert (await li.post(path)).status_code == 204
    assert await points_of(li) == 10000


async def test_staff_give_some_back_for_somebody(wu, li, lunches):
    page = await wu.get("/desk/vouchers?card=0012-0001")
    assert "退几份，一共还剩 5 份" in page.text

    done = await wu.post(f"/desk/vouchers/{lunches['voucher_id']}/cancel", data={"quantity": "4", "_key": "s"})

    assert done.status_code == 303
    assert await points_of(li) == 9400


async def test_an_offer_of_several_pieces_is_written_and_read(wu, li, town):
    address = await drafted(wu, town, pieces="5", per_member="5", price_points="6")
    assert 'value="5"' in (await wu.get(f"{address}/edit")).text
    assert (await wu.post(f"{address}/publish", data={"_key": "p"})).status_code == 303

    page = (await li.get("/offers")).text
    assert "能用 5 份" in page
    assert (await li.get("/api/offers")).json()["items"][0]["pieces"] == 5


async def test_a_limit_below_one_voucher_is_said_on_its_field(wu, town):
    page = await wu.post("/desk/offers/new", data=form_of(town, pieces="5", stock="4", per_member="1"))

    assert page.status_code == 422
    assert page.text.count("要够一张券的份数") >= 2
