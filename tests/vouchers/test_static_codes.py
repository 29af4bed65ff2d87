"""Codes that do not change, on paper or typed: the name is compared above a value, and a member's day has a most."""

import asyncio
from datetime import date
from uuid import uuid4

import pytest

from service.communities.tables import DatedSetting
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, START, client_of
from tests.vouchers.conftest import code_of, scan_of

HAIRCUT_FEN = 1500


@pytest.fixture
def take(li, offer_of, give):
    """Li takes vouchers of an offer of a yuan price."""

    async def make(count, fen=HAIRCUT_FEN):
        await give(li, 20 * count)
        offer_id = await offer_of(payable_fen=fen, per_member_cap=None)
        return [(await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json() for _ in range(count)]

    return make


async def uses(app):
    async with app.state.engine.connect() as connection:
        return (
            await connection.exec_driver_sql("SELECT count(*) FROM redemption.use WHERE state <> 'REVERSED'")
        ).scalar_one()


def paper(voucher, clock):
    return code_of(voucher, clock.now, kind="printed")


async def test_a_paper_above_the_value_asks_for_the_name_and_takes_nothing_before(app, phone, haircut, clock):
    asked = scan_of(paper(haircut, clock))

    first = await phone.post("/api/scans", json=asked)

    said = first.json()
    assert (first.status_code, said["state"], said["code"]) == (409, "question", "vouchers.scan_compare")
    assert (said["item"], said["compare"]) == ("理发一次", "核对过了，核销")
    assert await uses(app) == 0
    async with app.state.engine.connect() as connection:
        for table in (
            "outbox WHERE fact = 'VoucherRedeemed'",
            "audit WHERE action = 'vouchers.redeemed'",
            "scan_refusal",
        ):
            assert (await connection.exec_driver_sql(f"SELECT 1 FROM {table}")).all() == []

    then = await phone.post("/api/scans", json=asked | {"compared": True})
    again = await phone.post("/api/scans", json=asked)

    assert then.json()["state"] == "ok"
    assert again.json()["state"] == "ok"  # the same scan, the same answer for ever
    assert await uses(app) == 1


async def test_up_to_the_value_nobody_is_asked_and_a_phones_code_never(phone, take, clock):
    [cheap] = await take(1, fen=1000)
    [dear] = await take(1)

    assert (await phone.post("/api/scans", json=scan_of(paper(cheap, clock)))).json()["state"] == "ok"
    assert (await phone.post("/api/scans", json=scan_of(code_of(dear, clock.now)))).json()["state"] == "ok"


async def test_a_voucher_that_is_refused_is_refused_and_not_asked_about(zhou, phone, haircut, clock):
    other = await zhou.post("/api/scans", json=scan_of(paper(haircut, clock)))
    assert other.json()["code"] == "vouchers.scan_wrong_merchant"
    await phone.post("/api/scans", json=scan_of(code_of(haircut, clock.now)))

    used = await phone.post("/api/scans", json=scan_of(paper(haircut, clock)))

    assert used.json()["state"] == "used"


async def test_a_day_has_a_most_for_paper_and_typed_codes_together(app, phone, take, clock):
    vouchers = await take(5)
    assert (await phone.post("/api/scans", json=scan_of(paper(vouchers[0], clock), compared=True))).json()[
        "state"
    ] == "ok"
    for voucher in vouchers[1:3]:
        assert (await phone.post("/api/scans", json=scan_of(voucher["short_code"]))).json()["state"] == "ok"

    asked = scan_of(paper(vouchers[3], clock), compared=True)
    full = await phone.post("/api/scans", json=asked)

    assert (full.status_code, full.json()["code"], full.json()["state"]) == (409, "vouchers.scan_static_day", "refused")
    assert "50.00" in full.json()["detail"]
    assert (await phone.post("/api/scans", json=asked)).json()["code"] == "vouchers.scan_static_day"
    assert await uses(app) == 3
    # The code on the phone is not bounded, and the next day begins anew.
    assert (await phone.post("/api/scans", json=scan_of(code_of(vouchers[3], clock.now)))).json()["state"] == "ok"
    clock.move(days=1)
    assert (await phone.post("/api/scans", json=scan_of(vouchers[4]["short_code"]))).json()["state"] == "ok"


async def test_what_is_taken_back_does_not_count(phone, take, clock):
    vouchers = await take(4)
    for asked in (asks := [scan_of(voucher["short_code"]) for voucher in vouchers[:3]]):
        await phone.post("/api/scans", json=asked)
    undone = await phone.post("/api/scans/undo", json={"nonce": asks[0]["nonce"], "code": asks[0]["code"]})
    assert undone.status_code == 200

    assert (await phone.post("/api/scans", json=scan_of(vouchers[3]["short_code"]))).json()["state"] == "ok"


async def test_the_limits_are_the_communitys_and_nought_is_none(app, phone, take, clock):
    async with app.state.sessions.begin() as session:
        for name, value in (("voucher_static_fen_per_day", 0), ("voucher_compare_fen", 2000)):
            session.add(
                DatedSetting(
                    community_id=HERE, name=name, effective_from=date(2026, 1, 1), revision=1, value=value, set_at=START
                )
            )

    for voucher in await take(4):
        assert (await phone.post("/api/scans", json=scan_of(paper(voucher, clock)))).json()["state"] == "ok"


async def test_papers_of_one_member_shown_everywhere_at_once_stay_below_the_most(app, town, take, clock):
    vouchers = await take(8)
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in vouchers]
    for client in clients:
        client.cookies.set(DEVICE_COOKIE, str(uuid4()))

    answers = await asyncio.gather(
        *(
            client.post("/api/scans", json=scan_of(paper(voucher, clock), compared=True))
            for client, voucher in zip(clients, vouchers, strict=True)
        )
    )

    assert sorted(answer.json()["state"] for answer in answers) == ["ok"] * 3 + ["refused"] * 5
    assert await uses(app) == 3
    for client in clients:
        await client.aclose()


async def test_without_a_script_the_page_asks_by_a_box(phone, haircut, clock):
    code = paper(haircut, clock)
    page = await phone.get(code.removeprefix("HTTPS://LINLI.EXAMPLE.ORG"))
    assert 'name="compared"' in page.text

    first = await phone.post("/shop/redeem", data={"code": code, "_key": "one"})
    assert first.status_code == 409
    assert "核对" in first.text
    then = await phone.post("/shop/redeem", data={"code": code, "compared": "1", "_key": "two"})

    assert then.status_code == 200
    assert "核销成功" in then.text
