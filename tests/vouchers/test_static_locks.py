"""What a counter keeps by a code that does not change is asked about and counted when it is used, and never twice."""

import asyncio
from datetime import datetime, time
from uuid import UUID, uuid4

import asyncpg
import pytest

from service.kit.clock import HOME_ZONE, local_day
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, client_of
from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.test_counter_locks import LOCKS, verified

HAIRCUT_FEN = 1500
THE_LOCK = "pg_advisory_xact_lock(hashtextextended('linli.static:' || p_community || ':' || v_lock.member_id, 0))"


@pytest.fixture
def take(li, offer_of, give):
    """Li takes vouchers of an offer of a yuan price."""

    async def make(count, fen=HAIRCUT_FEN, **terms):
        await give(li, 200 * count)
        offer_id = await offer_of(payable_fen=fen, per_member_cap=None, **terms)
        return [(await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json() for _ in range(count)]

    return make


def paper(voucher, clock):
    return code_of(voucher, clock.now, kind="printed")


async def keep(client, voucher, clock, **fields):
    return await client.post(LOCKS, json={"code": paper(voucher, clock)} | fields)


async def use(client, kept, **fields):
    asked = {"token": kept["token"], "nonce": str(uuid4())} | fields
    return await client.post(f"{LOCKS}/{kept['voucher_id']}/use", json=asked)


async def counted(app):
    async with app.state.engine.connect() as connection:
        found = await connection.exec_driver_sql("SELECT fen, is_typed, is_compared FROM static_use ORDER BY used_at")
        return [tuple(row) for row in found]


async def test_keeping_a_paper_above_the_value_asks_for_the_name_and_keeps_nothing_before(
    app, li, phone, haircut, clock
):
    path = f"/api/vouchers/{haircut['voucher_id']}"
    asked = await keep(phone, haircut, clock)
    assert (asked.status_code, asked.json()["code"]) == (409, "vouchers.scan_compare")
    assert (await li.get(path)).json()["state"] == "issued"

    kept = await keep(phone, haircut, clock, compared=True)
    assert kept.status_code == 201
    assert await counted(app) == []
    assert (await use(phone, kept.json())).json()["state"] == "ok"  # who compared it to keep it is not asked again
    assert await counted(app) == [(HAIRCUT_FEN, False, True)]
    await verified(app)


async def test_a_code_that_changes_is_neither_asked_nor_counted(app, phone, haircut):
    kept = (await phone.post(LOCKS, json={"code": haircut["qr"]})).json()
    assert (await use(phone, kept)).json()["state"] == "ok"
    assert await counted(app) == []


async def test_what_was_kept_counts_to_the_day_once_and_the_day_refuses_it(app, phone, take, clock):
    vouchers = await take(5)
    kept = [(await keep(phone, voucher, clock, compared=True)).json() for voucher in vouchers[:4]]
    nonce = str(uuid4())
    assert [(await use(phone, kept[0], nonce=nonce)).json()["state"] for _ in range(2)] == ["ok", "ok"]
    assert (await use(phone, kept[1])).json()["state"] == "ok"
    scanned = await phone.post("/api/scans", json=scan_of(vouchers[4]["short_code"]))
    assert scanned.json()["state"] == "ok"
    assert len(await counted(app)) == 3

    full = await use(phone, kept[2])

    assert (full.status_code, full.json()["code"]) == (409, "vouchers.scan_static_day")
    assert "50.00" in full.json()["detail"]
    assert len(await counted(app)) == 3
    # It is still kept, so it can be let go; then the phone's own code is not bounded, and nothing of the lock counts.
    gone = await phone.post(f"{LOCKS}/{kept[2]['voucher_id']}/release", json={"token": kept[2]["token"]})
    assert gone.status_code == 204
    assert (await phone.post("/api/scans", json=scan_of(code_of(vouchers[2], clock.now)))).json()["state"] == "ok"
    assert len(await counted(app)) == 3
    await verified(app)


async def test_a_day_without_room_keeps_nothing(li, phone, take, clock):
    vouchers = await take(4)
    for voucher in vouchers[:3]:
        await phone.post("/api/scans", json=scan_of(voucher["short_code"]))

    full = await keep(phone, vouchers[3], clock, compared=True)

    assert (full.status_code, full.json()["code"]) == (409, "vouchers.scan_static_day")
    assert full.json()["yuan"] == "50.00"
    assert (await li.get(f"/api/vouchers/{vouchers[3]['voucher_id']}")).json()["state"] == "issued"


async def test_what_is_let_go_counts_nothing_and_what_is_taken_back_no_more(app, phone, take, clock):
    vouchers = await take(4)
    for voucher in vouchers:
        kept = (await keep(phone, voucher, clock, compared=True)).json()
        await phone.post(f"{LOCKS}/{kept['voucher_id']}/release", json={"token": kept["token"]})
    assert await counted(app) == []
    nonce = str(uuid4())
    kept = [(await keep(phone, voucher, clock, compared=True)).json() for voucher in vouchers]
    await use(phone, kept[0], nonce=nonce)
    undone = await phone.post("/api/scans/undo", json={"nonce": nonce, "code": paper(vouchers[0], clock)})
    assert undone.status_code == 200
    assert [(await use(phone, each)).json()["state"] for each in kept[1:]] == ["ok"] * 3


async def test_pieces_together_above_the_value_are_asked_about_when_they_are_used(app, phone, take, clock):
    [voucher] = await take(1, fen=600, pieces=3)
    kept = (await keep(phone, voucher, clock)).json()
    asked = {"token": kept["token"], "nonce": str(uuid4()), "quantity": 2}
    path = f"{LOCKS}/{voucher['voucher_id']}/use"

    first = (await phone.post(path, json=asked)).json()

    assert (first["state"], first["code"], first["compare"]) == ("question", "vouchers.scan_compare", "核对过了，核销")
    assert await counted(app) == []
    assert (await phone.post(path, json=asked | {"compared": True})).json()["state"] == "ok"
    assert await counted(app) == [(1200, False, True)]


async def test_two_counters_with_two_papers_of_one_member_stay_below_the_most(app, town, take, clock):
    vouchers = await take(6)
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in vouchers]
    for client in clients:
        client.cookies.set(DEVICE_COOKIE, str(uuid4()))
    kept = [
        (await keep(client, voucher, clock, compared=True)).json()
        for client, voucher in zip(clients[:5], vouchers[:5], strict=True)
    ]

    answers = await asyncio.gather(
        *(use(client, each) for client, each in zip(clients[:5], kept, strict=True)),
        clients[5].post("/api/scans", json=scan_of(paper(vouchers[5], clock), compared=True)),
    )

    assert sorted(answer.json()["state"] for answer in answers) == ["ok"] * 3 + ["refused"] * 3
    assert len(await counted(app)) == 3
    await verified(app)
    for client in clients:
        await client.aclose()


USE = "SELECT (redeem_kept($1, $2, $3, $4, $5, NULL, $6, 1, $7, false, $8, $9, $10)).code"


async def use_two_at_once(town_database, clock, town, clerk, kept):
    """The first is used and not committed while the second asks; what both are told, and whether the second waited."""
    shop, now = town.organisations["barbershop"], clock.now
    day = local_day(now)
    began = datetime.combine(day, time(), HOME_ZONE)
    asked = [
        (HERE, uuid4(), uuid4(), int(each["voucher_id"]), shop, clerk, UUID(each["token"]), day, began, now)
        for each in kept
    ]
    one, two = [await asyncpg.connect(town_database.app_url) for _ in kept]
    watch = await asyncpg.connect(town_database.superuser_url)
    try:
        transaction = one.transaction()
        await transaction.start()
        first = await one.fetchval(USE, *asked[0])
        second = asyncio.ensure_future(two.fetchval(USE, *asked[1]))
        waited = False
        async with asyncio.timeout(20):
            while not second.done() and not waited:
                waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)"
                waited = await watch.fetchval(waiting, two.get_server_pid())
        await transaction.commit()
        return first, await second, waited
    finally:
        for connection in (one, two, watch):
            await connection.close()


@pytest.fixture
async def perks(phone, take, clock):
    """Two of Li's papers of thirty yuan each, in cash alone, so that no posting makes one wait for the other; both kept."""
    vouchers = await take(2, fen=0, price_points=0, cash_fen=3000)
    return [(await keep(phone, voucher, clock, compared=True)).json() for voucher in vouchers]


async def test_the_second_waits_for_the_first_and_is_refused(app, town, town_database, perks, barber, clock):
    told = await use_two_at_once(town_database, clock, town, barber.actor.member_id, perks)

    assert told == ("redeemed", "static_day", True)
    assert [fen for fen, *_ in await counted(app)] == [3000]


async def test_without_the_members_lock_both_would_pass(app, town, town_database, perks, barber, clock):
    owner = await asyncpg.connect(town_database.superuser_url)
    try:
        whole = await owner.fetchval("SELECT pg_get_functiondef('redeem_kept'::regproc)")
        assert THE_LOCK in whole
        try:
            await owner.execute(whole.replace(f"PERFORM {THE_LOCK};", "NULL;"))
            told = await use_two_at_once(town_database, clock, town, barber.actor.member_id, perks)
        finally:
            await owner.execute(whole)
    finally:
        await owner.close()

    assert told == ("redeemed", "redeemed", False)


async def test_on_pages_the_box_is_asked_for_and_kept_in_sight(app, phone, take, clock):
    [dear] = await take(1)
    code = paper(dear, clock)
    first = await phone.post("/shop/locks", data={"code": code, "_key": "a"})
    assert first.status_code == 409
    for part in ("核对", 'name="compared"', 'formaction="/shop/locks"', code):
        assert part in first.text
    kept = await phone.post("/shop/locks", data={"code": code, "compared": "1", "_key": "b"})
    assert kept.status_code == 200
    token = kept.text.partition('name="token" value="')[2][:36]
    used = await phone.post(f"/shop/locks/{dear['voucher_id']}/use", data={"token": token, "_key": "c"})
    assert "核销成功" in used.text

    [pack] = await take(1, fen=600, pieces=3)
    kept = await phone.post("/shop/locks", data={"code": paper(pack, clock), "_key": "d"})
    token = kept.text.partition('name="token" value="')[2][:36]
    asked = {"token": token, "quantity": "2"}
    question = await phone.post(f"/shop/locks/{pack['voucher_id']}/use", data=asked | {"_key": "e"})
    assert question.status_code == 409
    for part in ("核对过姓名或证件", f'name="token" value="{token}"', "不做了，放开"):
        assert part in question.text
    then = await phone.post(f"/shop/locks/{pack['voucher_id']}/use", data=asked | {"compared": "1", "_key": "f"})
    assert "核销成功" in then.text
    assert [fen for fen, *_ in await counted(app)] == [1500, 1200]
