"""One's own vouchers as an app of the phone, which opens without a network."""

from typing import Any

from litestar import Request, Response, get

from service.kit.i18n import _
from service.vouchers.shells import UNASKED, Kept, app_answer, drawn, look_of, shell_answer, worker_answer

AnyRequest = Request[Any, Any, Any]
SHELL = "/vouchers/shell"
KEPT = Kept(
    scope="/vouchers",
    prefix="linli-wallet-",
    routes={"^/vouchers$": SHELL, "^/vouchers/[0-9]+$": SHELL},
    files=("app.css", "app.js", "wallet-shell.js", "icon.svg"),
    patience_ms=3000,
)
WORDS = ("age", "over", "none", "gone", "wiped", "needs_network", "expired", "code_label")
"""What the page says by itself."""


def wallet_worker(request: AnyRequest) -> str:
    """The wallet's worker for this reader."""
    return f"/vouchers/worker.js?{look_of(request)}"


def _shell(request: AnyRequest) -> str:
    return drawn(request, "/vouchers", "vouchers/wallet_shell.html", title=_("券包"), wallet_words=WORDS)


@get(SHELL, opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def shell_page(request: AnyRequest) -> Response[str]:
    """The page for the phone to keep: of nobody, it is filled from the phone's own storage."""
    page = _shell(request)
    return shell_answer(page, [page])


@get("/vouchers/worker.js", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def worker_script(request: AnyRequest) -> Response[str]:
    """The wallet's worker."""
    return worker_answer(KEPT, [_shell(request)])


@get("/vouchers/manifest.webmanifest", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def web_manifest() -> Response[dict[str, object]]:
    """How the wallet stands on the phone's home screen."""
    return app_answer("/vouchers", _("邻里券包"), _("券包"), background="#ffffff")
