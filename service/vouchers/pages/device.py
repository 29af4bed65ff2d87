"""The scanner as an app of the phone: its worker, what the worker keeps, and the pages that make a phone a device of the shop."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

import redemption
from service.kit.access import PUBLIC, Actor, allow
from service.kit.i18n import _
from service.kit.pages import go, page
from service.vouchers.browser import COUNTER
from service.vouchers.shells import (
    UNASKED,
    Kept,
    app_answer,
    drawn,
    look_of,
    shell_answer,
    worker_answer,
)

AnyRequest = Request[Any, Any, Any]
SHELLS = {"/shop": "scan", "/shop/today": "today"}
"""Pages that open without a network, and what each is called."""
FILES = ("app.css", "app.js", "scan.js", "shop-here.js", "scan-worker.js", "shop-today.js", "icon.svg")
"""What these pages are made of."""
KEPT = Kept(
    scope="/shop",
    prefix="linli-shop-",
    routes={f"^{path}$": f"/shop/shell/{name}" for path, name in SHELLS.items()},
    files=FILES,
    patience_ms=1500,
)

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
    """The scanner's worker for this reader."""
    return f"/shop/worker.js?{look_of(request)}"


def _shell(request: AnyRequest, name: str) -> str:
    context: dict[str, Any] = {"worker_url": worker_url(request)}
    if name == "scan":
        context |= scanner_context() | {"title": _("扫码核销"), "is_shell": True}
    else:
        context |= {"title": _("今天的账"), "offline_words": QUEUE_WORDS}
    template = "vouchers/scanner.html" if name == "scan" else "vouchers/today_shell.html"
    return drawn(request, f"/shop/shell/{name}", template, **context)


def _shells(request: AnyRequest) -> list[str]:
    return [_shell(request, name) for name in SHELLS.values()]


def scanner_context() -> dict[str, Any]:
    """What the scanner's page needs, before anybody is known."""
    return {
        "scan_action": "/api/scans",
        "undo_action": "/api/scans/undo",
        "typed_action": "/shop/redeem",
        "shop_name": "",
        "today_count": "",
        "today_sum": 0,
        "today_points": "",
        "today_url": "/shop/today",
        "back_url": "/shop/today",
        "clerk": "",
        "is_shell": False,
        "offline_words": WORDS,
    }


@get("/shop/shell/{name:str}", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def shell_page(request: AnyRequest, name: FromPath[str]) -> Response[str] | Redirect:
    """A page for the phone to keep."""
    if name not in SHELLS.values():
        return go("/shop")
    return shell_answer(_shell(request, name), _shells(request))


@get("/shop/worker.js", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def worker_script(request: AnyRequest) -> Response[str]:
    """The scanner's worker."""
    return worker_answer(KEPT, _shells(request))


@get("/shop/manifest.webmanifest", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def web_manifest() -> Response[dict[str, object]]:
    """How the scanner stands on the phone's home screen."""
    return app_answer("/shop", _("扫码核销"), _("扫码"), background="#111111")


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
