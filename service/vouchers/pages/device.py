"""The scanner as an app of the phone: its worker, what the worker keeps, and the pages that make a phone a device of the shop."""

import hashlib
import json
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

import redemption
from service.kit.access import PUBLIC, Actor, allow
from service.kit.i18n import _, current_locale
from service.kit.pages import STATIC, asset, common, go, page
from service.vouchers.browser import COUNTER

AnyRequest = Request[Any, Any, Any]
UNASKED = {**PUBLIC, "authentication": "none"}
"""What the phone keeps is drawn for nobody, whoever asks."""
SHELLS = {"/shop": "scan", "/shop/today": "today"}
"""Pages that open without a network, and what each is called."""
FILES = ("app.css", "app.js", "scan.js", "shop-here.js", "scan-worker.js", "shop-today.js", "icon.svg")
"""What these pages are made of."""
RELEASE_LETTERS = 16

UNDO_WORDS = tuple(reason for reason in redemption.UNDO_REASONS if reason != "storage")
"""Why the phone does not take a scan back."""
WORDS = (
    "title.used",
    "title.refused",
    "title.question",
    "saved",
    "saved_detail",
    "pieces",
    "points",
    "cash",
    "how_many",
    "left_pieces",
    "compare",
    "compare_detail",
    "compared",
    "undone",
    "undone_detail",
    "undo_not",
    "undo_storage",
    "offline",
    "not_enrolled",
    "not_set_up",
    "unheard",
    "send_first",
    "clerk_unknown",
    "no_pin",
    "pin_wrong",
    "pin_shut",
    *redemption.OFFLINE_REASONS,
    *UNDO_WORDS,
)
"""What the scanner says by itself."""
QUEUE_WORDS = (
    "waiting",
    "sum",
    "row_undone",
    "undone",
    "undone_detail",
    "undo_not",
    "undo_storage",
    *UNDO_WORDS,
    "unread",
    "refused",
    "conflict",
    "review",
    "tail",
    "still_here",
    "all_sent",
    "shift_wait",
    "shift_end",
    "shift_over",
    "shift_over_kept",
    "no_answer",
)
"""What the list of the phone's own records says."""
DEVICE_WORDS = (
    "never",
    "none",
    "lasting",
    "evictable",
    "pin_six",
    "pin_differs",
    "pin_kept",
    "storage",
)
ENROL_WORDS = ("needs_https", "needs_newer", "send_first", "storage", "no_answer")


def worker_url(request: AnyRequest) -> str:
    """The worker for this reader's language and size: another look is another worker."""
    shown = common(request)
    look = {name: str(shown[name]) for name in ("locale", "mode", "size")}
    return f"/shop/worker.js?{urlencode(look)}"


def _shell(request: AnyRequest, name: str) -> str:
    """One page as the phone keeps it: no person, no shop, no token; only the reader's language and size."""
    context = {
        **common(request),
        "csrf_input": "",
        "form_key": "",
        "path": f"/shop/shell/{name}",
        "worker_url": worker_url(request),
        "read_only": False,
    }
    if name == "scan":
        context |= scanner_context() | {"title": _("扫码核销"), "is_shell": True}
    else:
        context |= {"title": _("今天的账"), "offline_words": QUEUE_WORDS}
    template = "vouchers/scanner.html" if name == "scan" else "vouchers/today_shell.html"
    return str(request.app.template_engine.get_template(template).render(**context))  # type: ignore[union-attr] # the app has one


def scanner_context() -> dict[str, Any]:
    """What the scanner's page needs, before anybody is known."""
    return {
        "scan_action": "/api/scans",
        "undo_action": "/api/scans/undo",
        "typed_action": "/shop/redeem",
        "shop_name": "",
        "today_count": "",
        "today_points": "",
        "today_url": "/shop/today",
        "back_url": "/shop/today",
        "clerk": "",
        "is_shell": False,
        "offline_words": WORDS,
    }


def _release(request: AnyRequest) -> str:
    """Names exactly these pages with exactly these files: a change in either is another release."""
    text = (STATIC / "manifest.json").read_text() + "".join(_shell(request, name) for name in SHELLS.values())
    return hashlib.sha256(text.encode()).hexdigest()[:RELEASE_LETTERS]


@get("/shop/shell/{name:str}", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def shell_page(request: AnyRequest, name: FromPath[str]) -> Response[str] | Redirect:
    """A page for the phone to keep. Anybody may read it; nothing in it is about anybody."""
    if name not in SHELLS.values():
        return go("/shop")
    headers = {"linli-release": _release(request), "cache-control": "no-store"}
    return Response(_shell(request, name), media_type=MediaType.HTML, headers=headers)


@get("/shop/worker.js", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def worker_script(request: AnyRequest) -> Response[str]:
    """The page's worker with its release written into it, so that a new release is a new worker."""
    kept = {
        "release": _release(request),
        "pages": {path: f"/shop/shell/{name}" for path, name in SHELLS.items()},
        "files": [asset(name) for name in FILES],
    }
    source = (STATIC / asset("shop/worker.js").removeprefix("/static/")).read_text()
    return Response(
        f"self.LINLI = {json.dumps(kept)};\n{source}",
        media_type="text/javascript; charset=utf-8",
        headers={"service-worker-allowed": "/shop", "cache-control": "no-cache"},
    )


@get("/shop/manifest.webmanifest", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def web_manifest() -> Response[dict[str, object]]:
    """How the scanner stands on the phone's home screen."""
    icons = [{"src": asset(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"} for size in (192, 512)]
    described: dict[str, object] = {
        "id": "/shop",
        "name": _("扫码核销"),
        "short_name": _("扫码"),
        "lang": current_locale.get(),
        "start_url": "/shop",
        "scope": "/shop",
        "display": "standalone",
        "orientation": "portrait",
        "background_color": "#111111",
        "theme_color": "#0a5443",
        "icons": [{"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml"}, *icons],
    }
    return Response(described, media_type="application/manifest+json", headers={"cache-control": "no-cache"})


@get("/shop/device", opt=allow(*COUNTER), include_in_schema=False)
async def device_page(request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Template:
    """This phone at the counter: what it is, what it has to send, and the clerk's PIN for when there is no network."""
    del actor, now
    return page(
        request,
        "vouchers/device.html",
        title=_("这部手机"),
        worker_url=worker_url(request),
        offline_words=DEVICE_WORDS,
    )


@get(["/E", "/e"], opt=PUBLIC, include_in_schema=False)
async def ticket_page(request: AnyRequest, ticket: FromQuery[str | None] = None) -> Template | Redirect:
    """Where the staff's code is typed."""
    typed = "".join((ticket or "").split()).upper()
    return go(f"/E/{typed}") if typed.isalnum() and typed.isascii() else _enrol(request, None)


@get(["/E/{ticket:str}", "/e/{ticket:str}"], opt=PUBLIC, include_in_schema=False)
async def enrol_page(request: AnyRequest, ticket: FromPath[str]) -> Template:
    """Where the staff's code leads: asks before the phone becomes a device of the shop. Opening it does nothing yet."""
    return _enrol(request, ticket.upper())


def _enrol(request: AnyRequest, ticket: str | None) -> Template:
    return page(request, "vouchers/enrol.html", title=_("登记这部手机"), ticket=ticket, offline_words=ENROL_WORDS)
