"""What a scan costs on the wire: a proxy between the service and PostgreSQL counts."""

from uuid import uuid4

import pytest

from service.kit.db import make_engine
from service.kit.edge import DEVICE_COOKIE
from tests.proxy import EXECUTE, PARSE, QUERY, SYNC, standing_before
from tests.vouchers.conftest import code_of, scan_of


@pytest.fixture
async def wire(app, town_database):
    """The app behind a counting proxy."""
    direct = app.state.engine
    async with standing_before(town_database.socket) as counted:
        app.state.engine = make_engine(counted.url("linli_app", town_database.name), pool_size=1)
        yield counted
        await app.state.engine.dispose()
    app.state.engine = direct


async def test_a_scan_is_one_statement_in_one_round_trip(app, phone, li, haircut, offer_of, clock, wire):
    # The first scan of a connection also prepares the statement; from then on there is nothing but the call.
    await phone.post("/api/scans", json=scan_of("HTTPS://LINLI.EXAMPLE.ORG/V/WARMUP"))
    wire.forget()

    answer = await phone.post("/api/scans", json=scan_of(haircut["qr"]))

    assert answer.json()["state"] == "ok"
    assert wire.turns == 1
    assert wire.messages.count(EXECUTE) == 1
    assert wire.messages.count(QUERY) == 0
    assert wire.messages.count(PARSE) == 0
    assert wire.messages.count(SYNC) == 1


@pytest.mark.parametrize("case", ["forged", "used", "anonymous"])
async def test_a_refusal_costs_the_same(app, phone, anon, haircut, clock, wire, case):
    await phone.post("/api/scans", json=scan_of("HTTPS://LINLI.EXAMPLE.ORG/V/WARMUP"))
    if case == "used":
        await phone.post("/api/scans", json=scan_of(haircut["qr"]))
    wire.forget()

    if case == "anonymous":
        phone.cookies.delete("linli_session")
        phone.cookies.set("linli_session", "610102001012.nobody")
    phone.cookies.set(DEVICE_COOKIE, str(uuid4()))
    code = code_of({"voucher_id": "99"}, clock.now) if case == "forged" else haircut["qr"]
    answer = await phone.post("/api/scans", json=scan_of(code))

    assert answer.status_code in (401, 404, 409)
    assert wire.turns == 1
    assert wire.messages.count(EXECUTE) == 1
