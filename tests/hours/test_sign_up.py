"""Taking a place, waiting for one, giving one back."""

import asyncio
from datetime import timedelta

import pytest
from sqlmodel import col, select

from service.hours import queries
from service.hours.actions import sign_ups
from service.hours.tables import Activity, Shift
from tests.cast import Client, TownClock
from tests.hours.conftest import MONDAY_NINE

pytestmark = pytest.mark.anyio


async def test_a_volunteer_takes_a_place(chen: Client, shift, sign_up) -> None:
    assert (await sign_up(chen, shift))["state"] == "placed"

    seen = (await chen.get(f"/api/shifts/{shift}")).json()
    assert (seen["mine"], seen["placed"], seen["places_left"], seen["minutes"]) == ("placed", 1, 1, 120)
    assert [item["shift_id"] for item in (await chen.get("/api/shifts/mine")).json()["items"]] == [str(shift)]


async def test_signing_up_twice_is_said(chen: Client, shift, sign_up) -> None:
    await sign_up(chen, shift)
    again = await chen.post(f"/api/shifts/{shift}/sign-up", json={})

    assert (again.status_code, again.json()["code"]) == (409, "hours.signed_up_already")


async def test_the_same_request_twice_is_answered_once(chen: Client, shift) -> None:
    answers = [
        await chen.post(f"/api/shifts/{shift}/sign-up", json={}, headers={"idempotency-key": "tap"}) for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_a_full_shift_offers_a_turn_and_the_first_who_waits_moves_up(
    chen: Client, sun: Client, wei: Client, make_shift, sign_up, app
) -> None:
    shift = await make_shift(places=1)
    await sign_up(chen, shift)

    refused = await sun.post(f"/api/shifts/{shift}/sign-up", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "hours.shift_full")
    assert (await sign_up(sun, shift, may_wait=True))["state"] == "waiting"
    assert (await sign_up(wei, shift, may_wait=True))["state"] == "waiting"
    assert (await wei.get(f"/api/shifts/{shift}")).json()["ahead_of_me"] == 1

    assert (await chen.post(f"/api/shifts/{shift}/cancel-sign-up")).status_code == 204

    assert (await sun.get(f"/api/shifts/{shift}")).json()["mine"] == "placed"
    assert (await wei.get(f"/api/shifts/{shift}")).json()["mine"] == "waiting"
    async with app.state.sessions() as session:
        facts = (await session.connection()).exec_driver_sql(
            "SELECT fact FROM outbox WHERE fact LIKE 'Shift%' ORDER BY outbox_id"
        )
        assert [row[0] for row in (await facts).all()] == ["ShiftSignedUp", "ShiftPlaceFreed"]


async def test_who_comes_back_queues_at_the_end(chen: Client, sun: Client, wei: Client, make_shift, sign_up) -> None:
    shift = await make_shift(places=1)
    await sign_up(chen, shift)
    await sign_up(sun, shift, may_wait=True)
    await sign_up(wei, shift, may_wait=True)
    await sun.post(f"/api/shifts/{shift}/cancel-sign-up")
    await sign_up(sun, shift, may_wait=True)

    await chen.post(f"/api/shifts/{shift}/cancel-sign-up")

    assert (await wei.get(f"/api/shifts/{shift}")).json()["mine"] == "placed"
    assert (await sun.get(f"/api/shifts/{shift}")).json()["mine"] == "waiting"


async def test_nobody_promises_one_hour_twice(chen: Client, shift, make_shift, make_activity, sign_up) -> None:
    patrol = await make_activity("平安巡逻", "patrol")
    clashing = await make_shift(MONDAY_NINE + timedelta(minutes=90), activity=patrol)
    after = await make_shift(MONDAY_NINE + timedelta(minutes=120), activity=patrol)
    await sign_up(chen, shift)

    refused = await chen.post(f"/api/shifts/{clashing}/sign-up", json={})

    assert (refused.status_code, refused.json()["code"]) == (409, "hours.shifts_clash")
    assert "社区食堂帮厨" in refused.json()["title"]
    assert (await sign_up(chen, after))["state"] == "placed"
    page = await chen.get(f"/shifts/{clashing}")
    assert "先取消那一个" in page.text
    assert "disabled" in page.text


async def test_a_place_can_be_given_back_until_the_deadline(
    chen: Client, wei: Client, shift, sign_up, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE - timedelta(minutes=59)

    late = await chen.post(f"/api/shifts/{shift}/cancel-sign-up")

    assert (late.status_code, late.json()["code"]) == (409, "hours.too_late_to_cancel")
    assert "029-0000-0002" in late.json()["title"]
    off = await wei.post(f"/lead/shifts/{shift}/take-off", data={"member_id": str(chen.actor.member_id)})
    assert off.status_code == 303
    assert (await chen.get(f"/api/shifts/{shift}")).json()["mine"] == "cancelled"


async def test_a_leader_takes_somebody_off_by_the_api_too(
    chen: Client, wei: Client, li: Client, shift, sign_up
) -> None:
    await sign_up(chen, shift)
    whom = {"member_id": str(chen.actor.member_id)}

    assert (await li.post(f"/api/shifts/{shift}/take-off", json=whom)).status_code == 403
    assert (await wei.post(f"/api/shifts/{shift}/take-off", json=whom)).status_code == 204
    assert (await chen.get(f"/api/shifts/{shift}")).json()["mine"] == "cancelled"
    again = await wei.post(f"/api/shifts/{shift}/take-off", json=whom)
    assert (again.status_code, again.json()["code"]) == (409, "hours.not_signed_up")


async def test_who_has_no_place_has_none_to_give_back(sun: Client, shift) -> None:
    refused = await sun.post(f"/api/shifts/{shift}/cancel-sign-up")

    assert (refused.status_code, refused.json()["code"]) == (409, "hours.not_signed_up")


async def test_a_shift_that_has_begun_or_was_cancelled_takes_nobody(
    chen: Client, wu: Client, shift, clock: TownClock
) -> None:
    clock.now = MONDAY_NINE
    begun = await chen.post(f"/api/shifts/{shift}/sign-up", json={})
    assert begun.json()["code"] == "hours.shift_started"

    assert (await wu.post(f"/api/shifts/{shift}/cancel")).status_code == 204
    cancelled = await chen.post(f"/api/shifts/{shift}/sign-up", json={})
    assert cancelled.json()["code"] == "hours.shift_not_open"


async def test_only_volunteers_sign_up(li: Client, wu: Client, zhou: Client, shift) -> None:
    for person in (li, wu, zhou):
        assert (await person.post(f"/api/shifts/{shift}/sign-up", json={})).status_code == 403
        assert (await person.post(f"/shifts/{shift}/sign-up")).status_code == 403
        assert "先登记成志愿者" in (await person.get(f"/shifts/{shift}")).text


async def test_strangers_see_nothing(stranger: Client, shift) -> None:
    for answer in (
        await stranger.get(f"/api/shifts/{shift}"),
        await stranger.post(f"/api/shifts/{shift}/sign-up", json={}),
        await stranger.get(f"/shifts/{shift}"),
    ):
        assert answer.status_code == 404
    assert (await stranger.get("/api/shifts")).json()["items"] == []


async def test_the_pages_lead_through(chen: Client, shift) -> None:
    day = await chen.get("/activities")
    assert "还差 2 人" in day.text
    assert f"/shifts/{shift}" in day.text
    detail = await chen.get(f"/shifts/{shift}")
    assert detail.status_code == 200

    taken = await chen.post(f"/shifts/{shift}/sign-up", data={"_key": "k"})
    assert (taken.status_code, taken.headers["location"]) == (303, f"/shifts/{shift}/signed-up")
    again = await chen.post(f"/shifts/{shift}/sign-up", data={"_key": "k"})
    assert again.headers["location"] == taken.headers["location"]

    confirmation = await chen.get(f"/shifts/{shift}/signed-up")
    for text in ("报名成功", "社区食堂", "029-0000-0002", "calendar.ics"):
        assert text in confirmation.text
    assert "还差 1 人" not in (await chen.get("/activities")).text
    assert "已报名" in (await chen.get("/activities/mine")).text

    assert "名额空出来" in (await chen.get(f"/shifts/{shift}/cancel")).text
    gone = await chen.post(f"/shifts/{shift}/cancel")
    assert gone.headers["location"].startswith("/activities/mine")
    assert "已经取消报名" in (await chen.get(gone.headers["location"])).text


async def test_a_full_and_a_past_shift_say_why_they_are_closed(
    chen: Client, sun: Client, make_shift, sign_up, clock: TownClock
) -> None:
    shift = await make_shift(places=1)
    await sign_up(sun, shift)
    refused = await chen.post(f"/shifts/{shift}/sign-up")
    assert refused.status_code == 409
    assert "刚刚报满" in refused.text
    assert "排候补" in refused.text

    clock.now = MONDAY_NINE + timedelta(hours=3)
    assert "已经结束" in (await chen.get("/activities")).text
    assert "这一场已经结束" in (await chen.get(f"/shifts/{shift}")).text


async def test_the_calendar_entry(chen: Client, shift, sign_up) -> None:
    await sign_up(chen, shift)
    entry = await chen.get(f"/shifts/{shift}/calendar.ics")

    assert entry.headers["content-type"].startswith("text/calendar")
    lines = entry.text.split("\r\n")
    assert "DTSTART:20261123T010000Z" in lines
    assert "DTEND:20261123T030000Z" in lines
    assert "SUMMARY:社区食堂帮厨" in lines
    assert all(len(line.encode()) <= 75 for line in lines)


async def _two_want_the_last_place(app, chen: Client, sun: Client, shift, clock: TownClock) -> list[str]:
    """Both look before either has committed, as far as the locks let them."""
    both_looked = asyncio.Barrier(2)

    async def one(client: Client) -> str:
        async with app.state.sessions.begin() as session:
            try:
                state = await sign_ups.sign_up(
                    session,
                    actor=client.actor,
                    shift_id=shift,
                    member_id=client.actor.member_id,
                    may_wait=True,
                    now=clock.now,
                )
                await session.flush()
                return state.value
            finally:
                # Without the lock both stand here with an open transaction; with it the second is still waiting.
                try:
                    async with asyncio.timeout(1):
                        await both_looked.wait()
                except (TimeoutError, asyncio.BrokenBarrierError):
                    pass

    return sorted(await asyncio.gather(one(chen), one(sun)))


async def test_without_the_lock_the_last_place_is_taken_twice(
    app, chen: Client, sun: Client, make_shift, clock: TownClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift = await make_shift(places=1)

    async def read_only(session, community_id, shift_id):
        found = await session.exec(
            select(Shift, Activity)
            .join(Activity, col(Activity.activity_id) == col(Shift.activity_id))
            .where(col(Shift.community_id) == community_id, col(Shift.shift_id) == shift_id)
        )
        return found.one()

    monkeypatch.setattr(queries, "lock_shift", read_only)

    assert await _two_want_the_last_place(app, chen, sun, shift, clock) == ["placed", "placed"]


async def test_with_the_lock_the_second_is_told(app, chen: Client, sun: Client, make_shift, clock: TownClock) -> None:
    shift = await make_shift(places=1)

    assert await _two_want_the_last_place(app, chen, sun, shift, clock) == ["placed", "waiting"]


async def test_the_list_costs_the_same_for_one_shift_and_for_many(
    chen: Client, make_shift, canteen, wu: Client, statements
) -> None:
    await make_shift()
    with statements() as few:
        await chen.get("/activities")
    for week in range(1, 21):
        await make_shift(MONDAY_NINE + timedelta(weeks=week))
    with statements() as many:
        assert (await chen.get("/activities")).text.count("/shifts/") == 21

    assert len(many) == len(few)
