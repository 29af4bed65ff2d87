"""Planning activities and shifts, calling them off, and the door that closes by itself."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col

from service.hours import actions
from service.hours.tables import Shift
from tests.cast import Client, TownClock
from tests.hours.conftest import MONDAY_NINE

pytestmark = pytest.mark.anyio

FORM = {
    "title": "平安巡逻",
    "place": "东门岗亭",
    "contact_phone": "029-0000-0002",
    "service_class": "patrol",
    "description": "带上红袖标\n雨天取消",
}


async def test_from_a_draft_to_an_open_activity(wu: Client, wei: Client, chen: Client) -> None:
    form = {**FORM, "leaders": str(wei.actor.member_id), "_key": "k"}
    made = await wu.post("/desk/activities", data=form)
    assert made.status_code == 303
    home = made.headers["location"].partition("?")[0]
    assert (await wu.post("/desk/activities", data=form)).headers["location"] == made.headers["location"]
    assert "卫领队" in (await wu.get(home)).text
    activity = home.rsplit("/", 1)[1]
    assert (await chen.get(f"/activities/{activity}")).status_code == 404
    assert (await wei.get(f"/activities/{activity}")).status_code == 200

    shifts = {"on": "2026-11-23", "starts": "22:00", "ends": "02:00", "places": "4", "weeks": "3"}
    assert (await wu.post(f"{home}/shifts", data=shifts)).status_code == 303
    assert (await chen.get("/api/shifts")).json()["items"] == []
    assert (await wu.post(f"{home}/open")).status_code == 303
    listed = (await chen.get("/api/shifts")).json()["items"]
    assert [item["starts_at"][:16] for item in listed] == ["2026-11-23T14:00", "2026-11-30T14:00", "2026-12-07T14:00"]
    assert {item["minutes"] for item in listed} == {240}
    assert len({item["shift_id"] for item in listed}) == 3
    assert "雨天取消" in (await chen.get(f"/shifts/{listed[0]['shift_id']}")).text


async def test_what_cannot_be_read_is_shown_beside_its_field(wu: Client, canteen) -> None:
    answer = await wu.post("/desk/activities", data={**FORM, "title": "", "service_class": "fun", "place": "广场"})
    assert answer.status_code == 422
    assert 'href="#title"' in answer.text
    assert 'value="广场"' in answer.text

    odd = await wu.post(
        f"/desk/activities/{canteen}/shifts",
        data={"on": "2026-11-23", "starts": "9点", "ends": "11:00", "places": "0"},
    )
    assert odd.status_code == 422
    assert 'href="#starts"' in odd.text
    past = await wu.post(
        f"/desk/activities/{canteen}/shifts",
        data={"on": "2026-11-21", "starts": "09:00", "ends": "11:00", "places": "2"},
    )
    assert past.status_code == 409
    assert "时间不对" in past.text


@pytest.mark.parametrize(
    ("on", "starts", "ends", "field", "sentence"),
    [
        ("9999-12-31", "23:00", "01:00", "on", "日子不对"),
        ("0001-01-01", "09:00", "11:00", "on", "日子不对"),
        ("2026-11-20", "09:00", "11:00", "on", "日子不对"),
        ("2028-12-31", "09:00", "11:00", "on", "日子不对"),
        ("2026-11-23", "10:00", "10:00", "ends", "和开始是同一个时间"),
    ],
)
async def test_a_shift_that_cannot_be_meant_is_refused_on_its_field(
    wu: Client, canteen, on: str, starts: str, ends: str, field: str, sentence: str
) -> None:
    answer = await wu.post(
        f"/desk/activities/{canteen}/shifts", data={"on": on, "starts": starts, "ends": ends, "places": "7"}
    )

    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert sentence in answer.text
    assert f'value="{on}"' in answer.text
    assert 'value="7"' in answer.text


@pytest.mark.parametrize(
    ("starts", "ends", "code"),
    [
        ("9999-12-31T23:00:00+08:00", "9999-12-31T23:30:00+08:00", "kit.invalid"),
        ("9999-12-31T23:00:00Z", "9999-12-31T23:30:00Z", "kit.invalid"),
        ("0001-01-01T00:00:00+08:00", "0001-01-01T01:00:00Z", "hours.shift_times_odd"),
        ("2026-11-23T10:00:00+08:00", "2026-11-23T10:00:00+08:00", "kit.invalid"),
        ("2026-11-23T10:00:00+08:00", "2026-11-23T22:01:00+08:00", "hours.shift_times_odd"),
    ],
)
async def test_the_api_refuses_such_shifts_as_well(wu: Client, canteen, starts: str, ends: str, code: str) -> None:
    answer = await wu.post(
        f"/api/activities/{canteen}/shifts", json={"starts_at": starts, "ends_at": ends, "places": 2}
    )

    assert answer.status_code in (409, 422)
    assert answer.json()["code"] == code


async def test_the_same_shift_is_added_once(wu: Client, zheng: Client, canteen) -> None:
    form = {"on": "2026-11-23", "starts": "09:00", "ends": "11:00", "places": "2", "weeks": "2"}
    answers = await asyncio.gather(*(who.post(f"/desk/activities/{canteen}/shifts", data=form) for who in (wu, zheng)))

    assert sorted(answer.status_code for answer in answers) == [303, 409]
    told = next(answer.text for answer in answers if answer.status_code == 409)
    assert "11 月 23 日 周一 9:00 这一场已经排好了" in told
    again = {**form, "on": "2026-11-30", "weeks": "1"}
    assert (await wu.post(f"/desk/activities/{canteen}/shifts", data=again)).status_code == 409
    longer = {**again, "ends": "11:30"}
    assert (await wu.post(f"/desk/activities/{canteen}/shifts", data=longer)).status_code == 303


async def test_a_shift_that_was_called_off_may_be_added_again(wu: Client, shift, make_shift) -> None:
    assert (await wu.post(f"/api/shifts/{shift}/cancel")).status_code == 204

    assert await make_shift() != shift


async def test_a_page_opened_before_somebody_elses_change_is_told(wu: Client, zheng: Client, canteen) -> None:
    page = await wu.get(f"/desk/activities/{canteen}/edit")
    revision = page.text.split('name="revision" value="')[1].split('"')[0]
    first = await zheng.post(f"/desk/activities/{canteen}/edit", data={**FORM, "revision": revision})
    second = await wu.post(f"/desk/activities/{canteen}/edit", data={**FORM, "title": "改过", "revision": revision})

    assert first.status_code == 303
    assert second.status_code == 409
    assert "别的同事刚刚改过" in second.text
    assert 'value="改过"' in second.text


async def test_only_a_leader_leads(wu: Client, chen: Client, canteen) -> None:
    answer = await wu.post("/desk/activities", data={**FORM, "leaders": str(chen.actor.member_id)})

    assert answer.status_code == 409
    assert "没有负责人的身份" in answer.text


async def test_places_never_fall_below_those_taken_and_rise_for_those_who_wait(
    wu: Client, chen: Client, sun: Client, make_shift, sign_up
) -> None:
    shift = await make_shift(places=1)
    await sign_up(chen, shift)
    await sign_up(sun, shift, may_wait=True)
    revision = (await wu.get(f"/api/shifts/{shift}")).json()["revision"]

    assert (await wu.put(f"/api/shifts/{shift}/places", json={"places": 2, "revision": revision})).status_code == 204
    assert (await sun.get(f"/api/shifts/{shift}")).json()["mine"] == "placed"
    stale = await wu.put(f"/api/shifts/{shift}/places", json={"places": 5, "revision": revision})
    assert stale.json()["code"] == "hours.changed_meanwhile"
    fewer = await wu.put(f"/api/shifts/{shift}/places", json={"places": 1, "revision": revision + 1})
    assert (fewer.status_code, fewer.json()["code"]) == (409, "hours.fewer_places_than_taken")


async def test_calling_off_tells_everybody_and_sends_those_inside_home(
    app, wu: Client, chen: Client, sun: Client, canteen, shift, make_shift, sign_up, code_now, clock: TownClock
) -> None:
    later = await make_shift(MONDAY_NINE + timedelta(days=7))
    await sign_up(chen, shift)
    await sign_up(sun, later)
    clock.now = MONDAY_NINE
    await chen.post("/api/check-in", json={"code": await code_now(shift)})
    clock.move(minutes=90)
    assert "2 人次都会收到通知" in (await wu.get(f"/desk/activities/{canteen}/cancel")).text

    assert (await wu.post(f"/desk/activities/{canteen}/cancel")).status_code == 303

    mine = (await chen.get("/api/attendances/mine")).json()["items"][0]
    assert (mine["state"], mine["minutes"], mine["how_out"]) == ("done", 90, "leader")
    assert (await sun.get(f"/api/shifts/{later}")).json()["state"] == "cancelled"
    assert (await wu.post(f"/api/activities/{canteen}/cancel")).status_code == 204
    async with app.state.sessions() as session:
        connection = await session.connection()
        told = await connection.exec_driver_sql("SELECT payload FROM outbox WHERE fact = 'ActivityCancelled'")
        assert set(told.scalar_one()["member_ids"]) == {str(chen.actor.member_id), str(sun.actor.member_id)}


async def test_one_shift_called_off_leaves_the_others(
    app, wu: Client, chen: Client, shift, make_shift, sign_up
) -> None:
    later = await make_shift(MONDAY_NINE + timedelta(days=7))
    await sign_up(chen, shift)
    assert (await wu.post(f"/desk/shifts/{shift}/cancel")).status_code == 303

    assert (await chen.get(f"/api/shifts/{shift}")).json()["state"] == "cancelled"
    assert (await chen.get(f"/api/shifts/{later}")).json()["state"] == "open"
    async with app.state.sessions() as session:
        connection = await session.connection()
        told = await connection.exec_driver_sql("SELECT payload FROM outbox WHERE fact = 'ShiftCancelled'")
        assert told.scalar_one()["member_ids"] == [str(chen.actor.member_id)]


async def test_an_activity_closes_when_nothing_lies_ahead(wu: Client, canteen, shift, clock: TownClock) -> None:
    early = await wu.post(f"/api/activities/{canteen}/close")
    assert (early.status_code, early.json()["code"]) == (409, "hours.activity_has_shifts")
    clock.now = MONDAY_NINE + timedelta(days=1)
    assert (await wu.post(f"/api/activities/{canteen}/close")).status_code == 204
    assert (await wu.post(f"/api/activities/{canteen}/cancel")).json()["code"] == "hours.activity_not_open"


async def test_only_staff_of_this_community_plan(
    li: Client, chen: Client, wei: Client, he: Client, stranger_staff: Client, canteen, shift
) -> None:
    for person in (li, chen, wei, he):
        assert (await person.get("/desk/activities")).status_code == 403
        assert (await person.post(f"/desk/activities/{canteen}/open")).status_code == 403
        assert (await person.post(f"/api/shifts/{shift}/cancel")).status_code == 403
    for path in ("", "/edit", "/poster", "/cancel"):
        assert (await stranger_staff.get(f"/desk/activities/{canteen}{path}")).status_code == 404
    assert (await stranger_staff.post(f"/api/activities/{canteen}/cancel")).status_code == 404
    assert (await stranger_staff.post(f"/api/shifts/{shift}/cancel")).status_code == 404


async def test_the_door_closes_by_itself_once(
    app, chen: Client, sun: Client, shift, sign_up, code_now, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    await chen.post("/api/check-in", json={"code": await code_now(shift)})
    await sun.post("/api/check-in", json={"code": await code_now(shift)})
    clock.now = MONDAY_NINE + timedelta(hours=2)
    await sun.post("/api/check-out", json={"code": await code_now(shift)})

    async def close() -> int:
        async with app.state.sessions.begin() as session:
            return await actions.close_due_shifts(session, clock.now)

    clock.now = MONDAY_NINE + timedelta(hours=5, minutes=59)
    assert await close() == 0
    clock.now = MONDAY_NINE + timedelta(hours=6)
    assert [await close(), await close()] == [1, 0]

    assert (await chen.get("/api/attendances/mine")).json()["items"][0]["check"] == "no_checkout"
    assert (await sun.get("/api/attendances/mine")).json()["items"][0]["check"] == "agrees"
    tomorrow = MONDAY_NINE + timedelta(days=1)
    clock.now = tomorrow
    async with app.state.sessions() as session:
        states = await session.execute(sa.select(col(Shift.state)))
        assert list(states.scalars()) == ["closed"]


async def test_who_forgot_to_check_out_can_serve_the_next_day(
    app, chen: Client, shift, make_shift, code_now, clock: TownClock
) -> None:
    tomorrow = await make_shift(MONDAY_NINE + timedelta(days=1))
    clock.now = MONDAY_NINE
    await chen.post("/api/check-in", json={"code": await code_now(shift)})
    clock.now = MONDAY_NINE + timedelta(hours=7)
    async with app.state.sessions.begin() as session:
        await actions.close_due_shifts(session, clock.now)
    clock.now = MONDAY_NINE + timedelta(days=1)

    assert (await chen.post("/api/check-in", json={"code": await code_now(tomorrow)})).status_code == 200


async def test_a_number_out_of_range_is_told_the_range(wu: Client, canteen) -> None:
    address = f"/desk/activities/{canteen}/shifts"
    form = {"on": "2026-11-23", "starts": "09:00", "ends": "11:00", "places": "0", "weeks": "27"}

    page = await wu.post(address, data=form)
    words = await wu.post(address, data=form | {"places": "很多", "weeks": "1"})

    assert "请填 1 到 1000 之间的整数" in page.text
    assert "请填 1 到 26 之间的整数" in page.text
    assert "请填一个整数" not in page.text
    assert "请填一个整数" in words.text
