"""Offers with days, a cap for everybody, a first day of use and people they are for: written, seen, taken, refused."""

import pytest

from redemption import CapPeriod, OfferKind
from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.test_offers import drafted, form_of

TERMS = {
    "weekdays": ["1", "2", "3", "4", "5"],
    "usable_on": "2026-12-01",
    "period_cap": "3",
    "period_cap_per": "week",
    "for_roles": ["steward"],
    "for_stars": "2",
    "price_list_version": "2026-11",
}


async def test_every_term_is_written_shown_and_kept(wu, tang, town):
    address = await drafted(wu, town, **TERMS)
    edit = (await wu.get(f"{address}/edit")).text
    assert 'value="2026-11"' in edit
    assert 'value="2026-12-01"' in edit

    shown = (await wu.get(address)).text
    for words in ("周一到周五", "2026-11", "2 星以上", "3 每周", "楼门长"):
        assert words in shown, words
    assert (await wu.post(f"{address}/publish", data={"_key": "p"})).status_code == 303

    page = (await tang.get("/offers")).text
    assert "周一到周五" in page
    assert "12 月 1 日" in page
    item = (await tang.get("/api/offers")).json()["items"][0]
    assert (item["weekdays"], item["usable_on"], item["price_list_version"]) == (
        [1, 2, 3, 4, 5],
        "2026-12-01",
        "2026-11",
    )


async def test_an_offer_for_stewards_is_not_there_for_others(li, tang, wu, give, offer_of):
    await give(li, 100)
    await give(tang, 100)
    offer_id = await offer_of(requires=("role:steward",), title="楼长礼遇")

    assert "楼长礼遇" not in (await li.get("/offers")).text
    assert (await li.get("/api/offers")).json()["items"] == []
    assert (await li.get(f"/offers/{offer_id}")).status_code == 404
    refused = await li.post(f"/api/offers/{offer_id}/vouchers", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "redemption.not_eligible")
    assert "steward" not in refused.text

    assert "楼长礼遇" in (await tang.get("/offers")).text
    assert (await tang.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 201


async def test_staff_take_for_whom_it_is_and_the_others_are_named(li, tang, wu, give, offer_of):
    await give(li, 100)
    await give(tang, 100)
    offer_id = await offer_of(requires=("role:steward",))

    done = await wu.post("/desk/vouchers/take", data={"offer": str(offer_id), "cards": "0012-0001\n0012-0016"})

    page = await wu.get(done.headers["location"])
    assert "换好了 1 张券" in page.text
    assert "0012-0001" in page.text
    assert "不对您开放" in page.text


async def test_the_shop_learns_nothing_of_whom_an_offer_is_for(tang, phone, give, offer_of):
    await give(tang, 100)
    offer_id = await offer_of(requires=("role:steward", "stars:3"))
    taken = (await tang.post(f"/api/offers/{offer_id}/vouchers", json={})).json()

    told = [await phone.get(f"/V/{taken['short_code']}")]
    told += [await phone.post("/api/scans", json=scan_of(taken["qr"]))]
    told += [await phone.get(path) for path in ("/shop/today", "/api/shop/today")]

    for answer in told:
        assert answer.status_code == 200
        for word in ("steward", "stars", "requires", "楼门长", "颗星"):
            assert word not in answer.text


@pytest.mark.parametrize(
    ("terms", "code"),
    [({"weekdays": 1}, "vouchers.scan_not_today"), ({"usable_on_days": 9}, "vouchers.scan_not_yet")],
)
async def test_the_counter_says_why_not_now(li, phone, clock, give, offer_of, terms, code):
    await give(li, 100)
    if "usable_on_days" in terms:
        start = clock.now
        clock.move(days=terms["usable_on_days"])
        terms = {"usable_from": clock.now}
        clock.now = start
    offer_id = await offer_of(**terms)
    taken = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    assert (await li.get(f"/vouchers/{taken['voucher_id']}")).status_code == 200

    refused = await phone.post("/api/scans", json=scan_of(taken["qr"]))

    assert (refused.status_code, refused.json()["code"]) == (409, code)
    assert "refusal." not in refused.text
    clock.move(days=9 if "usable_from" in terms else 1)
    assert (await phone.post("/api/scans", json=scan_of(code_of(taken, clock.now)))).status_code == 200


async def test_a_full_week_says_from_when_again(li, sun, give, offer_of):
    await give(li, 100)
    await give(sun, 100)
    offer_id = await offer_of(period_cap=1, period_cap_per=CapPeriod.WEEK)
    assert (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 201

    page = (await sun.get("/offers")).text
    assert "这段时间的份数已经换完了" in page
    assert "11 月 23 日" in page
    item = (await sun.get("/api/offers")).json()["items"][0]
    assert (item["is_full"], item["is_capped"], item["again_on"]) == (True, False, "2026-11-23")
    refused = await sun.post(f"/offers/{offer_id}/take", data={"_key": "one"})
    assert refused.status_code == 409
    assert "这段时间的份数已经换完了" in refused.text


async def test_offers_of_one_kind(li, offer_of):
    await offer_of(title="香皂", kind=OfferKind.GOODS)
    await offer_of(title="换锁", kind=OfferKind.REPAIR)

    page = (await li.get("/offers?kind=repair")).text
    assert "换锁" in page
    assert "香皂" not in page
    assert [item["title"] for item in (await li.get("/api/offers?kind=goods")).json()["items"]] == ["香皂"]


async def test_a_new_version_begins_as_the_old_one_and_vouchers_keep_theirs(wu, li, town, give):
    await give(li, 100)
    address = await drafted(wu, town, price_list_version="2026-11")
    await wu.post(f"{address}/publish", data={"_key": "p"})
    offer_id = address.rpartition("/")[2]
    taken = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    assert f"/desk/offers/new?like={offer_id}" in (await wu.get(address)).text

    form = (await wu.get(f"/desk/offers/new?like={offer_id}")).text
    assert 'value="理发一次"' in form
    newer = await drafted(wu, town, price_list_version="2026-12", price_points="25", _key="newer")
    assert (await wu.post(f"{newer}/publish", data={"_key": "n"})).status_code == 303

    kept = (await li.get(f"/api/vouchers/{taken['voucher_id']}")).json()
    assert (kept["price_list_version"], kept["price"]) == ("2026-11", 2000)


async def test_a_cap_below_one_voucher_is_said_on_its_field(wu, town):
    page = await wu.post("/desk/offers/new", data=form_of(town, **{**TERMS, "pieces": "5", "per_member": "5"}))

    assert page.status_code == 422
    assert page.text.count("要够一张券的份数") >= 2
    assert "checked" in page.text
