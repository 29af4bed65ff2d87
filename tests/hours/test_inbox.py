"""The review inbox: many rows in one act, filters in the address, the same rows as a file."""

import csv
import io
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

import ledger
from service import chart
from service.hours import queries
from service.hours.queries import ReviewFilter, ReviewView
from service.hours.rules import AttendanceState, How, check_of
from service.hours.tables import Attendance
from service.identity import NewPerson, enrol_people
from service.kit.access import Role
from service.kit.ids import new_id
from tests.cast import HERE, Client, TownClock
from tests.hours.conftest import MONDAY_NINE, decide, faults, purse

pytestmark = pytest.mark.anyio


@pytest.fixture
async def crowd(app, make_shift, zheng: Client) -> list[UUID]:
    """A hundred and twenty-eight people served the whole shift."""
    shift = await make_shift(places=200)
    people = [
        NewPerson(new_id(), f"0099-{number:04}", f"志愿者{number}", roles=((Role.VOLUNTEER, None),))
        for number in range(128)
    ]
    async with app.state.sessions.begin() as session:
        await enrol_people(
            session, community_id=HERE, people=people, actor=None, day=MONDAY_NINE.date(), now=MONDAY_NINE
        )
    async with app.state.sessions.begin() as session:
        session.add_all(
            Attendance(
                community_id=HERE,
                attendance_id=new_id(),
                shift_id=shift,
                member_id=person.member_id,
                state=AttendanceState.DONE,
                served_on=MONDAY_NINE.date(),
                checked_in_at=MONDAY_NINE,
                checked_out_at=MONDAY_NINE + timedelta(hours=2),
                how_in=How.ROTATING,
                how_out=How.ROTATING,
                checked_in_by=person.member_id,
                awaits_confirmation=False,
                planned_minutes=120,
                minutes=120,
                done_at=MONDAY_NINE + timedelta(hours=2),
            )
            for person in people
        )
    app.state.clock.now = MONDAY_NINE + timedelta(hours=3)
    return [person.member_id for person in people]


async def test_a_hundred_and_twenty_eight_rows_are_one_act(app, zheng: Client, crowd, statements) -> None:
    inbox = await zheng.get("/desk/hours")
    assert "通过全部一致的 128 条" in inbox.text
    assert "共 128 条" in inbox.text
    step = await zheng.post("/desk/hours/approve", data={"scope": "matching", "back": "/desk/hours"})
    assert step.headers["location"].startswith("/desk/hours/approve-all")
    confirm = await zheng.get("/desk/hours/approve-all")
    ids = [part.split('"')[0] for part in confirm.text.split('name="ids" value="')[1:]]
    assert len(ids) == 128

    with statements() as few:
        one = await zheng.post("/desk/hours/approve", data={"ids": ids[:1], "_key": "one"})
    with statements() as many:
        done = await zheng.post("/desk/hours/approve", data={"ids": ids, "_key": "all", "back": "/desk/hours"})
        again = await zheng.post("/desk/hours/approve", data={"ids": ids, "_key": "all", "back": "/desk/hours"})

    assert one.status_code == done.status_code == 303
    assert again.headers["location"] == done.headers["location"]
    # The second post only repeats the first one's answer: the key, and its row.
    assert len(many) <= len(few) + 2
    after = await zheng.get(done.headers["location"])
    assert "已通过 127 条，254 小时" in after.text
    assert "有 1 条没有处理" in after.text
    assert "刚刚有人改过" in after.text
    async with app.state.sessions() as session:
        issued = await ledger.balance(session, HERE, chart.ISSUED, chart.MINUTE)
        assert issued == -128 * 120
    assert await faults(app) == []

    review = after.text.split('action="/desk/hours/reviews/')[1].split("/")[0]
    undone = await zheng.post(f"/desk/hours/reviews/{review}/undo", data={"back": "/desk/hours"})
    assert undone.status_code == 303
    async with app.state.sessions() as session:
        assert await ledger.balance(session, HERE, chart.ISSUED, chart.MINUTE) == -120
    assert await faults(app) == []


async def test_the_inbox_costs_the_same_for_one_row_and_for_fifty(zheng: Client, crowd, statements) -> None:
    with statements() as few:
        await zheng.get("/desk/hours", params={"q": "0099-0001"})
    with statements() as many:
        page = await zheng.get("/desk/hours", params={"q": "0099"})

    assert page.text.count("data-row") == 50
    assert len(many) == len(few)


async def test_the_filter_lives_in_the_address_and_the_file_is_the_same(zheng: Client, served) -> None:
    found = await zheng.get("/desk/hours", params={"q": "陈助人", "since": "2026-11-23", "until": "2026-11-23"})
    assert "陈助人" in found.text
    assert "共 1 条" in found.text
    assert "陈助人" not in (await zheng.get("/desk/hours", params={"since": "2026-11-24"})).text
    assert "陈助人" not in (await zheng.get("/desk/hours", params={"q": "孙"})).text
    assert "陈助人" in (await zheng.get("/desk/hours", params={"q": "食堂"})).text
    assert (await zheng.get("/desk/hours", params={"view": "nonsense"})).status_code == 422

    file = await zheng.get("/desk/hours/export.csv", params={"q": "0012-0003"})
    assert file.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in file.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(file.content.decode("utf-8-sig"))))
    assert len(rows) == 2
    line = dict(zip(rows[0], rows[1], strict=True))
    assert (line["卡号"], line["姓名"], line["可计分钟"], line["核对"]) == ("0012-0003", "陈助人", "120", "一致")


async def test_the_page_approves_returns_and_undoes(app, chen: Client, zheng: Client, served) -> None:
    item = f"{UUID(str(served['attendance_id'])).hex}.{served['revision']}"
    asked = await zheng.post("/desk/hours/return", data={"ids": item, "back": "/desk/hours"})
    assert asked.status_code == 422
    assert f'value="{item}"' in asked.text
    evil = await zheng.post("/desk/hours/approve", data={"one": item, "back": "//evil.example/"})
    assert evil.headers["location"].startswith("/desk/hours?review=")
    after = await zheng.get(evil.headers["location"])
    assert "已通过 1 条，2 小时" in after.text
    assert 'data-toast="30"' in after.text
    detail = await zheng.get("/desk/hours", params={"view": "approved", "row": str(served["attendance_id"])})
    assert "撤销这个决定" in detail.text
    revision = detail.text.split('name="revision" value="')[1].split('"')[0]
    undone = await zheng.post(f"/desk/hours/{served['attendance_id']}/undo", data={"revision": revision})
    assert undone.status_code == 303
    assert "已经撤销" in (await zheng.get(undone.headers["location"])).text
    assert await purse(app, chen) == (0, 0, 0)
    times = await zheng.get(f"/desk/hours/{served['attendance_id']}/times")
    assert 'value="2026-11-23T09:00"' in times.text
    row = (await zheng.get(f"/api/reviews/attendances/{served['attendance_id']}")).json()
    saved = await zheng.post(
        f"/desk/hours/{served['attendance_id']}/times",
        data={"revision": row["revision"], "came_at": "2026-11-23T09:00", "left_at": "2026-11-23T10:00"},
    )
    assert saved.headers["location"].endswith("done=hours.times_adjusted")
    row = (await zheng.get(f"/api/reviews/attendances/{served['attendance_id']}")).json()
    assert (row["check"], row["minutes"]) == ("short", 0)
    odd = {"view": "odd"}
    assert "不到排班的六成，不计" in (await zheng.get("/desk/hours", params=odd)).text
    english = await zheng.get("/desk/hours", params=odd, headers={"accept-language": "en"})
    assert "Under 60 % of the shift: counts nothing" in english.text


async def test_nothing_chosen_and_too_much_chosen_are_said(zheng: Client) -> None:
    nothing = await decide(zheng, "approve")
    assert nothing.json()["code"] == "hours.nothing_chosen"
    items = [{"attendance_id": str(new_id()), "revision": 1} for _ in range(501)]
    assert (await decide(zheng, "approve", *items)).json()["code"] == "hours.too_many_rows"
    assert (await zheng.post("/desk/hours/approve", data={"ids": "nonsense"})).status_code == 422


async def test_sql_and_the_rule_say_the_same_word(
    app, chen: Client, zheng: Client, shift, make_shift, make_activity, serve, sign_up, code_now, clock: TownClock
) -> None:
    patrol = await make_activity("平安巡逻", "patrol")
    overlapping = await make_shift(MONDAY_NINE + timedelta(minutes=110), activity=patrol)
    await serve(chen, shift)
    assert (await chen.post("/api/check-in", json={"code": await code_now(overlapping)})).status_code == 200
    clock.move(minutes=100)
    await chen.post("/api/check-out", json={"code": await code_now(overlapping)})
    changes: list[dict[str, object]] = [
        {},
        {"awaits_confirmation": True},
        {"correction_asked_at": MONDAY_NINE},
        {"minutes": 0},
        {"minutes": 115, "correction_asked_at": None},
    ]
    for change in changes:
        async with app.state.sessions.begin() as session:
            if change:
                await session.execute(sa.update(Attendance).where(col(Attendance.shift_id) == shift).values(**change))
            rows = (await queries.review_page(session, HERE, ReviewFilter(view=ReviewView.ODD))).rows
            word = next(row for row in rows if row.title == "社区食堂帮厨")
            stored = (await session.exec(select(Attendance).where(col(Attendance.shift_id) == shift))).one()
            assert word.check is check_of(
                awaits_confirmation=stored.awaits_confirmation,
                has_left=stored.checked_out_at is not None,
                correction_asked=stored.correction_asked_at is not None,
                overlaps=True,
                minutes=stored.minutes,
                planned=stored.planned_minutes,
            )
    assert "与另一服务重叠" in (await zheng.get("/desk/hours", params={"view": "odd"})).text
