"""Scans that wait for each other go to the database as one, and nobody can tell."""

import asyncio
import random
from uuid import uuid4

import asyncpg
import pytest

import ledger
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, client_of
from tests.vouchers.conftest import code_of, scan_of

PHONES = 12


@pytest.fixture
async def phones(app, town):
    """As many phones at the barber's counter."""
    clients = [client_of(app, town.cookies["barber"], town.actors["barber"]) for _ in range(PHONES)]
    for client in clients:
        client.cookies.set(DEVICE_COOKIE, str(uuid4()))
    yield clients
    for client in clients:
        await client.aclose()


@pytest.fixture
def gathered(app, town_database):
    """Sends scans so that all but the first wait for each other: the head of the book is held until they do."""

    async def send(*requests):
        together = app.state.together
        together.patience = 60  # However slow the machine is, all of them wait.
        holder = await asyncpg.connect(town_database.superuser_url)
        try:
            async with asyncio.timeout(30), holder.transaction():
                await holder.execute("SELECT FROM ledger.book WHERE community_id = $1 FOR UPDATE", HERE)
                tasks = [asyncio.ensure_future(requests[0])]
                while not together.is_busy or together.waiting:
                    await holder.execute("SELECT 1")  # the pause
                tasks += [asyncio.ensure_future(request) for request in requests[1:]]
                while together.waiting < len(tasks) - 1:
                    await holder.execute("SELECT 1")
            return await asyncio.gather(*tasks)
        finally:
            await holder.close()

    return send


@pytest.fixture
async def take(li, give, offer_of, clock):
    """Vouchers of Li's, each with a code that a phone shows."""
    await give(li, 5000)
    offers = {}

    async def make(kind="haircut", **terms):
        if kind not in offers:
            offers[kind] = await offer_of(per_member_cap=None, **terms)
        answer = await li.post(f"/api/offers/{offers[kind]}/vouchers", json={})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


async def rows(app, query):
    async with app.state.engine.connect() as connection:
        return (await connection.exec_driver_sql(query)).all()


async def twins(app, take, wu, li, town, clock):
    """Every kind of scan, each made anew whenever it is asked for: what is scanned, and what is sent with it."""
    plain = await take()
    used = await take()
    frozen = await take()
    assert (
        await wu.post(f"/desk/vouchers/{frozen['voucher_id']}/freeze", data={"reason": "有人举报", "_key": uuid4().hex})
    ).status_code == 303
    cancelled = await take()
    assert (await li.post(f"/api/vouchers/{cancelled['voucher_id']}/cancellation", json={})).status_code < 300
    elsewhere = await take("elsewhere", merchant_ids=(town.organisations["bakery"],))
    several = await take("several", pieces=5, price_points=3)
    one_of_several = await take("several")
    free = await take("cash", price_points=0, payable_fen=0, cash_fen=500)
    return {
        "plain": (plain, {}),
        "plain with its time and number": (await take(), {"quantity": 1}),
        "used": (used, {}),
        "frozen": (frozen, {}),
        "cancelled": (cancelled, {}),
        "another shop's": (elsewhere, {}),
        "how many": (several, {}),
        "one of several": (one_of_several, {"quantity": 1}),
        "nothing to move": (free, {}),
        "old code": ((await take()) | {"code_seq": 2}, {}),
    }


def told(answer):
    """What the counter says, without the numbers of this one voucher and of the day."""
    body = answer.json()
    for name in (
        "url",
        "undo_until",
        "request_id",
        "nonce",
        "instance",
        "voucher_id",
        "answer_url",
    ):
        body.pop(name, None)
    return answer.status_code, {name: value for name, value in body.items() if "/V/" not in str(value)}


async def test_together_each_hears_what_it_hears_alone(app, phones, take, wu, li, town, clock, gathered):
    alone, together = [await twins(app, take, wu, li, town, clock) for _ in range(2)]
    starter = await take()
    for each in (alone, together):
        spent = await phones[0].post("/api/scans", json=scan_of(code_of(each["used"][0], clock.now)))
        assert spent.status_code == 200

    one_by_one = [
        await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now), **more))
        for phone, (voucher, more) in zip(phones, alone.values(), strict=False)
    ]
    before = len(await rows(app, "SELECT 1 FROM redemption.use"))
    _, *at_once = await gathered(
        phones[-1].post("/api/scans", json=scan_of(code_of(starter, clock.now))),
        *(
            phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now), **more))
            for phone, (voucher, more) in zip(phones, together.values(), strict=False)
        ),
    )

    assert {kind: told(a) for kind, a in zip(together, at_once, strict=True)} == {
        kind: told(a) for kind, a in zip(alone, one_by_one, strict=True)
    }
    fine = [kind for kind, answer in zip(together, at_once, strict=True) if answer.status_code == 200]
    assert fine == ["plain", "plain with its time and number", "one of several", "nothing to move"]
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == before + len(fine) + 1
    # Each has the history, the audit line and the fact of a scan that came alone.
    uses = await rows(
        app,
        "SELECT count(*), count(DISTINCT e.voucher_id), count(DISTINCT a.audit_id), count(DISTINCT o.outbox_id)"
        " FROM redemption.use u"
        " JOIN redemption.voucher_event e ON e.voucher_id = u.voucher_id AND e.action = 'redeem' AND e.actor_id = u.clerk_id"
        " JOIN audit a ON a.action = 'vouchers.redeemed' AND a.object_id = u.voucher_id::text AND a.actor_id = u.clerk_id"
        " JOIN outbox o ON o.fact = 'VoucherRedeemed' AND (o.payload ->> 'voucher_id')::bigint = u.voucher_id",
    )
    number = before + len(fine) + 1
    assert uses == [(number, number, number, number)]
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []


async def test_each_stays_who_it_is_in_a_batch(app, town, phones, zhou, take, offer_of, give, clock, gathered):
    """Two shops, their people, their own vouchers, and somebody who was signed out: no answer and no row is another's."""
    barber, bakery = town.actors["barber"], town.actors["zhou"]
    zhou.cookies.set(DEVICE_COOKIE, str(uuid4()))
    left = client_of(app, town.cookies["barber"] + "x", barber)
    cut = await take()
    cake, other_cake = [await take("cake", merchant_ids=(town.organisations["bakery"],)) for _ in range(2)]
    await give(phones[0], 100)
    offer = await offer_of(per_member_cap=None)
    own = (await phones[0].post(f"/api/offers/{offer}/vouchers", json={})).json()
    scans = [
        (phones[1], await take()),
        (zhou, cake),
        (phones[2], cut),
        (phones[3], own),
        (phones[4], other_cake),
        (zhou, await take()),
    ]
    answers = await gathered(
        phones[-1].post("/api/scans", json=scan_of(code_of(await take(), clock.now))),
        *(client.post("/api/scans", json=scan_of(code_of(voucher, clock.now))) for client, voucher in scans),
    )
    gone = await left.post("/api/scans", json=scan_of(code_of(await take(), clock.now)))

    assert [answer.json().get("code") for answer in answers[1:]] == [
        *["vouchers.redeemed"] * 3,
        "vouchers.scan_own_voucher",
        "vouchers.scan_wrong_merchant",
        "vouchers.scan_wrong_merchant",
    ]
    assert gone.status_code == 401
    shops = {barber.member_id: town.organisations["barbershop"], bakery.member_id: town.organisations["bakery"]}
    found = await rows(app, "SELECT voucher_id, clerk_id, merchant_id FROM redemption.use")
    assert {(voucher, clerk) for voucher, clerk, _ in found} >= {
        (int(cake["voucher_id"]), bakery.member_id),
        (int(cut["voucher_id"]), barber.member_id),
    }
    assert len(found) == 4
    assert all(shops[clerk] == shop for _, clerk, shop in found)
    await left.aclose()


async def test_together_they_are_one_batch_of_journals(app, phones, take, clock, gathered):
    vouchers = [await take() for _ in phones]
    answers = await gathered(
        *(
            phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))
            for phone, voucher in zip(phones, vouchers, strict=True)
        )
    )
    assert {answer.status_code for answer in answers} == {200}
    written = await rows(app, "SELECT count(*), count(DISTINCT xmin::text) FROM redemption.use")
    assert written == [(PHONES, 2)]  # the first, and all others


async def test_one_voucher_at_twelve_counters_and_one_scan_twelve_times(app, phones, take, clock, gathered):
    voucher, other = await take(), await take()
    asked = scan_of(code_of(other, clock.now))
    answers = await gathered(
        *(phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now))) for phone in phones),
        *(phones[0].post("/api/scans", json=asked) for _ in range(PHONES)),
    )
    assert sorted(a.json()["state"] for a in answers[:PHONES]) == ["ok"] + ["used"] * (PHONES - 1)
    assert {a.json()["state"] for a in answers[PHONES:]} == {"ok"}
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == 2


async def test_a_voucher_that_somebody_holds_holds_up_nobody_else(app, phones, take, clock, town_database):
    """Somebody holds one voucher's row for long: the others of its batch are answered meanwhile, and it is when it is let go."""
    vouchers = [await take() for _ in phones]
    scans = [scan_of(code_of(voucher, clock.now)) for voucher in vouchers]
    sending = [phone.post("/api/scans", json=scan) for phone, scan in zip(phones, scans, strict=True)]
    together = app.state.together
    together.patience = 60
    holder, gate = [await asyncpg.connect(town_database.superuser_url) for _ in range(2)]
    try:
        async with asyncio.timeout(60), holder.transaction():
            held = int(vouchers[-1]["voucher_id"])
            await holder.execute("SELECT FROM redemption.voucher WHERE voucher_id = $1 FOR UPDATE", held)
            async with gate.transaction():
                await gate.execute("SELECT FROM ledger.book WHERE community_id = $1 FOR UPDATE", HERE)
                tasks = {asyncio.ensure_future(sending[0])}
                while not together.is_busy or together.waiting:
                    await gate.execute("SELECT 1")
                tasks |= {asyncio.ensure_future(request) for request in sending[1:]}
                while together.waiting < PHONES - 1:
                    await gate.execute("SELECT 1")
            while len(waiting := {task for task in tasks if not task.done()}) > 1:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answers = await asyncio.gather(*tasks)
    finally:
        await holder.close()
        await gate.close()
    assert {answer.json()["state"] for answer in answers} == {"ok"}
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == PHONES


async def test_a_batch_whose_connection_is_cut_is_asked_one_by_one(app, phones, take, clock, gathered, town_database):
    vouchers = [await take() for _ in phones]
    scans = [scan_of(code_of(voucher, clock.now)) for voucher in vouchers]
    killer = await asyncpg.connect(town_database.superuser_url)
    try:
        # It breaks in the middle: after the ledger was asked, before the last row.
        await killer.execute(
            "CREATE FUNCTION public.broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF (SELECT count(*) FROM redemption.use u WHERE u.xmin::text = pg_catalog.pg_current_xact_id()::xid::text) > 3"
            " THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); END IF; RETURN NULL; END $$;"
            "CREATE TRIGGER broken AFTER INSERT ON redemption.use FOR EACH ROW EXECUTE FUNCTION public.broken()"
        )
        answers = await gathered(
            *(phone.post("/api/scans", json=scan) for phone, scan in zip(phones, scans, strict=True))
        )
    finally:
        await killer.execute("DROP TRIGGER broken ON redemption.use; DROP FUNCTION public.broken()")
        await killer.close()
    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows(app, "SELECT 1 FROM redemption.use")) == PHONES
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []


async def test_batches_of_several_processes_never_lock_each_other(app, town, take, clock, town_database):
    """The same vouchers and phones in any order, beside scans that come alone: nobody deadlocks, and every use is paid once."""
    vouchers = [int((await take("meals", pieces=40, price_points=1, stock_total=400))["voucher_id"]) for _ in range(8)]
    devices = [uuid4() for _ in range(8)]
    clerk, shop, now = town.actors["barber"].member_id, town.organisations["barbershop"], clock.now
    dice = random.Random(7)

    async def process(number):
        connection = await asyncpg.connect(town_database.owner_url)
        done = silent = 0
        try:
            for _ in range(8):
                few, phones = dice.sample(vouchers, 5), dice.sample(devices, 5)
                if number == 0:
                    done += await connection.fetchval(
                        "SELECT (redemption.redeem($1, $2, $3, $4, 1, $5, NULL, $6, 1, $7, $7)).code = 'redeemed'",
                        HERE, phones[0], uuid4(), few[0], shop, clerk, now,
                    )  # fmt: skip
                    continue
                told = await connection.fetchval(
                    "SELECT redemption.redeem_many($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    HERE, phones, [uuid4() for _ in few], few, [1] * 5, [shop] * 5, [None] * 5, [clerk] * 5, [now] * 5, now,
                )  # fmt: skip
                done += sum(one is not None for one in told)
                silent += sum(one is None for one in told)
        finally:
            await connection.close()
        return done, silent

    told = await asyncio.gather(*(process(number) for number in range(6)))

    done, silent = (sum(each) for each in zip(*told, strict=True))
    assert done + silent == 8 + 5 * 8 * 5  # a batch says nothing of a voucher that another one holds, and nobody fails
    assert await rows(app, "SELECT sum(quantity_used), count(*) FROM redemption.voucher") == [(done, 8)]
    assert await rows(app, "SELECT count(*) FROM redemption.use") == [(done,)]
    async with app.state.sessions() as session:
        assert await ledger.verify(session, HERE) == []
