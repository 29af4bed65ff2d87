"""Pages that a phone keeps for when there is no network: drawn for nobody, complete of one release."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import MediaType, Request, Response

from service.kit.access import PUBLIC
from service.kit.i18n import current_locale
from service.kit.pages import STATIC, asset, common

AnyRequest = Request[Any, Any, Any]
UNASKED = {**PUBLIC, "authentication": "none"}
"""What the phone keeps is drawn for nobody, whoever asks."""
RELEASE_LETTERS = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """One set of pages with one worker."""

    scope: str
    """The addresses that the worker answers for begin with this."""
    prefix: str
    """What the phone calls its releases; nobody else's begin so."""
    routes: Mapping[str, str]
    """Which addresses, as patterns, open which kept page without a network."""
    files: Sequence[str]
    """What these pages are made of."""
    patience_ms: int
    """How long the server is waited for."""


def look_of(request: AnyRequest) -> str:
    """The reader's language and size, as a query: another look is another worker."""
    shown = common(request)
    return urlencode({name: str(shown[name]) for name in ("locale", "mode", "size")})


def drawn(request: AnyRequest, path: str, template: str, **context: object) -> str:
    """One page as the phone keeps it: no person, no shop, no token; only the reader's language and size."""
    nobody = {**common(request), "csrf_input": "", "form_key": "", "path": path, "read_only": False}
    found = request.app.template_engine.get_template(template)  # type: ignore[union-attr] # the app has one
    return str(found.render(**(nobody | context)))


def release_of(pages: Sequence[str]) -> str:
    """Names exactly these pages with exactly these files: a change in either is another release."""
    text = (STATIC / "manifest.json").read_text() + "".join(pages)
    return hashlib.sha256(text.encode()).hexdigest()[:RELEASE_LETTERS]


def shell_answer(page: str, pages: Sequence[str]) -> Response[str]:
    """A page for the phone to keep. Anybody may read it; nothing in it is about anybody."""
    headers = {"linli-release": release_of(pages), "cache-control": "no-store"}
    return Response(page, media_type=MediaType.HTML, headers=headers)


def worker_answer(kept: Kept, pages: Sequence[str]) -> Response[str]:
    """The worker with its release written into it, so that a new release is a new worker."""
    told = {
        "release": release_of(pages),
        "prefix": kept.prefix,
        "routes": list(kept.routes.items()),
        "files": [asset(name) for name in kept.files],
        "patience": kept.patience_ms,
    }
    source = (STATIC / asset("shop/worker.js").removeprefix("/static/")).read_text()
    return Response(
        f"self.LINLI = {json.dumps(told)};\n{source}",
        media_type="text/javascript; charset=utf-8",
        headers={"service-worker-allowed": kept.scope, "cache-control": "no-cache"},
    )


def app_answer(start: str, name: str, short_name: str, *, background: str) -> Response[dict[str, object]]:
    """How a page stands on the phone's home screen."""
    icons = [{"src": asset(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"} for size in (192, 512)]
    described: dict[str, object] = {
        "id": start,
        "name": name,
        "short_name": short_name,
        "lang": current_locale.get(),
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "orientation": "portrait",
        "background_color": background,
        "theme_color": "#0a5443",
        "icons": [{"src": asset("icon.svg"), "sizes": "any", "type": "image/svg+xml"}, *icons],
    }
    return Response(described, media_type="application/manifest+json", headers={"cache-control": "no-cache"})
