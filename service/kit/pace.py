"""How fast anybody may ask, counted in this process's memory: no query, no second request, and nobody pays for another.

Litestar's own rate limit keeps every request of the window as JSON under one lock, never forgets a client, sits inside the
router where an unknown path is not seen, and does not say when to come back. This is one number for each client (the
"generic cell rate algorithm"): a minute's worth at once, then as many as a minute allows, evenly.
"""

import hashlib
import ipaddress
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request

from service.kit.refusals import TooMany

MINUTE = 60.0
CLIENTS_MAX = 50_000
"""So many clients are remembered, about 10 MB; beyond that the one that was silent longest is forgotten and begins afresh."""
NEVER_COUNTED = ("/static/", "/health/", "/metrics")
"""Files that browsers keep, and the programs that watch: refusing those would look like an outage."""


@dataclass(eq=False)
class TooFast(TooMany):
    """More requests than anybody needs; nothing was done, and the same request may come again after so many seconds."""

    code = "kit.too_fast"
    retry_after: int

    @property
    def retry_seconds(self) -> int:
        """When to come again."""
        return self.retry_after


class Pace:
    """One limit for many clients: `per_minute` requests at once and then so many a minute; 0 counts nothing."""

    def __init__(self, per_minute: int, clients_max: int = CLIENTS_MAX) -> None:
        self._gap = MINUTE / per_minute if per_minute else 0.0
        self._clients_max = clients_max
        self._due: OrderedDict[bytes, float] = OrderedDict()
        """When each client would have asked this often at an even pace; who is silent for a minute has no debt left."""

    def seconds_to_wait(self, client: bytes, now: float) -> float:
        """0.0 and one request more counted, or how long until the next is welcome; a refused request is not counted."""
        if not self._gap:
            return 0.0
        due = max(self._due.get(client, now), now)
        wait = due + self._gap - now - MINUTE
        if wait > 1e-6:  # a float's dust is no reason
            return wait
        self._due[client] = due + self._gap
        self._due.move_to_end(client)
        if len(self._due) > self._clients_max:
            self._due.popitem(last=False)
        return 0.0


class Paces:
    """The limits of the service: one for each signed-in session, one for each address where nobody is signed in.

    A cookie counts as a session once it has opened one. Until then, and when somebody makes cookies up, its requests are
    counted by address, apart from those that bring none: strangers behind the same router cannot shut out who is signed in.
    """

    def __init__(
        self,
        *,
        session_per_minute: int,
        address_per_minute: int,
        clients_max: int = CLIENTS_MAX,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sessions = Pace(session_per_minute, clients_max)
        self._addresses = Pace(address_per_minute, clients_max)
        self._proven: OrderedDict[bytes, None] = OrderedDict()
        self._clients_max = clients_max
        self._seconds = seconds
        self._salt = secrets.token_bytes(16)

    def check(self, request: Request[Any, Any, Any], cookie: str | None) -> None:
        """Raise TooFast when this client asks faster than its limit."""
        if request.scope["path"].startswith(NEVER_COUNTED):
            return
        now = self._seconds()
        session = self._short(cookie) if cookie else b""
        if session and session in self._proven:
            wait = self._sessions.seconds_to_wait(session, now)
        else:
            wait = self._addresses.seconds_to_wait(self._short(network_of(request) + ("+" if cookie else "")), now)
        if wait:
            raise TooFast(math.ceil(wait))

    def prove(self, cookie: str, *, is_open: bool) -> None:
        """Remember that this cookie opens a session, or that it does not."""
        short = self._short(cookie)
        if not is_open:
            self._proven.pop(short, None)
            return
        self._proven[short] = None
        self._proven.move_to_end(short)
        if len(self._proven) > self._clients_max:
            self._proven.popitem(last=False)

    def _short(self, text: str) -> bytes:
        """Sixteen bytes for any text, so that memory is bounded and holds no token and no address."""
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=self._salt).digest()


def network_of(request: Request[Any, Any, Any]) -> str:
    """The network address a request came from: an IPv4 address, or the /64 that is one home or office in IPv6.

    uvicorn has already believed the trusted proxies, and nobody else.
    """
    host = request.client.host if request.client else "?"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
