"""The printed poster claims an arrival; only a person makes it count. And the leader's own list."""

from datetime import timedelta

import pytest

from tests.cast import Client, TownClock
from tests.hours.conftest import MONDAY_NINE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def poster(app, canteen) -> str:
    """The code that is printed under the poster's QR."""
    async with app.state.sessions() as session:
        connection = await session.connection()
        found = await connection.exec_driver_sql("SELECT poster_code FROM activity")
        return str(found.scalar_one())


async def test_a_poster_claims_and_the_leader_confirms(
    chen: Client, wei: Client, zheng: Client, shift, poster: str, sign_up, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    page = await chen.get(f"/p/{poster.lower()}")
    assert "要等负责人在名单上确认" in page.text
    came = await chen.post(f"/P/{poster}", data={"act": "in"})
    assert "等负责人确认" in (await chen.get(came.headers["location"])).text
    clock.now = MONDAY_NINE + timedelta(hours=2)
    left = await chen.post("/api/check-out", json={"code": poster})
    claimed = left.json()
    assert (claimed["check"], claimed["how_in"], claimed["how_out"]) == ("unconfirmed", "poster", "poster")

    item = {"attendance_id": claimed["attendance_id"], "revision": claimed["revision"]}
    refused = await zheng.post("/api/attendances/approve", json={"items": [item]})
    assert refused.json()["verdicts"] == {claimed["attendance_id"]: "unconfirmed"}

    people = await wei.get(f"/lead/shifts/{shift}")
    assert "确认到了" in people.text
    confirmed = await wei.post(f"/lead/shifts/{shift}/attendances/{claimed['attendance_id']}/confirm")
    assert confirmed.status_code == 303
    seen = (await chen.get(f"/api/attendances/{claimed['attendance_id']}")).json()
    assert (seen["check"], seen["minutes"]) == ("agrees", 120)
    again = await wei.post(f"/api/shifts/{shift}/attendances/{claimed['attendance_id']}/confirm")
    assert again.json()["code"] == "hours.nothing_to_confirm"


async def test_leaving_by_the_poster_from_home_must_be_confirmed_as_well(
    chen: Client, shift, poster: str, code_now, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    await chen.post("/api/check-in", json={"code": await code_now(shift)})
    clock.now = MONDAY_NINE + timedelta(hours=2)
    left = (await chen.post("/api/check-out", json={"code": poster})).json()

    assert (left["how_in"], left["check"]) == ("rotating", "unconfirmed")


async def test_nobody_confirms_themselves(wei: Client, wu: Client, shift, poster: str, clock: TownClock) -> None:
    clock.now = MONDAY_NINE
    mine = (await wei.post("/api/check-in", json={"code": poster})).json()["attendance_id"]

    refused = await wei.post(f"/api/shifts/{shift}/attendances/{mine}/confirm")
    assert (refused.status_code, refused.json()["code"]) == (403, "hours.own_hours")
    assert (await wu.post(f"/api/shifts/{shift}/attendances/{mine}/confirm")).status_code == 204


async def test_a_poster_means_the_shift_of_this_moment(
    chen: Client, wu: Client, canteen, make_shift, poster: str, sign_up, clock: TownClock
) -> None:
    morning, evening = await make_shift(), await make_shift(MONDAY_NINE + timedelta(hours=9))
    await sign_up(chen, evening)

    async def code_at(**by: float) -> str:
        clock.now = MONDAY_NINE + timedelta(**by)
        return str((await chen.post("/api/check-in", json={"code": poster})).json().get("code"))

    assert await code_at(hours=-10) == "hours.wrong_day"
    assert await code_at(minutes=-40) == "hours.too_early"
    assert await code_at(hours=7) == "hours.too_early"
    assert await code_at(days=2) == "hours.no_shift_today"
    clock.now = MONDAY_NINE + timedelta(hours=9)
    assert (await chen.post("/api/check-in", json={"code": poster})).json()["shift_id"] == str(evening)
    assert morning != evening
    await wu.post(f"/api/activities/{canteen}/cancel")
    assert await code_at(hours=9) == "hours.code_unknown"


async def test_a_poster_opens_nothing_elsewhere(stranger: Client, li: Client, shift, poster: str, clock) -> None:
    clock.now = MONDAY_NINE

    assert (await stranger.get(f"/P/{poster}")).status_code == 404
    assert (await li.get(f"/P/{poster}")).status_code == 403


async def test_the_leader_taps_names_for_those_without_a_phone(
    wei: Client, chen: Client, app, shift, sign_up, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    came = await wei.post(f"/lead/shifts/{shift}/check-in", data={"member_id": str(chen.actor.member_id)})
    assert came.status_code == 303
    clock.now = MONDAY_NINE + timedelta(hours=2)
    left = await wei.post(f"/api/shifts/{shift}/check-out", json={"member_id": str(chen.actor.member_id)})

    assert left.json()["state"] == "done"
    attendance = (await chen.get(f"/api/attendances/{left.json()['attendance_id']}")).json()
    assert (attendance["how_in"], attendance["minutes"], attendance["check"]) == ("leader", 120, "agrees")
    async with app.state.sessions() as session:
        connection = await session.connection()
        lines = await connection.exec_driver_sql(
            "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'hours.checked_in'"
        )
        assert lines.one() == (wei.actor.member_id, chen.actor.member_id)


async def test_somebody_who_came_along_is_found_by_card(
    wei: Client, sun: Client, li: Client, shift, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    assert (await wei.post(f"/lead/shifts/{shift}/check-in", data={"card_no": "0012-0004"})).status_code == 303
    assert (await sun.get(f"/api/shifts/{shift}")).json()["mine"] == "placed"

    resident = await wei.post(f"/lead/shifts/{shift}/check-in", data={"card_no": li.actor.card_no})
    assert resident.status_code == 409
    assert "没有登记成志愿者" in resident.text
    unknown = await wei.post(f"/lead/shifts/{shift}/check-in", data={"card_no": "0012"})
    assert unknown.status_code == 404
    assert 'value="0012"' in unknown.text


async def test_leaders_lead_their_own_activities_only(
    wei: Client, chen: Client, wu: Client, stranger_staff: Client, shift, clock: TownClock
) -> None:
    theirs = (
        await wu.post(
            "/api/activities",
            json={"title": "别人的", "place": "广场", "contact_phone": "029", "service_class": "general"},
        )
    ).json()["activity_id"]
    await wu.post(f"/api/activities/{theirs}/open")
    made = await wu.post(
        f"/api/activities/{theirs}/shifts",
        json={
            "starts_at": MONDAY_NINE.isoformat(),
            "ends_at": (MONDAY_NINE + timedelta(hours=1)).isoformat(),
            "places": 3,
        },
    )
    other = made.json()["items"][0]["shift_id"]

    for path in ("/lead/shifts/{}", "/lead/shifts/{}/code", "/api/shifts/{}/code", "/api/shifts/{}/people"):
        assert (await wei.get(path.format(shift))).status_code == 200
        assert (await wei.get(path.format(other))).status_code == 403
        assert (await wu.get(path.format(other))).status_code == 200
        assert (await chen.get(path.format(shift))).status_code == 403
        assert (await stranger_staff.get(path.format(shift))).status_code == 404
    body = {"member_id": str(chen.actor.member_id)}
    assert (await wei.post(f"/api/shifts/{other}/check-in", json=body)).status_code == 403


async def test_the_kiosk_shows_the_code_of_the_moment_and_renews_itself(
    wei: Client, shift, code_now, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    page = await wei.get(f"/lead/shifts/{shift}/code")
    typed = await code_now(shift, typed=True)

    assert f"{typed[:3]} {typed[3:]}" in page.text
    assert 'id="kiosk-code"' in page.text
    assert "<svg" in page.text
    clock.move(minutes=1)
    assert f"{typed[:3]} {typed[3:]}" not in (await wei.get(f"/lead/shifts/{shift}/code")).text


async def test_the_printed_poster(wu: Client, canteen, shift, poster: str) -> None:
    sheet = await wu.get(f"/desk/activities/{canteen}/poster")

    assert sheet.status_code == 200
    for text in ("社区食堂帮厨", "029-0000-0002", f"{poster[:3]} {poster[3:]}", "<svg", "sheet poster"):
        assert text in sheet.text


async def test_the_leaders_list_costs_the_same_for_one_and_for_many(
    wei: Client, chen: Client, sun: Client, make_shift, sign_up, statements
) -> None:
    shift = await make_shift(places=10)
    await sign_up(chen, shift)
    with statements() as few:
        await wei.get(f"/lead/shifts/{shift}")
    for person in (sun, wei):
        await sign_up(person, shift)
    with statements() as many:
        await wei.get(f"/lead/shifts/{shift}")

    assert len(many) == len(few)
