"""The books: read by the auditor, corrected by finance, proved by anybody who may read them."""

import asyncpg
import pytest

import ledger
from tests.wallet.test_passbook import credit, service_of


async def journals(client, **query):
    return (await client.get("/api/books/journals", params=query)).json()["items"]


async def test_every_unit_of_the_trial_balance_comes_to_zero(app, he, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)

    answer = (await he.get("/api/books/trial-balance")).json()

    assert {total["unit"]: total["amount"] for total in answer["totals"]} == {"point": 0, "minute": 0, "fen": 0}
    page = await he.get("/desk/books")
    assert page.status_code == 200
    assert "平" in page.text
    accounts = await he.get("/desk/books/accounts?kind=member&unit=minute")
    assert "0012-0003 陈**" in accounts.text
    assert "陈助人" not in accounts.text
    account = await he.get(f"/desk/books/account?code=member:{chen.actor.member_id.hex}&unit=minute")
    assert "test:a" in account.text


async def test_journals_are_found_by_reference_reason_and_card(app, he, chen, sun, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock), service_of(sun, "b", clock)], clock.now)

    assert [item["reference"] for item in await journals(he, reference="test:")] == ["test:b", "test:a"]
    assert len(await journals(he, reason="service")) == 2
    assert len(await journals(he, account=f"member:{sun.actor.member_id.hex}")) == 1
    page = await he.get("/desk/books/journals?account=0012-0004")
    assert "test:b" in page.text
    assert "test:a" not in page.text


async def test_a_journal_shows_all_its_legs_and_who(app, he, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    [found] = await journals(he, reference="test:a")

    page = await he.get(f"/desk/books/journals/{found['journal_id']}")

    assert page.status_code == 200
    assert "吴办事" in page.text
    assert "社区食堂帮厨" in page.text
    detail = (await he.get(f"/api/books/journals/{found['journal_id']}")).json()
    assert {(leg["unit"], leg["amount"]) for leg in detail["transfers"]} == {("minute", 60), ("point", 100)}


async def test_a_mistaken_service_is_undone_in_the_record_and_the_ledger(app, he, chen, wu, feng, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    [found] = await journals(he, reference="test:a")
    address = f"/desk/books/journals/{found['journal_id']}/reverse"

    for _ in range(2):
        answer = await feng.post(address, data={"mistake": "wrong_person", "_key": "undo"})
        assert answer.status_code == 303

    wallet = (await chen.get("/api/wallet")).json()
    assert [wallet[name]["amount"] for name in ("service", "coins", "points")] == [0, 0, 0]
    assert (await he.get("/api/books/verification")).json()["is_whole"]
    passbook = await chen.get("/passbook?unit=minute")
    assert "冲正" in passbook.text
    lines = (await chen.get("/api/wallet/statement?unit=minute")).json()["items"]
    original = await chen.get(f"/passbook/lines/{lines[1]['seq']}?unit=minute")
    assert f"/passbook/lines/{lines[0]['seq']}" in original.text
    again = await feng.post(address, data={"mistake": "wrong_person", "_key": "second"})
    assert (again.status_code, "已经冲正过了" in again.text) == (409, True)


async def test_a_pledge_is_undone_in_the_ledger(he, feng, town):
    [pledge] = await journals(he, reason="budget_pledged")

    answer = await feng.post(f"/api/books/journals/{pledge['journal_id']}/reversal", json={"mistake": "entered_twice"})

    assert answer.status_code == 200
    assert answer.json()["reversed_by"] is not None
    [undone] = await journals(he, reason="correction")
    stands = await feng.post(f"/api/books/journals/{undone['journal_id']}/reversal", json={"mistake": "wrong_amount"})
    assert (stands.status_code, stands.json()["code"]) == (409, "wallet.reversal_stands")


async def test_what_is_spent_cannot_be_taken_back(app, he, feng, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    async with app.state.sessions.begin() as session:
        spent = ledger.Leg(f"member:{chen.actor.member_id.hex}", "pool:care", "point", 100)
        gift = ledger.Journal("gift:1", "gift", (spent,), chen.actor.member_id)
        await ledger.post(session, chen.actor.community_id, gift, now=clock.now)
    [found] = await journals(he, reference="test:a")

    answer = await feng.post(f"/api/books/journals/{found['journal_id']}/reversal", json={"mistake": "not_earned"})

    assert (answer.status_code, answer.json()["code"]) == (409, "records.earnings_spent")
    assert (await he.get("/api/books/verification")).json()["is_whole"]


async def test_only_those_who_may_read_and_only_finance_corrects(
    app, he, feng, zheng, wu, li, chen, stranger_staff, clock
):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    [found] = await journals(he, reference="test:a")
    pages = ["/desk/books", "/desk/books/journals", "/desk/books/verify", f"/desk/books/journals/{found['journal_id']}"]

    for client in (li, wu):
        for path in pages:
            assert (await client.get(path)).status_code == 403
    for client in (he, feng, zheng):
        for path in pages:
            assert (await client.get(path)).status_code == 200
    for client in (he, wu, li):
        answer = await client.post(
            f"/api/books/journals/{found['journal_id']}/reversal", json={"mistake": "wrong_person"}
        )
        assert answer.status_code == 403
    assert (await stranger_staff.get(pages[-1])).status_code == 404
    elsewhere = await stranger_staff.post(
        f"/api/books/journals/{found['journal_id']}/reversal", json={"mistake": "wrong_person"}
    )
    assert elsewhere.status_code == 404


async def test_whole_books_are_said_to_be_whole(app, he, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)

    page = await he.get("/desk/books/verify?run=all")
    since_seal = await he.get("/desk/books/verify?run=since_seal")

    assert "账簿完整" in page.text
    assert "账簿完整" in since_seal.text
    assert "封条作证" in since_seal.text
    assert (await he.get("/api/books/verification?run=since_seal")).json()["is_whole"]
    assert (await he.get("/api/books/verification?run=half")).status_code == 422


FAULTS = {
    "records.journal_missing": "UPDATE service_record SET reference = 'elsewhere' WHERE reference = 'test:a'",
    "records.record_missing": "UPDATE service_record SET reference = 'elsewhere' WHERE reference = 'test:a'",
    "records.minutes_differ": "UPDATE service_record SET minutes = minutes + 1 WHERE reference = 'test:a'",
    "records.coins_differ": "UPDATE service_record SET coins = coins - 1 WHERE reference = 'test:a'",
    "records.points_differ": "UPDATE service_record SET points_hundredths = points_hundredths + 1 WHERE reference = 'test:a'",
    "records.journal_unexpected": (
        "UPDATE service_record SET kind = 'honorary', points_hundredths = 0 WHERE reference = 'test:a'"
    ),
    "records.correction_differs": ("UPDATE service_record SET coins = coins + 1 WHERE reference = 'test:b:corrected'"),
    "records.correction_unlinked": (
        "UPDATE ledger.journal SET reverses = (SELECT journal_id FROM ledger.journal WHERE reference = 'test:a')"
        " WHERE reference = 'test:b:corrected'"
    ),
    "records.reversal_missing": "DELETE FROM service_record WHERE reference = 'test:b:corrected'",
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_every_planted_fault_is_named(app, town_database, he, chen, wu, feng, clock, kind):
    await credit(app, wu, [service_of(chen, "a", clock), service_of(chen, "b", clock)], clock.now)
    [found] = await journals(he, reference="test:b")
    undone = await feng.post(f"/api/books/journals/{found['journal_id']}/reversal", json={"mistake": "wrong_person"})
    assert undone.status_code == 200
    assert (await he.get("/api/books/verification")).json()["is_whole"]
    connection = await asyncpg.connect(town_database.superuser_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(FAULTS[kind])
    finally:
        await connection.close()

    answer = (await he.get("/api/books/verification")).json()

    assert not answer["is_whole"]
    assert kind in {fault["kind"] for fault in answer["faults"]}
    page = await he.get("/desk/books/verify?run=all")
    assert "发现错误" in page.text
    assert kind in page.text
