"""The counter: one scan, one answer, exactly once, whoever asks how often."""

import asyncio
from uuid import uuid4

import redemption
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, client_of
from tests.vouchers.conftest import code_of, scan_of


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


async def test_a_scan_redeems_and_says_what_to_hand_over(app, phone, haircut, clock):
    answer = await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["state"], said["item"], said["value"]) == ("ok", "理发一次", "20 分")
    assert said["who"] == "卡号尾号 0001"
    assert said["points"] == 20
    assert said["undo_until"] is not None
    assert await rows(app, "SELECT fact FROM outbox WHERE fact = 'VoucherRedeemed'") != []
    assert len(await rows(app, "SELECT 1 FROM audit WHERE action = 'vouchers.redeemed'")) == 1


async def test_a_second_scan_says_when_and_where_it_was_used(phone, haircut, clock):
    await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    clock.move(seconds=20)

    answer = await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    assert answer.status_code == 409
    assert answer.headers["content-type"].startswith("application/problem+json")
    said = answer.json()
    assert said["state"] == "used"
    assert "小李理发店" in said["detail"]


async def test_the_same_scan_gets_the_same_answer_for_ever(app, phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    first = (await phone.post("/api/scans", json=asked)).json()
    clock.move(hours=5)  # the code's minute is long over

    again = (await phone.post("/api/scans", json=asked)).json()

    assert (again["state"], again["item"], again["value"]) == (first["state"], first["item"], first["value"])
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    assert len(await rows(app, "SELECT 1 FROM outbox WHERE fact = 'VoucherRedeemed'")) == 1


async def test_a_refusal_stays_a_refusal_for_the_same_scan(phone, haircut, clock):
    clock.move(minutes=10)
    asked = scan_of(haircut["qr"])
    first = await phone.post("/api/scans", json=asked)
    clock.move(minutes=-10)  # were it judged again, the code would be good

    again = await phone.post("/api/scans", json=asked)

    assert first.status_code == 410
    assert first.json()["code"] == "vouchers.scan_stale"
    assert (again.status_code, again.json()["code"]) == (410, "vouchers.scan_stale")


async def test_one_number_for_two_codes_is_refused(phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)

    answer = await phone.post("/api/scans", json=asked | {"code": haircut["short_code"] + "X"})

    assert answer.json()["state"] in ("ok", "refused")
    other = scan_of("HTTPS://LINLI.EXAMPLE.ORG/V/NOTACODE")
    await phone.post("/api/scans", json=other)
    reused = await phone.post("/api/scans", json=other | {"code": haircut["qr"]})
    assert reused.json()["code"] == "vouchers.scan_number_reused"


async def test_two_phones_at_once_and_one_voucher(app, town, haircut, clock):
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in range(8)]
    for client in clients:
        client.cookies.set(DEVICE_COOKIE, str(uuid4()))

    answers = await asyncio.gather(*(client.post("/api/scans", json=scan_of(haircut["qr"])) for client in clients))

    states = sorted(answer.json()["state"] for answer in answers)
    assert states == ["ok"] + ["used"] * 7
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    for client in clients:
        await client.aclose()


async def test_one_scan_sent_many_times_at_once_is_one_use(app, phone, haircut, clock):
    asked = scan_of(haircut["qr"])

    answers = await asyncio.gather(*(phone.post("/api/scans", json=asked) for _ in range(8)))

    assert {answer.json()["state"] for answer in answers} == {"ok"}
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1


async def test_a_typed_code_in_any_case_and_with_blanks(phone, haircut, clock):
    typed = haircut["short_code"].lower()
    answer = await phone.post("/api/scans", json=scan_of(f" {typed[:4]} {typed[4:8]}-{typed[8:]} "))

    assert answer.json()["state"] == "ok"


async def test_the_api_prints_again_for_the_holder_and_for_staff_and_nobody_else(li, wu, chen, phone, haircut, clock):
    url = f"/api/vouchers/{haircut['voucher_id']}/printing"
    assert (await chen.post(url)).status_code == 404

    first = (await li.post(url, headers={"idempotency-key": "paper"})).json()
    same = (await li.post(url, headers={"idempotency-key": "paper"})).json()
    second = (await wu.post(url)).json()

    assert first == same
    assert first["qr"] != second["qr"]
    dead = await phone.post("/api/scans", json=scan_of(first["qr"]))
    assert dead.json()["state"] != "ok"
    good = await phone.post("/api/scans", json=scan_of(second["qr"], compared=True))
    assert good.json()["state"] == "ok"


async def test_a_printed_code_stays_good_until_it_is_printed_again(li, phone, haircut, clock):
    first = code_of(haircut, clock.now, kind="printed")
    clock.move(days=1)
    assert (await li.post(f"/vouchers/{haircut['voucher_id']}/print")).status_code == 303
    second = code_of(haircut | {"code_seq": 2}, clock.now, kind="printed")

    dead = await phone.post("/api/scans", json=scan_of(first))
    live = await phone.post("/api/scans", json=scan_of(second, compared=True))

    assert (dead.status_code, dead.json()["code"]) == (410, "vouchers.scan_code_outdated")
    assert live.json()["state"] == "ok"


async def test_another_shop_learns_nothing_but_that_it_is_not_theirs(zhou, haircut, clock):
    answer = await zhou.post("/api/scans", json=scan_of(haircut["qr"]))

    said = answer.json()
    assert (answer.status_code, said["code"]) == (409, "vouchers.scan_wrong_merchant")
    assert (said["item"], said["value"], said["who"]) == ("", "", "")


async def test_another_community_cannot_even_read_the_code(stranger_shop, haircut, clock):
    answer = await stranger_shop.post("/api/scans", json=scan_of(haircut["qr"]))

    assert answer.json()["code"] == "vouchers.scan_forged"


async def test_only_who_serves_at_a_shop_may_scan(li, wu, wang, he, haircut, clock):
    for client in (li, wu, wang, he):
        answer = await client.post("/api/scans", json=scan_of(haircut["qr"]))

        assert (answer.status_code, answer.json()["code"]) == (403, "kit.not_allowed")


async def test_nobody_without_a_session_scans(anon, haircut, clock):
    answer = await anon.post("/api/scans", json=scan_of(haircut["qr"]))

    assert (answer.status_code, answer.json()["code"]) == (401, "kit.not_signed_in")


async def test_a_session_that_ended_scans_no_more(app, phone, haircut, clock):
    assert (await phone.post("/sign-out")).status_code == 303

    answer = await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    assert answer.status_code == 401


async def test_a_forged_token_in_the_cookie_is_nobody(app, town, haircut):
    async with client_of(app, f"{HERE}.forged", None) as client:
        assert (await client.post("/api/scans", json=scan_of(haircut["qr"]))).status_code == 401


async def test_a_scan_without_the_forms_token_is_refused(phone, haircut):
    del phone.headers["x-csrftoken"]

    assert (await phone.post("/api/scans", json=scan_of(haircut["qr"]))).status_code == 403


async def test_guessing_is_stopped_after_ten_false_codes(phone, haircut, clock):
    answers = [
        await phone.post("/api/scans", json=scan_of(haircut["qr"][:-1] + ("2" if haircut["qr"][-1] != "2" else "3")))
        for _ in range(10)
    ]
    assert {answer.status_code for answer in answers} == {404}

    locked = await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    assert (locked.status_code, locked.json()["code"]) == (429, "vouchers.too_many_invalid_scans")
    assert "10" in locked.json()["detail"]

    clock.move(minutes=11)
    fresh = await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))
    assert fresh.json()["state"] == "ok"


async def test_guesses_made_at_once_do_not_outrun_the_count(app, phone, haircut, clock):
    false = haircut["qr"][:-1] + ("2" if haircut["qr"][-1] != "2" else "3")

    answers = await asyncio.gather(*(phone.post("/api/scans", json=scan_of(false)) for _ in range(25)))

    assert sum(answer.status_code == 404 for answer in answers) == 10
    assert sum(answer.status_code == 429 for answer in answers) == 15


async def test_a_scan_that_was_accepted_is_repeated_even_while_locked(phone, haircut, clock):
    asked = scan_of(haircut["qr"])
    await phone.post("/api/scans", json=asked)
    for _ in range(10):
        await phone.post("/api/scans", json=scan_of(code_of({"voucher_id": "77"}, clock.now)))

    assert (await phone.post("/api/scans", json=asked)).json()["state"] == "ok"


async def test_any_other_picture_is_no_guess(phone, haircut, clock):
    for _ in range(12):
        answer = await phone.post("/api/scans", json=scan_of("wxp://f2f0somethingelse"))
        assert answer.json()["code"] == "vouchers.scan_malformed"

    assert (await phone.post("/api/scans", json=scan_of(haircut["qr"]))).json()["state"] == "ok"


async def test_opening_the_address_shows_and_never_redeems(app, li, sun, anon, phone, haircut, clock):
    path = haircut["qr"].removeprefix("HTTPS://LINLI.EXAMPLE.ORG")

    owner = await li.get(path.replace("/V/", "/v/"))
    assert owner.headers["location"] == f"/vouchers/{haircut['voucher_id']}"
    clerk = await phone.get(path)
    assert "理发一次" in clerk.text
    for other in (sun, anon):
        page = await other.get(path)
        assert page.status_code == 200
        assert "理发一次" not in page.text
    assert await rows(app, "SELECT 1 FROM redemption.use") == []


async def test_the_page_without_a_script_redeems_once_and_says_the_same_on_reload(app, phone, haircut, clock):
    form = {"code": haircut["short_code"], "_key": "typed-once"}

    first = await phone.post("/shop/redeem", data=form)
    again = await phone.post("/shop/redeem", data=form)

    assert (first.status_code, again.status_code) == (200, 200)
    assert "核销成功" in again.text
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 1
    other = await phone.post("/shop/redeem", data=form | {"_key": "another"})
    assert other.status_code == 409
    assert "用过了" in other.text


async def test_a_voucher_of_several_asks_how_many(app, li, phone, give, offer_of, clock):
    await give(li, 100)
    offer_id = await offer_of()
    async with app.state.sessions.begin() as session:
        issued = await redemption.issue_voucher(
            session,
            HERE,
            key=uuid4(),
            offer_id=offer_id,
            member_id=li.actor.member_id,
            owner_group=None,
            quantity=3,
            actor_id=li.actor.member_id,
            grace_hours=72,
            now=clock.now,
        )
    code = code_of({"voucher_id": issued.voucher_id}, clock.now)

    asked = await phone.post("/api/scans", json=scan_of(code))
    assert (asked.status_code, asked.json()["state"]) == (409, "question")
    assert "3" in asked.json()["detail"]
    page = await phone.get(asked.json()["url"])
    assert 'name="quantity"' in page.text
    two = await phone.post("/shop/redeem", data={"code": code, "quantity": "2", "_key": "two"})
    assert "40 分" in two.text
    rest = await phone.post("/api/scans", json=scan_of(code))
    assert (rest.json()["state"], rest.json()["value"]) == ("ok", "20 分")


async def test_nobody_redeems_what_their_own_household_holds(app, barber, phone, give, offer_of, clock):
    await give(barber, 100)
    offer_id = await offer_of()
    own = (await barber.post(f"/api/offers/{offer_id}/vouchers", json={})).json()

    answer = await phone.post("/api/scans", json=scan_of(own["qr"]))

    assert answer.json()["code"] == "vouchers.scan_own_voucher"
