"""A repair is closed by the resident's member card and PIN, on the repairer's phone: the same acceptance, the card's own tries."""

import asyncio
from uuid import uuid4

import pytest

from service.identity import knows_secret, set_secret
from tests.cast import HERE, client_of
from tests.repairs.test_jobs import clean, half_price

PIN, WRONG = "314159", "271828"


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


async def printed(app, wu, card_no, member_id):
    """A card for somebody, whose PIN is known."""
    async with app.state.sessions.begin() as session:
        await set_secret(session, community_id=HERE, member_id=member_id, secret=PIN, now=app.state.clock())
    [item] = (await wu.post("/api/cards", json={"cards": [card_no]})).json()["items"]
    return item["qr"]


@pytest.fixture
async def card(app, wu, granny):
    """Granny's card, and her PIN."""
    return await printed(app, wu, "0012-0002", granny.actor.member_id)


async def shown(jobs, path, card, pin=PIN, who="wang"):
    return await jobs.clients[who].post(f"{path}/card-acceptance", json={"card": card, "pin": pin})


async def test_the_card_and_its_pin_close_the_order_as_the_code_does(app, jobs, zheng, classify, card, wang, granny):
    await half_price(zheng, jobs)
    await classify()
    path = await jobs.done()

    first = await shown(jobs, path, card)
    again = await shown(jobs, path, card, WRONG)

    assert (first.status_code, first.json()["state"], first.json()["warranty"]) == (200, "accepted", "held")
    assert again.json() == first.json(), "an accepted order looks at no PIN"
    assert await rows(app, "SELECT quantity, code_seq FROM redemption.use") == [(4, None)]
    assert await rows(app, "SELECT state FROM redemption.voucher") == [("LOCKED",)]
    served = await rows(app, "SELECT member_id, minutes FROM service_record WHERE reference LIKE 'repair:%'")
    assert served == [(wang.actor.member_id, 40)]
    said = await rows(app, "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'repairs.accepted_by_card'")
    assert said == [(wang.actor.member_id, granny.actor.member_id)]
    assert [line["step"] for line in (await jobs.look(path))["history"]][-1] == "accept"
    await clean(app)


async def test_the_number_may_be_typed_but_somebody_without_a_card_has_no_tries_to_count(app, wu, jobs, granny):
    path = await jobs.done()
    none = await shown(jobs, path, "0012-0002")
    assert (none.status_code, none.json()["code"]) == (409, "identity.no_card")

    await printed(app, wu, "0012-0002", granny.actor.member_id)

    assert (await shown(jobs, path, "0012-0002")).json()["state"] == "accepted"


async def test_tries_at_the_door_and_at_a_counter_are_one_count(app, wu, jobs, barber, card, granny):
    path = await jobs.done()
    for _ in range(3):
        await shown(jobs, path, card, WRONG)
    asked = {"code": card, "voucher_id": "1", "pin": WRONG, "nonce": str(uuid4())}

    fourth = await barber.post("/api/shop/card-uses", json=asked)
    fifth = await shown(jobs, path, card, WRONG)
    right = await shown(jobs, path, card)

    assert (fourth.json()["code"], fourth.json()["left"]) == ("identity.pin_wrong", 1)
    assert [answer.json()["code"] for answer in (fifth, right)] == ["identity.card_locked"] * 2
    assert (await jobs.look(path))["repair"]["state"] == "done"
    assert (await wu.post(f"/api/cards/{granny.actor.member_id}/unlocking")).status_code == 204
    assert (await shown(jobs, path, card)).json()["state"] == "accepted"


async def test_sixteen_wrong_pins_at_the_door_and_the_counter_at_once_are_five_looks(
    app, town, jobs, card, monkeypatch
):
    looks = []

    async def counted(*arguments):
        looks.append(arguments)
        return await knows_secret(*arguments)

    monkeypatch.setattr("service.identity.actions_cards.knows_secret", counted)
    path = await jobs.done()
    doors = [client_of(app, town.cookies["wang"], town.actors["wang"]) for _ in range(8)]
    counters = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in range(8)]
    asked = {"code": card, "voucher_id": "1", "pin": WRONG}

    await asyncio.gather(
        *(door.post(f"{path}/card-acceptance", json={"card": card, "pin": WRONG}) for door in doors),
        *(each.post("/api/shop/card-uses", json={**asked, "nonce": str(uuid4())}) for each in counters),
    )

    assert len(looks) == 5
    assert await rows(app, "SELECT tries FROM member_card") == [(5,)]
    for client in doors + counters:
        await client.aclose()


async def test_four_phones_with_the_card_and_one_with_the_code_are_one_acceptance(app, town, jobs, card, monkeypatch):
    """The order's lock makes them one: without it the others break on the history's key."""
    path = await jobs.done()
    code = (await jobs.look(path))["repair"]["code"]
    phones = [client_of(app, town.cookies["wang"], town.actors["wang"]) for _ in range(5)]
    together = asyncio.Barrier(5)

    async def all_at_once(*arguments):
        known = await knows_secret(*arguments)
        await together.wait()
        return known

    async def by_code(phone):
        await together.wait()
        return await phone.post(f"{path}/acceptance", json={"code": code, "nonce": str(uuid4())})

    monkeypatch.setattr("service.identity.actions_cards.knows_secret", all_at_once)
    answers = await asyncio.gather(
        *(phone.post(f"{path}/card-acceptance", json={"card": card, "pin": PIN}) for phone in phones[:4]),
        by_code(phones[4]),
    )

    assert [(answer.status_code, answer.json()["state"]) for answer in answers] == [(200, "accepted")] * 5
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    assert len(await rows(app, "SELECT 1 FROM service_record WHERE reference LIKE 'repair:%'")) == 1
    assert len(await rows(app, "SELECT 1 FROM repair_line WHERE step = 'accept'")) == 1
    for phone in phones:
        await phone.aclose()


async def test_another_card_a_dead_one_and_one_of_a_stranger_count_no_try(app, wu, jobs, li, card, granny):
    path = await jobs.done()
    other = await printed(app, wu, "0012-0001", li.actor.member_id)
    assert (await shown(jobs, path, other)).json()["code"] == "repairs.other_card"
    assert (await shown(jobs, path, "0012-0001")).json()["code"] == "repairs.other_card"

    await wu.post("/api/cards", json={"cards": ["0012-0002"]})
    assert (await shown(jobs, path, card)).json()["code"] == "identity.card_unknown"
    await wu.post(f"/api/cards/{granny.actor.member_id}/withdrawal")
    assert (await shown(jobs, path, "0012-0002")).json()["code"] == "identity.no_card"
    assert (await shown(jobs, path, "nonsense")).json()["code"] == "identity.card_unknown"
    assert set(await rows(app, "SELECT tries FROM member_card")) == {(0,)}


async def test_a_card_withdrawn_while_its_pin_is_looked_at_accepts_nothing(app, wu, jobs, card, granny, monkeypatch):
    path = await jobs.done()

    async def slowly(*arguments):
        assert (await wu.post(f"/api/cards/{granny.actor.member_id}/withdrawal")).status_code == 204
        return await knows_secret(*arguments)

    monkeypatch.setattr("service.identity.actions_cards.knows_secret", slowly)

    assert (await shown(jobs, path, card)).json()["code"] == "identity.card_unknown"
    assert (await jobs.look(path))["repair"]["state"] == "done"


async def test_only_its_repairer_and_only_when_it_is_done(app, jobs, card, he):
    path = await jobs.agreed()
    early = await shown(jobs, path, card)
    assert (early.status_code, early.json()["code"]) == (409, "repairs.in_other_state")
    assert (await shown(jobs, path, card, who="li")).status_code == 403
    assert await rows(app, "SELECT tries FROM member_card") == [(0,)]


async def test_nobody_accepts_by_the_card_of_the_own_household(app, jobs, card, granny_at_home, wang):
    """They may have moved in together since the order was given out."""
    path = await jobs.done()
    async with app.state.engine.begin() as connection:
        await connection.exec_driver_sql(
            f"UPDATE member SET household_id = '{granny_at_home}' WHERE member_id = '{wang.actor.member_id}'"
        )

    answer = await shown(jobs, path, card)

    assert answer.json()["code"] == "redemption.own_voucher"
    assert (await jobs.look(path))["repair"]["state"] == "done"


async def test_the_pages_without_a_script_and_the_pin_stands_nowhere(app, jobs, card, wang, capfd):
    path = (await jobs.done()).removeprefix("/api")
    scan = await wang.post(f"{path}/accept", data={"code": card, "nonce": str(uuid4()), "_key": "a"})
    assert (scan.status_code, scan.headers["location"]) == (303, f"{path}/cards/{card.rpartition('/')[2]}")
    number = await wang.post(f"{path}/accept", data={"code": "0012-0002", "nonce": str(uuid4()), "_key": "b"})
    assert number.headers["location"] == f"{path}/cards/0012-0002"
    other = await wang.post(f"{path}/accept", data={"code": "0012-0001", "nonce": str(uuid4()), "_key": "c"})
    assert (other.status_code, "没有有效的会员卡" in other.text) == (409, True)
    assert "卡号尾号 0002" in (await wang.get(scan.headers["location"])).text

    wrong = await wang.post(scan.headers["location"], data={"pin": WRONG, "_key": "d"})
    right = await wang.post(scan.headers["location"], data={"pin": PIN, "_key": "e"})
    again = await wang.post(scan.headers["location"], data={"pin": PIN, "_key": "e"})

    assert (wrong.status_code, "还可以试 4 次" in wrong.text, WRONG in wrong.text) == (409, True, False)
    assert (right.status_code, right.headers["location"]) == (303, f"{path}?done=repairs.accepted")
    assert again.headers["location"] == right.headers["location"]
    assert (await wang.get(scan.headers["location"])).status_code == 303
    for table in ("audit", "outbox", "answered", "member_card", "repair_line"):
        kept = str(await rows(app, f"SELECT t::text FROM {table} t"))
        assert PIN not in kept
        assert WRONG not in kept
    said = capfd.readouterr()
    assert PIN not in said.out + said.err
    assert WRONG not in said.out + said.err
