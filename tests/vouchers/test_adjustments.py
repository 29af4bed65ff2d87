"""A line that the shop has confirmed is corrected by two people, by page and by JSON, and the shop reads why."""

from uuid import uuid4

from tests.vouchers.conftest import as_owner, closed


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
