"""A perk for building stewards (S7): written by the office, taken for nothing, used once, kept in the shop's list."""

from tests.vouchers.conftest import scan_of
from tests.vouchers.test_offers import drafted, form_of

PERK = {"title": "楼门长理发", "kind": "entitlement", "price_points": "0", "for_roles": ["steward"]}


async def test_a_steward_takes_and_uses_it_for_nothing(wu, tang, li, phone, town):
    address = await drafted(wu, town, **PERK)
    assert (await wu.post(f"{address}/publish", data={"_key": "p"})).status_code == 303
    assert "楼门长理发" not in (await li.get("/offers")).text
    page = (await tang.get("/offers")).text
    assert "楼门长理发" in page
    assert "不用积分" in page

    offer_id = address.rpartition("/")[2]
    assert "领一张" in (await tang.get(f"/offers/{offer_id}")).text
    taken = (await tang.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    assert (taken["price"], taken["subsidy"]) == (0, 0)
    assert (await phone.post("/api/scans", json=scan_of(taken["qr"]))).status_code == 200
    assert "楼门长理发" in (await phone.get("/shop/today")).text
    assert (await phone.post("/api/scans", json=scan_of(taken["qr"]))).json()["state"] == "used"


async def test_what_is_no_perk_is_said_on_its_fields(wu, town):
    wrong = {**PERK, "price_points": "5", "cash_yuan": "1.00", "is_giftable": "1", "for_roles": []}

    page = await wu.post("/desk/offers/new", data=form_of(town, **wrong))

    assert page.status_code == 422
    for words in ("礼遇不收积分也不收钱", "礼遇要写明给谁", "礼遇不能转送"):
        assert words in page.text, words


async def test_the_holder_sees_what_the_sponsor_adds(li, give, offer_of):
    await give(li, 100)
    offer_id = await offer_of(subsidy_points=5, cash_fen=300)
    taken = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()

    assert (taken["price"], taken["subsidy"], taken["cash_fen"]) == (1500, 500, 300)
    assert "出资方补贴" in (await li.get(f"/vouchers/{taken['voucher_id']}")).text
