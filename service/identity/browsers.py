"""What we know of the browser that asks, and the cookie we leave in it."""

from typing import Any

from litestar import Request
from litestar.datastructures import Cookie, State

from service.identity.actions_sign_in import OWN_DEVICE_DAYS, Entrance
from service.kit.edge import SESSION_COOKIE, WALLET_COOKIE

AnyRequest = Request[Any, Any, Any]


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
    opened = Cookie(
        key=SESSION_COOKIE,
        value=entrance.cookie,
        max_age=None if is_shared else OWN_DEVICE_DAYS * 86_400,
        httponly=True,
        secure=bool(state.settings.is_secure),
        samesite="lax",
        path="/",
    )
    ended = Cookie(key=WALLET_COOKIE, value="", max_age=0, path="/")
    return [opened, ended] if WALLET_COOKIE in request.cookies else [opened]
