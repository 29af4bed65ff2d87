"""What we know of the browser that asks, and the cookie we leave in it."""

from datetime import datetime
from typing import Any, Literal, cast

from litestar import Request
from litestar.datastructures import Cookie, State

from service.identity.actions_sessions import OWN_DEVICE_DAYS, Entrance, network_index
from service.kit.crypto import Keyring
from service.kit.edge import SESSION_COOKIE, WALLET_COOKIE
from service.kit.pace import network_of

AnyRequest = Request[Any, Any, Any]
Place = Literal["same", "other", "unknown"]


def place_of(request: AnyRequest, state: State, kept: bytes | None) -> Place:
    """Where a session was opened, seen from here: the address itself is not kept, so no more can be said."""
    if kept is None:
        return "unknown"
    return "same" if kept == network_index(cast("Keyring", state.keyring), network_of(request)) else "other"


def device_of(request: AnyRequest) -> str:
    """What the browser calls itself, shortened: enough for its owner to know it again."""
    agent = request.headers.get("user-agent", "")
    for word, name in (
        ("MicroMessenger", "微信"),
        ("HarmonyOS", "HarmonyOS"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Macintosh", "Mac"),
        ("Linux", "Linux"),
    ):
        if word in agent:
            return name
    return "?"


def session_cookies(request: AnyRequest, state: State, entrance: Entrance, *, is_shared: bool) -> list[Cookie]:
    """The session in the browser: unreadable to scripts, sent to this site only; a shared device forgets it when it closes.

    What the browser keeps for when there is no network is of the session before, and ends with it.
    """
    opened = _session_cookie(state, entrance, None if is_shared else OWN_DEVICE_DAYS * 86_400)
    ended = Cookie(key=WALLET_COOKIE, value="", max_age=0, path="/")
    return [opened, ended] if WALLET_COOKIE in request.cookies else [opened]


def renewed_cookies(state: State, entrance: Entrance, now: datetime) -> list[Cookie]:
    """The same session under another token, for as long as it had; what the browser keeps of it stays."""
    left = int((entrance.expires_at - now).total_seconds())
    return [_session_cookie(state, entrance, None if entrance.is_shared else left)]


def _session_cookie(state: State, entrance: Entrance, max_age: int | None) -> Cookie:
    return Cookie(
        key=SESSION_COOKIE,
        value=entrance.cookie,
        max_age=max_age,
        httponly=True,
        secure=bool(state.settings.is_secure),
        samesite="lax",
        path="/",
    )
