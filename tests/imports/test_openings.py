"""What people had before comes along: checked, proposed by one, approved by another, posted once for ever, taken back exactly."""

import asyncio
import io
from datetime import date
from typing import Any
from uuid import UUID

import openpyxl
import pytest
import sqlalchemy as sa

import ledger
from service import chart, identity
from service.closing import actions as closing
from service.imports.openings import actions, posting, queries
from service.imports.openings.cells import Column, read_balances
from service.imports.openings.rules import BroughtMeanwhile, OpeningDecided, OpeningState, OpeningVerdict
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id
from service.slices import manifests
from service.wallet import verify_books
from tests.cast import HERE, START
from tests.imports.sheets import comma, xlsx

HEADINGS = [column.value for column in Column]
LI = ("0012-0001", "李心愿", 120, 12.5, 6_000, "旧账第 3 页")
SUN = ("0012-0004", "", 60, "1,200", "", "")
DAY = date(2026, 11, 1)


@pytest.fixture
def upload(wu):
    async def send(*rows: Any, day: date = DAY, who=wu, headings=HEADINGS, as_csv: bool = False) -> Any:
        content = comma([headings, *rows]) if as_csv else xlsx([headings, *rows])
        name = "余额.csv" if as_csv else "余额.xlsx"
        form = {"effective_on": day.isoformat(), "source": "原时间银行账本"}
        answer = await who.post("/api/openings", files={"file": (name, content)}, data=form)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return send


@pytest.fixture
def work(app, clock):
    """What the worker does until nothing is left."""

    async def do() -> int:
        timed = [
            each for item in manifests() for each in item.timed if each.name in ("openings.post", "openings.return")
        ]
        assert len(timed) == 2
        return sum([await app.state.worker.do_timed(each, clock.now) for each in timed])

    return do


@pytest.fixture
def bring(upload, work, wu, zheng):
    async def do(*rows: Any, **more: Any) -> Any:
        sheet = await upload(*rows, **more)
        url = f"/api/openings/{sheet['opening_id']}"
        assert (await wu.post(f"{url}/proposal")).status_code == 200
        approved = await zheng.post(f"{url}/approval")
        assert approved.status_code == 200, approved.text
        await work()
        return (await wu.get(url)).json()

    return do


async def has(client) -> tuple[int, int, int]:
    mine = (await client.get("/api/wallet")).json()
    return mine["coins"]["amount"], mine["points"]["amount"], mine["service"]["amount"]


async def books(app) -> dict[tuple[str, str], int]:
    """The trial balance, straight from the accounts."""
    async with app.state.sessions() as session:
        assert await verify_books(session, HERE) == []
        rows = await session.execute(
            sa.text(
                "SELECT split_part(code, ':', 1), unit, sum(balance)::bigint FROM ledger.account"
                " WHERE community_id = :c GROUP BY 1, 2"
            ),
            {"c": HERE},
        )
        return {(kind, unit): amount for kind, unit, amount in rows}


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


async def close_october(app, qian, feng, clock) -> None:
    async with app.state.sessions.begin() as session:
        made = await closing.propose_period(session, actor=qian.actor, last_day=date(2026, 10, 31), now=clock.now)
    async with app.state.sessions.begin() as session:
        await closing.confirm_closing(session, actor=feng.actor, closing_id=made, now=clock.now)


async def approved(app, upload, wu, zheng, clock, *rows, day: date = DAY) -> UUID:
    sheet = UUID((await upload(*rows, day=day))["opening_id"])
    async with app.state.sessions.begin() as session:
        await actions.propose(session, actor=wu.actor, opening_id=sheet, now=clock.now)
    async with app.state.sessions.begin() as session:
        await actions.approve(session, actor=zheng.actor, opening_id=sheet, now=clock.now)
    return sheet


async def test_a_period_closed_between_approval_and_posting_refuses_the_rows_in_words(
    app, upload, wu, zheng, qian, feng, clock, work, li
):
    """The unfinished sheet stands on the page of closing; who closes all the same decides."""
    sheet = await approved(app, upload, wu, zheng, clock, LI, day=date(2026, 10, 5))
    assert "没有记完的期初余额" in (await qian.get("/desk/books/closings?last_day=2026-10-31")).text
    await close_october(app, qian, feng, clock)
    await work()

    view = (await wu.get(f"/api/openings/{sheet}")).json()
    assert (view["state"], view["posted"], view["refused"]) == ("posted", 0, 1)
    assert await has(li) == (0, 0, 0)
    page = (await wu.get(f"/desk/openings/{sheet}?show=new&outcome=refused")).text
    assert "账簿没有收" in page
    again = await upload(LI)
    assert again["new"] == 1  # a refused row is nobody's opening balance


async def test_closing_waits_for_a_piece_under_way(app, upload, wu, zheng, qian, feng, clock, li):
    """The piece has the book's head and October as its day: it is posted whole, then October is closed."""
    await approved(app, upload, wu, zheng, clock, LI, day=date(2026, 10, 5))
    async with app.state.sessions.begin() as session:
        assert await posting.post_piece(session, clock.now) == 1
        closing_it = asyncio.create_task(close_october(app, qian, feng, clock))
        await asyncio.sleep(0.4)
        assert not closing_it.done()
    await closing_it

    assert await has(li) == (120, 1_250, 6_000)
    assert (await books(app))["opening", "minute"] == -120


async def test_of_two_approvers_at_once_one_is_told(app, upload, wu, zheng, feng, work, li):
    sheet = await upload(LI)
    url = f"/api/openings/{sheet['opening_id']}"
    await wu.post(f"{url}/proposal")

    answers = await asyncio.gather(*(who.post(f"{url}/approval") for who in (zheng, feng, zheng)))
    await work()

    assert sorted(answer.status_code for answer in answers) in ([200, 200, 409], [200, 409, 409])
    assert {answer.json().get("code") for answer in answers} >= {"openings.decided"}
    assert await has(li) == (120, 1_250, 6_000)


async def test_approving_while_the_uploader_gives_it_up_has_one_outcome(app, upload, wu, zheng, work, li, clock):
    for _ in range(4):
        sheet = UUID((await upload(LI))["opening_id"])
        async with app.state.sessions.begin() as session:
            await actions.propose(session, actor=wu.actor, opening_id=sheet, now=clock.now)

        async def decide(act, actor, sheet=sheet):
            async with app.state.sessions.begin() as session:
                await act(session, actor=actor, opening_id=sheet, now=clock.now)

        done = await asyncio.gather(
            decide(actions.approve, zheng.actor), decide(actions.withdraw, wu.actor), return_exceptions=True
        )
        assert [isinstance(each, OpeningDecided) for each in done].count(True) == 1
        await work()
        async with app.state.sessions() as session:
            view = await queries.opening_for(session, wu.actor, sheet)
        assert (view.state is OpeningState.POSTED) == (done[0] is None)
        assert await has(li) == ((120, 1_250, 6_000) if done[0] is None else (0, 0, 0))
        if done[0] is None:
            break


async def test_two_sheets_with_one_person_approved_at_once_bring_that_person_once(
    app, upload, wu, zheng, feng, clock, work, li
):
    sheets = [UUID((await upload(LI))["opening_id"]), UUID((await upload(LI, SUN))["opening_id"])]
    for sheet in sheets:
        async with app.state.sessions.begin() as session:
            await actions.propose(session, actor=wu.actor, opening_id=sheet, now=clock.now)

    async def approve(sheet, actor):
        async with app.state.sessions.begin() as session:
            await actions.approve(session, actor=actor, opening_id=sheet, now=clock.now)

    done = await asyncio.gather(approve(sheets[0], zheng.actor), approve(sheets[1], feng.actor), return_exceptions=True)
    await work()

    assert [type(each) for each in done].count(BroughtMeanwhile) == 1
    assert await has(li) == (120, 1_250, 6_000)


async def test_a_crash_in_the_middle_costs_a_piece_and_doubles_nothing(
    app, upload, wu, zheng, clock, work, li, sun, chen, monkeypatch
):
    monkeypatch.setattr(posting, "PIECE", 1)
    chens = ("0012-0003", "", 30, 3, "", "")
    sheet = await approved(app, upload, wu, zheng, clock, LI, SUN, chens)
    async with app.state.sessions.begin() as session:
        assert await posting.post_piece(session, clock.now) == 1
    with pytest.raises(ConnectionError):
        async with app.state.sessions.begin() as session:
            assert await posting.post_piece(session, clock.now) == 1
            raise ConnectionError("the process died before its commit")
    assert (await wu.get(f"/api/openings/{sheet}")).json()["posted"] == 1
    assert "1 / 3 人" in (await wu.get(f"/desk/openings/{sheet}")).text
    assert await has(sun) == (0, 0, 0)

    await work()

    assert [await has(who) for who in (li, sun, chen)] == [(120, 1_250, 6_000), (60, 120_000, 0), (30, 300, 0)]
    assert (await books(app))["opening", "minute"] == -210
    assert await work() == 0


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


async def test_thousands_are_posted_in_pieces(app, upload, wu, zheng, clock, monkeypatch):
    """1,200 people: pieces of 500, with others' postings in between; the same number of queries for each piece."""
    people = [identity.NewPerson(new_id(), f"7000-{n:04}", "众人") for n in range(1_200)]
    async with app.state.sessions.begin() as session:
        await identity.enrol_people(
            session, community_id=HERE, people=people, actor=None, day=local_day(START), now=START
        )
    sheet = await approved(
        app, upload, wu, zheng, clock, *[(person.card_no, "", n + 1, n, 60, "") for n, person in enumerate(people)]
    )
    done = []
    for _ in range(4):
        async with app.state.sessions.begin() as session:
            done.append(await posting.post_piece(session, clock.now))

    assert done == [500, 500, 200, 1]
    view = (await wu.get(f"/api/openings/{sheet}")).json()
    assert (view["state"], view["posted"]) == ("posted", 1_200)
    assert (await books(app))["opening", "minute"] == -sum(range(1, 1_201))
