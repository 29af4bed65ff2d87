"""Stands between the code under test and PostgreSQL: counts what goes over the wire, and cuts it where a test says so."""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum

EXECUTE, QUERY, PARSE, SYNC = b"E", b"Q", b"P", b"S"
PIECE = 65536


class Fault(StrEnum):
    """What becomes of one request."""

    CUT_BEFORE = "cut before it is sent"
    CUT_AFTER = "cut when the server has answered, before the answer"
    CUT_AMID = "cut in the middle of the answer"
    DELAYED = "delayed"
    HALF_OPEN = "nothing comes through any more, and nobody says so"


@dataclass
class Proxy:
    """Counts messages from the client and how often it waits for an answer; `fault` is asked about every request by number."""

    socket: str
    server_port: int = 5432
    fault: Callable[[int], Fault | None] = lambda _: None
    delay_seconds: float = 0.03
    messages: list[bytes] = field(default_factory=list)
    turns: int = 0
    requests: int = 0
    met: Counter[Fault] = field(default_factory=Counter)
    port: int = 0
    _spoke_last: str = ""

    def url(self, role: str, database: str) -> str:
        """The address of a database through here."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def forget(self) -> None:
        """Begin to count anew."""
        self.messages.clear()
        self.turns = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, passed on both ways until one side ends it or a fault does."""
        upstream = await asyncio.open_unix_connection(f"{self.socket}/.s.PGSQL.{self.server_port}")
        line = _Line(self, reader, writer, *upstream)
        ways = [asyncio.create_task(line.up()), asyncio.create_task(line.down())]
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in (writer, upstream[1]):
            each.transport.abort() if line.is_cut else each.close()


@dataclass
class _Line:
    """One connection through the proxy."""

    proxy: Proxy
    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    server: asyncio.StreamReader
    to_server: asyncio.StreamWriter
    is_cut: bool = False
    _fault: Fault | None = None
    _waiting: bytes = b""
    _is_greeted: bool = False

    async def up(self) -> None:
        """From the client to the server."""
        while data := await self.client.read(PIECE):
            if self.proxy._spoke_last != "client":
                self.proxy.turns += 1
            self.proxy._spoke_last = "client"
            if self._holds_request(data):
                self._fault = self.proxy.fault(self.proxy.requests)
                self.proxy.requests += 1
                if self._fault is not None:
                    self.proxy.met[self._fault] += 1
            if self._fault is Fault.CUT_BEFORE:
                self.is_cut = True
                return
            if self._fault is Fault.HALF_OPEN:
                await asyncio.Event().wait()
            if self._fault is Fault.DELAYED:
                await asyncio.sleep(self.proxy.delay_seconds)
            self.to_server.write(data)
            await self.to_server.drain()

    async def down(self) -> None:
        """From the server to the client."""
        while data := await self.server.read(PIECE):
            self.proxy._spoke_last = "server"
            if self._fault in {Fault.CUT_AFTER, Fault.CUT_AMID}:
                if self._fault is Fault.CUT_AMID:
                    self.to_client.write(data[: len(data) // 2])
                    await self.to_client.drain()
                self.is_cut = True
                return
            self.to_client.write(data)
            await self.to_client.drain()

    def _holds_request(self, data: bytes) -> bool:
        """Note the messages in it; whether one of them asks for something to be done."""
        self._waiting += data
        found = False
        while True:
            start = 1 if self._is_greeted else 0
            if len(self._waiting) < start + 4:
                return found
            size = start + struct.unpack("!I", self._waiting[start : start + 4])[0]
            if len(self._waiting) < size:
                return found
            if self._is_greeted:
                self.proxy.messages.append(self._waiting[:1])
                found = found or self._waiting[:1] in {EXECUTE, QUERY}
            # The first message is the start-up packet; asyncpg asks nothing about TLS on a plain socket.
            self._is_greeted, self._waiting = True, self._waiting[size:]


@contextlib.asynccontextmanager
async def standing_before(socket: str, **options: object) -> AsyncIterator[Proxy]:
    """A proxy on a free port of this machine for as long as the block lasts."""
    proxy = Proxy(socket, **options)  # type: ignore[arg-type]
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
