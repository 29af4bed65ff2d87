"""The desk's offers: drafted, published within the budget, withdrawn; and what sponsors pledge."""

from uuid import UUID

from tests.cast import SPONSOR_FEN

FORM = {
    "title": "理发一次",
    "kind": "service",
    "price_points": "20",
    "payable_yuan": "15.00",
    "stock": "10",
    "per_member": "1",
    "per_period": "quarter",
    "valid_from": "2026-11-22",
    "valid_until": "2026-12-31",
    "rules": "周一到周五\n提前一天打电话",
}


def form_of(town, **changes):
    given = {
        "sponsor": str(town.organisations["sponsor"]),
        "shops": [str(town.organisations["barbershop"]), str(town.organisations["bakery"])],
        "_key": "draft",
    }
    return FORM | given | changes


async def drafted(client, town, **changes):
    answer = await client.post("/desk/offers/new", data=form_of(town, **changes))
    assert answer.status_code == 303, answer.text[:3000]
    return answer.headers["location"].partition("?")[0]


async def test_a_draft_is_published_and_residents_see_it(wu, li, town):
    address = await drafted(wu, town)
    assert "理发一次" not in (await li.get("/offers")).text

    assert (await wu.post(f"{address}/publish", data={"_key": "p"})).status_code == 303

    page = await li.get("/offers")
    assert "理发一次" in page.text
    assert "周记面包坊" in page.text
    shown = await wu.get(address)
    assert "发布中" in shown.text


async def test_days_out_of_reason_are_refused_on_their_field_and_the_form_is_kept(wu, town):
    for field, day in (("valid_until", "9999-12-31"), ("valid_from", "0001-01-01"), ("valid_until", "3000-01-01")):
        page = await wu.post("/desk/offers/new", data=form_of(town, **{field: day}))
        assert page.status_code == 422, day
        assert page.text.count("请看一看年份") == 2  # on top and beside the field
        assert f'value="{day}"' in page.text
        assert "提前一天打电话" in page.text
    page = await wu.post("/desk/offers/new", data=form_of(town, valid_until="2999-12-31"))
    assert page.status_code == 303


async def test_a_draft_can_be_changed_and_a_published_offer_never(wu, town):
    address = await drafted(wu, town)
    edit = await wu.get(f"{address}/edit")
    assert 'value="2026-12-31"' in edit.text
    assert 'value="15.00"' in edit.text
    changed = await wu.post(f"{address}/edit", data=form_of(town, title="剪发一次", _key="e"))
    assert changed.status_code == 303
    assert "剪发一次" in (await wu.get(address)).text
    await wu.post(f"{address}/publish", data={"_key": "p"})

    assert (await wu.get(f"{address}/edit")).status_code == 409
    again = await wu.post(f"{address}/edit", data=form_of(town, title="洗头一次", _key="f"))
    assert again.status_code == 409
    assert "剪发一次" in (await wu.get(address)).text


async def test_nothing_is_published_beyond_the_budget(wu, town):
    dear = await drafted(wu, town, payable_yuan=f"{SPONSOR_FEN // 100 // 10 + 1}.00")
    whole = await drafted(wu, town, payable_yuan=f"{SPONSOR_FEN // 100 // 10}.00", _key="w")
    one_more = await drafted(wu, town, payable_yuan="0.01", stock="1", _key="m")

    refused = await wu.post(f"{dear}/publish", data={"_key": "a"})
    assert refused.status_code == 409
    assert "预算不够" in refused.text
    assert (await wu.post(f"{whole}/publish", data={"_key": "b"})).status_code == 303
    assert (await wu.post(f"{one_more}/publish", data={"_key": "c"})).status_code == 409


async def test_what_contradicts_itself_is_said_field_by_field_and_kept(wu, town):
    answer = await wu.post(
        "/desk/offers/new",
        data=form_of(town, title="", valid_until="2026-11-01", price_points="x", payable_yuan="a"),
    )
    assert answer.status_code == 422
    for name in ("title", "price_points", "payable_yuan"):
        assert f'id="{name}-error"' in answer.text

    answer = await wu.post("/desk/offers/new", data=form_of(town, shops=[], valid_until="2026-11-01"))
    assert answer.status_code == 422
    assert 'id="shops-error"' in answer.text
    assert 'id="valid_until-error"' in answer.text
    assert "提前一天打电话" in answer.text


async def test_a_withdrawn_offer_issues_no_more_and_says_why(wu, li, town, give):
    await give(li, 100)
    address = await drafted(wu, town)
    offer_id = address.rpartition("/")[2]
    await wu.post(f"{address}/publish", data={"_key": "p"})
    taken = await li.post(f"/api/offers/{offer_id}/vouchers", json={})

    assert (await wu.post(f"{address}/withdraw", data={"_key": "w", "reason": "店里装修"})).status_code == 303

    assert (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 409
    assert (await li.get(f"/api/vouchers/{taken.json()['voucher_id']}")).json()["state"] == "issued"
    assert "店里装修" in (await wu.get(address)).text


async def test_shops_and_sponsors_of_elsewhere_are_not_there(wu, town):
    elsewhere = str(town.organisations["elsewhere_shop"])

    for changes in ({"sponsor": elsewhere}, {"shops": [elsewhere]}):
        assert (await wu.post("/desk/offers/new", data=form_of(town, **changes))).status_code == 404


async def test_only_the_office_makes_offers(li, zhou, he, qian, wu, stranger_staff, town):
    address = await drafted(wu, town)

    for client in (li, zhou):
        assert (await client.get("/desk/offers")).status_code == 403
        assert (await client.post("/desk/offers/new", data=form_of(town))).status_code == 403
        assert (await client.post(f"{address}/publish", data={})).status_code == 403
    assert (await he.get(address)).status_code == 200
    assert (await he.post("/desk/offers/new", data=form_of(town))).status_code == 403
    assert (await qian.post(f"{address}/publish", data={})).status_code == 403
    assert (await stranger_staff.get(address)).status_code == 404
    assert (await stranger_staff.post(f"{address}/publish", data={"_key": "p"})).status_code == 404


async def test_a_pledge_stands_in_the_books_once(qian, wu, he, town):
    form = {"sponsor": str(town.organisations["bakery"]), "unit": "fen", "amount": "120.50", "_key": "pledge"}

    for _ in range(2):
        assert (await qian.post("/desk/budgets", data=form)).status_code == 303

    page = await he.get("/desk/budgets")
    assert "120.50" in page.text
    assert "100,000.00" in page.text
    assert (await wu.post("/desk/budgets", data=form)).status_code == 403
    journals = (await he.get("/api/books/journals?reason=budget_pledged")).json()["items"]
    assert len(journals) == 2
    assert journals[0]["actor_id"] == str(qian.actor.member_id)


async def test_a_pledge_of_nothing_is_refused(qian, town):
    form = {"sponsor": str(town.organisations["bakery"]), "unit": "point", "amount": "0", "_key": "none"}

    assert (await qian.post("/desk/budgets", data=form)).status_code == 422


async def test_the_same_by_json(wu, qian, li, town, give):
    await give(li, 100)
    offer = {
        "sponsor": str(town.organisations["bakery"]),
        "shops": [str(town.organisations["bakery"])],
        "title": "面包一个",
        "kind": "goods",
        "price_points": 5,
        "subsidy_points": 3,
        "stock": 4,
        "valid_from": "2026-11-22",
        "valid_until": "2026-11-30",
    }
    offer_id = (await wu.post("/api/offers", json=offer | {"title": "写错的名字"})).json()["offer_id"]
    assert (await li.put(f"/api/offers/{offer_id}", json=offer)).status_code == 403
    assert (await wu.put(f"/api/offers/{offer_id}", json=offer)).status_code == 204
    assert (await wu.put(f"/api/offers/{UUID(int=9)}", json=offer)).status_code == 404
    short = await wu.post(f"/api/offers/{offer_id}/publication")
    assert (short.status_code, short.json()["code"]) == (409, "redemption.budget_short")

    pledge = {"sponsor": offer["sponsor"], "unit": "point", "amount": 1200}
    assert (await qian.post("/api/pledges", json=pledge)).status_code == 204
    assert (await wu.post(f"/api/offers/{offer_id}/publication")).status_code == 204

    fixed = await wu.put(f"/api/offers/{offer_id}", json=offer)
    assert (fixed.status_code, fixed.json()["code"]) == (409, "redemption.offer_not_draft")

    shown = (await li.get("/api/offers")).json()["items"][0]
    assert shown["title"] == offer["title"]
    assert (shown["price"], shown["unit"], shown["voucher_days"]) == (200, "point", 7)
    assert (await wu.post(f"/api/offers/{offer_id}/withdrawal", json={"reason": "卖完"})).status_code == 204


async def test_numbers_of_an_offer_and_a_pledge_are_told_what_they_may_be(wu, qian, town):
    odd = {"price_points": "-5", "stock": "0", "voucher_days": "366", "payable_yuan": "99999999"}
    page = (await wu.post("/desk/offers/new", data=form_of(town, **odd))).text

    assert "请填 0 到 1000000 之间的整数" in page
    assert "请填 1 到 1000000 之间的整数" in page
    assert "请填 1 到 365 之间的整数" in page
    assert "小数点前最多 7 位" in page
    form = {"sponsor": str(town.organisations["bakery"]), "unit": "fen", "amount": "9" * 20, "_key": "much"}
    assert "小数点前最多 9 位" in (await qian.post("/desk/budgets", data=form)).text
    assert "请填一个大于 0 的数" in (await qian.post("/desk/budgets", data=form | {"amount": "0"})).text
    over = await wu.post("/desk/offers/new", data=form_of(town, price_points="5", subsidy_points="6"))
    assert "补贴不能超过要的积分" in over.text


async def test_the_office_says_what_is_good_without_a_network(wu, li, give, town):
    shops = [str(town.organisations[name]) for name in ("barbershop", "bakery")]
    await give(li, 100)
    for way, said in (("leased", "只限一家店"), ("roaming", "整张券不超过社区定的上限"), ("online_only", "要有网络")):
        address = await drafted(wu, town, offline=way, shops=shops[:1], payable_yuan="15.00", _key=way)
        assert said in (await wu.get(address)).text
        chosen = (await wu.get(f"{address}/edit")).text.partition('name="offline"')[2].partition("</select>")[0]
        assert f'value="{way}" selected' in chosen
        await wu.post(f"{address}/publish", data={"_key": f"p-{way}"})
        taken = await li.post(f"/api/offers/{address.rpartition('/')[2]}/vouchers", json={})
        assert taken.status_code == 201, taken.text


async def test_what_cannot_be_taken_without_a_network_is_refused_on_its_field(wu, town):
    shops = [str(town.organisations[name]) for name in ("barbershop", "bakery")]
    for wrong, said in (
        ({"offline": "leased", "shops": shops}, "只能在一家店用"),
        ({"offline": "roaming", "payable_yuan": "30.01"}, "不能超过社区定的上限"),
        ({"offline": "roaming", "payable_yuan": "15.01", "pieces": "2"}, "全部份数加起来不能超过社区定的上限"),
        ({"offline": "roaming", "is_giftable": "1", "payable_yuan": "1.00"}, "能送人的券"),
        ({"offline": "everywhere"}, "没有网络时"),
    ):
        page = await wu.post("/desk/offers/new", data=form_of(town, **wrong, _key=said))
        assert page.status_code == 422, wrong
        assert said in page.text
