"""Staff use a voucher for a member without a phone: by the member's PIN, or with a reason and a second person."""

import asyncio
from uuid import uuid4

import pytest

import redemption
from service.identity import set_secret
from tests.cast import HERE, client_of

PIN, WRONG = "314159", "271828"
USES, ASK = "/api/desk/uses", "/api/desk/use-requests"


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


@pytest.fixture
def barbershop(town):
    return str(town.organisations["barbershop"])


@pytest.fixture
async def voucher_id(granny, give, offer_of):
    """Granny's haircut."""
    await give(granny, 100)
    return (await granny.post(f"/api/offers/{await offer_of()}/vouchers", json={})).json()["voucher_id"]


@pytest.fixture
async def pin(app, wu, granny):
    """Granny has a card and a PIN."""
    async with app.state.sessions.begin() as session:
        await set_secret(
            session, community_id=HERE, member_id=granny.actor.member_id, secret=PIN, now=app.state.clock()
        )
    assert (await wu.post("/api/cards", json={"cards": ["0012-0002"]})).status_code == 201


def asked(voucher_id, shop, **fields):
    return {"voucher_id": voucher_id, "shop": shop, "reason": "手机坏了，本人在场", **fields}


def typed(voucher_id, shop, pin=PIN, **fields):
    return {"voucher_id": voucher_id, "shop": shop, "pin": pin, "nonce": str(uuid4()), **fields}


async def proposed(client, voucher_id, shop):
    answer = await client.post(ASK, json=asked(voucher_id, shop))
    assert answer.status_code == 201, answer.text
    return answer.json()["desk_use_id"]


async def test_one_asks_another_agrees_and_every_line_has_both(app, wu, zheng, granny, he, barbershop, voucher_id):
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    assert [each["reason"] for each in (await zheng.get(USES)).json()["waiting"]] == ["手机坏了，本人在场"]

    first = await zheng.post(f"{USES}/{desk_use_id}/confirmation")
    again = await zheng.post(f"{USES}/{desk_use_id}/confirmation")

    assert (first.status_code, first.json()["state"], first.json()["who"]) == (200, "ok", "卡号尾号 0002")
    assert again.json()["state"] == "ok"
    hands = [wu.actor.member_id, zheng.actor.member_id, granny.actor.member_id]
    assert await rows(app, "SELECT clerk_id, on_behalf_of FROM redemption.use") == [tuple(hands[1:])]
    kept = "SELECT state, proposed_by, decided_by, member_id, use_seq FROM desk_use"
    assert await rows(app, kept) == [("done", *hands, 1)]
    line = "SELECT actor_id, on_behalf_of, detail ->> 'asked_by' FROM audit WHERE action = 'vouchers.redeemed_at_desk'"
    assert await rows(app, line) == [(hands[1], hands[2], hands[0].hex)]
    assert len(await rows(app, "SELECT 1 FROM outbox WHERE fact = 'VoucherRedeemed'")) == 1
    [decided] = (await he.get(USES)).json()["decided"]
    assert (decided["proposed_by"], decided["decided_by"]) == (str(hands[0]), str(hands[1]))
    counts = (await he.get("/api/books/approvals?since=2026-11-01&until=2026-11-30")).json()["counts"]
    assert [(each["kind"], each["agreed"]) for each in counts] == [("desk_use", 1)]
    async with app.state.sessions.begin() as session:
        assert await redemption.verify(session, HERE) == []


async def test_the_member_types_the_pin_at_the_desk(app, wu, granny, pin, barbershop, voucher_id):
    use = typed(voucher_id, barbershop)
    answers = [(await wu.post(USES, json=use)).json()["state"] for _ in range(2)]
    assert answers == ["ok", "ok"]
    assert (await wu.post(USES, json=typed(voucher_id, barbershop))).json()["state"] == "used"
    hands = (wu.actor.member_id, granny.actor.member_id)
    assert await rows(app, "SELECT clerk_id, on_behalf_of FROM redemption.use") == [hands]
    assert await rows(app, "SELECT way, proposed_by, decided_by FROM desk_use") == [("pin", *hands)]


async def test_wrong_pins_at_the_desk_and_at_a_counter_are_counted_together(
    app, wu, phone, granny, pin, barbershop, voucher_id
):
    left = [(await wu.post(USES, json=typed(voucher_id, barbershop, WRONG))).json().get("left") for _ in range(4)]
    assert left == [4, 3, 2, 1]
    locked = await wu.post(USES, json=typed(voucher_id, barbershop, WRONG))
    assert (locked.status_code, locked.json()["code"]) == (429, "identity.card_locked")
    assert (await wu.post(USES, json=typed(voucher_id, barbershop))).json()["code"] == "identity.card_locked"
    assert await rows(app, "SELECT tries FROM member_card") == [(5,)]
    assert await rows(app, "SELECT 1 FROM redemption.use") == []
    for table in ("audit", "outbox", "answered", "desk_use"):
        assert WRONG not in str(await rows(app, f"SELECT t::text FROM {table} t"))


async def test_without_a_card_there_is_nothing_to_count_tries_on(wu, barbershop, voucher_id):
    answer = await wu.post(USES, json=typed(voucher_id, barbershop))
    assert (answer.status_code, answer.json()["code"]) == (409, "identity.no_card")


async def test_who_asked_does_not_agree_and_one_question_waits(wu, zheng, barbershop, voucher_id):
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    same = await wu.post(f"{USES}/{desk_use_id}/confirmation")
    assert (same.status_code, same.json()["code"]) == (409, "vouchers.other_hands_needed")
    second = await zheng.post(ASK, json=asked(voucher_id, barbershop))
    assert second.json()["code"] == "vouchers.desk_use_waits"

    assert [(await wu.post(f"{USES}/{desk_use_id}/refusal")).status_code for _ in range(2)] == [204, 204]
    late = await zheng.post(f"{USES}/{desk_use_id}/confirmation")
    assert late.json()["code"] == "vouchers.desk_use_decided"
    await proposed(wu, voucher_id, barbershop)
    assert (await zheng.post(f"{USES}/{uuid4()}/confirmation")).status_code == 404


async def test_the_same_key_asks_once(wu, barbershop, voucher_id):
    answers = [
        await wu.post(ASK, json=asked(voucher_id, barbershop), headers={"idempotency-key": "a"}) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()


async def test_nobody_acts_for_themselves_or_their_household(app, wu, zheng, granny, give, offer_of, barbershop):
    await give(wu, 100)
    own = (await wu.post(f"/api/offers/{await offer_of()}/vouchers", json={})).json()["voucher_id"]
    assert (await wu.post(ASK, json=asked(own, barbershop))).json()["code"] == "vouchers.own_household"
    assert (await wu.post(USES, json=typed(own, barbershop))).json()["code"] == "vouchers.own_household"
    desk_use_id = await proposed(zheng, own, barbershop)
    agreed = await wu.post(f"{USES}/{desk_use_id}/confirmation")
    assert agreed.json()["code"] == "vouchers.own_household"
    assert await rows(app, "SELECT 1 FROM redemption.use") == []


async def test_a_voucher_is_used_where_it_is_good_and_as_far_as_it_goes(wu, town, barbershop, voucher_id):
    elsewhere = str(town.organisations["bakery"])
    assert (await wu.post(ASK, json=asked(voucher_id, elsewhere))).json()["code"] == "vouchers.not_for_this_shop"
    many = await wu.post(ASK, json=asked(voucher_id, barbershop, quantity=2))
    assert many.json()["code"] == "vouchers.not_usable_now"
    assert (await wu.post(ASK, json=asked("9" * 18, barbershop))).status_code == 404
    assert (await wu.post(ASK, json=asked("9" * 19, barbershop))).status_code == 422


@pytest.mark.parametrize("name", ["granny", "barber", "qian", "he", "jiang", "stranger_staff"])
async def test_nobody_else_reaches_it(app, town, wu, barbershop, voucher_id, name):
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    async with client_of(app, town.cookies[name], town.actors[name]) as client:
        refused = [
            await client.post(ASK, json=asked(voucher_id, barbershop)),
            await client.post(USES, json=typed(voucher_id, barbershop)),
            await client.post(f"{USES}/{desk_use_id}/confirmation"),
            await client.post(f"{USES}/{desk_use_id}/refusal"),
        ]
    assert {answer.status_code for answer in refused} <= {403, 404}
    assert await rows(app, "SELECT state FROM desk_use") == [("proposed",)]


async def test_agreeing_beside_a_scan_uses_it_once(app, town, wu, barbershop, voucher_id):
    """Two of staff agree and a third asks to withdraw, all at once: the row's lock makes one use or none of it."""
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    clients = [client_of(app, town.cookies["zheng"], town.actors["zheng"]) for _ in range(3)]
    answers = await asyncio.gather(
        *(client.post(f"{USES}/{desk_use_id}/confirmation") for client in clients),
        wu.post(f"{USES}/{desk_use_id}/refusal"),
    )
    uses = await rows(app, "SELECT 1 FROM redemption.use")
    [(state,)] = await rows(app, "SELECT state FROM desk_use")
    assert (len(uses), state) in ((1, "done"), (0, "refused"))
    assert {answer.status_code for answer in answers} <= {200, 204, 409}
    for client in clients:
        await client.aclose()


async def test_given_away_meanwhile_it_is_not_used_for_who_was_asked_about(
    app, wu, zheng, granny, chen, give, offer_of, barbershop
):
    await give(granny, 100)
    offer_id = await offer_of(is_giftable=True)
    voucher_id = (await granny.post(f"/api/offers/{offer_id}/vouchers", json={})).json()["voucher_id"]
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    given = await granny.post(f"/api/vouchers/{voucher_id}/gift", json={"card_no": "0012-0003", "name": "陈助人"})
    assert given.status_code == 204, given.text

    agreed = await zheng.post(f"{USES}/{desk_use_id}/confirmation")

    assert (agreed.status_code, agreed.json()["code"]) == (409, "vouchers.holder_changed")
    assert await rows(app, "SELECT 1 FROM redemption.use") == []
    assert (await wu.post(f"{USES}/{desk_use_id}/refusal")).status_code == 204
    again = await proposed(wu, voucher_id, barbershop)
    assert (await zheng.post(f"{USES}/{again}/confirmation")).json()["state"] == "ok"


async def test_the_pages_without_a_script(app, wu, zheng, granny, pin, barbershop, voucher_id):
    address = f"/desk/vouchers/{voucher_id}/use"
    shown = (await wu.get(address)).text
    assert "李奶奶" in shown
    assert "请第二个人同意" in shown
    wrong = await wu.post(address, data={"shop": barbershop, "pin": WRONG, "_key": "a"})
    assert (wrong.status_code, WRONG in wrong.text) == (409, False)
    assert "还可以试 4 次" in wrong.text

    question = {"shop": barbershop, "reason": "手抖，按不了", "_key": "b"}
    gone = [await wu.post(f"{address[:-4]}/use-requests", data=question) for _ in range(2)]
    assert {answer.headers["location"] for answer in gone} == {"/desk/uses?done=vouchers.desk_use_asked"}
    [(desk_use_id,)] = await rows(app, "SELECT desk_use_id FROM desk_use")
    confirm = f"/desk/uses/{desk_use_id}/confirm"
    assert confirm not in (await wu.get("/desk/uses")).text
    assert confirm in (await zheng.get("/desk/uses")).text
    assert "/desk/uses" in (await zheng.get("/desk")).text
    used = [await zheng.post(confirm, data={"_key": "c"}) for _ in range(2)]
    assert ["核销成功" in answer.text for answer in used] == [True, True]
    listed = (await zheng.get("/desk/uses")).text
    assert "手抖，按不了" in listed
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1


async def test_a_question_is_taken_back_on_its_page(app, wu, barbershop, voucher_id):
    desk_use_id = await proposed(wu, voucher_id, barbershop)
    answer = await wu.post(f"/desk/uses/{desk_use_id}/refuse", data={"_key": "a"})
    assert answer.headers["location"] == "/desk/uses?done=vouchers.desk_use_refused"
    assert await rows(app, "SELECT state FROM desk_use") == [("refused",)]
