"""Taking an offer, holding a voucher, giving it back, printing it."""

import asyncio
import re
from datetime import UTC, datetime

import redemption
from service.kit.settings import Settings
from tests.vouchers.conftest import code_of, scan_of


async def points_of(client):
    return (await client.get("/api/wallet")).json()["points"]["amount"]


async def test_offers_say_what_they_cost_and_what_is_missing(li, sun, give, offer_of):
    await give(li, 25)
    await offer_of(rules=("周一到周五", "提前一天打电话"))

    page = await li.get("/offers")

    assert page.status_code == 200
    assert "用 20 分换" in page.text
    assert "小李理发店" in page.text
    assert "提前一天打电话" in page.text
    assert "还差 20 分" in (await sun.get("/offers")).text


async def test_the_confirm_page_shows_the_balance_before_and_after(li, give, offer_of):
    await give(li, 25)
    offer_id = await offer_of()

    page = await li.get(f"/offers/{offer_id}")

    plain = re.sub(r"<[^>]+>", "", page.text)
    assert "现在有25分" in plain
    assert "换了以后还有5分" in plain


async def test_pressing_twice_and_going_back_take_one_voucher(li, give, offer_of):
    await give(li, 100)
    offer_id = await offer_of()

    answers = [await li.post(f"/offers/{offer_id}/take", data={"_key": "one"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert await points_of(li) == 8000


async def test_a_client_key_takes_once_even_at_once(li, give, offer_of):
    await give(li, 100)
    offer_id = await offer_of()

    async def take():
        return await li.post(f"/api/offers/{offer_id}/vouchers", json={}, headers={"idempotency-key": "same"})

    answers = await asyncio.gather(*(take() for _ in range(6)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["voucher_id"] for answer in answers}) == 1
    assert await points_of(li) == 8000


async def test_the_last_one_goes_to_one_person(li, sun, chen, give, offer_of):
    for client in (li, sun, chen):
        await give(client, 100)
    offer_id = await offer_of(stock_total=1)

    answers = await asyncio.gather(
        *(client.post(f"/api/offers/{offer_id}/vouchers", json={}) for client in (li, sun, chen))
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "redemption.out_of_stock"}


async def test_too_few_points_says_how_many_are_missing(li, give, offer_of):
    await give(li, 13)
    offer_id = await offer_of()

    answer = await li.post(f"/api/offers/{offer_id}/vouchers", json={})

    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["missing"]) == ("vouchers.points_missing", 7)
    page = await li.post(f"/offers/{offer_id}/take", data={"_key": "x"})
    assert page.status_code == 409
    assert "还差 7 分" in page.text


async def test_drafts_and_other_places_offers_are_not_there(stranger, li, wu, town, offer_of):
    offer_id = await offer_of()

    assert (await stranger.get(f"/offers/{offer_id}")).status_code == 404
    assert (await stranger.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code in (404, 409)


async def test_the_voucher_page_shows_a_code_and_flips_when_it_is_used(li, phone, haircut, clock):
    address = f"/vouchers/{haircut['voucher_id']}"
    page = await li.get(address)
    assert page.status_code == 200
    assert "<svg" in page.text
    assert "请把这个码给店员扫" in page.text

    first = await li.get(f"{address}/code")
    etag = first.headers["etag"]
    same = await li.get(f"{address}/code", headers={"if-none-match": etag})
    assert (same.status_code, same.content) == (304, b"")
    clock.move(seconds=61)
    turned = await li.get(f"{address}/code", headers={"if-none-match": etag})
    assert turned.status_code == 200
    await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))
    used = await li.get(f"{address}/code", headers={"if-none-match": turned.headers["etag"]})
    assert used.status_code == 200
    assert "已使用" in used.text
    assert "小李理发店" in used.text
    assert "hx-trigger" not in used.text
    assert 'class="qr"' not in used.text


async def test_somebody_elses_voucher_is_not_there(sun, stranger, haircut):
    for client in (sun, stranger):
        for path in ("", "/code", "/print", "/cancel"):
            assert (await client.get(f"/vouchers/{haircut['voucher_id']}{path}")).status_code == 404
        answer = await client.post(f"/vouchers/{haircut['voucher_id']}/cancel", data={"_key": "k"})
        assert answer.status_code == 404
        assert (await client.post(f"/vouchers/{haircut['voucher_id']}/print", data={"_key": "p"})).status_code == 404


async def test_giving_back_returns_the_points_once(li, phone, haircut, clock):
    address = f"/vouchers/{haircut['voucher_id']}/cancel"

    for _ in range(2):
        assert (await li.post(address, data={"_key": "back"})).status_code == 303

    assert await points_of(li) == 10000
    answer = await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    assert answer.json()["code"] == "vouchers.scan_cancelled"
    assert "过期" in (await li.get("/vouchers?tab=over")).text


async def test_a_used_voucher_cannot_be_given_back(li, phone, haircut):
    await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    answer = await li.post(f"/vouchers/{haircut['voucher_id']}/cancel", data={"_key": "late"})

    assert answer.status_code == 409
    assert "用过了" in answer.text


async def test_giving_back_while_it_is_scanned_ends_one_way(li, phone, haircut):
    scanned, returned = await asyncio.gather(
        phone.post("/api/scans", json=scan_of(haircut["qr"])),
        li.post(f"/api/vouchers/{haircut['voucher_id']}/cancellation", json={}),
    )

    assert (scanned.json()["state"] == "ok") != (returned.status_code == 204)


async def test_staff_take_for_people_without_a_phone_with_both_names(app, wu, granny, li, give, offer_of, clock):
    await give(granny, 40)
    offer_id = await offer_of()
    form = {"offer": str(offer_id), "cards": "0012-0002\n0012-0001，0099-0001", "_key": "many"}

    answers = [await wu.post("/desk/vouchers/take", data=form) for _ in range(2)]

    assert answers[0].headers["location"] == answers[1].headers["location"]
    page = await wu.get(answers[0].headers["location"])
    assert "换好了 1 张券" in page.text
    assert "没有这个卡号" in page.text
    assert "积分不够" in page.text
    async with app.state.engine.connect() as connection:
        issued = await connection.exec_driver_sql(
            "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'vouchers.issued'"
        )
        assert issued.all() == [(wu.actor.member_id, granny.actor.member_id)]
    [voucher_id] = re.findall(r'name="ids" value="(\d+)"', page.text)
    printed = await wu.post("/desk/papers", data={"ids": [voucher_id]})
    paper = await wu.get(printed.headers["location"])
    assert "李奶奶 0012-0002" in paper.text
    assert paper.text.count('class="cardv"') == 1


async def test_a_whole_batch_of_paper_costs_the_same_as_one(app, wu, granny, give, offer_of, statements):
    await give(granny, 1000)
    offer_id = await offer_of(per_member_cap=None)
    for n in range(9):
        taken = await wu.post(
            f"/api/offers/{offer_id}/vouchers",
            json={"for_member": str(granny.actor.member_id)},
            headers={"idempotency-key": f"v{n}"},
        )
        assert taken.status_code == 201
    found = await wu.get("/desk/vouchers?card=0012-0002")
    ids = re.findall(r'name="ids" value="(\d+)"', found.text)

    costs = []
    sheets = []
    for chosen in (ids[:1], ids):
        with statements() as seen:
            printed = await wu.post("/desk/papers", data={"ids": chosen})
            paper = await wu.get(printed.headers["location"])
        assert paper.text.count('class="cardv"') == len(chosen)
        sheets.append(paper.text.count('class="sheet a7"'))
        costs.append(len(seen))

    assert sheets == [1, 2]
    assert costs[0] == costs[1]


async def test_only_staff_take_for_others(li, sun, chen, give, offer_of):
    await give(sun, 100)
    offer_id = await offer_of()

    answer = await li.post(f"/api/offers/{offer_id}/vouchers", json={"for_member": str(sun.actor.member_id)})

    assert answer.status_code == 403
    assert (await chen.get("/desk/vouchers")).status_code == 403


async def test_a_list_costs_the_same_for_one_voucher_and_for_many(li, sun, give, offer_of, statements):
    for client in (li, sun):
        await give(client, 1000)
    offer_id = await offer_of(per_member_cap=None)
    await li.post(f"/api/offers/{offer_id}/vouchers", json={})
    for _ in range(12):
        await sun.post(f"/api/offers/{offer_id}/vouchers", json={})

    costs = []
    for client in (li, sun):
        with statements() as seen:
            assert (await client.get("/vouchers")).status_code == 200
        costs.append(len(seen))

    assert costs[0] == costs[1]
    assert costs[0] <= 5


async def test_home_shows_the_voucher_and_what_points_are_good_for(li, haircut):
    page = await li.get("/home")

    assert page.status_code == 200
    assert f"/vouchers/{haircut['voucher_id']}" in page.text
    assert "今天能用来做什么" in page.text
    assert "理发一次" in page.text


async def test_english_readers_get_english(li, haircut):
    page = await li.get(f"/vouchers/{haircut['voucher_id']}", headers={"accept-language": "en"})

    assert "Show this code to the clerk" in page.text


async def test_what_a_returned_voucher_brings_back_was_not_earned_and_home_says_the_passbooks_sum(li, haircut, clock):
    clock.move(minutes=1)
    await li.post(f"/vouchers/{haircut['voucher_id']}/cancel", data={"_key": "back"})

    passbook = re.sub(r"<[^>]+>", "", (await li.get("/passbook?unit=point")).text)
    home = (await li.get("/home")).text

    assert "存入 100分 支出 0分" in passbook
    assert "本月存入 0 小时，100 分" in home
    clock.move(days=9)
    assert "本月存入 0 小时，0 分" in (await li.get("/home")).text


async def test_whoever_took_all_they_may_is_told_from_when_they_can_again(li, offer_of, give, clock):
    await give(li, 100)
    offer_id = await offer_of(per_member_cap=1, cap_period=redemption.CapPeriod.QUARTER)
    address = f"/offers/{offer_id}"
    assert "用 20 分换" in (await li.get(address)).text
    assert address in (await li.get("/home")).text
    assert (await li.post(f"{address}/take", data={"_key": "first"})).status_code == 303

    for page in ((await li.get(address)).text, (await li.get("/offers")).text):
        assert "您这段时间已经换够了" in page
        assert "从这天起可以再换" in page
        assert "1 月 1 日" in page
        assert "用 20 分换" not in page
    assert address not in (await li.get("/home")).text
    stale = await li.post(f"{address}/take", data={"_key": "second"})
    assert stale.status_code == 409
    assert "您这段时间已经换够了" in stale.text
    assert "请改一下这些地方" not in stale.text
    [item] = (await li.get("/api/offers")).json()["items"]
    assert (item["is_capped"], item["again_on"]) == (True, "2027-01-01")

    clock.now = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert (await li.get("/api/offers")).json()["items"][0]["is_capped"] is False


async def test_the_last_day_to_take_an_offer_is_named_as_a_day(li, offer_of):
    offer_id = await offer_of(valid_until=datetime(2026, 12, 31, 16, 0, tzinfo=UTC))
    for address in ("/offers", f"/offers/{offer_id}"):
        page = (await li.get(address)).text
        assert "最晚可换" in page
        assert "12 月 31 日" in page


async def test_a_used_voucher_cannot_be_cancelled_and_says_where_it_was_used(li, phone, haircut):
    address = f"/vouchers/{haircut['voucher_id']}/cancel"
    assert "退掉这张券" in (await li.get(address)).text
    await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    page = (await li.get(address)).text

    assert "退掉这张券" not in page
    assert "已经在店里用掉" in page
    assert "11 月 22 日" in page


async def test_the_code_carries_the_scheme_of_the_installation(app, li, haircut, monkeypatch):
    monkeypatch.setattr(app.state, "settings", Settings(port=8140))
    shown = (await li.get(f"/api/vouchers/{haircut['voucher_id']}")).json()
    assert shown["qr"].startswith("HTTP://127.0.0.1:8140/V/")
