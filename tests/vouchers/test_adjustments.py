"""A line that the shop has confirmed is corrected by two people, by page and by JSON, and the shop reads why."""

from uuid import uuid4

import sqlalchemy as sa

from service.audits.papers import papers
from tests.audits.test_approvals import API as APPROVALS
from tests.audits.test_approvals import DAYS, one_household, plant
from tests.cast import HERE
from tests.redemption.crowd import all_at_once
from tests.vouchers.conftest import as_owner, closed

WHY = {"cause": "dispute", "reason": "顾客没有来过"}


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(sa.text(query))]


async def proposed(qian, statement, line=1):
    made = await qian.post(f"/api/settlements/{statement}/lines/{line}/corrections", json=WHY)
    assert made.status_code == 201, made.text
    return made.json()["correction_id"]


async def agreed(client, correction_id):
    return await client.post(f"/api/corrections/{correction_id}/confirmation")


async def confirmed(app, town, qian, barber):
    """A statement of three haircuts that the barber agrees with."""
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    answer = await barber.post(f"/api/shop/settlements/{item['settlement_id']}/confirmation")
    assert answer.status_code == 200
    return item["settlement_id"]


async def test_two_people_correct_a_line_and_the_next_statement_shows_it(
    app, town, used, qian, feng, he, li, barber, clock
):
    statement = await confirmed(app, town, qian, barber)
    before = (await li.get("/api/wallet")).json()["points"]["amount"]
    address = f"/desk/settlements/{statement}/lines/1/correction"
    assert address in (await qian.get(f"/desk/settlements/{statement}")).text
    assert "提出更正" in (await qian.get(address)).text
    assert "提出更正" not in (await he.get(address)).text

    empty = await qian.post(address, data={"cause": "warranty", "reason": "", "_key": "e"})
    assert empty.status_code == 422
    made = await qian.post(address, data={"cause": "warranty", "reason": "第二天就坏了", "_key": "m"})
    assert made.headers["location"] == f"{address}?done=vouchers.correction_proposed"
    again = await qian.post(address, data={"cause": "warranty", "reason": "第二天就坏了", "_key": "n"})
    assert again.status_code == 409
    assert "已经更正过" in again.text
    assert "line_to_correct" in str((await feng.get("/api/inbox")).json())
    assert "line_to_correct" not in str((await qian.get("/api/inbox")).json())
    [waiting] = (await feng.get("/api/corrections")).json()["items"]
    assert (waiting["line_no"], waiting["cause"], waiting["state"], waiting["points"]) == (
        1,
        "warranty",
        "proposed",
        20,
    )
    own = await qian.post(f"/desk/corrections/{waiting['correction_id']}/confirm", data={"_key": "o"})
    assert own.status_code == 409
    agreed = await feng.post(f"/desk/corrections/{waiting['correction_id']}/confirm", data={"_key": "a"})
    assert agreed.headers["location"] == f"{address}?done=vouchers.correction_agreed"

    assert (await li.get("/api/wallet")).json()["points"]["amount"] == before + 2000
    assert (await feng.get("/api/corrections")).json()["items"] == []
    [told] = (await barber.get(f"/api/shop/settlements/{statement}/corrections")).json()["items"]
    assert (told["state"], told["reason"], told["decided_by"]) == ("done", "第二天就坏了", str(feng.actor.member_id))
    assert "下一期里扣回" in (await barber.get(f"/shop/settlements/{statement}")).text
    assert "已更正" in (await qian.get(f"/desk/settlements/{statement}")).text
    clock.move(days=1)
    # The shop has earned nothing since, so nothing is closed.
    answer = await qian.post("/api/settlements", json={"until": "2026-11-23", "shop": told["shop"]})
    assert [each["refused"] for each in answer.json()["items"]] == ["redemption.correction_waits"]
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


async def test_by_json_a_correction_is_taken_back_and_proposed_anew(app, town, used, qian, feng, barber, he, li):
    statement = await confirmed(app, town, qian, barber)
    before = (await li.get("/api/wallet")).json()["points"]["amount"]
    asked = {"cause": "dispute", "reason": "顾客没有来过"}
    path = f"/api/settlements/{statement}/lines/2/corrections"
    assert (await he.post(path, json=asked)).status_code == 403
    made = [await qian.post(path, json=asked, headers={"idempotency-key": "once"}) for _ in range(2)]
    assert [each.status_code for each in made] == [201, 201]
    first = made[0].json()["correction_id"]
    assert made[1].json()["correction_id"] == first
    assert (await feng.post(path, json=asked)).json()["code"] == "redemption.already_adjusted"

    back = await qian.post(f"/api/corrections/{first}/withdrawal")
    assert (back.status_code, back.json()["state"]) == (200, "refused")
    late = await feng.post(f"/api/corrections/{first}/confirmation")
    assert (late.status_code, late.json()["code"]) == (409, "redemption.adjustment_decided")
    assert (await li.get("/api/wallet")).json()["points"]["amount"] == before

    second = (await qian.post(path, json=asked)).json()["correction_id"]
    done = await feng.post(f"/api/corrections/{second}/confirmation")
    assert (done.status_code, done.json()["state"], done.json()["carried_number"]) == (200, "done", None)
    states = [each["state"] for each in (await he.get(f"/api/settlements/{statement}/corrections")).json()["items"]]
    assert sorted(states) == ["done", "refused"]
    assert (await li.get("/api/wallet")).json()["points"]["amount"] == before + 2000

    missing = await qian.post(path.replace("/2/", "/9/"), json=asked)
    assert (missing.status_code, missing.json()["code"]) == (404, "redemption.line_unknown")
    assert (await qian.get(f"/desk/settlements/{statement}/lines/9/correction")).status_code == 404
    unknown = await feng.post(f"/api/corrections/{uuid4()}/confirmation")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "redemption.adjustment_unknown")


async def test_no_other_shop_and_no_other_community_reads_a_correction(
    app, town, used, qian, barber, zhou, stranger_shop, stranger_staff
):
    statement = await confirmed(app, town, qian, barber)
    for client in (zhou, stranger_shop):
        assert (await client.get(f"/api/shop/settlements/{statement}/corrections")).status_code == 404
    made = await qian.post(
        f"/api/settlements/{statement}/lines/1/corrections", json={"cause": "dispute", "reason": "顾客没有来过"}
    )
    other = await stranger_staff.post(f"/api/corrections/{made.json()['correction_id']}/confirmation")
    assert other.status_code == 404


async def test_agreeing_twice_at_once_is_written_down_once(app, town, used, qian, feng, barber, town_database):
    """Both presses have read that it waits and stand at the correction's row; without a key only the library knows."""
    correction = await proposed(qian, await confirmed(app, town, qian, barber))
    answers = await all_at_once(
        town_database,
        [agreed(feng, correction) for _ in range(2)],
        holding="SELECT FROM redemption.adjustment FOR UPDATE",
    )
    assert [(each.status_code, each.json()["state"]) for each in answers] == [(200, "done")] * 2
    assert await rows(app, "SELECT count(*) FROM audit WHERE action = 'vouchers.correction_agreed'") == [(1,)]
    assert await rows(app, "SELECT count(*) FROM outbox WHERE fact = 'VoucherReturned'") == [(1,)]


async def test_nobody_proposes_about_their_own_households_voucher(app, town, used, qian, li, barber, town_database):
    statement = await confirmed(app, town, qian, barber)
    await plant(town_database, *one_household(li, qian))

    answer = await qian.post(f"/api/settlements/{statement}/lines/1/corrections", json=WHY)

    assert (answer.status_code, answer.json()["code"]) == (409, "vouchers.own_use")
    assert "请别的同事" in answer.json()["title"]


async def test_nobody_agrees_about_their_own_households_voucher_but_they_may_say_no(
    app, town, used, qian, feng, li, barber, town_database
):
    correction = await proposed(qian, await confirmed(app, town, qian, barber))
    await plant(town_database, *one_household(li, feng))

    answer = await agreed(feng, correction)

    assert (answer.status_code, answer.json()["code"]) == (409, "vouchers.own_use")
    back = await feng.post(f"/api/corrections/{correction}/withdrawal")
    assert (back.status_code, back.json()["state"]) == (200, "refused")


async def test_the_two_are_not_of_one_household(app, town, used, qian, feng, barber, town_database):
    correction = await proposed(qian, await confirmed(app, town, qian, barber))
    await plant(town_database, *one_household(qian, feng))
    answer = await agreed(feng, correction)
    assert (answer.status_code, answer.json()["code"]) == (409, "vouchers.one_household")
    own = await agreed(qian, correction)
    assert own.json()["code"] == "redemption.same_person"


async def test_nobody_decides_a_dispute_about_their_own_households_voucher(
    app, town, used, qian, feng, li, barber, town_database
):
    await as_owner(app, town, barber)
    [item] = await closed(qian)
    statement = item["settlement_id"]
    objected = await barber.post(
        f"/api/shop/settlements/{statement}/disputes", json={"line_no": 1, "reason": "没有来过"}
    )
    assert objected.status_code == 200, objected.text
    await plant(town_database, *one_household(li, feng))
    decision = {"decision": "reversed", "reason": "问过了"}
    answer = await feng.post(f"/api/settlements/{statement}/disputes/1/resolution", json=decision)
    assert (answer.status_code, answer.json()["code"]) == (409, "vouchers.own_use")


async def test_the_passbook_the_auditor_and_who_approved_what_know_a_correction(
    app, town, used, qian, feng, he, li, barber, town_database
):
    correction = await proposed(qian, await confirmed(app, town, qian, barber), 2)
    assert (await agreed(feng, correction)).status_code == 200
    [(journal, voucher_id, statement)] = await rows(
        app,
        "SELECT u.reversal_journal_id, u.voucher_id, a.settlement_id FROM redemption.adjustment a"
        " JOIN redemption.use u ON u.community_id = a.community_id AND u.voucher_id = a.voucher_id AND u.seq = a.use_seq",
    )
    line = (await li.get("/api/wallet/statement?unit=point")).json()["items"][0]
    assert (line["amount"], line["title"]) == (2000, "理发一次")
    shown = await li.get(f"/passbook/lines/{line['seq']}?unit=point")
    assert f"/vouchers/{voucher_id}" in shown.text
    async with app.state.sessions.begin() as session:
        found, _people = await papers(session, HERE, [journal])
    assert ("兑换项目", "理发一次") in found[journal].facts
    assert "已更正" in str(found[journal].facts)

    [counted] = [
        each for each in (await he.get(APPROVALS, params=DAYS)).json()["counts"] if each["kind"] == "correction"
    ]
    assert (counted["decider"], counted["agreed"], counted["refused"]) == (str(feng.actor.member_id), 1, 0)
    await plant(town_database, *one_household(qian, feng, li))
    flags = [each for each in (await he.get(APPROVALS, params=DAYS)).json()["flags"] if each["kind"] == "correction"]
    assert sorted(each["role"] for each in flags) == ["correction_asked", "holder"]
    page = await he.get("/desk/books/approvals", params=DAYS)
    place = f"/desk/settlements/{statement}/lines/2/correction"
    assert place in page.text
    assert "提出更正的人" in page.text
    assert (await he.get(place)).status_code == 200
    english = await he.get("/desk/books/approvals", params=DAYS, headers={"accept-language": "en"})
    assert "the person who asked for the correction" in english.text
