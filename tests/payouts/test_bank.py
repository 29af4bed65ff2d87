"""The bank's list: shown first, then booked once for each line of the bank, by however many; the rest is decided by hand."""

import asyncio
import json

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.kit.db import broken_constraint
from service.payouts.bank import actions
from tests.imports.sheets import comma, xlsx
from tests.payouts.test_payouts import account, approved, shop
from tests.vouchers.conftest import as_owner, give, offer_of, phone, statements, used

__all__ = ["give", "offer_of", "phone", "shop", "statements", "used"]

HEADINGS = ("附言", "金额", "退回金额", "收款账号", "收款人户名", "流水号", "退回原因")
ACCOUNT = "6222021234567890123"
PAID = ("LL000001-001", "45.00", "", ACCOUNT, "小李理发店", "ICBC-1", "")
BACK = ("LL000001-001", "", "45.00", ACCOUNT, "小李理发店", "ICBC-2", "户名不符")
NOWHERE = "00000000-0000-7000-8000-000000000009"


@pytest.fixture
async def batch(app, town, used, qian, feng, barber, shop):
    """A statement of 45 yuan in the first file for the bank."""
    await as_owner(app, town, barber)
    await account(qian, feng, shop)
    place = await approved(qian, feng, barber)
    assert (await qian.post("/api/payouts/files", json={})).status_code == 200
    return place


async def check(client, *rows, content=None):
    sent = content or xlsx([HEADINGS, *rows])
    answer = await client.post("/api/payouts/bank", files={"file": ("清单.xlsx", sent)})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def book(client, made):
    answer = await client.post(f"/api/payouts/bank/{made['list_id']}/booking")
    assert answer.status_code == 200, answer.text
    return answer.json()


def kinds(counts):
    return {kind: count for kind, count in counts.items() if count}


async def lines(client, made):
    return (await client.get(f"/api/payouts/bank/{made['list_id']}/lines")).json()


async def payments(client, batch):
    return [
        (each["fen"], each["bank_reference"], each["return_reason"])
        for each in (await client.get(f"{batch}/payments")).json()["items"]
    ]


async def test_a_list_is_shown_first_and_booked_once_however_often_it_comes(app, qian, he, batch):
    made = await check(qian, PAID)
    assert (made["state"], kinds(made["verdicts"]), kinds(made["outcomes"])) == ("checked", {"mark": 1}, {})
    assert await payments(he, batch) == []
    page = (await qian.get(f"/desk/payouts/bank/{made['list_id']}")).text
    assert "按附言认出" in page
    assert ACCOUNT not in page + json.dumps(await lines(qian, made))

    done = await book(qian, made)
    assert (done["state"], kinds(done["outcomes"])) == ("booked", {"booked": 1})
    assert (await he.get(batch)).json()["state"] == "paid"
    assert (await book(qian, made))["booked_at"] == done["booked_at"]

    again = await check(qian, content=comma([HEADINGS, PAID], "gb18030"))
    assert kinds(again["verdicts"]) == {"known": 1}
    assert kinds((await book(qian, again))["outcomes"]) == {"skipped": 1}
    assert await payments(he, batch) == [(4500, "ICBC-1", None)]
    assert (await he.get("/api/payouts/files")).json()["items"][0]["live_count"] == 0
    assert (await he.get("/api/books/verification")).json()["is_whole"]
    async with app.state.sessions.begin() as session:
        rows = await session.execute(sa.text("SELECT l::text FROM bank_line l"))
        stored = str(rows.scalars().all())
        told = await session.execute(sa.text("SELECT count(*) FROM outbox WHERE fact = 'SettlementPaid'"))
        assert told.scalar_one() == 1
    assert ACCOUNT not in stored
    assert ACCOUNT.encode().hex() not in stored


async def test_what_came_back_is_open_again_and_approved_anew(qian, feng, he, batch):
    done = await book(qian, await check(qian, PAID, BACK))
    assert kinds(done["outcomes"]) == {"booked": 2}
    assert await payments(he, batch) == [(4500, "ICBC-1", "户名不符")]
    assert (await he.get(batch)).json()["state"] == "confirmed"
    assert (await feng.post(f"{batch}/approval")).status_code == 200
    assert (await qian.post("/api/payouts/files", json={})).json()["items"][0]["number"] == 2
    second = ("LL000002-001", *PAID[1:5], "ICBC-3", "")
    assert kinds((await book(qian, await check(qian, PAID, BACK, second)))["outcomes"]) == {"booked": 1, "skipped": 2}
    assert (await he.get(batch)).json()["state"] == "paid"
    assert (await he.get("/api/books/verification")).json()["is_whole"]


async def test_a_line_that_failed_was_sent_and_came_back(qian, he, batch):
    headings = ("附言", "金额", "状态", "失败原因")
    made = await check(qian, content=comma([headings, ("LL000001-001", "45.00", "失败", "账号不存在")]))
    assert kinds(made["verdicts"]) == {"returned": 1}
    assert kinds((await book(qian, made))["outcomes"]) == {"booked": 1}
    assert await payments(he, batch) == [(4500, "LL000001-001", "账号不存在")]
    assert (await he.get(batch)).json()["state"] == "confirmed"


async def test_a_return_of_the_first_file_never_takes_back_what_the_second_paid(qian, feng, he, batch, clock):
    """Noted by hand and sent back, then paid by another file: the month's list has all three."""
    clock.move(hours=1)
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "柜台回单"})).status_code == 200
    assert (await qian.post(f"{batch}/payments/1/return", json={"reason": "户名不符"})).status_code == 200
    clock.move(hours=1)
    assert (await feng.post(f"{batch}/approval")).status_code == 200
    assert (await qian.post("/api/payouts/files", json={})).json()["items"][0]["number"] == 2
    clock.move(hours=1)
    second = ("LL000002-001", *PAID[1:5], "ICBC-3", "")
    assert kinds((await book(qian, await check(qian, second)))["outcomes"]) == {"booked": 1}

    made = await check(qian, BACK, PAID, second)
    assert kinds(made["verdicts"]) == {"noted": 2, "known": 1}
    assert kinds((await book(qian, made))["outcomes"]) == {"booked": 2, "skipped": 1}
    again = await check(qian, (*BACK[:5], "ICBC-8", "户名不符"), (*PAID[:5], "ICBC-9", ""))
    assert kinds(again["verdicts"]) == {"doubled": 2}
    assert kinds((await book(qian, again))["outcomes"]) == {"open": 2}
    assert await payments(he, batch) == [(4500, "柜台回单", "户名不符"), (4500, "ICBC-3", None)]
    assert (await he.get(batch)).json()["state"] == "paid"


async def test_a_list_with_the_newest_line_first_ties_the_payment_that_its_return_made(qian, he, batch):
    made = await check(qian, BACK, PAID)
    assert kinds(made["verdicts"]) == {"returned": 1, "noted": 1}
    assert kinds((await book(qian, made))["outcomes"]) == {"booked": 2}
    assert [(each["line_no"], each["payment"]) for each in (await lines(qian, made))["items"]] == [(2, 1), (3, 1)]
    assert await payments(he, batch) == [(4500, "ICBC-2", "户名不符")]


async def test_a_line_tied_to_one_that_the_books_refuse_waits_with_it(qian, feng, he, batch, shop):
    made = await check(qian, BACK, PAID)
    await account(qian, feng, shop, account="6222021234567899999")
    assert kinds((await book(qian, made))["outcomes"]) == {"open": 2}
    assert await payments(he, batch) == []


async def test_money_of_a_shop_without_a_mark_is_a_return_only_where_the_bank_says_so(qian, he, batch):
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "柜台回单"})).status_code == 200
    headings = ("摘要", "贷方金额", "对方账号", "交易流水号")
    own = await check(qian, content=comma([headings, ("保证金", "45.00", ACCOUNT, "ICBC-4")]))
    assert kinds(own["verdicts"]) == {"unclear": 1}
    assert kinds((await book(qian, own))["outcomes"]) == {"open": 1}
    assert await payments(he, batch) == [(4500, "柜台回单", None)]

    bank = await check(qian, content=comma([headings, ("退汇", "45.00", ACCOUNT, "ICBC-5")]))
    assert kinds(bank["verdicts"]) == {"returned": 1}
    assert kinds((await book(qian, bank))["outcomes"]) == {"booked": 1}
    assert await payments(he, batch) == [(4500, "柜台回单", "退汇")]


async def test_a_line_that_cannot_be_read_waits_until_a_person_sets_it_aside(qian, he, batch):
    bad = ("LL000001-001", "四十五", "", "", "", "", "")
    made = await check(qian, bad)
    assert kinds((await book(qian, made))["outcomes"]) == {"open": 1}
    url = f"/desk/payouts/bank/{made['list_id']}"
    page = (await qian.get(url)).text
    assert "这一行读不出来" in page
    assert "记到这张" not in page
    assert "银行清单里 1 行等人定" in (await qian.get("/desk")).text
    shown = await lines(qian, made)
    assert (shown["items"][0]["problem"], shown["choices"]) == (["金额", "amount"], [])

    place = f"/api/payouts/bank/{made['list_id']}/lines/2"
    refused = await qian.post(f"{place}/booking", json={"settlement": batch.rpartition("/")[2]})
    assert (refused.status_code, refused.json()["code"]) == (409, "payouts.line_unread")
    assert (await qian.post(f"{place}/aside", json={"reason": "合计行"})).status_code == 200
    assert kinds((await he.get(f"/api/payouts/bank/{made['list_id']}")).json()["outcomes"]) == {"aside": 1}
    assert kinds((await check(qian, bad))["verdicts"]) == {"error": 1}
    assert await payments(he, batch) == []


async def test_what_was_noted_by_hand_is_tied_and_not_booked_again(qian, he, batch):
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "柜台回单"})).status_code == 200
    made = await check(qian, PAID, (*PAID[:5], "ICBC-9", ""))
    assert kinds(made["verdicts"]) == {"noted": 1, "doubled": 1}
    assert kinds((await book(qian, made))["outcomes"]) == {"booked": 1, "open": 1}
    assert await payments(he, batch) == [(4500, "柜台回单", None)]


async def test_what_is_not_certain_is_decided_by_hand_once(qian, he, batch):
    settlement_id = batch.rpartition("/")[2]
    part = ("", "20.00", "", ACCOUNT, "小李理发店", "ICBC-5", "")
    fee = ("手续费", "5.00", "", "", "", "ICBC-6", "")
    made = await check(qian, part, fee, ("LL000001-001", "四十五", "", "", "", "", ""))
    assert kinds(made["verdicts"]) == {"unknown": 2, "error": 1}
    early = await qian.post(f"/api/payouts/bank/{made['list_id']}/lines/2/aside", json={"reason": "手续费"})
    assert (early.status_code, early.json()["code"]) == (409, "payouts.line_decided")
    assert kinds((await book(qian, made))["outcomes"]) == {"open": 3}
    assert "银行清单里 3 行等人定" in (await qian.get("/desk")).text
    assert "银行清单里" not in (await he.get("/desk")).text
    shown = await lines(qian, made)
    assert [(each["settlement_id"], each["fen"]) for each in shown["choices"]] == [(settlement_id, 4500)]
    url = f"/desk/payouts/bank/{made['list_id']}"
    page = (await qian.get(url)).text
    assert "记到这张" in page
    assert "记到这张" not in (await he.get(url)).text

    chosen = await qian.post(f"{url}/lines/2/book", data={"choice": settlement_id, "_key": "l"})
    assert chosen.status_code == 303
    place = f"/api/payouts/bank/{made['list_id']}/lines"
    same = await qian.post(f"{place}/2/booking", json={"settlement": settlement_id})
    assert same.status_code == 200
    taken = await qian.post(f"{place}/2/aside", json={"reason": "不是我们的"})
    assert (taken.status_code, taken.json()["code"]) == (409, "payouts.line_decided")
    assert (await qian.post(f"{url}/lines/3/aside", data={"reason": "手续费", "_key": "a"})).status_code == 303
    assert (await qian.post(f"{place}/3/aside", json={"reason": "手续费"})).status_code == 200
    assert await payments(he, batch) == [(2000, "ICBC-5", None)]
    assert kinds((await he.get(f"/api/payouts/bank/{made['list_id']}")).json()["outcomes"]) == {
        "booked": 1,
        "aside": 1,
        "open": 1,
    }
    assert kinds((await check(qian, fee, part))["verdicts"]) == {"known": 2}


async def test_money_that_came_back_without_a_mark_is_tied_to_the_payment_that_a_person_names(qian, he, batch):
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "柜台回单"})).status_code == 200
    made = await check(qian, ("退汇", "", "45.00", "6222****0123", "", "ICBC-2", "户名不符"))
    assert kinds(made["verdicts"]) == {"unknown": 1}
    await book(qian, made)
    url = f"/desk/payouts/bank/{made['list_id']}"
    choice = f"{batch.rpartition('/')[2]}/1"
    page = (await qian.get(url)).text
    assert f'value="{choice}"' in page
    assert "第 1 次付的 45.00 元" in page
    assert (await qian.post(f"{url}/lines/2/book", data={"choice": choice, "_key": "l"})).status_code == 303
    assert await payments(he, batch) == [(4500, "柜台回单", "户名不符")]
    assert (await he.get(batch)).json()["state"] == "confirmed"


async def test_a_decision_that_the_books_refuse_leaves_the_line_to_decide(qian, he, batch):
    too_much = ("", "46.00", "", ACCOUNT, "", "ICBC-7", "")
    made = await check(qian, too_much, ("", "", "45.00", "", "", "ICBC-8", ""))
    await book(qian, made)
    place = f"/api/payouts/bank/{made['list_id']}/lines"
    settlement_id = batch.rpartition("/")[2]
    for line_no, chosen, code in (
        (2, settlement_id, "redemption.amount_wrong"),
        (2, NOWHERE, "redemption.settlement_unknown"),
        (9, settlement_id, "payouts.line_not_found"),
        (2**40, settlement_id, "payouts.line_not_found"),
    ):
        refused = await qian.post(f"{place}/{line_no}/booking", json={"settlement": chosen})
        assert (refused.status_code in (404, 409), refused.json()["code"]) == (True, code)
    bad = await qian.post(f"/desk/payouts/bank/{made['list_id']}/lines/2/book", data={"choice": "x", "_key": "x"})
    assert bad.status_code == 422
    came_back = await qian.post(f"{place}/3/booking", json={"settlement": settlement_id, "payment": 7})
    assert (came_back.status_code, came_back.json()["code"]) == (409, "redemption.payment_unknown")
    assert kinds((await he.get(f"/api/payouts/bank/{made['list_id']}")).json()["outcomes"]) == {"open": 2}
    assert await payments(he, batch) == []


async def test_a_refusal_of_the_books_stands_beside_its_line_until_it_can_be_booked(qian, feng, he, batch, shop, clock):
    made = await check(qian, PAID)
    await account(qian, feng, shop, account="6222021234567899999")
    done = await book(qian, made)
    assert kinds(done["outcomes"]) == {"open": 1}
    [line] = (await lines(he, made))["items"]
    assert (line["verdict"], line["refused_code"]) == ("mark", "redemption.payout_frozen")
    assert "账户刚换过" in (await he.get(f"/desk/payouts/bank/{made['list_id']}")).text
    clock.move(days=3)
    place = f"/api/payouts/bank/{made['list_id']}/lines/2/booking"
    assert (await qian.post(place, json={"settlement": batch.rpartition("/")[2]})).status_code == 200
    assert await payments(he, batch) == [(4500, "ICBC-1", None)]


async def test_what_was_certain_and_is_not_any_more_waits(qian, he, batch):
    made = await check(qian, PAID)
    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "柜台回单", "fen": 1})).status_code == 200
    assert kinds((await book(qian, made))["outcomes"]) == {"open": 1}
    assert await payments(he, batch) == [(1, "柜台回单", None)]


async def test_whoever_approved_does_not_book_and_the_line_waits_for_another(qian, feng, he, batch):
    made = await check(qian, PAID)
    assert kinds((await book(feng, made))["outcomes"]) == {"open": 1}
    [line] = (await lines(he, made))["items"]
    assert line["refused_code"] == "redemption.same_person"
    late = await qian.post(f"/api/payouts/bank/{made['list_id']}/booking")
    assert (late.status_code, late.json()["code"]) == (409, "payouts.list_booked")
    place = f"/api/payouts/bank/{made['list_id']}/lines/2/booking"
    assert (await qian.post(place, json={"settlement": batch.rpartition("/")[2]})).status_code == 200
    assert (await he.get(batch)).json()["state"] == "paid"


async def _waits(app):
    """Until somebody of this database waits for a lock."""
    for _ in range(2_000):
        async with app.state.sessions.begin() as session:
            found = await session.execute(
                sa.text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            )
            if found.scalar_one():
                return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody waits")


async def _at_once(app, qian, first, second):
    """The second confirmation begins while the first is not committed; what became of the second."""

    async def confirm(list_id):
        async with app.state.sessions.begin() as session:
            await actions.book_list(session, actor=qian.actor, list_id=list_id, now=app.state.clock())

    async with app.state.sessions.begin() as session:
        await actions.book_list(session, actor=qian.actor, list_id=first["list_id"], now=app.state.clock())
        await session.flush()
        later = asyncio.create_task(confirm(second["list_id"]))
        await _waits(app)
    await later


async def test_of_two_lists_with_the_same_line_the_second_waits_and_books_nothing(app, qian, he, batch):
    first, second = await check(qian, PAID), await check(qian, PAID)
    await _at_once(app, qian, first, second)
    assert kinds((await he.get(f"/api/payouts/bank/{second['list_id']}")).json()["outcomes"]) == {"skipped": 1}
    assert await payments(he, batch) == [(4500, "ICBC-1", None)]


async def test_without_the_lock_the_unique_index_is_the_wall(app, qian, he, batch, monkeypatch):
    monkeypatch.setattr(actions, "_LOCK", sa.text("SELECT CAST(:community_id AS bigint)"))
    first, second = await check(qian, PAID), await check(qian, PAID)
    with pytest.raises(IntegrityError) as broken:
        await _at_once(app, qian, first, second)
    assert broken_constraint(broken.value) in ("uq_bank_line_counts", "uq_bank_line_payment")
    assert await payments(he, batch) == [(4500, "ICBC-1", None)]


async def test_many_confirm_the_same_list_at_once_and_it_is_booked_once(qian, he, batch):
    made = [await check(qian, PAID) for _ in range(4)]
    answers = await asyncio.gather(
        *(qian.post(f"/api/payouts/bank/{each['list_id']}/booking") for each in made for _ in "12")
    )
    assert {answer.status_code for answer in answers} == {200}
    assert await payments(he, batch) == [(4500, "ICBC-1", None)]


async def test_the_community_keeps_the_headings_of_its_bank(qian, he, batch):
    odd = xlsx([["我方用途", "发生额"], ["LL000001-001", "45.00"]])
    refused = await qian.post("/api/payouts/bank", files={"file": ("清单.xlsx", odd)})
    assert (refused.status_code, refused.json()["code"]) == (422, "payouts.headings_unknown")
    form = {"revision": "0", "mark": "我方用途", "amount": "发生额", "_key": "c"}
    assert (await qian.post("/desk/payouts/bank/columns", data=form)).status_code == 303
    kept = (await he.get("/api/payouts/bank/columns")).json()
    assert (kept["revision"], kept["mark"], kept["amount"], kept["back"]) == (1, "我方用途", "发生额", "")
    assert kinds((await check(qian, content=odd))["verdicts"]) == {"mark": 1}
    late = await qian.post("/api/payouts/bank/columns", json={"revision": 0, "mark": "别的"})
    assert (late.status_code, late.json()["code"]) == (409, "payouts.columns_changed")
    twice = await qian.post("/desk/payouts/bank/columns", data=form | {"revision": "1", "back": "发生额", "_key": "t"})
    assert twice.status_code == 409
    assert "填了两次" in twice.text
    at_once = await asyncio.gather(
        *(qian.post("/api/payouts/bank/columns", json={"revision": 1, "mark": mark}) for mark in ("甲", "乙"))
    )
    assert sorted(answer.status_code for answer in at_once) == [200, 409]


async def test_files_that_are_no_list_are_refused_on_the_page_with_a_sentence(qian, stranger_staff, batch):
    for sent, said in (
        (b"", "这个文件是空的"),
        (b"%PDF-1.7\n", "这不是表格文件"),
        (xlsx([["物品", "数量"], ["肥皂", 3]]), "没有找到认识的表头"),
        (xlsx([HEADINGS, ["LL000001-001", "=40+5"]], formulas=True), "是公式"),
        (b"x" * 8_000_001, "文件超过 8 MB"),
    ):
        page = await qian.post("/desk/payouts/bank", files={"file": ("清单.xlsx", sent)})
        assert page.status_code == 422
        assert said in page.text
    assert (await qian.post("/desk/payouts/bank", data={"_key": "n"})).status_code == 422
    assert (await qian.get("/api/payouts/bank")).json()["items"] == []
    made = await check(qian, PAID)
    for url in (f"/api/payouts/bank/{made['list_id']}", f"/api/payouts/bank/{made['list_id']}/lines"):
        assert (await stranger_staff.get(url)).status_code in (403, 404)
    assert (await qian.get(f"/api/payouts/bank/{NOWHERE}")).status_code == 404
    assert (await qian.post(f"/api/payouts/bank/{NOWHERE}/booking")).status_code == 404
    for name in ("xlsx", "csv"):
        assert (await qian.get(f"/desk/payouts/bank/template.{name}")).status_code == 200
