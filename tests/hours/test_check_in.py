"""Arriving and leaving by the code on the leader's phone."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from service.hours import actions
from service.hours.rules import How, OpenElsewhere
from service.kit.db import broken_constraint
from tests.cast import Client, TownClock
from tests.hours.conftest import MONDAY_NINE

pytestmark = pytest.mark.anyio


async def arrive(client: Client, code: str):
    return await client.post("/api/check-in", json={"code": code})


async def leave(client: Client, code: str):
    return await client.post("/api/check-out", json={"code": code})


async def test_a_whole_shift_is_worth_the_plan(chen: Client, shift, serve) -> None:
    attendance_id = await serve(chen, shift)

    seen = (await chen.get(f"/api/attendances/{attendance_id}")).json()
    assert (seen["state"], seen["check"], seen["planned_minutes"], seen["minutes"]) == ("done", "agrees", 120, 120)
    assert (seen["how_in"], seen["how_out"], seen["credited_minutes"]) == ("rotating", "rotating", None)


async def test_scanning_twice_is_one_arrival(chen: Client, shift, sign_up, code_now, clock: TownClock) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    first = await arrive(chen, await code_now(shift))
    clock.move(minutes=1)
    second = await arrive(chen, await code_now(shift))

    assert first.json() == second.json()


@pytest.mark.parametrize(("seconds", "status"), [(0, 200), (29, 200), (-30, 200), (95, 409), (-95, 409)])
async def test_only_the_code_of_this_minute_opens_the_door(
    chen: Client, shift, sign_up, code_now, clock: TownClock, seconds: int, status: int
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    clock.move(seconds=seconds)

    answer = await arrive(chen, code)

    assert answer.status_code == status
    if status == 409:
        assert answer.json()["code"] == "hours.code_too_old"


async def test_a_code_of_another_shift_or_of_nobody_is_refused(
    chen: Client, shift, make_shift, sign_up, code_now, clock: TownClock
) -> None:
    other = await make_shift(MONDAY_NINE + timedelta(hours=3))
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    here, there = await code_now(shift), await code_now(other)

    assert (await arrive(chen, here[:6] + there[6:])).json()["code"] == "hours.code_too_old"
    assert (await arrive(chen, here[:6] + "22222222")).json()["code"] == "hours.code_too_old"
    assert (await arrive(chen, "222222" + here[6:])).json()["code"] == "hours.code_unknown"
    assert (await arrive(chen, "2222222")).json()["code"] == "hours.code_unknown"
    assert (await arrive(chen, here)).status_code == 200


async def test_the_typed_code_is_as_good_and_changes_as_well(
    chen: Client, shift, sign_up, code_now, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    typed = await code_now(shift, typed=True)
    clock.move(minutes=2)
    assert (await arrive(chen, typed)).status_code == 404

    fresh = await code_now(shift, typed=True)
    led = await chen.get("/check-in", params={"code": f" {fresh[:3].lower()} {fresh[3:].lower()} "})
    assert (led.status_code, led.headers["location"]) == (303, f"/C/{await code_now(shift)}")
    assert (await arrive(chen, fresh)).json()["how_in"] == "rotating"


@pytest.mark.parametrize(
    ("minutes", "code", "words"),
    [
        (-31, "hours.too_early", "来早了"),
        (-24 * 60, "hours.wrong_day", "不是今天"),
        (120, "hours.too_late", "现在签不上"),
        (24 * 60, "hours.wrong_day", "不是今天"),
    ],
)
async def test_early_late_and_another_day_each_say_what_to_do(
    chen: Client, shift, sign_up, code_now, clock: TownClock, minutes: int, code: str, words: str
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE + timedelta(minutes=minutes)
    shown = await code_now(shift)

    answer = await arrive(chen, shown)
    page = await chen.get(f"/C/{shown}")

    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert page.status_code == 409
    assert words in page.text
    assert "再扫一次" in page.text


async def test_on_the_spot_while_places_are_left(
    chen: Client, sun: Client, make_shift, code_now, clock: TownClock
) -> None:
    shift = await make_shift(places=1)
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    assert "现场报名并签到" in (await chen.get(f"/C/{code}")).text
    assert (await arrive(chen, code)).status_code == 200
    assert (await chen.get(f"/api/shifts/{shift}")).json()["mine"] == "placed"

    refused = await arrive(sun, code)
    assert (refused.status_code, refused.json()["code"]) == (409, "hours.shift_full")
    assert "名额已满" in (await sun.get(f"/C/{code}")).text


async def test_looking_never_acts_and_one_press_does(chen: Client, shift, sign_up, code_now, clock: TownClock) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE + timedelta(minutes=2)
    code = await code_now(shift)
    page = await chen.get(f"/c/{code.lower()}")
    assert page.status_code == 200
    assert page.text.count('name="act" value="in"') == 1
    assert (await chen.get("/api/attendances/mine")).json()["items"] == []
    ticket = page.text.split('name="ticket" value="')[1].split('"')[0]

    clock.move(minutes=4)  # a slow reader: the code is gone, the page still works for its owner
    form = {"act": "in", "ticket": ticket, "_key": "k"}
    done = await chen.post(f"/C/{code}", data=form)
    twice = await chen.post(f"/C/{code}", data=form)

    assert (done.status_code, twice.headers["location"]) == (303, done.headers["location"])
    result = await chen.get(done.headers["location"])
    assert "9:06 已签到" in result.text
    assert "走时再扫一次" in result.text

    clock.now = MONDAY_NINE + timedelta(hours=2)
    code = await code_now(shift)
    out = await chen.get(f"/C/{code}")
    assert 'name="act" value="out"' in out.text
    left = await chen.post(f"/C/{code}", data={"act": "out"})
    assert "11:00 已签退" in (await chen.get(left.headers["location"])).text
    assert "审核通过以后存入 1.9 小时" in (await chen.get(left.headers["location"])).text


async def test_a_ticket_is_its_owners_alone_and_short(
    chen: Client, sun: Client, shift, code_now, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    ticket = (await chen.get(f"/C/{code}")).text.split('name="ticket" value="')[1].split('"')[0]
    clock.move(minutes=3)
    passed_on = await sun.post(f"/C/{code}", data={"act": "in", "ticket": ticket})
    assert passed_on.status_code == 409
    assert "已经换过了" in passed_on.text

    clock.move(minutes=3)
    assert (await chen.post(f"/C/{code}", data={"act": "in", "ticket": ticket})).status_code == 409


async def test_who_is_not_signed_in_comes_back_here(anon: Client, shift, code_now, clock: TownClock) -> None:
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    sent = await anon.get(f"/C/{code}")

    assert (sent.status_code, sent.headers["location"]) == (303, f"/sign-in?next=%2FC%2F{code}")
    assert (await anon.post("/api/check-in", json={"code": code})).status_code == 401


async def test_residents_and_strangers_do_not_check_in(
    li: Client, stranger: Client, shift, code_now, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    code = await code_now(shift)

    assert (await arrive(li, code)).status_code == 403
    assert (await arrive(stranger, code)).json()["code"] == "hours.code_unknown"
    assert (await arrive(stranger, await code_now(shift, typed=True))).json()["code"] == "hours.code_unknown"


async def test_one_person_is_in_one_place(
    chen: Client, shift, make_shift, make_activity, code_now, clock: TownClock
) -> None:
    patrol = await make_activity("平安巡逻", "patrol")
    elsewhere = await make_shift(MONDAY_NINE, activity=patrol)
    clock.now = MONDAY_NINE
    assert (await arrive(chen, await code_now(shift))).status_code == 200

    refused = await arrive(chen, await code_now(elsewhere))
    assert (refused.status_code, refused.json()["code"]) == (409, "hours.open_elsewhere")

    clock.move(minutes=80)
    assert (await leave(chen, await code_now(shift))).status_code == 200
    assert (await arrive(chen, await code_now(elsewhere))).status_code == 200


async def test_who_pressed_too_early_presses_again_but_not_across_another_shift(
    chen: Client, shift, make_shift, make_activity, serve, sign_up, code_now, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    await arrive(chen, await code_now(shift))
    clock.move(minutes=30)
    assert (await leave(chen, await code_now(shift))).json()["minutes"] == 0
    assert "重新签退" in (await chen.get(f"/C/{await code_now(shift)}")).text
    clock.move(minutes=60)
    assert (await leave(chen, await code_now(shift))).json()["minutes"] == 90

    patrol = await make_activity("平安巡逻", "patrol")
    second = await make_shift(MONDAY_NINE + timedelta(minutes=120), activity=patrol)
    clock.now = MONDAY_NINE + timedelta(minutes=100)
    assert (await arrive(chen, await code_now(second))).status_code == 200
    clock.move(minutes=10)
    refused = await leave(chen, await code_now(shift))
    assert (refused.status_code, refused.json()["code"]) == (409, "hours.times_overlap")


async def test_leaving_without_having_come_and_after_the_door_closed(
    chen: Client, shift, sign_up, code_now, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    assert (await leave(chen, code)).json()["code"] == "hours.not_checked_in"
    await arrive(chen, code)

    clock.now = MONDAY_NINE + timedelta(hours=6, minutes=1)
    assert (await leave(chen, await code_now(shift))).json()["code"] == "hours.too_late"


async def test_a_cancelled_shift_lets_nobody_in(chen: Client, wu: Client, shift, code_now, clock: TownClock) -> None:
    clock.now = MONDAY_NINE
    code = await code_now(shift)
    await wu.post(f"/api/shifts/{shift}/cancel")

    assert (await arrive(chen, code)).json()["code"] == "hours.shift_not_open"


async def _at_once(app, client: Client, shifts: list, clock: TownClock) -> list[object]:
    async def one(shift_id: object) -> object:
        async with app.state.sessions.begin() as session:
            arrival = await actions.check_in(
                session,
                actor=client.actor,
                shift_id=shift_id,  # type: ignore[arg-type] # the fixture's UUID
                member_id=client.actor.member_id,
                how=How.ROTATING,
                now=clock.now,
            )
            return arrival.attendance_id

    return await asyncio.gather(*(one(shift_id) for shift_id in shifts), return_exceptions=True)


async def test_two_taps_at_once_are_one_arrival(app, chen: Client, shift, clock: TownClock) -> None:
    clock.now = MONDAY_NINE
    answers = await _at_once(app, chen, [shift] * 5, clock)

    assert len(set(answers)) == 1


async def test_two_doors_at_once_let_one_of_them_in(
    app, chen: Client, shift, make_shift, make_activity, clock: TownClock
) -> None:
    elsewhere = await make_shift(activity=await make_activity("平安巡逻", "patrol"))
    clock.now = MONDAY_NINE
    answers = await _at_once(app, chen, [shift, elsewhere], clock)

    assert sum(isinstance(answer, OpenElsewhere) for answer in answers) == 1
    assert len((await chen.get("/api/attendances/mine")).json()["items"]) == 1


_TWIN = """
INSERT INTO attendance (community_id, attendance_id, shift_id, member_id, state, revision, served_on, checked_in_at,
                        checked_out_at, how_in, checked_in_by, awaits_confirmation, planned_minutes, minutes)
SELECT community_id, gen_random_uuid(), '{shift}', member_id, '{state}', 1, served_on,
       checked_in_at + interval '{later} minutes', {out}, how_in, checked_in_by, false, planned_minutes, 0
  FROM attendance
"""


@pytest.mark.parametrize(
    ("state", "later", "out", "wall"),
    [
        ("open", 500, "NULL", None),
        ("done", 60, "checked_in_at + interval '90 minutes'", "ex_attendance_overlap"),
        ("done", 120, "checked_in_at + interval '150 minutes'", None),
        ("done", 60, "NULL", None),
        ("returned", 60, "checked_in_at + interval '90 minutes'", None),
    ],
)
async def test_the_database_itself_knows_no_overlap(
    app, chen: Client, shift, make_shift, serve, state: str, later: int, out: str, wall: str | None
) -> None:
    """The control of both races: what the walls alone let through and what they do not."""
    other = await make_shift(MONDAY_NINE + timedelta(minutes=120))
    await serve(chen, shift)
    try:
        async with app.state.sessions.begin() as session:
            connection = await session.connection()
            await connection.exec_driver_sql(_TWIN.format(shift=other, state=state, later=later, out=out))
        broken = None
    except IntegrityError as error:
        broken = broken_constraint(error)

    assert broken == wall


async def test_the_database_itself_knows_one_open_arrival(
    app, chen: Client, shift, make_shift, sign_up, code_now, clock: TownClock
) -> None:
    other = await make_shift(MONDAY_NINE + timedelta(minutes=120))
    clock.now = MONDAY_NINE
    await arrive(chen, await code_now(shift))
    twin = _TWIN.format(shift=other, state="open", later=0, out="NULL")

    async def insert() -> None:
        async with app.state.sessions.begin() as session:
            await (await session.connection()).exec_driver_sql(twin)

    with pytest.raises(IntegrityError) as broken:
        await insert()

    assert broken_constraint(broken.value) in {"uq_attendance_one_open", "ex_attendance_overlap"}
