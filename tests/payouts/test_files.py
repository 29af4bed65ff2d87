"""Files of payments for the bank: a statement is in one at most, numbers leave the seal only there, a hash is in the log."""

import asyncio
import hashlib

from service.kit.sheets.grid import read_grid
from tests.payouts.test_payouts import account, approved, shop
from tests.vouchers.conftest import as_owner, give, offer_of, phone, statements, used

__all__ = ["give", "offer_of", "phone", "shop", "statements", "used"]


async def test_a_statement_is_in_one_file_at_most_and_its_hash_is_in_the_log(
    app, town, used, qian, feng, he, barber, shop
):
    await as_owner(app, town, barber)
    batch = await approved(qian, feng, barber)
    missing = await qian.post("/api/payouts/files", json={})
    assert (missing.status_code, missing.json()["code"]) == (409, "redemption.payee_missing")
    await account(qian, feng, shop)
    answers = await asyncio.gather(*(qian.post("/api/payouts/files", json={"settlements": [batch[17:]]}) for _ in "12"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert {answer.json().get("code") for answer in answers} == {None, "redemption.in_bank_file"}
    listed = (await he.get("/api/payouts/files")).json()
    [file] = listed["items"]
    assert (file["number"], file["line_count"], file["fen"], file["live_count"], listed["payable"]) == (
        1,
        1,
        4500,
        1,
        [],
    )
    assert "6222021234567890123" not in (await he.get("/desk/payouts/files")).text

    content = await qian.post(f"/api/payouts/files/{file['file_id']}/content")
    again = await qian.post(f"/desk/payouts/files/{file['file_id']}/content", data={"_key": "c"})
    assert content.content == again.content
    assert "6222021234567890123" in content.text
    assert "45.00" in content.text
    assert "LL000001-001" in content.text
    assert (await he.post(f"/api/payouts/files/{file['file_id']}/content")).status_code == 403
    async with app.state.sessions.begin() as session:
        found = await (await session.connection()).exec_driver_sql(
            "SELECT DISTINCT detail->>'sha256' FROM audit WHERE action LIKE 'payouts.file_%%'"
        )
        assert found.scalars().all() == [hashlib.sha256(content.content).hexdigest()]

    books = [await qian.post(f"/{way}/payouts/files/{file['file_id']}/content?kind=xlsx") for way in ("api", "desk")]
    assert books[0].content == books[1].content
    [headings, paid] = read_grid(books[0].content).rows
    assert (headings[2], paid[2], paid[4], paid[5]) == ("收款账号", "6222021234567890123", "45.00", "LL000001-001")
    assert (await qian.post(f"/api/payouts/files/{file['file_id']}/content?kind=pdf")).status_code in (400, 422)

    assert (await qian.post(f"{batch}/payment", json={"bank_reference": "ICBC-1"})).status_code == 200
    assert (await he.get("/api/payouts/files")).json()["items"][0]["live_count"] == 0
    none = await qian.post("/desk/payouts/files", data={"_key": "m"})
    assert none.status_code == 409


async def test_a_void_file_frees_its_statements_and_numbers_have_no_gap(app, town, used, qian, feng, he, barber, shop):
    await as_owner(app, town, barber)
    await account(qian, feng, shop)
    await approved(qian, feng, barber)
    assert (await qian.post("/desk/payouts/files", data={"_key": "a"})).status_code == 303
    [first] = (await he.get("/api/payouts/files")).json()["items"]
    voided = await qian.post(f"/desk/payouts/files/{first['file_id']}/void", data={"reason": "网银没收到", "_key": "v"})
    assert voided.status_code == 303
    twice = await qian.post(f"/api/payouts/files/{first['file_id']}/void", json={"reason": "再一次"})
    assert (twice.status_code, twice.json()["code"]) == (409, "redemption.bank_file_void")
    second = await qian.post("/api/payouts/files", json={})
    assert [each["number"] for each in second.json()["items"]] == [2, 1]
    page = (await he.get("/desk/payouts/files")).text
    assert "已作废" in page
    assert "网银没收到" in page
    nowhere = "00000000-0000-7000-8000-000000000009"
    assert (await qian.post(f"/api/payouts/files/{nowhere}/content")).status_code == 404
    assert (await qian.post(f"/api/payouts/files/{nowhere}/void", json={"reason": "没有"})).status_code == 404
    unknown = await qian.post("/api/payouts/files", json={"settlements": [nowhere]})
    assert unknown.status_code == 404
