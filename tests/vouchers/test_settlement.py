"""What shops are owed, from the counter to the bank."""

import re
from datetime import date

from service.vouchers.rules import objection_over, points_missing
from tests.redemption.crowd import all_at_once
from tests.vouchers.conftest import as_owner, closed, code_of, scan_of


async def test_from_the_counter_to_the_bank_with_two_people(app, town, used, qian, feng, he, barber, clock):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    address = f"/desk/settlements/{item['settlement_id']}"
    shown = await qian.get(address)
    assert "45.00" in shown.text
    assert "肆拾伍元整" in shown.text
    assert shown.text.count("60<small>") >= 3  # the three sums
    assert "要由另一个人批准" not in shown.text

    assert (await barber.get(f"/shop/settlements/{item['settlement_id']}")).status_code == 200
    confirmed = await barber.post(f"/shop/settlements/{item['settlement_id']}/confirm", data={"_key": "c"})
    assert confirmed.status_code == 303
    own = await qian.post(f"{address}/approve", data={"_key": "a"})
    assert own.status_code == 409
    assert "要由另一个人" in own.text
    assert (await feng.post(f"{address}/approve", data={"_key": "a"})).status_code == 303
    paid = await qian.post(f"{address}/pay", data={"bank_reference": "ICBC-20261122-7", "_key": "p"})
    assert paid.status_code == 303

    journals = (await he.get("/desk/books/journals?reason=settlement_paid")).text
    journal = re.search(r"/desk/books/journals/\d+", journals)
    assert journal is not None
    assert f'<a href="{address}">对账单第 1 期</a>' in (await he.get(journal[0])).text

    done = (await he.get(f"/api/settlements/{item['settlement_id']}")).json()
    assert (done["state"], done["due_points"], done["due_fen"]) == ("paid", 60, 4500)
    assert done["bank_reference"] == "ICBC-20261122-7"
    assert (await he.get("/api/books/verification")).json() == {
        "is_whole": True,
        "faults": [],
        "checked_at": clock.now.isoformat().replace("+00:00", "Z"),
    }


async def test_closing_all_says_how_many_and_closing_again_finds_nothing(used, qian):
    form = {"until": "2026-11-22", "_key": "close"}
    answers = [await qian.post("/desk/settlements/close", data=form) for _ in range(2)]
    assert {answer.headers["location"] for answer in answers} == {"/desk/settlements?closed=done:1"}
    page = await qian.get(answers[0].headers["location"])
    assert "1 家：结好了" in page.text
    assert "所有的核销都结过了" in page.text

    assert await closed(qian) == []


async def test_a_day_that_has_not_come_or_makes_no_sense_is_refused_on_its_field(used, qian):
    for day, sentence in (
        ("2026-11-23", "这一天还没有到"),
        ("9999-12-31", "这一天还没有到"),
        ("0001-01-01", "请看一看年份"),
    ):
        page = await qian.post("/desk/settlements/close", data={"until": day, "_key": day})
        assert page.status_code == 422
        assert sentence in page.text
        assert f'value="{day}"' in page.text
        answer = await qian.post("/api/settlements", json={"until": day})
        assert (answer.status_code, list(answer.json()["problems"])) == (422, ["until"])
    english = await qian.post(
        "/desk/settlements/close", data={"until": "9999-12-31"}, headers={"accept-language": "en"}
    )
    assert "This day has not come yet" in english.text


async def test_what_the_shop_can_still_undo_waits_for_the_next_statement(used, li, phone, give, offer_of, qian, clock):
    await give(li, 100)
    fresh = (await li.post(f"/api/offers/{await offer_of()}/vouchers", json={})).json()
    asked = scan_of(code_of(fresh, clock.now))
    assert (await phone.post("/api/scans", json=asked)).json()["state"] == "ok"

    [item] = await closed(qian)
    assert (await qian.get(f"/api/settlements/{item['settlement_id']}")).json()["lines"] == 3
    assert (await phone.post("/api/scans/undo", json={"nonce": asked["nonce"]})).status_code == 200
    again = await qian.post("/desk/settlements/close", data={"until": "2026-11-22", "_key": "again"})
    shown = await qian.get(again.headers["location"])
    assert "没有可以结的" in shown.text
    assert "0 家" not in shown.text


async def test_a_disputed_line_leaves_the_batch_and_the_rest_is_paid(app, town, used, qian, feng, barber):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    shop = f"/api/shop/settlements/{item['settlement_id']}"
    address = f"/api/settlements/{item['settlement_id']}"

    disputed = await barber.post(f"{shop}/disputes", json={"line_no": 2, "reason": "顾客没有来"})
    assert (disputed.json()["disputed_lines"], disputed.json()["due_fen"]) == (1, 3000)
    again = await barber.post(f"{shop}/disputes", json={"line_no": 2, "reason": "顾客没有来"})
    assert again.status_code == 200  # the same objection again changes nothing
    assert "顾客没有来" in (await qian.get(f"/desk/settlements/{item['settlement_id']}")).text
    await barber.post(f"{shop}/confirmation")
    await feng.post(f"{address}/approval")
    paid = (await qian.post(f"{address}/payment", json={"bank_reference": "ICBC-1"})).json()

    assert (paid["state"], paid["due_points"], paid["due_fen"]) == ("paid", 40, 3000)


async def test_a_confirmed_statement_takes_no_objection(app, town, used, qian, barber):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    address = f"/shop/settlements/{item['settlement_id']}"
    assert "这一笔不对" in (await barber.get(address)).text
    await barber.post(f"{address}/confirm", data={"_key": "c"})

    assert "这一笔不对" not in (await barber.get(address)).text
    late = await barber.post(f"{address}/lines/1/dispute", data={"reason": "不对", "_key": "d"})
    assert late.status_code == 409
    assert "已经过了这一步" in late.text
    answer = await barber.post(f"/api{address}/disputes", json={"line_no": 1, "reason": "不对"})
    assert (answer.status_code, answer.json()["code"]) == (409, "redemption.settlement_state")


async def disputed(app, town, client, barber):
    """A closed statement with its second line in dispute."""
    await as_owner(app, town, barber)
    [item] = await closed(client)
    shop = f"/api/shop/settlements/{item['settlement_id']}"
    await barber.post(f"{shop}/disputes", json={"line_no": 2, "reason": "顾客没有来"})
    return item["settlement_id"]


async def test_a_line_decided_for_the_shop_joins_its_next_statement(app, town, used, qian, feng, barber, clock):
    statement = await disputed(app, town, qian, barber)
    inbox = (await feng.get("/api/inbox")).json()
    assert "line_disputed" in str(inbox)
    assert "line_disputed" not in str((await qian.get("/api/inbox")).json())  # who closed it does not decide
    address = f"/desk/settlements/{statement}/lines/2"
    assert "要由另一个人处理" in (await qian.get(address)).text
    own = await qian.post(f"{address}/resolve", data={"decision": "for_shop", "reason": "问过了", "_key": "r"})
    assert own.status_code == 409
    assert "定下来" in (await feng.get(address)).text

    empty = await feng.post(f"{address}/resolve", data={"decision": "for_shop", "reason": "", "_key": "r0"})
    assert empty.status_code == 422
    done = await feng.post(f"{address}/resolve", data={"decision": "for_shop", "reason": "看了监控", "_key": "r"})
    assert done.status_code == 303

    shown = (await barber.get(f"/shop/settlements/{statement}")).text
    assert "看了监控" in shown
    assert "并入这家店的下一期" in shown
    [line] = (await barber.get(f"/api/shop/settlements/{statement}/disputes")).json()["items"]
    assert (line["state"], line["resolution"]) == ("upheld", "看了监控")
    assert line["resolved_by"] == str(feng.actor.member_id)
    again = await feng.post(f"{address}/resolve", data={"decision": "reversed", "reason": "再想想", "_key": "r2"})
    assert again.status_code == 409
    assert "已经定过了" in again.text
    assert "line_disputed" not in str((await feng.get("/api/inbox")).json())
    clock.move(days=1)
    [following] = await closed(qian, until="2026-11-23")
    second = (await qian.get(f"/api/settlements/{following['settlement_id']}")).json()
    assert (second["number"], second["lines"], second["due_points"], second["due_fen"]) == (2, 1, 20, 1500)
    assert "上期转来" in (await qian.get(f"/desk/settlements/{following['settlement_id']}")).text
    assert "并入第 2 期" in (await barber.get(f"/shop/settlements/{statement}")).text
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


async def test_a_line_taken_back_returns_the_points_and_says_so(app, town, used, qian, feng, li, barber):
    statement = await disputed(app, town, qian, barber)
    before = (await li.get("/api/wallet")).json()
    resolution = f"/api/settlements/{statement}/disputes/2/resolution"

    done = await feng.post(resolution, json={"decision": "reversed", "reason": "店里扫错了"})

    assert done.status_code == 200
    assert done.json()["items"][0]["state"] == "reversed"
    after = (await li.get("/api/wallet")).json()
    assert after["points"]["amount"] == before["points"]["amount"] + 2000
    assert (await feng.get(f"/api/settlements/{statement}")).json()["open_disputes"] == 0
    assert (
        await feng.post(resolution.replace("/2/", "/3/"), json={"decision": "reversed", "reason": "错了"})
    ).status_code == 404
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


async def test_deciding_a_line_twice_at_once_is_written_down_once(app, town, used, qian, feng, barber, town_database):
    resolution = f"/api/settlements/{await disputed(app, town, qian, barber)}/disputes/2/resolution"
    answers = await all_at_once(
        town_database,
        [feng.post(resolution, json={"decision": "reversed", "reason": "店里扫错了"}) for _ in range(2)],
        holding="SELECT FROM redemption.dispute FOR UPDATE",
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    for written in ("audit WHERE action = 'vouchers.dispute_resolved'", "outbox WHERE fact = 'VoucherReturned'"):
        async with app.state.engine.connect() as connection:
            assert (await connection.exec_driver_sql(f"SELECT count(*) FROM {written}")).scalar_one() == 1


async def test_approving_twice_at_once_is_written_down_once(app, town, used, qian, feng, barber, town_database):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    await barber.post(f"/api/shop/settlements/{item['settlement_id']}/confirmation")
    answers = await all_at_once(
        town_database,
        [feng.post(f"/api/settlements/{item['settlement_id']}/approval") for _ in range(2)],
        holding="SELECT FROM redemption.settlement FOR UPDATE",
    )
    assert [answer.status_code for answer in answers] == [200, 200]
    async with app.state.engine.connect() as connection:
        written = "SELECT count(*) FROM audit WHERE action = 'vouchers.settlement_approved'"
        assert (await connection.exec_driver_sql(written)).scalar_one() == 1


async def test_steps_cannot_be_skipped(used, qian, feng):
    [item] = await closed(qian)
    address = f"/api/settlements/{item['settlement_id']}"

    early = await feng.post(f"{address}/approval")
    assert (early.status_code, early.json()["code"]) == (409, "redemption.settlement_state")
    assert (await qian.post(f"{address}/payment", json={"bank_reference": "ICBC-1"})).status_code == 409


async def test_a_shop_sees_its_own_statements_only(app, town, used, qian, zhou, barber, stranger_shop, li):
    [item] = await closed(qian)
    address = f"/shop/settlements/{item['settlement_id']}"

    assert (await barber.get(address)).status_code == 403  # a clerk, not the owner
    for client in (zhou, stranger_shop):
        assert (await client.get(address)).status_code == 404
        assert (await client.post(f"{address}/confirm", data={"_key": "c"})).status_code == 404
        answer = await client.post(f"{address}/lines/1/dispute", data={"_key": "d", "reason": "不对"})
        assert answer.status_code == 404
    assert (await li.get(address)).status_code == 403
    await as_owner(app, town, barber)
    assert (await barber.get(address)).status_code == 200
    assert "第 1 期" in (await barber.get("/shop/settlements")).text


async def test_only_finance_closes_and_pays(used, qian, wu, zheng, he, li, stranger_staff):
    [item] = await closed(qian)
    address = f"/desk/settlements/{item['settlement_id']}"

    for client in (wu, li):
        assert (await client.get("/desk/settlements")).status_code == 403
    assert (await he.get(address)).status_code == 200
    for client in (wu, zheng, he, li):
        assert (await client.post("/desk/settlements/close", data={})).status_code == 403
        assert (await client.post(f"{address}/pay", data={})).status_code == 403
    assert (await he.post(f"{address}/approve", data={})).status_code == 403
    assert (await stranger_staff.get(address)).status_code == 404
    answer = await stranger_staff.post(f"/api/settlements/{item['settlement_id']}/approval")
    assert answer.status_code == 404


async def test_a_statement_that_nobody_objects_to_is_agreed_after_five_working_days(app, used, qian, clock):
    [item] = await closed(qian)
    timed = next(work for work in work_of(app) if work.name == "vouchers.agree_in_silence")
    address = f"/api/settlements/{item['settlement_id']}"

    clock.move(days=5)
    await app.state.worker.do_timed(timed, clock.now)
    assert (await qian.get(address)).json()["state"] == "closed"
    clock.move(days=3)
    await app.state.worker.do_timed(timed, clock.now)
    assert (await qian.get(address)).json()["state"] == "confirmed"


def work_of(app):
    return [work for item in app.state.slices for work in item.timed]


async def test_what_waits_stands_in_the_inbox(app, town, used, qian, feng, barber):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    await barber.post(f"/api/shop/settlements/{item['settlement_id']}/confirmation")

    mine = (await feng.get("/api/inbox")).json()
    closers = (await qian.get("/api/inbox")).json()

    assert "settlement_to_approve" in str(mine)
    assert "settlement_to_approve" not in str(closers)


def test_what_is_missing_is_rounded_up_to_whole_points():
    assert points_missing(20, 2000) == 0
    assert points_missing(20, 1999) == 1
    assert points_missing(20, 0) == 20


def test_weekends_do_not_count_for_an_objection():
    friday = date(2026, 11, 20)
    assert not objection_over(friday, date(2026, 11, 27), 5)
    assert objection_over(friday, date(2026, 11, 30), 5)
