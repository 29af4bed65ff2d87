"""A member without a phone: the card says who, the PIN pays, five wrong ones lock it."""

import asyncio
from uuid import uuid4

import pytest

from service.identity import knows_secret, set_secret
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, client_of
from tests.vouchers.conftest import scan_of

PIN, WRONG = "314159", "271828"
USES = "/api/shop/card-uses"


@pytest.fixture
async def card(app, wu, granny, give, offer_of):
    """Granny's card, her PIN, and a haircut of hers."""
    await give(granny, 100)
    offer_id = await offer_of()
    taken = await granny.post(f"/api/offers/{offer_id}/vouchers", json={})
    async with app.state.sessions.begin() as session:
        await set_secret(
            session, community_id=HERE, member_id=granny.actor.member_id, secret=PIN, now=app.state.clock()
        )
    printed = await wu.post("/api/cards", json={"cards": ["0012-0002"]})
    assert printed.status_code == 201, printed.text
    [item] = printed.json()["items"]
    return {"code": item["qr"], "voucher_id": taken.json()["voucher_id"]}


def use_of(card, pin=PIN, **fields):
    return {"code": card["code"], "voucher_id": card["voucher_id"], "pin": pin, "nonce": str(uuid4()), **fields}


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


async def test_a_card_and_its_pin_pay_once_and_both_stand_in_the_audit(app, phone, granny, card, clock):
    scanned = (await phone.post("/api/scans", json=scan_of(card["code"]))).json()
    assert (scanned["state"], scanned["code"]) == ("question", "vouchers.scan_card")
    assert scanned["url"].startswith("/shop/cards/C")
    seen = (await phone.post("/api/shop/cards", json={"code": card["code"]})).json()
    assert (seen["tail"], [each["title"] for each in seen["items"]]) == ("0002", ["理发一次"])

    asked = use_of(card)
    first = await phone.post(USES, json=asked)
    again = await phone.post(USES, json=asked)
    other = await phone.post(USES, json=use_of(card))

    assert (first.status_code, first.json()["state"], first.json()["who"]) == (200, "ok", "卡号尾号 0002")
    assert again.json()["state"] == "ok"
    assert other.json()["state"] == "used"
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    found = await rows(app, "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'vouchers.redeemed_by_card'")
    assert found == [(phone.actor.member_id, granny.actor.member_id)]
    assert len(await rows(app, "SELECT 1 FROM outbox WHERE fact = 'VoucherRedeemed'")) == 1


async def test_five_wrong_pins_lock_and_the_office_unlocks(app, wu, phone, granny, card, clock):
    answers = [await phone.post(USES, json=use_of(card, WRONG)) for _ in range(6)]

    assert [answer.json().get("left") for answer in answers[:4]] == [4, 3, 2, 1]
    assert [answer.json()["code"] for answer in answers[4:]] == ["identity.card_locked"] * 2
    assert answers[-1].status_code == 429
    right = await phone.post(USES, json=use_of(card))
    assert right.json()["code"] == "identity.card_locked"
    assert (await wu.post(f"/api/cards/{granny.actor.member_id}/unlocking")).status_code == 204
    assert (await phone.post(USES, json=use_of(card))).json()["state"] == "ok"


async def test_sixteen_wrong_pins_at_once_are_five_looks_at_most(app, town, card, clock, monkeypatch):
    looks = []

    async def counted(*arguments):
        looks.append(arguments)
        return await knows_secret(*arguments)

    monkeypatch.setattr("service.identity.actions_cards.knows_secret", counted)
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in range(16)]

    answers = await asyncio.gather(*(client.post(USES, json=use_of(card, WRONG)) for client in clients))

    assert len(looks) <= 5
    assert sum(answer.status_code == 409 for answer in answers) <= 4
    assert await rows(app, "SELECT tries FROM member_card") == [(5,)]
    for client in clients:
        await client.aclose()


async def test_two_counters_at_once_pay_once(app, town, card, clock):
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in range(2)]
    for client in clients:
        client.cookies.set(DEVICE_COOKIE, str(uuid4()))

    answers = await asyncio.gather(*(client.post(USES, json=use_of(card)) for client in clients))

    assert sorted(answer.json()["state"] for answer in answers) == ["ok", "used"]
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    for client in clients:
        await client.aclose()


async def test_a_card_printed_again_or_withdrawn_opens_nothing(wu, phone, granny, card, clock):
    again = (await wu.post("/api/cards", json={"cards": ["0012-0002"]})).json()["items"][0]["qr"]
    dead = await phone.post(USES, json=use_of(card))
    assert (dead.status_code, dead.json()["code"]) == (404, "identity.card_unknown")
    assert (await phone.post("/api/shop/cards", json={"code": again})).status_code == 200

    assert (await wu.post(f"/api/cards/{granny.actor.member_id}/withdrawal")).status_code == 204
    assert (await phone.post("/api/shop/cards", json={"code": again})).status_code == 404


async def test_another_persons_voucher_is_not_paid_by_this_pin(app, li, phone, give, offer_of, card, clock):
    await give(li, 100)
    taken = await li.post(f"/api/offers/{await offer_of()}/vouchers", json={})

    answer = await phone.post(USES, json=use_of(card, voucher_id=taken.json()["voucher_id"]))

    assert answer.status_code == 404
    assert await rows(app, "SELECT 1 FROM redemption.use") == []


async def test_another_shop_sees_none_of_it_and_another_community_no_card(zhou, stranger_shop, card, clock):
    assert (await zhou.post("/api/shop/cards", json={"code": card["code"]})).json()["items"] == []
    refused = await zhou.post(USES, json=use_of(card))
    assert refused.json()["code"] == "vouchers.scan_wrong_merchant"
    assert (await stranger_shop.post("/api/shop/cards", json={"code": card["code"]})).status_code == 404


async def test_a_clerk_does_not_use_the_card_of_their_own_household(
    app, phone, granny, wu, give, offer_of, card, clock
):
    await give(phone, 100)
    offer_id = await offer_of()
    own = (await phone.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    async with app.state.sessions.begin() as session:
        await set_secret(session, community_id=HERE, member_id=phone.actor.member_id, secret=PIN, now=clock.now)
    mine = (await wu.post("/api/cards", json={"cards": ["0012-0007"]})).json()["items"][0]["qr"]

    answer = await phone.post(USES, json=use_of({"code": mine, "voucher_id": own["voucher_id"]}))

    assert answer.json()["code"] == "vouchers.scan_own_voucher"


async def test_the_pages_without_a_script_and_the_pin_stands_nowhere(app, wu, phone, card, capfd, clock):
    address = f"/shop/cards/{card['code'].rpartition('/')[2]}"
    assert "理发一次" in (await phone.get(address)).text
    wrong = await phone.post(address, data={"voucher_id": card["voucher_id"], "pin": WRONG, "_key": "a"})
    assert wrong.status_code == 409
    assert "还可以试 4 次" in wrong.text
    assert WRONG not in wrong.text
    right = await phone.post(address, data={"voucher_id": card["voucher_id"], "pin": PIN, "_key": "b"})
    assert "核销成功" in right.text
    asked = {"cards": "0012-0002\n0012-0001", "_key": "p"}
    printed, again = [await wu.post("/desk/cards/print", data=asked) for _ in range(2)]
    assert printed.headers["location"] == again.headers["location"]
    sheet, reloaded = [await wu.get(printed.headers["location"]) for _ in range(2)]
    assert sheet.text.count('class="cardv"') == reloaded.text.count('class="cardv"') == 2
    assert await rows(app, "SELECT card_seq FROM member_card ORDER BY card_seq") == [(1,), (2,)]
    assert (await wu.get("/desk/cards/sheet?at=1")).status_code == 404
    unknown = await wu.post("/desk/cards/print", data={"cards": "0012-0002\n0012-9999", "_key": "q"})
    assert "没有这个卡号" in unknown.text
    assert (await wu.get(printed.headers["location"])).status_code == 200
    for table in ("audit", "outbox", "answered", "scan_refusal", "member_card"):
        kept = str(await rows(app, f"SELECT t::text FROM {table} t"))
        assert PIN not in kept
        assert WRONG not in kept
    said = capfd.readouterr()
    assert PIN not in said.out + said.err
    assert WRONG not in said.out + said.err
