"""What people had before comes along: checked, proposed by one, approved by another, posted once for ever, taken back exactly."""

import asyncio
import io
from datetime import date
from uuid import UUID

import openpyxl
import pytest

import ledger
from service import chart
from service.imports.openings import posting, queries
from service.imports.openings.cells import read_balances
from service.imports.openings.rules import OpeningVerdict
from service.kit.clock import day_begins
from tests.cast import HERE
from tests.imports.openings import DAY, HEADINGS, LI, SUN, books, bring, close_october, has, upload, work
from tests.imports.sheets import xlsx

__all__ = ["bring", "upload", "work"]


async def test_checking_posts_nothing_and_says_what_would_come(app, upload, li, wu):
    before = await books(app)
    sheet = await upload(LI, SUN, ("0099-0009", "", 1, 1, "", ""), ("0012-0003", "张三", 1, "", "", ""), SUN)

    assert (sheet["state"], sheet["new"], sheet["errors"]) == ("checked", 2, 3)
    assert (sheet["minutes"], sheet["points"], sheet["record_minutes"]) == (180, 1_250 + 120_000, 6_000)
    assert await books(app) == before
    assert await has(li) == (0, 0, 0)
    page = (await wu.get(f"/desk/openings/{sheet['opening_id']}?show=error")).text
    for said in ("没有这个卡号", "和这个卡号的姓名不一样", "和第 3 行是同一个人"):
        assert said in page
    new = (await wu.get(f"/desk/openings/{sheet['opening_id']}?show=new")).text
    assert "旧账第 3 页" in new
    assert "原时间银行账本" in new


@pytest.mark.parametrize("as_csv", [False, True])
async def test_what_was_approved_is_posted_and_is_what_the_trial_balance_says(app, bring, li, sun, as_csv, wu):
    before = await books(app)
    sheet = await bring(LI, SUN, as_csv=as_csv)

    assert (sheet["state"], sheet["posted"], sheet["refused"]) == ("posted", 2, 0)
    assert await has(li) == (120, 1_250, 6_000)
    assert await has(sun) == (60, 120_000, 0)
    after = await books(app)
    for unit, brought in (("minute", sheet["minutes"]), ("point", sheet["points"])):
        assert after["opening", unit] == -brought
        assert after["member", unit] - before.get(("member", unit), 0) == brought
        assert after["issued", unit] == before["issued", unit]
    told = (await wu.get("/api/openings")).json()
    assert told["brought"] == {"minute": sheet["minutes"], "point": sheet["points"]}
    assert told["held"] == {unit: after["member", unit] for unit in ("minute", "point")}
    async with app.state.sessions() as session:
        posted = await ledger.journal(session, HERE, f"opening:{sheet['opening_id']}:2")
    assert posted is not None
    assert posted.effective_at == day_begins(DAY)


async def test_the_passbook_shows_the_opening_line_with_its_source(bring, li, sun):
    await bring(LI, SUN)

    assert "旧账第 3 页" in (await li.get("/passbook")).text
    assert "原时间银行账本" in (await sun.get("/passbook")).text
    assert "旧账第 3 页" in (await li.get("/passbook/service")).text
    assert (await li.get("/passbook/print")).status_code == 200


async def test_whoever_uploaded_or_proposed_does_not_approve(upload, wu, zheng, feng):
    """Zheng holds both roles."""
    own = await upload(LI, who=zheng)
    url = f"/api/openings/{own['opening_id']}"
    await wu.post(f"{url}/proposal")
    refused = await zheng.post(f"{url}/approval")
    assert (refused.status_code, refused.json()["code"]) == (409, "openings.second_person_needed")
    assert "另一个复核的人" in (await zheng.get(f"/desk/openings/{own['opening_id']}")).text
    assert (await wu.post(f"{url}/approval")).status_code == 403
    assert (await feng.post(f"{url}/approval")).status_code == 200


async def test_the_same_sheet_again_brings_nothing_and_other_figures_are_a_conflict(app, bring, upload, li, wu):
    await bring(LI, SUN)
    after = await books(app)
    again = await upload(LI, ("0012-0004", "", 61, "", "", ""))

    assert (again["new"], again["brought"], again["conflicts"]) == (0, 1, 1)
    nothing = await wu.post(f"/api/openings/{again['opening_id']}/proposal")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "openings.nothing_to_bring")
    assert await books(app) == after


async def test_columns_that_are_not_used_are_named_and_hours_are_not_taken_for_minutes(upload, wu):
    sheet = await upload(("0012-0001", 5, 10, "x"), headings=["卡号", "积分", "时间币（小时）", "级别"])

    assert sheet["unused"] == ["时间币（小时）", "级别"]
    assert sheet["minutes"] == 0
    assert "没有用到的列：时间币（小时）、级别" in (await wu.get(f"/desk/openings/{sheet['opening_id']}")).text


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (("0012-0001", "", -5, "", "", ""), "negative"),
        (("0012-0001", "", 1.5, "", "", ""), "number_minutes"),
        (("0012-0001", "", "", "1.234", "", ""), "number_points"),
        (("0012-0001", "", "", "十", "", ""), "number_points"),
        (("0012-0001", "", 99_999_999, "", "", ""), "too_large"),
        (("0012-0001", "", "", "", "", ""), "nothing"),
        (("", "", 5, "", "", ""), "required"),
        (("?!", "", 5, "", "", ""), "card"),
        (("0012-0001", "", 5, "", "", "来源" * 40), "source"),
    ],
)
def test_a_cell_that_cannot_be_meant_is_an_error(cells, code):
    (row,) = read_balances(xlsx([HEADINGS, cells]), "").rows

    assert [problem.code for problem in row.problems] == [code]


def test_amounts_are_read_exactly():
    rows = [("1-1", "", "1 200", 0.29, 3.0, ""), ("1-2", "", "１２", "1,000.10", "", "")]
    read = read_balances(xlsx([HEADINGS, *rows]), "原账").rows

    assert [(row.minutes, row.points, row.record_minutes, row.source) for row in read] == [
        (1_200, 29, 3, "原账"),
        (12, 100_010, 0, "原账"),
    ]


async def test_the_template_can_be_filled_in_and_uploaded_as_it_is(wu):
    blank = await wu.get("/desk/openings/template.xlsx")
    book = openpyxl.load_workbook(io.BytesIO(blank.content))
    assert [cell.value for cell in book.worksheets[0][1]] == HEADINGS
    for column, value in enumerate(LI, 1):
        book.worksheets[0].cell(2, column, str(value))
    filled = io.BytesIO()
    book.save(filled)

    (row,) = read_balances(filled.getvalue(), "").rows

    assert (row.minutes, row.points, row.record_minutes, row.problems) == (120, 1_250, 6_000, ())


async def test_rows_with_errors_leave_as_a_file_that_can_be_uploaded_again(upload, wu):
    sheet = await upload(LI, ("0099-0009", "", 7, 1, "", ""))

    content = (await wu.get(f"/desk/openings/{sheet['opening_id']}/errors.xlsx")).content
    (row,) = read_balances(content, "").rows

    assert (row.card_no, row.minutes, row.points) == ("0099-0009", 7, 100)


async def test_a_day_that_is_closed_or_has_not_begun_is_refused(app, upload, wu, qian, feng, clock):
    ahead = {"effective_on": "2026-11-23", "source": "x"}
    sheet = {"file": ("a.xlsx", xlsx([HEADINGS, LI]))}
    assert (await wu.post("/api/openings", files=sheet, data=ahead)).json()["code"] == "openings.day_ahead"
    waiting = await upload(LI, day=date(2026, 10, 5))
    await wu.post(f"/api/openings/{waiting['opening_id']}/proposal")
    await close_october(app, qian, feng, clock)
    closed = {"effective_on": "2026-10-31", "source": "x"}
    page = await wu.post("/desk/openings", files=sheet, data=closed)
    assert page.status_code == 409
    assert "最早可以选 11 月 1 日" in page.text
    late = await feng.post(f"/api/openings/{waiting['opening_id']}/approval")
    assert (late.status_code, late.json()["code"]) == (409, "openings.day_closed")


async def test_what_was_brought_is_taken_back_from_whoever_has_not_spent_it(
    app, bring, wu, zheng, work, li, sun, clock
):
    before = await books(app)
    sheet = await bring(LI, SUN)
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.member(sun.actor.member_id), chart.CARE, chart.POINT, 1),)
        await ledger.post(session, HERE, ledger.Journal("gift", "service_gift", legs, None), now=clock.now)
    url = f"/api/openings/{sheet['opening_id']}"
    assert (await wu.post(f"{url}/return")).status_code == 403

    answers = await asyncio.gather(*(zheng.post(f"{url}/return") for _ in range(3)))
    assert {answer.status_code for answer in answers} == {200}
    await work()

    view = (await wu.get(url)).json()
    assert (view["state"], view["returned"], view["kept"]) == ("returned", 1, 1)
    assert await has(li) == (0, 0, 0)
    assert await has(sun) == (60, 119_999, 0)
    after = await books(app)
    assert after["opening", "minute"] == -60
    assert after["issued", "point"] == before["issued", "point"]
    assert "冲正" in (await li.get("/passbook")).text
    assert "用掉了一部分" in (await wu.get(f"/desk/openings/{sheet['opening_id']}?show=new&outcome=kept")).text


async def test_who_was_taken_back_can_be_brought_again(bring, zheng, work, li):
    sheet = await bring(LI)
    await zheng.post(f"/api/openings/{sheet['opening_id']}/return")
    await work()
    await bring(LI)

    assert await has(li) == (120, 1_250, 6_000)


async def test_typed_cells_are_forgotten_and_figures_stay(app, bring, wu, clock, li):
    sheet = await bring(LI)
    async with app.state.sessions.begin() as session:
        assert await posting.forget_typed(session, clock.move(days=31)) == 1
    async with app.state.sessions.begin() as session:
        assert await posting.forget_typed(session, clock.now) == 0
        rows = await queries.rows_of(session, HERE, UUID(sheet["opening_id"]), OpeningVerdict.NEW)
    assert (rows.rows[0].typed, rows.rows[0].minutes) == ({}, 120)


async def test_another_community_sees_nothing_of_it(bring, stranger_staff):
    sheet = await bring(LI)

    assert (await stranger_staff.get(f"/api/openings/{sheet['opening_id']}")).status_code == 404
    assert (await stranger_staff.get("/api/openings")).json()["rows"] == []


async def test_one_row_undone_by_hand_makes_room_for_the_right_one(bring, li, sun, qian):
    sheet = await bring(LI, SUN)
    listed = (await qian.get("/api/books/journals", params={"reference": f"opening:{sheet['opening_id']}:2"})).json()
    number = next(iter(listed["items"]))["journal_id"]
    undone = await qian.post(f"/api/books/journals/{number}/reversal", json={"mistake": "wrong_amount"})
    assert undone.status_code < 300, undone.text

    again = await bring(("0012-0001", "", 121, "12.5", 6_001, ""), SUN)

    assert (again["new"], again["brought"], again["posted"]) == (1, 1, 1)
    assert await has(li) == (121, 1_250, 6_001)
    assert await has(sun) == (60, 120_000, 0)
