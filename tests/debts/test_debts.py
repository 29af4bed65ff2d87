"""A wrong posting that is spent: two people allow a debt, the posting is undone, the debt is made good or forgiven by two."""

import asyncio

import pytest

import ledger
from service import chart
from service.chart import Reason
from service.debts import actions, queries
from service.debts.rules import NothingOwed
from service.kit.ids import new_id
from tests.cast import HERE
from tests.wallet.conftest import statements

__all__ = ["statements"]


@pytest.fixture
def gift(app, clock):
    """Points that somebody got, spent or not; answers the entry's number."""

    async def give(client, points: int, *, spent: int = 0, reference: str | None = None) -> int:
        account = chart.member(client.actor.member_id)
        async with app.state.sessions.begin() as session:
            legs = (ledger.Leg(chart.ISSUED, account, chart.POINT, points * 100),)
            journal = ledger.Journal(reference or f"gift:{new_id()}", Reason.OPENING_BALANCE, legs, None)
            posted = await ledger.post(session, HERE, journal, now=clock.now)
            if spent:
                away = (ledger.Leg(account, chart.CARE, chart.POINT, spent * 100),)
                await ledger.post(
                    session, HERE, ledger.Journal(f"spent:{new_id()}", Reason.SERVICE, away, None), now=clock.now
                )
        return posted.journal_id

    return give


async def allow(proposer, confirmer, card: str, points: int):
    body = {"card_no": card, "points": points, "note": "同一天记了两次，已经换了面包"}
    proposed = await proposer.post("/api/debts/allowances", json=body)
    assert proposed.status_code == 201, proposed.text
    return await confirmer.post(f"/api/debts/{proposed.json()['request_id']}/confirmation")


async def in_debt(gift, li, wu, feng, qian, points: int = 20) -> None:
    """Li got points twice, spent them, and one of the postings was undone."""
    entry = await gift(li, points, spent=points)
    assert (await allow(wu, feng, li.actor.card_no, points)).status_code == 200
    undone = await qian.post(f"/api/books/journals/{entry}/reversal", json={"mistake": "entered_twice"})
    assert undone.status_code < 300, undone.text


async def has(app, client) -> int:
    async with app.state.sessions() as session:
        return await ledger.balance(session, HERE, chart.member(client.actor.member_id), chart.POINT)


async def test_without_permission_a_spent_posting_is_not_undone_and_the_sentence_says_where_to_go(gift, li, qian):
    entry = await gift(li, 20, spent=20)

    refused = await qian.post(f"/api/books/journals/{entry}/reversal", json={"mistake": "entered_twice"})

    assert (refused.status_code, refused.json()["code"]) == (409, "wallet.value_spent")
    assert "欠分" in refused.json()["title"]


async def test_with_permission_of_two_it_is_and_the_debt_stands_on_the_page_with_its_age(
    app, gift, li, wu, feng, qian, he, clock
):
    await in_debt(gift, li, wu, feng, qian)
    clock.move(days=9)
    await gift(li, 5)

    assert await has(app, li) == -1_500
    (debt,) = (await he.get("/api/debts")).json()["debts"]
    assert (debt["owed"], debt["limit"], debt["member_id"]) == (1_500, 2_000, str(li.actor.member_id))
    assert debt["since"].startswith("2026-11-22T02:00")
    page = (await he.get("/desk/books/debts")).text
    assert li.actor.card_no in page
    assert ">9<" in page
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []


async def test_whoever_proposed_does_not_agree(wu, feng, qian, li):
    body = {"card_no": li.actor.card_no, "points": 20, "note": "记重了"}
    number = (await qian.post("/api/debts/allowances", json=body)).json()["request_id"]

    own = await qian.post(f"/api/debts/{number}/confirmation")
    staff = await wu.post(f"/api/debts/{number}/confirmation")

    assert (own.status_code, own.json()["code"]) == (409, "debts.second_person_needed")
    assert staff.status_code == 403
    again = await feng.post("/api/debts/allowances", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "debts.waits")


async def test_a_debt_is_written_off_by_two_and_the_permission_goes_with_it(app, gift, li, wu, feng, qian):
    await in_debt(gift, li, wu, feng, qian)
    await gift(li, 5)
    body = {"member_id": str(li.actor.member_id), "note": "搬走了"}
    number = (await qian.post("/api/debts/write-offs", json=body)).json()["request_id"]
    await gift(li, 3)  # made good in part between the proposal and the decision

    answers = await asyncio.gather(*(feng.post(f"/api/debts/{number}/confirmation") for _ in range(3)))

    assert {answer.status_code for answer in answers} == {200}
    done = (await qian.get("/api/debts")).json()
    assert (done["debts"], done["decided"][0]["done_hundredths"]) == ([], 1_200)
    assert await has(app, li) == 0
    async with app.state.sessions() as session:
        assert (await queries.allowance(session, HERE, li.actor.member_id)).limit == 0
        assert await ledger.balance(session, HERE, chart.WRITEOFF, chart.POINT) == -1_200
        assert await ledger.verify(session, HERE) == []
    assert "欠分核销" in (await li.get("/passbook")).text


async def test_earning_while_it_is_written_off_forgives_no_more_than_is_owed(app, gift, li, wu, feng, qian, clock):
    """Somebody earns in a transaction that has the head: the decision waits, reads again and forgives the rest."""
    await in_debt(gift, li, wu, feng, qian)
    body = {"member_id": str(li.actor.member_id), "note": "搬走了"}
    number = (await qian.post("/api/debts/write-offs", json=body)).json()["request_id"]
    legs = (ledger.Leg(chart.ISSUED, chart.member(li.actor.member_id), chart.POINT, 800),)

    async with app.state.sessions.begin() as session:
        await ledger.post(session, HERE, ledger.Journal("earned", Reason.SERVICE, legs, None), now=clock.now)
        deciding = asyncio.create_task(feng.post(f"/api/debts/{number}/confirmation"))
        await asyncio.sleep(0.3)
        assert not deciding.done()
    assert (await deciding).json()["done_hundredths"] == 1_200

    assert await has(app, li) == 0


async def test_nothing_owed_nothing_forgiven(app, gift, li, wu, feng, qian, clock):
    none = await qian.post("/api/debts/write-offs", json={"member_id": str(li.actor.member_id), "note": "搬走了"})
    assert (none.status_code, none.json()["code"]) == (409, "debts.nothing_owed")
    await in_debt(gift, li, wu, feng, qian)
    async with app.state.sessions.begin() as session:
        made = await actions.propose_write_off(
            session, actor=qian.actor, member_id=li.actor.member_id, note="搬走了", now=clock.now
        )
    await gift(li, 20)
    with pytest.raises(NothingOwed):
        async with app.state.sessions.begin() as session:
            await actions.confirm(session, actor=feng.actor, request_id=made, now=clock.now)
    page = (await qian.get("/desk/books/debts")).text
    assert "没有人欠分" in page
    assert "核销欠分" in page  # the proposal still waits


async def test_a_limit_below_what_is_owed_is_refused_and_none_takes_it_back(app, gift, li, wu, feng, qian):
    await in_debt(gift, li, wu, feng, qian)
    low = await wu.post("/api/debts/allowances", json={"card_no": li.actor.card_no, "points": 5, "note": "太多了"})
    assert (low.json()["code"], low.json()["owed"]) == ("debts.owes_more", 20)
    await gift(li, 20)
    assert (await allow(wu, feng, li.actor.card_no, 0)).status_code == 200
    async with app.state.sessions() as session:
        assert (await queries.allowance(session, HERE, li.actor.member_id)).limit == 0


async def test_the_form_keeps_what_was_typed_and_says_what_is_wrong(wu):
    typed = {"card_no": "0099-9999", "points": "20", "note": "记重了", "_key": "x"}
    page = await wu.post("/desk/books/debts/allowances", data=typed)

    assert page.status_code == 404
    assert "没有这个卡号" in page.text
    assert 'value="0099-9999"' in page.text
    short = await wu.post("/desk/books/debts/allowances", data={**typed, "points": "-1", "note": "", "_key": "y"})
    assert short.status_code == 422


async def test_the_page_goes_round_by_forms(gift, li, wu, feng, qian, app):
    entry = await gift(li, 20, spent=20)
    form = {"card_no": li.actor.card_no, "points": "20", "note": "记重了", "_key": "a"}
    assert (await wu.post("/desk/books/debts/allowances", data=form)).status_code == 303
    page = (await feng.get("/desk/books/debts")).text
    number = page.split("/desk/books/debts/")[1].split("/confirm")[0]
    assert "允许欠分" in (await feng.get("/desk")).text
    assert (await feng.post(f"/desk/books/debts/{number}/confirm", data={"_key": "b"})).status_code == 303
    await qian.post(f"/api/books/journals/{entry}/reversal", json={"mistake": "entered_twice"})
    assert "核销" in (await wu.get("/desk/books/debts")).text
    assert await has(app, li) == -2_000


async def test_the_cost_does_not_grow_with_the_debts(gift, li, sun, chen, wu, feng, qian, statements):
    await in_debt(gift, li, wu, feng, qian)
    with statements() as few:
        assert len((await qian.get("/api/debts")).json()["debts"]) == 1
    for other in (sun, chen):
        await in_debt(gift, other, wu, feng, qian)
    with statements() as many:
        assert len((await qian.get("/api/debts")).json()["debts"]) == 3
    assert len(many) == len(few)


async def test_another_community_sees_nothing_of_it(gift, li, wu, feng, qian, stranger_staff):
    await in_debt(gift, li, wu, feng, qian)

    assert (await stranger_staff.get("/api/debts")).json()["debts"] == []
