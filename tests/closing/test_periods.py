"""A month is closed by two people; nothing takes effect in it afterwards; all of it is said in words."""

import asyncio
from datetime import date, timedelta
from functools import partial

import pytest

import ledger
from service import chart
from service.chart import Reason
from service.closing import actions, queries
from service.closing.rules import ClosingDecided, closes_at, end_of_last_month
from tests.cast import HERE, START

OCTOBER = date(2026, 10, 31)


async def propose(client, last_day=OCTOBER):
    return await client.post("/api/books/closings", json={"last_day": last_day.isoformat()})


async def test_one_proposes_another_confirms_and_october_is_closed(app, qian, feng, li, book_on):
    await book_on(li, 500, date(2026, 10, 20))
    proposed = await propose(qian)
    assert proposed.status_code == 201
    number = proposed.json()["closing_id"]

    own = await qian.post(f"/api/books/closings/{number}/confirmation")
    assert (own.status_code, own.json()["code"]) == (409, "closing.second_person_needed")
    with pytest.raises(AssertionError):
        await _refused(book_on, li)
    confirmed = await feng.post(f"/api/books/closings/{number}/confirmation")

    assert confirmed.json()["state"] == "closed"
    assert confirmed.json()["proposed_by"] != confirmed.json()["decided_by"]
    await _refused(book_on, li)
    await book_on(li, 500)
    listed = (await qian.get("/api/books/closings")).json()
    assert listed["closed_until"].startswith("2026-10-31T16:00")
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []


async def _refused(book_on, li) -> None:
    """Asserts that nothing takes effect on the last moment of October any more."""
    try:
        await book_on(li, 100, OCTOBER)
    except ledger.PeriodClosed:
        return
    raise AssertionError("it was posted")


async def test_what_cannot_be_closed_is_refused_in_words(qian, close):
    not_over = await propose(qian, date(2026, 11, 22))
    assert (not_over.status_code, not_over.json()["code"]) == (409, "closing.not_over")
    await close(last_day=OCTOBER)
    again = await propose(qian)
    assert (again.status_code, again.json()["code"]) == (409, "closing.closed_already")
    page = await qian.post("/desk/books/closings", data={"last_day": "2026-09-30", "_key": "x"})
    assert page.status_code == 409
    assert "已经结账到 10 月 31 日" in page.text
    assert 'value="2026-09-30"' in page.text


async def test_one_proposal_at_a_time_even_at_once(qian, feng):
    answers = await asyncio.gather(*(propose(who) for who in (qian, feng, qian, feng)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "closing.waits"}


async def test_of_two_who_decide_at_once_one_is_told_that_it_is_decided(qian, feng, app, town, clock):
    number = (await propose(qian)).json()["closing_id"]

    confirmed, withdrawn = await asyncio.gather(
        feng.post(f"/api/books/closings/{number}/confirmation"), qian.post(f"/api/books/closings/{number}/withdrawal")
    )

    assert sorted((confirmed.status_code, withdrawn.status_code)) == [200, 409]
    async with app.state.sessions() as session:
        closed = await queries.closed_until(session, HERE)
        view = await queries.closing_for(session, HERE, confirmed.json().get("closing_id") or number)
    assert (closed is not None) == (view.state == "closed") == (confirmed.status_code == 200)


async def test_a_proposal_that_was_taken_back_closes_nothing_and_makes_room(qian, feng, app, clock):
    number = (await propose(qian)).json()["closing_id"]
    await qian.post(f"/api/books/closings/{number}/withdrawal")

    late = await feng.post(f"/api/books/closings/{number}/confirmation")

    assert (late.status_code, late.json()["code"]) == (409, "closing.decided")
    assert (await propose(feng)).status_code == 201
    async with app.state.sessions.begin() as session:
        with pytest.raises(ClosingDecided):
            await actions.confirm_closing(session, actor=feng.actor, closing_id=number, now=clock.now)


async def test_a_posting_under_way_stands_and_the_closing_waits_for_it(app, qian, feng, li, clock):
    """The book's head decides: who has it first is judged by the old rule, and is committed before the closing is."""
    number = (await propose(qian)).json()["closing_id"]
    legs = (ledger.Leg(chart.ISSUED, chart.member(li.actor.member_id), chart.POINT, 100),)
    journal = partial(ledger.Journal, reason=Reason.SERVICE, legs=legs, actor_id=None)
    october = closes_at(OCTOBER) - timedelta(hours=1)

    async with app.state.sessions.begin() as session:
        await ledger.post(session, HERE, journal("early", effective_at=october), now=clock.now)
        closing = asyncio.create_task(feng.post(f"/api/books/closings/{number}/confirmation"))
        await asyncio.sleep(0.3)
        assert not closing.done()
    assert (await closing).status_code == 200

    async with app.state.sessions.begin() as session:
        (late,) = await ledger.post_many(session, HERE, [journal("late", effective_at=october)], now=clock.now)
        (again,) = await ledger.post_many(session, HERE, [journal("early", effective_at=october)], now=clock.now)
    assert isinstance(late, ledger.PeriodClosed)
    assert isinstance(again, ledger.Posted)


async def test_what_is_open_is_asked_of_every_slice_and_late_entries_are_shown(app, qian, li, book_on, clock):
    await book_on(li, 300, date(2026, 10, 3))
    clock.move(days=20)

    page = await qian.get("/desk/books/closings", params={"last_day": "2026-10-31"})
    found = (await qian.get("/api/books/open", params={"last_day": "2026-10-31"})).json()

    assert "没有还没办完的事" in page.text
    assert "生效日期在这一段里的凭证有 1 张" in page.text
    assert (found["unfinished"], found["late_count"], len(found["late"])) == ([], 1, 1)


async def test_the_cost_of_the_history_does_not_grow(app, qian, close, clock, statements):
    await close(last_day=date(2026, 8, 31))
    with statements() as few:
        assert (await qian.get("/desk/books/closings")).status_code == 200
    for month in (9, 10):
        await close(last_day=date(2026, month, 30))
    with statements() as many:
        assert (await qian.get("/desk/books/closings")).status_code == 200
    assert len(many) == len(few)


async def test_the_second_person_finds_it_in_the_inbox_and_the_first_does_not(qian, feng):
    await propose(qian)

    assert "结账到 2026 年 10 月 31 日" in (await feng.get("/desk")).text
    assert "结账到 2026 年 10 月 31 日" not in (await qian.get("/desk")).text
    assert (await feng.get("/desk/books/closings")).status_code == 200


async def test_another_community_sees_nothing_of_it(qian, stranger_staff):
    number = (await propose(qian)).json()["closing_id"]

    assert (await stranger_staff.get(f"/api/books/closings/{number}")).status_code == 404
    assert (await stranger_staff.post(f"/api/books/closings/{number}/confirmation")).status_code == 404


def test_the_usual_day_is_the_end_of_last_month():
    assert end_of_last_month(date(2026, 3, 1)) == date(2026, 2, 28)
    assert closes_at(OCTOBER) < START
