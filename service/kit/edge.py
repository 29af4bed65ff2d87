"""The outermost layers of every request: request id, language and headers around everything, then who it is."""

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import structlog
from litestar.connection import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from service.kit import audit
from service.kit.access import Actor
from service.kit.i18n import current_locale, negotiate

SESSION_COOKIE = "linli_session"
DEVICE_COOKIE = "linli_device"

log = structlog.get_logger("linli")

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; worker-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
}

Authenticate = Callable[[Any, str], Awaitable[Actor | None]]


def edge(app: ASGIApp) -> ASGIApp:
    """Wrap the whole app, its own refusals included: choose the language, log one line without personal data, set the headers.

    A middleware would be too far inside: an unknown path, a wrong method or a missing CSRF token never reaches one.
    """

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = Request(scope)
        audit.request_id.set(secrets.token_hex(8))
        current_locale.set(negotiate(request.headers.get("accept-language"), request.cookies.get("locale")))
        scope["user"] = None
        scope["query_string"] = _given(scope["query_string"])
        started = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _finish(scope, message, started)
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped


def _given(query: bytes) -> bytes:
    """The query without inputs that were left empty: a filter form sends every one of its fields."""
    return b"&".join(part for part in query.split(b"&") if part.partition(b"=")[2])


def identify(app: ASGIApp) -> ASGIApp:
    """Put the signed-in person into the scope, unless the route's own SQL function will do it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            request: Request[Any, Any, Any] = Request(scope)
            options = getattr(scope.get("route_handler"), "opt", {})
            cookie = request.cookies.get(SESSION_COOKIE)
            if cookie and options.get("authentication") not in ("in_database", "none"):
                authenticate = cast("Authenticate", request.app.state.authenticate)
                scope["user"] = await authenticate(request.app.state, cookie)
        await app(scope, receive, send)

    return wrapped


def _finish(scope: HTTPScope, message: Message, started: float) -> None:
    headers = MutableScopeHeaders.from_message(cast("Any", message))
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers["x-request-id"] = audit.request_id.get() or ""
    if scope.get("user") is not None or scope["method"] != "GET":
        headers.setdefault("cache-control", "no-store")
    log.info(
        "request",
        method=scope["method"],
        route=scope.get("path_template", "") or "?",
        status=cast("Any", message)["status"],
        milliseconds=round((time.perf_counter() - started) * 1000, 1),
        request_id=audit.request_id.get(),
    )
