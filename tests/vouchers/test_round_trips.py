"""What a scan costs on the wire: a proxy between the service and PostgreSQL counts."""

import asyncio
import contextlib
import struct
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from service.kit.db import make_engine
from service.kit.edge import DEVICE_COOKIE
from tests.vouchers.conftest import code_of, scan_of

EXECUTE, QUERY, PARSE, SYNC = b"E", b"Q", b"P", b"S"


@dataclass
class Wire:
    """Counts messages from the client, and how often it waits for an answer."""

    socket: str
    port: int = 5432
    messages: list[bytes] = field(default_factory=list)
    turns: int = 0
    _spoke_last: str = ""

    async def serve(self, reader, writer):
        """Pass everything on, both ways."""
        server_reader, server_writer = await asyncio.open_unix_connection(f"{self.socket}/.s.PGSQL.{self.port}")
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await asyncio.gather(self._up(reader, server_writer), self._down(server_reader, writer))
        for each in (writer, server_writer):
            each.close()

    async def _up(self, reader, writer):
        waiting, greeted = b"", False
        while data := await reader.read(65536):
            if self._spoke_last != "client":
                self.turns += 1
            self._spoke_last = "client"
            waiting += data
            while True:
                start = 0 if not greeted else 1
                if len(waiting) < start + 4:
                    break
                size = start + struct.unpack("!I", waiting[start : start + 4])[0]
                if len(waiting) < size:
                    break
                if greeted:
                    self.messages.append(waiting[:1])
                # The first message is the start-up packet; asyncpg asks nothing about TLS on a plain socket.
                greeted, waiting = True, waiting[size:]
            writer.write(data)
            await writer.drain()

    async def _down(self, reader, writer):
        while data := await reader.read(65536):
            self._spoke_last = "server"
            writer.write(data)
            await writer.drain()
        writer.close()

    def forget(self):
        """Begin to count anew."""
        self.messages.clear()
        self.turns = 0


@pytest.fixture
async def wire(app, town_database):
    """The app behind a counting proxy."""
    counted = Wire(town_database.socket)
    server = await asyncio.start_server(counted.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    direct = app.state.engine
    app.state.engine = make_engine(
        f"postgresql://linli_app@127.0.0.1:{port}/{town_database.name}?sslmode=disable", pool_size=1
    )
    yield counted
    await app.state.engine.dispose()
    app.state.engine = direct
    server.close()


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
