"""Sales of caring merchants: every line once, judged for itself."""

from datetime import timedelta

import pytest

import ledger
from service import chart
from service.fund.rules import Basis
from service.kit.clock import local_day
from tests.cast import HERE, START
from tests.fund.conftest import line, owed, rows, sent

pytestmark = pytest.mark.anyio
TODAY = local_day(START)


async def test_every_line_of_a_till_gives_and_the_same_again_changes_nothing(app, zhou, bakery):
    batch = {"lines": [line(1), line(2, sales=3), line(3, 5, day=TODAY - timedelta(days=30))]}

    first = await zhou.post(sent(bakery), json=batch)
    again = await zhou.post(sent(bakery), json=batch)

    assert first.status_code == 200
    assert [(each["row"], each["outcome"], each["gift_fen"]) for each in first.json()["lines"]] == [
        (1, "given", 10),
        (2, "given", 30),
        (3, "given", 10),
    ]
    assert again.json() | {"lines": None} == {
        "given": 0, "again": 3, "nothing": 0, "refused": 0, "unsure": 0, "gift_fen": 0, "lines": None,
    }  # fmt: skip
    assert await owed(app, bakery) == [50]
    assert (await zhou.get(f"/api/fund/shops/{bakery}")).json()["open_fen"] == 50


async def test_a_thousandth_is_rounded_down_for_each_line_and_less_than_a_fen_is_nothing(app, zhou, rated, town):
    shop = await rated(town.organisations["bakery"], 5, Basis.PER_MILLE)

    answer = (await zhou.post(sent(shop), json={"lines": [line(1, 399), line(2, 199), line(3, 200)]})).json()

    assert [(each["outcome"], each["gift_fen"]) for each in answer["lines"]] == [
        ("given", 1),
        ("nothing", 0),
        ("given", 1),
    ]
    assert await owed(app, shop) == [2]


async def test_a_bad_line_is_refused_alone_with_its_row_and_its_reason(app, zhou, bakery):
    lines = [
        line("good 1"),
        line("ahead", day=TODAY + timedelta(days=1)),
        line("old", day=TODAY - timedelta(days=32)),
        {"number": "no day", "amount_fen": 5},
        line("no money", 0),
        line("half", 12) | {"amount_fen": 12.5},
        line("bell\x07"),
        "not even a line",
        line("good 1"),
        line("good 1", 99),
        line("good 2"),
    ]

    answer = (await zhou.post(sent(bakery), json={"lines": lines})).json()

    assert [(each["outcome"], each["code"]) for each in answer["lines"]] == [
        ("given", None),
        ("refused", "fund.sale_ahead"),
        ("refused", "fund.sale_too_old"),
        *[("refused", "fund.line_unreadable")] * 5,
        ("again", None),
        ("refused", "fund.number_reused"),
        ("given", None),
    ]
    assert all(bool(each["reason"]) == (each["outcome"] == "refused") for each in answer["lines"])
    assert await owed(app, bakery) == [20]


async def test_a_number_is_never_used_for_something_else(app, zhou, bakery):
    await zhou.post(sent(bakery), json={"lines": [line(1)]})

    for other in (line(1, 1251), line(1, day=TODAY - timedelta(days=1)), line(1, sales=2)):
        answer = (await zhou.post(sent(bakery), json={"lines": [other, line("next")]})).json()
        assert answer["lines"][0]["code"] == "fund.number_reused"
        assert answer["lines"][1]["outcome"] in ("given", "again")

    assert await owed(app, bakery) == [20]


async def test_before_the_first_rate_and_after_the_last_one_nothing_is_given(app, zhou, rated, town, clock):
    shop = await rated(town.organisations["bakery"], 10, days_ago=10)
    clock.move(days=3)
    await rated(shop, 0, days_ago=2)
    first = TODAY - timedelta(days=9)
    days = [first - timedelta(days=1), first, TODAY + timedelta(days=1), TODAY + timedelta(days=2)]

    answer = (await zhou.post(sent(shop), json={"lines": [line(day, day=day) for day in days]})).json()

    assert [each["code"] for each in answer["lines"]] == ["fund.no_rate", None, None, "fund.no_rate"]
    assert await owed(app, shop) == [20]


async def test_a_closed_period_takes_no_line(app, zhou, bakery, town):
    async with app.state.sessions.begin() as session:
        closed = START - timedelta(days=5)
        await ledger.close_period(session, HERE, until=closed, actor_id=town.actors["qian"].member_id, now=START)

    answer = (await zhou.post(sent(bakery), json={"lines": [line(1, day=TODAY - timedelta(days=9)), line(2)]})).json()

    assert [(each["outcome"], each["code"]) for each in answer["lines"]] == [
        ("refused", "ledger.period_closed"),
        ("given", None),
    ]
    assert await rows(app, "SELECT number FROM fund_sale") == [("2",)]


async def test_only_those_who_serve_there_or_sit_at_the_desk_send_for_a_shop(
    barber, zhou, wu, qian, li, stranger_staff, bakery
):
    batch = {"lines": [line(1)]}

    assert (await barber.post(sent(bakery), json=batch)).status_code == 404
    assert (await barber.get(f"/api/fund/shops/{bakery}")).status_code == 404
    assert (await stranger_staff.post(sent(bakery), json=batch)).status_code == 404
    assert (await li.post(sent(bakery), json=batch)).status_code == 403
    assert (await wu.post(sent(bakery), json=batch)).json()["given"] == 1
    assert (await zhou.post(sent(bakery), json=batch)).json()["again"] == 1
    assert (await zhou.get(sent(bakery))).json()["items"][0]["way"] == "desk"


async def test_a_line_is_taken_back_by_the_shop_for_some_days_and_by_staff_afterwards(app, zhou, wu, bakery, clock):
    await zhou.post(sent(bakery), json={"lines": [line(1), line(2)]})
    back = f"/api/fund/shops/{bakery}/corrections"

    first = await zhou.post(back, json={"number": "1", "reason": "打错了"})
    again = await zhou.post(back, json={"number": "1", "reason": "打错了"})
    other = await wu.post(back, json={"number": "1", "reason": "别的"})
    clock.move(days=8)
    late = await zhou.post(back, json={"number": "2", "reason": "打错了"})
    staff = await wu.post(back, json={"number": "2", "reason": "店里来电"})
    unknown = await wu.post(back, json={"number": "3", "reason": "店里来电"})

    assert [first.status_code, again.status_code, staff.status_code] == [204, 204, 204]
    assert other.json()["code"] == "fund.corrected_before"
    assert late.json()["code"] == "fund.too_late_to_correct"
    assert unknown.status_code == 404
    assert await owed(app, bakery) == [0]
    found = (await zhou.get(sent(bakery))).json()["items"]
    assert [(each["number"], each["corrected_reason"]) for each in found] == [("2", "店里来电"), ("1", "打错了")]
    async with app.state.sessions() as session:
        assert list(await ledger.verify(session, HERE)) == []


async def test_a_rate_takes_two_people_and_begins_tomorrow_at_the_earliest(wu, qian, feng, zheng, town):
    shop = town.organisations["barbershop"]
    where = f"/api/fund/shops/{shop}/rates"
    rate = {"basis": "per_sale", "value": 1, "effective_from": (TODAY + timedelta(days=1)).isoformat()}

    early = await wu.post(where, json=rate | {"effective_from": TODAY.isoformat()})
    made = (await qian.post(where, json=rate)).json()
    second = await wu.post(where, json=rate)
    self_agreed = await qian.post(f"{where}/{made['rate_id']}/agreement")
    agreed = await feng.post(f"{where}/{made['rate_id']}/agreement")
    pressed_twice = await feng.post(f"{where}/{made['rate_id']}/agreement")
    late = await zheng.post(f"{where}/{made['rate_id']}/refusal")
    taken = (await wu.post(where, json=rate)).json()
    same_day = await feng.post(f"{where}/{taken['rate_id']}/agreement")
    withdrawn = await wu.post(f"{where}/{taken['rate_id']}/refusal")

    assert early.json()["code"] == "fund.rate_too_early"
    assert second.json()["code"] == "fund.rate_waits"
    assert self_agreed.json()["code"] == "fund.second_person_needed"
    assert agreed.json() == pressed_twice.json()
    assert agreed.json()["state"] == "agreed"
    assert late.json()["code"] == "fund.rate_decided"
    assert same_day.json()["code"] == "fund.rate_taken"
    assert withdrawn.json()["state"] == "withdrawn"


async def test_no_sum_is_made_up(app, zhou, bakery):
    await zhou.post(sent(bakery), json={"lines": [line(number, number) for number in range(1, 30)]})

    async with app.state.sessions() as session:
        promised = await ledger.balance(session, HERE, chart.PROMISED, chart.FEN)
    assert promised == 290
    assert await owed(app, bakery) == [290]
    assert await rows(app, "SELECT sum(gift_fen)::bigint, count(*) FROM fund_sale") == [(290, 29)]
