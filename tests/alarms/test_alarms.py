"""Odd uses wait in a queue, members are called by lot, shops say when they are open."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.alarms import timed
from service.alarms.rules import Receipt, drawn, hours_of, unread_rows, uses_of, written
from service.communities import change_setting
from service.kit.ids import new_id
from service.kit.refusals import Invalid
from tests.cast import START
from tests.vouchers.conftest import as_owner, closed, code_of, give, offer_of, phone, scan_of, statements

__all__ = ["give", "offer_of", "phone", "statements"]


@pytest.fixture
async def odd(li, phone, give, offer_of, clock):
    """Four haircuts of one member on one day: one too many."""
    await give(li, 200)
    offer_id = await offer_of()
    for _ in range(4):
        voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
        assert (await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))).status_code == 200
        clock.move(minutes=1)
    clock.move(hours=2)


async def look(app, clock):
    async with app.state.sessions.begin() as session:
        await timed.watch(session, clock.now)


async def test_what_looks_odd_waits_is_let_through_and_another_approves(app, town, odd, qian, feng, he, barber, clock):
    await as_owner(app, town, barber)
    await look(app, clock)
    await look(app, clock)
    [alarm] = (await he.get("/api/alarms")).json()["items"]
    assert (alarm["rule"], alarm["state"], alarm["shop"]) == ("member_often", "open", "小李理发店")
    assert "第 4 次" in alarm["words"]
    assert (await barber.get("/api/alarms")).status_code == 403
    page = await qian.get("/desk/alarms")
    assert "第 4 次" in page.text
    assert "同一人太多次" in (await qian.get("/desk/alarms?rule=member_often")).text
    assert "member_often" not in (await he.get("/desk/alarms.csv")).text
    [item] = await closed(qian)
    assert item["line_count"] == 3 if "line_count" in item else True

    none = await qian.post("/desk/alarms/clear", data={"reason": "看过", "_key": "x"})
    assert none.status_code == 422
    form = {"reason": "看过监控", "ids": alarm["use"], "_key": "a"}
    assert (await feng.post("/desk/alarms/clear", data=form)).status_code == 303
    late = await qian.post("/api/alarms/decisions", json={"ids": [alarm["use"]], "cleared": True, "reason": "看过"})
    assert (late.status_code, late.json()["code"]) == (409, "redemption.alarm_decided")
    assert (await he.get("/api/alarms")).json()["items"] == []
    assert (await he.get("/api/alarms?decided=true")).json()["items"][0]["reason"] == "看过监控"
    assert "看过监控" in (await he.get("/desk/alarms?decided=true")).text


@pytest.fixture
async def unread(app, li, phone, give, offer_of, zhao, clock):
    """Five haircuts on five days, their receipts left, none of them read; three in a row are looked at."""
    async with app.state.sessions.begin() as session:
        await change_setting(
            session, actor=zhao.actor, name="watch_unread_in_a_row", value=3, effective_from=START.date(), now=START
        )
    await give(li, 200)
    offer_id = await offer_of(per_member_cap=None)
    for _ in range(5):
        await scanned(app, li, phone, offer_id, clock)
    return offer_id


async def scanned(app, li, phone, offer_id, clock):
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    assert (await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))).status_code == 200
    for _ in range(2):
        await app.state.worker.drain()
    clock.move(days=1)


async def places(he):
    """Of what waits because nobody read a receipt: the place in the row."""
    found = (await he.get("/api/alarms?rule=unread")).json()["items"]
    return sorted(int(place) for each in found for place in re.findall(r"第 (\d+) 笔", each["words"]))


async def test_a_row_of_receipts_that_nobody_read_waits_and_a_look_at_the_list_ends_it(
    app, li, phone, unread, he, qian, clock
):
    await look(app, clock)
    await look(app, clock)
    assert await places(he) == [3, 4, 5]
    assert "没人看收据" in (await qian.get("/desk/alarms?rule=unread")).text
    # What is fresh could not be read yet; what was shown was read.
    await scanned(app, li, phone, unread, clock)
    clock.move(days=-1, hours=1)
    await look(app, clock)
    assert await places(he) == [3, 4, 5]
    assert "新" in (await li.get("/messages")).text
    clock.move(days=1)
    for _ in range(2):
        await scanned(app, li, phone, unread, clock)
    await look(app, clock)
    assert await places(he) == [3, 4, 5]
    await scanned(app, li, phone, unread, clock)
    await look(app, clock)
    assert await places(he) == [3, 3, 4, 5]


async def test_who_does_not_open_linli_neither_counts_nor_ends_a_row(app, li, unread, he, clock):
    async with app.state.sessions.begin() as session:
        await session.execute(
            sa.text("UPDATE session SET seen_at = :then WHERE member_id = :who"),
            {"then": clock.now - timedelta(days=31), "who": li.actor.member_id},
        )
    await look(app, clock)
    assert await places(he) == []


async def test_what_a_batch_has_is_passed_over(app, town, unread, qian, barber, he, clock):
    await as_owner(app, town, barber)
    assert len(await closed(qian, until="2026-11-25")) == 1
    await look(app, clock)
    assert await places(he) == [5]


def test_a_row_ends_with_whoever_reads():
    uses = [Receipt((number, 1), is_read) for number, is_read in enumerate([False, False, True, False, False, False])]
    assert unread_rows(uses, 2) == {(1, 1): 2, (4, 1): 2, (5, 1): 3}
    assert unread_rows(uses, 4) == {}


async def test_nonsense_is_refused(qian, he):
    for ids in ([], ["x"], ["1-1-1"], ["99999999999999999999-1"]):
        answer = await qian.post("/api/alarms/decisions", json={"ids": ids, "cleared": True, "reason": "看过"})
        assert answer.status_code == 422, ids
    for path in ("/api/alarms?after=nonsense", "/desk/alarms?rule=nonsense", "/desk/alarms?shop=7"):
        assert (await he.get(path)).status_code in (400, 404, 422), path
    assert (await qian.post("/api/alarms/calls/1-1/phone")).status_code == 404
    assert (await qian.post("/desk/alarms/calls/nonsense", data={"state": "denied", "_key": "n"})).status_code == 422


async def test_one_in_a_hundred_is_called_the_look_is_written_down_and_a_no_is_an_alarm(
    app, odd, qian, wu, he, li, clock
):
    clock.move(days=1)
    for _ in range(3):
        async with app.state.sessions.begin() as session:
            await timed.draw_calls(session, clock.now)
    [call] = (await wu.get("/api/alarms/calls")).json()["items"]
    use = call["use"]
    assert "理发一次" in (await wu.get("/desk/alarms/calls")).text
    assert (await wu.post(f"/api/alarms/calls/{use}/phone")).json()["phone"] == ""
    assert "没有留电话" in (await wu.post(f"/desk/alarms/calls/{use}/phone", data={"_key": "p"})).text
    assert (await li.get("/api/alarms/calls")).status_code == 403
    async with app.state.sessions.begin() as session:
        looks = await (await session.connection()).exec_driver_sql(
            "SELECT count(*) FROM audit WHERE detail::text LIKE '%call_back%'"
        )
        assert looks.scalar_one() == 2
        seed, uses = (
            await (await session.connection()).exec_driver_sql("SELECT seed, uses FROM call_draw WHERE uses > 0")
        ).one()
        assert uses == 4
        rows = await (await session.connection()).exec_driver_sql("SELECT voucher_id, seq FROM redemption.use")
        again = drawn(seed, [(row[0], row[1]) for row in rows], 10)
    assert [f"{voucher}-{seq}" for voucher, seq in again] == [use]

    form = {"state": "denied", "note": "说没去过", "_key": "d"}
    assert (await wu.post(f"/desk/alarms/calls/{use}", data=form)).status_code == 303
    again = await wu.post(f"/api/alarms/calls/{use}", json={"state": "confirmed"})
    assert (again.status_code, again.json()["code"]) == (409, "alarms.call_done")
    assert "denied" in [each["rule"] for each in (await he.get("/api/alarms")).json()["items"]]
    assert "说没去过" in (await he.get("/desk/alarms/calls?outcome=denied")).text


async def test_an_owner_sets_hours_from_tomorrow_and_the_desk_sees_them(app, town, barber, he, clock):
    shop = town.organisations["barbershop"]
    day = (clock.now + timedelta(days=1)).date().isoformat()
    form = {"effective_from": day, "monday": "08:00-12:00 14:00-20:00", "_key": "h"}
    assert (await barber.post(f"/shop/hours/{shop}", data=form)).status_code in (403, 404)
    await as_owner(app, town, barber)
    wrong = await barber.post(f"/shop/hours/{shop}", data={**form, "monday": "8点", "_key": "w"})
    assert wrong.status_code == 422
    assert (await barber.post(f"/shop/hours/{shop}", data=form)).status_code in (303, 409)
    [own] = [each for each in (await he.get("/api/alarms/hours")).json()["items"] if each["shop_id"] == str(shop)]
    assert [each["hours"] for each in own["openings"]] in ([[[1, 480, 720], [1, 840, 1200]]], [])
    page = await barber.get("/shop/hours")
    assert page.status_code == 200
    assert (await he.get("/desk/alarms/hours")).status_code == 200
    early = await barber.post(f"/api/shop/hours/{shop}", json={"effective_from": "2026-11-20", "monday": "08:00-12:00"})
    assert early.status_code == 409
    elsewhere = await barber.post(f"/api/shop/hours/{new_id()}", json={"effective_from": day, "monday": "08:00-12:00"})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "alarms.shop_not_found")


def test_words_become_hours_and_back():
    assert written(hours_of(1, "8:00-12:00，14:00至20:00", "monday"), 1) == "08:00-12:00 14:00-20:00"
    assert hours_of(1, "", "monday") == []
    for wrong in ("8点", "12:00-08:00", "08:00-24:30", "08:00"):
        with pytest.raises(Invalid):
            hours_of(1, wrong, "monday")
    assert uses_of(["12-3"]) == [(12, 3)]
