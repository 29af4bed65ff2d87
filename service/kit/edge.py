"""The outermost layers of every request: request id, language and headers around everything, then who it is."""

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import parse_qsl

import structlog
from litestar.connection import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from service.kit import audit
from service.kit.access import Actor
from service.kit.i18n import current_locale, negotiate
from service.kit.pace import Paces, TooFast
from service.kit.problems import Again, answer, wants_json

SESSION_COOKIE = "linli_session"
WALLET_COOKIE = "linli_wallet"
"""Which session the vouchers belong to that this browser keeps for when there is no network. Scripts read it; it opens nothing."""
DEVICE_COOKIE = "linli_device"
FORM_KEPT_BYTES, FORM_KEPT_FIELDS = 65_536, 500
"""A form up to this size is handed back to whoever was too fast."""
SECRET_FIELDS = frozenset({"secret", "old", "again", "pin"})
"""What is typed into a password field: never written into a page."""

AnyRequest = Request[Any, Any, Any]

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

        try:
            _paces(request).check(request, request.cookies.get(SESSION_COOKIE))
        except TooFast as refusal:
            await _refuse(request, refusal, receive, send_with_headers)
            return
        await app(scope, receive, send_with_headers)

    return wrapped


def _paces(request: AnyRequest) -> Paces:
    return cast("Paces", request.app.state.paces)


async def _refuse(request: AnyRequest, refusal: TooFast, receive: Receive, send: Send) -> None:
    """Answer before any work; a person's form is handed back whole, so that one press sends it again."""
    again = None
    if request.method == "POST" and not wants_json(request):
        again = await _posted(request, receive)
    shown = answer(request, refusal, again=again)
    response = shown.to_asgi_response(app=None, request=request)
    await response(request.scope, receive, send)


async def _posted(request: AnyRequest, receive: Receive) -> Again | None:
    """What a form brought, read only if it is small; secrets are left out, files cannot be handed back."""
    length = request.headers.get("content-length", "")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded" or not length.isdecimal() or int(length) > FORM_KEPT_BYTES:
        return None
    body = b""
    while len(body) <= FORM_KEPT_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
        if not message.get("more_body"):
            break
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FORM_KEPT_FIELDS)
    except ValueError:
        return None
    # The token is the one that was sent: a form from another site has none, and is refused when it comes again.
    return Again(request.url.path, [(name, value) for name, value in fields if name not in SECRET_FIELDS])


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
                _paces(request).prove(cookie, is_open=scope["user"] is not None)
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
