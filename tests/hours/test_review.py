"""Deciding about hours: what is approved is recorded and posted once; what is undone is reversed."""

import asyncio
from datetime import timedelta

import pytest

import ledger
from service import chart
from service.hours import actions, queries
from service.hours.queries import attendances as attendance_queries
from service.identity import grant_role
from service.kit.access import Role
from tests.cast import HERE, Client, TownClock
from tests.db import Database
from tests.hours.conftest import MONDAY_NINE, decide, faults, purse
from tests.ledger.cast import connected

pytestmark = pytest.mark.anyio


async def test_what_is_approved_is_recorded_and_posted(app, chen: Client, zheng: Client, served) -> None:
    answer = await decide(zheng, "approve", served)

    assert answer.status_code == 200
    assert answer.json()["verdicts"] == {served["attendance_id"]: "done"}
    assert await purse(app, chen) == (120, 120, 200)
    seen = (await chen.get(f"/api/attendances/{served['attendance_id']}")).json()
    assert (seen["state"], seen["credited_minutes"], seen["points_hundredths"]) == ("approved", 120, 200)
    assert "已存入 2 小时" in (await chen.get(f"/attendances/{served['attendance_id']}")).text
    assert await faults(app) == []
    async with app.state.sessions() as session:
        connection = await session.connection()
        facts = await connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE fact = 'AttendanceApproved'")
        assert facts.scalar_one() == 1


async def test_an_approval_counts_once_however_often_it_is_sent(app, chen: Client, zheng: Client, served) -> None:
    assert (await decide(zheng, "approve", served)).json()["done"] == 1
    second = await decide(zheng, "approve", served)

    assert second.json()["verdicts"] == {served["attendance_id"]: "stale"}
    assert await purse(app, chen) == (120, 120, 200)


async def test_two_reviewers_at_once_approve_once(app, chen: Client, zheng: Client, wu: Client, served) -> None:
    answers = await asyncio.gather(*(decide(client, "approve", served) for client in (zheng, wu, zheng, wu)))

    verdicts = [answer.json()["verdicts"][served["attendance_id"]] for answer in answers]
    assert sorted(verdicts) == ["done", "stale", "stale", "stale"]
    assert await purse(app, chen) == (120, 120, 200)
    assert await faults(app) == []


BLIND = """CREATE OR REPLACE FUNCTION public.approval_lock(
    p_book bigint, p_now timestamptz, p_reference text[], p_effects jsonb) RETURNS text[] LANGUAGE sql AS
    'SELECT array_fill(NULL::text, ARRAY[cardinality(p_reference)])'"""


async def test_without_the_rows_lock_a_row_is_approved_that_was_returned_meanwhile(
    app, town_database: Database, zheng: Client, wu: Client, served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what was planned is carried out whatever became of the row. With the lock the second reviewer is told."""

    async def verdict(revision: int) -> tuple[str, str]:
        found, looked = asyncio.Event(), asyncio.Event()

        async def look(*arguments, **named):
            rows = await attendance_queries.attendances_by_ids(*arguments, **named)
            found.set()
            await looked.wait()
            return rows

        monkeypatch.setattr(queries, "attendances_by_ids", look)
        row = {**served, "revision": revision}
        approving = asyncio.create_task(decide(zheng, "approve", row))
        await found.wait()
        returned = await decide(wu, "return", row, reason="中途离开")
        looked.set()
        approved = await approving
        return returned.json()["verdicts"][row["attendance_id"]], approved.json()["verdicts"][row["attendance_id"]]

    assert await verdict(int(str(served["revision"]))) == ("done", "stale")
    seen = (await zheng.get(f"/api/reviews/attendances/{served['attendance_id']}")).json()
    undo = await wu.post(f"/api/attendances/{served['attendance_id']}/undo", json={"revision": seen["revision"]})
    assert undo.status_code == 204
    async with connected(town_database.owner_url) as owner:
        await owner.execute(BLIND)

    assert await verdict(seen["revision"] + 1) == ("done", "done")


async def test_nobody_decides_about_their_own_hours(app, zheng: Client, wu: Client, wei: Client, make_shift) -> None:
    async with app.state.sessions.begin() as session:
        await grant_role(
            session,
            actor=None,
            community_id=HERE,
            member_id=wu.actor.member_id,
            role=Role.VOLUNTEER,
            day=MONDAY_NINE.date(),
            now=MONDAY_NINE,
        )
    shift = await make_shift()
    app.state.clock.now = MONDAY_NINE
    body = {"member_id": str(wu.actor.member_id)}
    assert (await wei.post(f"/api/shifts/{shift}/check-in", json=body)).status_code == 200
    app.state.clock.now = MONDAY_NINE + timedelta(hours=2)
    left = (await wei.post(f"/api/shifts/{shift}/check-out", json=body)).json()
    row = (await wu.get(f"/api/reviews/attendances/{left['attendance_id']}")).json()
    item = {"attendance_id": row["attendance_id"], "revision": row["revision"]}

    assert (await decide(wu, "approve", item)).json()["verdicts"] == {row["attendance_id"]: "own"}
    assert (await decide(wu, "return", item, reason="x")).json()["verdicts"] == {row["attendance_id"]: "own"}
    times = {"revision": row["revision"], "came_at": row["checked_in_at"], "left_at": row["checked_out_at"]}
    adjusted = await wu.put(f"/api/attendances/{row['attendance_id']}/times", json=times)
    assert (adjusted.status_code, adjusted.json()["code"]) == (403, "hours.own_hours")
    assert "自己的，请同事审" in (await wu.get("/desk/hours")).text
    done = (await decide(zheng, "approve", item)).json()
    assert done["done"] == 1
    undone = await wu.post(f"/api/reviews/{done['review_id']}/undo")
    assert (undone.status_code, undone.json()["code"]) == (403, "hours.own_hours")


async def test_an_undo_reverses_everything_and_the_next_approval_posts_again(
    app, chen: Client, zheng: Client, served
) -> None:
    review = (await decide(zheng, "approve", served)).json()["review_id"]
    undone = await zheng.post(f"/api/reviews/{review}/undo")

    assert undone.json() == {"undone": 1}
    assert await purse(app, chen) == (0, 0, 0)
    seen = (await chen.get(f"/api/attendances/{served['attendance_id']}")).json()
    assert (seen["state"], seen["credited_minutes"]) == ("done", None)
    assert (await zheng.post(f"/api/reviews/{review}/undo")).json()["code"] == "hours.nothing_to_undo"

    again = await decide(zheng, "approve", {**served, "revision": seen["revision"]})
    assert again.json()["done"] == 1
    assert await purse(app, chen) == (120, 120, 200)
    assert await faults(app) == []


async def test_what_is_spent_cannot_be_taken_back(app, chen: Client, zheng: Client, served) -> None:
    review = (await decide(zheng, "approve", served)).json()["review_id"]
    async with app.state.sessions.begin() as session:
        spend = ledger.Leg(chart.member(chen.actor.member_id), chart.EXPIRED, chart.POINT, 150)
        await ledger.post(
            session,
            HERE,
            ledger.Journal(reference="spent", reason="voucher_used", legs=(spend,), actor_id=None),
            now=app.state.clock(),
        )

    refused = await zheng.post(f"/api/reviews/{review}/undo")

    assert (refused.status_code, refused.json()["code"]) == (409, "records.earnings_spent")
    assert (await chen.get(f"/api/attendances/{served['attendance_id']}")).json()["state"] == "approved"


async def test_returned_hours_carry_a_reason_and_the_volunteer_may_answer(
    app, chen: Client, sun: Client, zheng: Client, served
) -> None:
    attendance = served["attendance_id"]
    assert (await decide(zheng, "return", served, reason="")).status_code in (400, 422)
    assert (await decide(zheng, "return", served, reason="中途离开")).json()["done"] == 1
    page = await chen.get(f"/attendances/{attendance}")
    assert "中途离开" in page.text

    asked = {"text": "我一直在后厨"}
    assert (await sun.post(f"/api/attendances/{attendance}/ask-correction", json=asked)).status_code == 404
    assert (await chen.post(f"/api/attendances/{attendance}/ask-correction", json=asked)).status_code == 204

    row = (await zheng.get("/api/attendances", params={"view": "odd"})).json()["items"][0]
    assert (row["check"], row["correction_text"], row["return_reason"]) == ("asked", "我一直在后厨", "中途离开")
    done = await decide(zheng, "approve", {"attendance_id": attendance, "revision": row["revision"]})
    assert done.json()["done"] == 1
    assert await purse(app, chen) == (120, 120, 200)


async def test_one_row_of_a_review_is_taken_back_alone(app, chen: Client, zheng: Client, li: Client, served) -> None:
    attendance = served["attendance_id"]
    assert (await decide(zheng, "approve", served)).json()["done"] == 1
    seen = (await zheng.get(f"/api/reviews/attendances/{attendance}")).json()
    url, now = f"/api/attendances/{attendance}/undo", {"revision": seen["revision"]}

    assert (await li.post(url, json=now)).status_code == 403
    stale = await zheng.post(url, json={"revision": seen["revision"] - 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "hours.attendance_not_in_review")
    key = {"idempotency-key": "undo-one"}
    first, again = [await zheng.post(url, json=now, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (204, 204)

    assert await purse(app, chen) == (0, 0, 0)
    assert (await chen.get(f"/api/attendances/{attendance}")).json()["state"] == "done"
    assert await faults(app) == []


async def test_a_return_can_be_undone(chen: Client, zheng: Client, served) -> None:
    review = (await decide(zheng, "return", served, reason="中途离开")).json()["review_id"]
    assert (await zheng.post(f"/api/reviews/{review}/undo")).json() == {"undone": 1}

    assert (await chen.get(f"/api/attendances/{served['attendance_id']}")).json()["state"] == "done"


async def test_a_forgotten_check_out_is_put_right_by_the_desk(
    app, chen: Client, zheng: Client, shift, sign_up, code_now, clock: TownClock
) -> None:
    await sign_up(chen, shift)
    clock.now = MONDAY_NINE
    attendance = (await chen.post("/api/check-in", json={"code": await code_now(shift)})).json()["attendance_id"]
    clock.now = MONDAY_NINE + timedelta(hours=6, minutes=1)
    async with app.state.sessions.begin() as session:
        assert await actions.close_due_shifts(session, clock.now) == 1
    row = (await zheng.get(f"/api/reviews/attendances/{attendance}")).json()
    assert (row["state"], row["check"], row["minutes"]) == ("done", "no_checkout", 0)
    item = {"attendance_id": attendance, "revision": row["revision"]}
    assert (await decide(zheng, "approve", item)).json()["verdicts"][attendance] == "nothing_to_credit"

    times = {"revision": row["revision"], "came_at": MONDAY_NINE.isoformat()}
    outside = {**times, "left_at": (MONDAY_NINE + timedelta(hours=7)).isoformat()}
    refused = await zheng.put(f"/api/attendances/{attendance}/times", json=outside)
    assert (refused.status_code, refused.json()["code"]) == (409, "hours.times_outside")
    right = {**times, "left_at": (MONDAY_NINE + timedelta(hours=2)).isoformat()}
    assert (await zheng.put(f"/api/attendances/{attendance}/times", json=right)).status_code == 204
    stale = await zheng.put(f"/api/attendances/{attendance}/times", json=right)
    assert stale.json()["code"] == "hours.changed_meanwhile"

    row = (await zheng.get(f"/api/reviews/attendances/{attendance}")).json()
    assert (row["check"], row["minutes"]) == ("agrees", 120)
    assert (await decide(zheng, "approve", {**item, "revision": row["revision"]})).json()["done"] == 1


async def test_the_daily_cap_leaves_what_is_left(app, chen: Client, zheng: Client, make_shift, serve) -> None:
    first, second = await make_shift(minutes=360), await make_shift(MONDAY_NINE + timedelta(hours=6), minutes=300)
    items = []
    for shift, start, minutes in ((first, MONDAY_NINE, 360), (second, MONDAY_NINE + timedelta(hours=6), 300)):
        app.state.clock.now = MONDAY_NINE - timedelta(hours=1)
        attendance = await serve(chen, shift, starts_at=start, minutes=minutes)
        row = (await zheng.get(f"/api/reviews/attendances/{attendance}")).json()
        items.append({"attendance_id": attendance, "revision": row["revision"]})

    assert (await decide(zheng, "approve", *items)).json()["done"] == 2
    assert await purse(app, chen) == (480, 480, 800)
    credited = [
        (await chen.get(f"/api/attendances/{item['attendance_id']}")).json()["credited_minutes"] for item in items
    ]
    assert sorted(credited) == [120, 360]
    assert await faults(app) == []


async def test_training_is_recorded_and_earns_nothing(
    app, chen: Client, zheng: Client, make_shift, make_activity, serve
) -> None:
    lesson = await make_shift(activity=await make_activity("急救培训", "training"))
    attendance = await serve(chen, lesson)
    row = (await zheng.get(f"/api/reviews/attendances/{attendance}")).json()

    assert (await decide(zheng, "approve", {"attendance_id": attendance, "revision": row["revision"]})).json()["done"]
    assert await purse(app, chen) == (0, 0, 0)
    assert (await chen.get(f"/api/attendances/{attendance}")).json()["credited_minutes"] == 120


async def test_only_reviewers_of_this_community_decide(
    li: Client,
    chen: Client,
    wei: Client,
    he: Client,
    stranger_staff: Client,
    feng: Client,
    served,
) -> None:
    for person in (li, chen, wei, he):
        assert (await person.get("/desk/hours")).status_code == 403
        assert (await person.get("/desk/hours/export.csv")).status_code == 403
        assert (await decide(person, "approve", served)).status_code == 403
    assert (await decide(stranger_staff, "approve", served)).json()["verdicts"][served["attendance_id"]] == "stale"
    assert (await stranger_staff.get("/api/attendances")).json()["count"] == 0
    assert (await stranger_staff.get(f"/api/reviews/attendances/{served['attendance_id']}")).status_code == 404
    assert (await decide(feng, "approve", served)).json()["done"] == 1


async def test_the_inbox_names_the_card_beside_the_name(wu: Client, chen: Client, served) -> None:
    page = await wu.get("/desk?kind=attendance")

    assert f"陈助人 {chen.actor.card_no}" in page.text
