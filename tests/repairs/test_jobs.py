"""Order, lock, on site, done, the resident's code, warranty: a repair from end to end."""

import asyncio
from uuid import uuid4

import pytest

import ledger
import redemption
from service import chart
from service.households.rules import HouseholdKind
from service.repairs import actions
from tests.cast import HERE
from tests.repairs.conftest import TAP

LAMP = {"item": "装灯", "fen_each": 1500}


async def half_price(zheng, jobs):
    given = {"kind": "lonely", "team": str(jobs.team), "percent": 50}
    assert (await zheng.post("/api/entitlements/discounts", json=given)).status_code == 201


async def owed(app, jobs) -> int:
    async with app.state.sessions() as session:
        return await ledger.balance(session, HERE, chart.merchant(jobs.team), chart.FEN)


async def clean(app) -> None:
    async with app.state.sessions.begin() as session:
        assert await redemption.verify(session, HERE) == []
        assert await ledger.verify(session, HERE) == []


async def test_an_order_is_closed_by_the_residents_code(app, jobs, wang):
    path = await jobs.done()
    before = await jobs.look(path)
    assert before["repair"]["state"] == "done"
    assert (before["repair"]["cash_fen"], before["repair"]["payable_fen"]) == (2000, 0)
    assert (await jobs.look(path, "wang"))["repair"]["code"] is None

    accepted = await jobs.accepted(path)

    assert (accepted["state"], accepted["warranty"]) == ("accepted", "none")
    records = (await wang.get("/api/wallet/records")).json()
    assert "40" in str(records)
    assert [line["step"] for line in (await jobs.look(path))["history"]] == [
        "report", "assign", "take", "quote", "agree", "go", "arrive", "finish", "accept",
    ]  # fmt: skip
    await clean(app)


async def test_a_discount_is_paid_by_the_budget_and_a_fifth_of_it_waits(app, clock, jobs, zheng, classify):
    await half_price(zheng, jobs)
    await classify()
    path = await jobs.done()
    seen = await jobs.look(path)
    assert (seen["repair"]["cash_fen"], seen["repair"]["payable_fen"]) == (1000, 1000)
    for who in ("granny", "wang"):
        said = str(await jobs.look(path, who))
        assert not any(f"'{kind.value}'" in said for kind in HouseholdKind)

    assert (await jobs.accepted(path))["warranty"] == "held"
    assert await owed(app, jobs) == 800
    voucher = f"/api/vouchers/{seen['repair']['voucher_id']}"
    gone = await jobs.clients["granny"].post(f"{voucher}/cancellation")
    assert gone.json()["code"] == "redemption.locked"
    await clean(app)

    clock.move(days=7)
    async with app.state.sessions.begin() as session:
        assert await actions.release_warranties(session, clock.now) == 1
    async with app.state.sessions.begin() as session:
        assert await actions.release_warranties(session, clock.now) == 0
    assert await owed(app, jobs) == 1000
    await clean(app)


async def test_minutes_are_those_that_somebody_was_there(clock, jobs):
    path = await jobs.agreed()
    for step in ("departure", "arrival"):
        await jobs.post("wang", f"{path}/{step}")
    clock.move(minutes=9, seconds=1)
    wang = jobs.clients["wang"]
    given = {"minutes": 16, "note": "居民不想拍照"}
    answer = await wang.post(f"{path}/completion", json=given)
    assert (answer.status_code, answer.json()["code"]) == (422, "kit.invalid")
    assert (await jobs.post("wang", f"{path}/completion", given | {"minutes": 15}))["minutes"] == 15


@pytest.mark.parametrize(("decision", "paid"), [("confirmation", 800), ("refusal", 1000)])
async def test_a_warranty_is_claimed_and_decided_by_another(app, clock, jobs, zheng, classify, decision, paid):
    await half_price(zheng, jobs)
    await classify()
    path = await jobs.done()
    await jobs.accepted(path)
    await jobs.post("wu", f"{path}/warranty-claim", {"reason": "又漏了"})
    own = await jobs.clients["wu"].post(f"{path}/warranty-claim/{decision}", json={"reason": "看过了"})
    assert own.json()["code"] == "repairs.second_person_needed"

    await jobs.post("zheng", f"{path}/warranty-claim/{decision}", {"reason": "看过了"})

    assert await owed(app, jobs) == paid
    clock.move(days=8)
    async with app.state.sessions.begin() as session:
        assert await actions.release_warranties(session, clock.now) == 0
    await clean(app)


async def test_a_higher_price_waits_for_the_resident_and_a_lower_holds_at_once(app, jobs):
    path = await jobs.done(TAP)
    dearer = await jobs.post("wang", f"{path}/changes", {"lines": [TAP, LAMP], "reason": "灯也坏了"}, 201)
    code = (await jobs.look(path))["repair"]["code"]
    waits = await jobs.clients["wang"].post(f"{path}/acceptance", json={"code": code, "nonce": str(uuid4())})
    assert waits.json()["code"] == "redemption.change_waits"
    wang = await jobs.clients["wang"].post(f"{path}/changes/{dearer['change_id']}/agreement")
    assert wang.json()["code"] == "repairs.not_yours"
    await jobs.post("granny", f"{path}/changes/{dearer['change_id']}/agreement")
    assert (await jobs.look(path))["repair"]["cash_fen"] == 3500

    await jobs.post("wang", f"{path}/changes", {"lines": [LAMP], "reason": "水龙头拧紧就好"}, 201)

    assert (await jobs.look(path))["repair"]["cash_fen"] == 1500
    await jobs.accepted(path)
    await clean(app)


async def test_a_quote_and_a_yes_at_once_never_agree_to_what_was_not_seen(app, jobs):
    path = await jobs.taken()
    await jobs.post("wang", f"{path}/quote", {"lines": [TAP]})
    seen = (await jobs.look(path))["repair"]
    answers = await asyncio.gather(
        jobs.clients["granny"].post(f"{path}/agreement", json={"revision": seen["revision"]}),
        jobs.clients["wang"].post(f"{path}/quote", json={"lines": [TAP, LAMP]}),
    )
    found = (await jobs.look(path))["repair"]
    told = [found["state"], found["cash_fen"], *(answer.json().get("code") for answer in answers)]
    assert told in (
        ["agreed", 2000, None, "repairs.in_other_state"],
        ["quoted", 3500, "repairs.price_changed", None],
    )
    await clean(app)


async def test_free_help_costs_nothing_and_is_accepted_all_the_same(app, jobs):
    path = await jobs.taken()
    await jobs.post("wang", f"{path}/quote", {"lines": []})
    await jobs.agree(path, "wu")
    for step in ("departure", "arrival"):
        await jobs.post("wang", f"{path}/{step}")
    jobs.clock.move(minutes=20)
    await jobs.post("wang", f"{path}/completion", {"minutes": 20, "note": "居民不想拍照"})
    assert (await jobs.accepted(path))["state"] == "accepted"
    await clean(app)


@pytest.mark.parametrize(
    "line", [{"item": "没有的", "fen_each": 1000}, TAP | {"fen_each": 2500}, TAP | {"fen_each": 1001}]
)
async def test_a_quote_keeps_to_the_list(jobs, line):
    path = await jobs.taken()
    answer = await jobs.clients["wang"].post(f"{path}/quote", json={"lines": [line]})
    assert answer.json()["code"] == "repairs.quote_wrong"


async def test_only_this_orders_code_closes_it(app, jobs, li, offer_of):
    first, second = await jobs.done(minutes=1), await jobs.agreed()
    voucher = (await jobs.look(second))["repair"]["voucher_id"]
    async with app.state.sessions.begin() as session:
        other = await redemption.voucher(session, HERE, int(voucher))
    for code in (other.short_code, "HTTPS://NOWHERE/V/XYZ"):
        answer = await jobs.clients["wang"].post(f"{first}/acceptance", json={"code": code, "nonce": str(uuid4())})
        assert answer.json()["code"] == "repairs.other_voucher"


async def test_others_see_nothing_and_do_nothing(jobs, li, he):
    path = await jobs.agreed()
    assert (await li.get(path)).status_code == 404
    assert (await li.post(f"{path}/agreement", json={"revision": 5})).status_code == 404
    assert (await he.get("/api/desk/repairs")).status_code == 403
    assert (await jobs.clients["granny"].post(f"{path}/departure")).status_code == 403
    again = await jobs.clients["granny"].post(f"{path}/agreement", json={"revision": 5})
    assert again.json() == again.json() | {"code": "repairs.in_other_state"}
    cancelled = await jobs.clients["granny"].post(f"{path}/cancellation", json={})
    assert cancelled.json()["code"] == "repairs.in_other_state"


async def test_a_repairer_declines_with_a_reason_and_it_is_given_to_another(jobs):
    path = await jobs.taken()
    await jobs.post("wang", f"{path}/declining", {"reason": "no_time"})
    assert (await jobs.look(path))["repair"]["repairer"] is None
    assert [each["order_id"] for each in (await jobs.look("/api/desk/repairs", "wu"))["items"]] == [path.split("/")[-1]]


async def test_two_scans_at_once_are_one_acceptance(app, jobs, wang):
    path = await jobs.done()
    code = (await jobs.look(path))["repair"]["code"]
    given = [{"code": code, "nonce": str(uuid4())} for _ in range(2)]
    answers = await asyncio.gather(*(wang.post(f"{path}/acceptance", json=each) for each in given))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len((await jobs.look(path))["history"]) == 9
    await clean(app)


async def test_a_job_is_accepted_by_typed_codes_whatever_it_costs_and_counts_to_no_day(app, jobs):
    """The job's lock is the team's and the price was agreed to: whoever finds the paper can take nothing with it."""
    for _ in range(2):
        path = await jobs.done({"item": "装灯", "fen_each": 1500, "quantity": 4})
        code = (await jobs.look(path))["repair"]["code"]
        async with app.state.engine.connect() as connection:
            typed = "SELECT short_code FROM redemption.voucher ORDER BY issued_at DESC LIMIT 1"
            short_code = (await connection.exec_driver_sql(typed)).scalar_one()
        assert code != short_code
        done = await jobs.post("wang", f"{path}/acceptance", {"code": short_code, "nonce": str(uuid4())})
        assert done["state"] == "accepted"
    async with app.state.engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT 1 FROM static_use")).all() == []
    await clean(app)


async def test_time_does_not_count_twice(app, clock, jobs):
    first, second = await jobs.agreed(), await jobs.agreed()
    for path in (first, second):
        for step in ("departure", "arrival"):
            await jobs.post("wang", f"{path}/{step}")
    clock.move(minutes=40)
    for path in (first, second):
        await jobs.post("wang", f"{path}/completion", {"minutes": 40, "note": "居民不想拍照"})
    await jobs.accepted(first)
    twice = await jobs.accepted(second, 409)
    assert twice["code"] == "records.time_taken"
    assert (await jobs.look(second))["repair"]["state"] == "done"
    await clean(app)


async def test_everybody_has_a_list_of_their_own(jobs):
    await jobs.taken()
    assert len((await jobs.look("/api/repairs/jobs", "wang"))["items"]) == 1
    assert [each["asker"] for each in (await jobs.look("/api/repairs/mine"))["items"]] == ["李奶奶"]
