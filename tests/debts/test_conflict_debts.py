"""What somebody owes for vouchers used twice: listed with its age, paid from their points or forgiven, by two."""

import asyncio
from datetime import timedelta

import pytest

import ledger
from service import chart
from service.chart import Reason
from service.kit.ids import new_id
from tests.cast import HERE


@pytest.fixture
def owes(app, clock):
    """Somebody whose voucher was used twice, and the points they have meanwhile."""

    async def owe(client, points: int, *, has: int = 0) -> None:
        member_id = client.actor.member_id
        async with app.state.sessions.begin() as session:
            spec = ledger.AccountSpec(chart.owed(member_id), chart.POINT, None, None)
            await ledger.open_accounts(session, HERE, [spec], now=clock.now)
            legs = (ledger.Leg(chart.owed(member_id), chart.ISSUED, chart.POINT, points * 100),)
            conflict = ledger.Journal(f"conflict:{new_id()}", Reason.VOUCHER_CONFLICT, legs, None)
            await ledger.post(session, HERE, conflict, now=clock.now)
            if has:
                legs = (ledger.Leg(chart.ISSUED, chart.member(member_id), chart.POINT, has * 100),)
                gift = ledger.Journal(f"gift:{new_id()}", Reason.OPENING_BALANCE, legs, None)
                await ledger.post(session, HERE, gift, now=clock.now)

    return owe


async def asked(client, about, way: str):
    body = {"member_id": str(about.actor.member_id), "way": way, "note": "看了记录，本人认"}
    return await client.post("/api/debts/conflicts", json=body)


async def balances(app, client) -> tuple[int, int]:
    """What is owed (below zero) and had."""
    codes = (chart.owed(client.actor.member_id), chart.member(client.actor.member_id))
    async with app.state.sessions() as session:
        owed, has = [await ledger.balance(session, HERE, code, chart.POINT) for code in codes]
        return owed, has


async def test_it_is_listed_since_the_first_and_paid_from_points_by_two(app, owes, li, wu, feng, qian, clock):
    await owes(li, 7)
    first = clock.now
    clock.move(days=3)
    await owes(li, 5, has=8)
    [debt] = (await wu.get("/api/debts")).json()["conflicts"]
    assert (debt["owed"], debt["member_id"]) == (1_200, str(li.actor.member_id))
    assert debt["since"] == first.isoformat().replace("+00:00", "Z")
    page = (await wu.get("/desk/books/debts")).text
    assert "一张券用了两回欠的" in page
    assert li.actor.card_no in page

    proposed = await asked(wu, li, "collect")
    assert proposed.status_code == 201, proposed.text
    assert (await asked(qian, li, "collect")).json()["code"] == "debts.waits"
    confirm = f"/api/debts/{proposed.json()['request_id']}/confirmation"
    assert (await feng.post(confirm)).json()["done_hundredths"] == 800
    assert await balances(app, li) == (-400, 0)
    assert (await asked(wu, li, "collect")).json()["code"] == "debts.no_points"

    rest = (await asked(qian, li, "forgive")).json()["request_id"]
    own = await qian.post(f"/api/debts/{rest}/confirmation")
    assert own.json()["code"] == "debts.second_person_needed"
    assert (await feng.post(f"/api/debts/{rest}/confirmation")).status_code == 200
    assert await balances(app, li) == (0, 0)
    assert (await wu.get("/api/debts")).json()["conflicts"] == []
    assert (await asked(wu, li, "forgive")).json()["code"] == "debts.nothing_owed"
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


async def test_since_begins_anew_after_it_was_paid(owes, li, wu, feng, clock):
    await owes(li, 2)
    await feng.post(f"/api/debts/{(await asked(wu, li, 'forgive')).json()['request_id']}/confirmation")
    clock.now += timedelta(days=9)
    await owes(li, 1)

    [debt] = (await wu.get("/api/debts")).json()["conflicts"]

    assert (debt["owed"], debt["since"]) == (100, clock.now.isoformat().replace("+00:00", "Z"))


async def test_paid_and_forgiven_at_once_it_ends_at_nothing(app, owes, li, wu, feng, qian):
    """Either may be first: the other is told that nothing is owed. Never is more given than was owed."""
    await owes(li, 6, has=6)
    numbers = [(await asked(wu, li, way)).json()["request_id"] for way in ("collect", "forgive")]

    answers = await asyncio.gather(
        feng.post(f"/api/debts/{numbers[0]}/confirmation"), qian.post(f"/api/debts/{numbers[1]}/confirmation")
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert (await balances(app, li))[0] == 0


async def test_paid_while_it_is_being_undone_it_is_not_paid_twice(app, owes, li, wu, feng, clock):
    """Whoever pays waits for the book, and reads what is owed afterwards."""
    await owes(li, 6, has=6)
    confirm = f"/api/debts/{(await asked(wu, li, 'collect')).json()['request_id']}/confirmation"
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, chart.owed(li.actor.member_id), chart.POINT, 600),)
        undone = ledger.Journal(f"undone:{new_id()}", Reason.VOUCHER_USE_REVERSED, legs, None)
        await ledger.post(session, HERE, undone, now=clock.now)
        paying = asyncio.create_task(feng.post(confirm))
        await asyncio.sleep(0.5)
        assert not paying.done()

    answer = await paying

    assert answer.json()["code"] == "debts.nothing_owed"
    assert await balances(app, li) == (0, 600)


async def test_by_forms_and_nobody_elses(owes, li, wu, feng, stranger_staff, app):
    await owes(li, 3, has=5)
    form = {"member_id": str(li.actor.member_id), "way": "collect", "note": "本人来还", "_key": "c"}
    assert (await stranger_staff.post("/desk/books/debts/conflicts", data=form)).status_code == 409
    assert (await stranger_staff.get("/api/debts")).json()["conflicts"] == []
    assert (await wu.post("/desk/books/debts/conflicts", data=form)).status_code == 303
    page = (await feng.get("/desk/books/debts")).text
    number = page.split("/desk/books/debts/")[1].split("/confirm")[0]
    assert (await feng.post(f"/desk/books/debts/{number}/confirm", data={"_key": "d"})).status_code == 303
    assert await balances(app, li) == (0, 200)
    assert (await wu.post("/desk/books/debts/conflicts", data={**form, "note": "", "_key": "e"})).status_code == 422
