"""Two who decide at once, a period that closes meanwhile, a crash in the middle, thousands of rows."""

import asyncio
import sys
from datetime import date
from uuid import UUID

import pytest

from service import identity
from service.imports.openings import actions, posting, queries
from service.imports.openings.rules import BroughtMeanwhile, OpeningDecided, OpeningState
from service.kit.clock import local_day
from service.kit.ids import new_id
from tests.cast import HERE, START
from tests.imports.openings import LI, SUN, approved, books, bring, close_october, has, upload, work

pytestmark = pytest.mark.slow

__all__ = ["bring", "upload", "work"]


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

    async def die_before_the_commit() -> None:
        async with app.state.sessions.begin() as session:
            assert await posting.post_piece(session, clock.now) == 1
            raise ConnectionError("the process died")

    with pytest.raises(ConnectionError):
        await die_before_the_commit()
    assert (await wu.get(f"/api/openings/{sheet}")).json()["posted"] == 1
    assert "1 / 3 人" in (await wu.get(f"/desk/openings/{sheet}")).text
    assert await has(sun) == (0, 0, 0)

    await work()

    assert [await has(who) for who in (li, sun, chen)] == [(120, 1_250, 6_000), (60, 120_000, 0), (30, 300, 0)]
    assert (await books(app))["opening", "minute"] == -210
    assert await work() == 0


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


async def test_a_process_killed_in_the_middle_is_followed_by_one_that_goes_on(
    app, upload, wu, zheng, clock, work, town_database
):
    """Kill -9 of the worker, twice: whatever was committed stands, the rest follows, nobody has twice."""
    people = [identity.NewPerson(new_id(), f"7000-{n:04}", "众人") for n in range(700)]
    async with app.state.sessions.begin() as session:
        await identity.enrol_people(
            session, community_id=HERE, people=people, actor=None, day=local_day(START), now=START
        )
    sheet = await approved(app, upload, wu, zheng, clock, *[(person.card_no, "", 60, 1, 60, "") for person in people])
    for least in (1, 200):
        words = [sys.executable, "-m", "tests.imports.post_openings", town_database.app_url]
        worker = await asyncio.create_subprocess_exec(*words)
        done = 0
        while done < least:
            await asyncio.sleep(0.02)
            assert worker.returncode is None
            done = (await wu.get(f"/api/openings/{sheet}")).json()["posted"]
        worker.kill()
        await worker.wait()
        done = (await wu.get(f"/api/openings/{sheet}")).json()["posted"]
        assert least <= done < 700
        found = await books(app)
        assert found["opening", "minute"] == -60 * done
        assert found["opening", "point"] == -100 * done

    await work()

    assert (await wu.get(f"/api/openings/{sheet}")).json()["posted"] == 700
    assert (await books(app))["opening", "minute"] == -60 * 700
