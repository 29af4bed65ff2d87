"""Every page in both languages and both modes, the card on the home page, the rows in the staff's list."""

from datetime import timedelta

import pytest

from service.hours import cards
from tests.cast import Client, TownClock
from tests.hours.conftest import MONDAY_NINE

pytestmark = pytest.mark.anyio


async def test_every_page_speaks_both_languages(
    chen: Client, wei: Client, wu: Client, zheng: Client, canteen, shift, make_shift, serve, code_now, clock: TownClock
) -> None:
    attendance = await serve(chen, shift)
    later = await make_shift(MONDAY_NINE + timedelta(days=1))
    code = await code_now(shift)
    pages = {
        chen: ["/activities", "/activities/mine", f"/activities/{canteen}", f"/shifts/{shift}", f"/shifts/{later}",
               f"/shifts/{later}/cancel", "/check-in", f"/C/{code}", f"/attendances/{attendance}"],
        wei: ["/lead", f"/lead/shifts/{shift}", f"/lead/shifts/{shift}/code"],
        wu: ["/desk/activities", "/desk/activities?only=open", "/desk/activities/new", f"/desk/activities/{canteen}",
             f"/desk/activities/{canteen}/edit", f"/desk/activities/{canteen}/cancel",
             f"/desk/activities/{canteen}/poster", f"/desk/shifts/{later}/cancel"],
        zheng: ["/desk/hours", f"/desk/hours?row={attendance}", "/desk/hours?view=odd", "/desk/hours?view=approved",
                "/desk/hours/approve-all", f"/desk/hours/{attendance}/times"],
    }  # fmt: skip
    for person, paths in pages.items():
        for path in paths:
            for locale in ("zh-CN", "en"):
                person.cookies.set("locale", locale)
                answer = await person.get(path)
                assert answer.status_code == 200, (path, answer.text[-500:])
                assert f'<html lang="{locale}"' in answer.text
                assert answer.text.count("<h1") == 1, path
                for code_like in ("state.", "check.", "how.", "class.", "view.hours", "refusal."):
                    assert f">{code_like}" not in answer.text, (path, code_like)
            person.cookies.delete("locale")


async def test_the_home_card_leads_to_the_scanner_on_the_day(
    chen: Client, app, shift, sign_up, code_now, clock: TownClock
) -> None:
    assert "到了，扫码签到" not in (await chen.get("/home")).text
    await sign_up(chen, shift)
    before = (await chen.get("/home")).text
    assert "社区食堂帮厨" in before
    assert "明天" in before
    clock.now = MONDAY_NINE
    assert "到了，扫码签到" in (await chen.get("/home")).text
    await chen.post("/api/check-in", json={"code": await code_now(shift)})
    assert "要走了，扫码签退" in (await chen.get("/home")).text
    clock.move(hours=2)
    await chen.post("/api/check-out", json={"code": await code_now(shift)})
    assert "社区食堂帮厨" not in (await chen.get("/home")).text


async def test_waiting_hours_stand_in_the_staffs_one_list(
    app, chen: Client, zheng: Client, li: Client, shift, serve, clock: TownClock
) -> None:
    attendance = await serve(chen, shift)
    async with app.state.sessions() as session:
        rows = await cards.waiting_rows(session, zheng.actor, clock.now)
        assert [(row.kind, row.title, row.who) for row in rows] == [("attendance", "社区食堂帮厨", "陈助人 0012-0003")]
        assert await cards.waiting_rows(session, li.actor, clock.now) == []
        assert await cards.waiting_work(session, zheng.actor) == 1
    assert attendance.replace("-", "") in rows[0].url
    assert (await zheng.get(rows[0].url)).status_code == 200
    assert "社区食堂帮厨" in (await zheng.get("/desk")).text


async def test_a_person_sees_their_own_attendance_only(chen: Client, sun: Client, shift, serve) -> None:
    attendance = await serve(chen, shift)

    assert (await sun.get(f"/attendances/{attendance}")).status_code == 404
    assert (await sun.get(f"/api/attendances/{attendance}")).status_code == 404
    asked = await chen.post(f"/attendances/{attendance}/correction", data={"text": ""})
    assert asked.status_code == 422
    assert 'href="#text"' in asked.text
    sent = await chen.post(f"/attendances/{attendance}/correction", data={"text": "9 点前就到了"})
    assert "已经告诉工作人员" in (await chen.get(sent.headers["location"])).text


async def test_a_leader_is_not_asked_to_sign_up_for_a_shift_that_has_begun(
    wei: Client, chen: Client, shift, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE + timedelta(minutes=30)

    led = (await wei.get("/lead")).text
    offered = (await chen.get("/activities")).text

    assert "已经开始" in led
    assert "到现场可以报名" not in led
    assert "已经开始，到现场可以报名" in offered


async def test_an_odd_length_is_said_in_hours_and_minutes(chen: Client, make_shift) -> None:
    odd, quarter = await make_shift(minutes=115), await make_shift(MONDAY_NINE + timedelta(days=1), minutes=105)

    assert "1 <small>小时</small> 55 <small>分钟</small>" in (await chen.get(f"/shifts/{odd}")).text
    assert "1.75<small>小时</small>" in (await chen.get(f"/shifts/{quarter}")).text
