"""Vouchers on paper: printed in batches, never two live papers of one voucher, and a whole batch voided at once."""

import asyncio
import re
from uuid import uuid4

import pytest

from tests.cast import client_of
from tests.vouchers.conftest import scan_of

BATCHES = "/api/paper-batches"


@pytest.fixture
async def held(li, granny, give, offer_of):
    """Ten vouchers of two people."""
    offer_id = await offer_of(per_member_cap=None)
    ids = []
    for client in (li, granny):
        await give(client, 200)
        for _ in range(5):
            taken = await client.post(f"/api/offers/{offer_id}/vouchers", json={})
            ids += [taken.json()["voucher_id"]]
    return ids


async def printed(wu, ids, key="batch"):
    answer = await wu.post(BATCHES, json={"voucher_ids": ids}, headers={"idempotency-key": key})
    assert answer.status_code == 201, answer.text
    return answer.json()["batch_id"]


async def codes_of(wu, batch_id):
    whole = (await wu.get(f"{BATCHES}/{batch_id}")).json()
    return {item["voucher_id"]: item["qr"] for item in whole["items"]}


async def audited(app, action):
    async with app.state.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT actor_id, object_id, detail FROM audit WHERE action = $1", (action,)
        )
        return found.all()


async def test_a_batch_has_distinct_codes_that_are_good_and_a_line_in_the_audit(app, wu, he, phone, held, clock):
    batch_id = await printed(wu, held)

    codes = await codes_of(wu, batch_id)
    assert list(codes) == held
    assert len(set(codes.values())) == 10
    [(actor, object_id, detail)] = await audited(app, "vouchers.batch_printed")
    assert (actor, object_id.replace("-", ""), detail["papers"]) == (wu.actor.member_id, batch_id.replace("-", ""), 10)
    assert (await phone.post("/api/scans", json=scan_of(codes[held[3]], compared=True))).json()["state"] == "ok"
    [seen] = (await he.get(BATCHES)).json()["items"]
    assert (seen["papers"], seen["sheets"], seen["live"], seen["printed_by"]) == (10, 2, 9, "吴办事")


async def test_the_same_batch_asked_for_twice_is_one(wu, held):
    first = await printed(wu, held)
    codes = await codes_of(wu, first)

    assert await printed(wu, held) == first
    assert await codes_of(wu, first) == codes


async def test_printing_again_kills_the_first_paper(wu, phone, held, clock):
    first = await codes_of(wu, await printed(wu, held[:2], "one"))
    second_batch = await printed(wu, held[:1], "two")
    second = await codes_of(wu, second_batch)

    dead = await phone.post("/api/scans", json=scan_of(first[held[0]]))
    assert dead.json()["code"] == "vouchers.scan_code_outdated"
    assert (await phone.post("/api/scans", json=scan_of(second[held[0]], compared=True))).json()["state"] == "ok"
    assert (await phone.post("/api/scans", json=scan_of(first[held[1]], compared=True))).json()["state"] == "ok"


async def test_two_who_print_one_voucher_at_once_leave_one_live_paper(app, town, wu, phone, held, clock):
    clients = [client_of(app, town.cookies["wu"], town.actors["wu"]) for _ in range(6)]
    orders = [held, held[::-1]] * 3
    batches = await asyncio.gather(
        *(printed(client, order, f"race{n}") for n, (client, order) in enumerate(zip(clients, orders, strict=True)))
    )
    live = [(await wu.get(f"{BATCHES}/{each}")).json()["batch"]["live"] for each in batches]

    assert sorted(live) == [0, 0, 0, 0, 0, 10]
    for client in clients:
        await client.aclose()


async def test_a_voided_batch_is_dead_at_once_and_its_vouchers_live_on(app, wu, phone, held, clock):
    batch_id = await printed(wu, held)
    codes = await codes_of(wu, batch_id)
    again = await codes_of(wu, await printed(wu, held[:1], "again"))
    assert (await phone.post("/api/scans", json=scan_of(codes[held[1]], compared=True))).json()["state"] == "ok"

    answer = await wu.post(f"{BATCHES}/{batch_id}/voiding", json={"reason": "一叠纸丢了"})

    assert answer.json() == {"papers": 8}
    for number in held[2:]:
        dead = await phone.post("/api/scans", json=scan_of(codes[number]))
        assert dead.json()["code"] == "vouchers.scan_code_outdated"
    assert (await phone.post("/api/scans", json=scan_of(again[held[0]], compared=True))).json()["state"] == "ok"
    fresh = await codes_of(wu, await printed(wu, held[2:], "fresh"))
    assert (await phone.post("/api/scans", json=scan_of(fresh[held[2]], compared=True))).json()["state"] == "ok"
    [(actor, _, detail)] = await audited(app, "vouchers.batch_voided")
    assert (actor, detail["papers"]) == (wu.actor.member_id, 8)
    twice = await wu.post(f"{BATCHES}/{batch_id}/voiding", json={"reason": "再一次"})
    assert (twice.status_code, twice.json()["code"]) == (409, "redemption.batch_voided")


async def test_a_scan_and_a_voiding_at_once_never_use_a_dead_paper(app, town, wu, phone, held, clock):
    batch_id = await printed(wu, held)
    codes = await codes_of(wu, batch_id)

    answers = await asyncio.gather(
        *(phone.post("/api/scans", json=scan_of(codes[number])) for number in held[:5]),
        wu.post(f"{BATCHES}/{batch_id}/voiding", json={"reason": "丢了"}),
    )

    used = sum(answer.json()["state"] == "ok" for answer in answers[:-1])
    assert answers[-1].json()["papers"] == 10 - used
    whole = (await wu.get(f"{BATCHES}/{batch_id}")).json()
    assert whole["batch"]["live"] == 0
    assert {item["qr"] for item in whole["items"]} == {None}


async def test_staff_choose_see_the_sheets_and_print(wu, held):
    chosen = await wu.get("/desk/papers/choose?cards=0012-0001&new=1")
    ids = re.findall(r'name="ids" value="(\d+)"', chosen.text)
    assert set(ids) == set(held[:5])
    assert "5 张券，1 张 A4 纸" in chosen.text

    answer = await wu.post("/desk/papers", data={"ids": ids})
    paper = await wu.get(answer.headers["location"])
    assert paper.text.count('class="cardv') == 5
    assert "029-0000-0000" in paper.text

    rest = await wu.get("/desk/papers/choose?new=1")
    assert set(re.findall(r'name="ids" value="(\d+)"', rest.text)) == set(held[5:])
    batch = answer.headers["location"].removesuffix("/print")
    listed = await wu.get(f"{batch}/list.csv")
    assert listed.headers["content-type"].startswith("text/csv")
    assert listed.content.count(b"\r\n") == 6
    voided = await wu.post(f"{batch}/void", data={"reason": "印坏了"})
    assert voided.status_code == 303
    assert "印坏了" in (await wu.get(batch)).text
    assert (await wu.get(f"{batch}/print")).text.count('class="cardv') == 0


async def test_nothing_to_print_and_nothing_to_void_are_said(wu, li, held):
    gone = await wu.post(BATCHES, json={"voucher_ids": ["9223372036854775807"]})
    assert (gone.status_code, gone.json()["code"]) == (409, "redemption.nothing_to_print")
    assert (await wu.post(BATCHES, json={"voucher_ids": ["9" * 19]})).status_code == 422
    assert (await wu.post(BATCHES, json={"voucher_ids": []})).status_code == 422
    missing = await wu.post(f"{BATCHES}/{uuid4()}/voiding", json={"reason": "没有"})
    assert (missing.status_code, missing.json()["code"]) == (404, "vouchers.batch_not_found")
    assert (await wu.get(f"/desk/papers/{uuid4()}")).status_code == 404
    assert (await li.get("/desk/papers")).status_code == 403


async def test_another_community_sees_nothing_of_it(wu, stranger_staff, held):
    batch_id = await printed(wu, held)

    assert (await stranger_staff.get(f"{BATCHES}/{batch_id}")).status_code == 404
    assert (await stranger_staff.post(BATCHES, json={"voucher_ids": held})).status_code == 409
    assert (await stranger_staff.post(f"{BATCHES}/{batch_id}/voiding", json={"reason": "丢了"})).status_code == 404


async def test_a_batch_page_costs_the_same_for_one_paper_and_for_ten(wu, held, statements):
    costs = []
    for ids, key in ((held[:1], "one"), (held, "ten")):
        batch_id = await printed(wu, ids, key)
        with statements() as seen:
            assert (await wu.get(f"/desk/papers/{batch_id}")).status_code == 200
        costs.append(len(seen))

    assert costs[0] == costs[1]
