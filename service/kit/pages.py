"""Answering with a page: the context every page has, and what happens to a form that was refused."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from litestar.response import Redirect, Template

import ledger
import redemption
from service.kit.access import Actor, Role
from service.kit.forms import AnyRequest, form_of
from service.kit.i18n import _, catalogue, current_locale, translate
from service.kit.ids import new_id
from service.kit.manifest import Manifest
from service.kit.refusals import Invalid, Refusal
from service.kit.words import said

STATIC = Path(__file__).resolve().parent.parent / "static"

__all__ = ["PageRefused", "Redirect", "form_of", "go", "page", "refill", "refusal_sentence", "safe_path"]


@cache
def _asset_names(made_at: float) -> Mapping[str, str]:
    del made_at  # only keys the cache, so that a rebuild during development is seen
    names: dict[str, str] = json.loads((STATIC / "manifest.json").read_text())
    return names


def asset(name: str) -> str:
    """The address of a built file, with the hash of its content in its name."""
    manifest = STATIC / "manifest.json"
    return f"/static/{_asset_names(manifest.stat().st_mtime)[name]}"


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One entry of the sidebar or the tab bar."""

    label: str
    url: str
    icon: str
    current: bool
    count: int | None = None


TABS = (
    ("首页", "/home", "home"),
    ("活动", "/activities", "calendar"),
    ("心愿", "/wishes", "heart"),
    ("券包", "/vouchers", "ticket"),
    ("我的", "/me", "person"),
)
SHOP_TABS = (
    ("扫码", "/shop", "scan"),
    ("今天", "/shop/today", "list"),
    ("结算", "/shop/settlements", "wallet"),
    TABS[-1],
)
DESK_TABS = (("工作台", "/desk", "list"), TABS[-1])
"""Everybody's places on a phone. Their labels are copy:
_("首页") _("活动") _("心愿") _("券包") _("我的") _("扫码") _("今天") _("结算") _("工作台")."""


def page(request: AnyRequest, template: str, *, status_code: int = 200, **context: object) -> Template:
    """A page in the reader's language, size and role. Pass plain data only, never table rows."""
    return Template(template_name=template, context={**common(request), **context}, status_code=status_code)


def go(path: str, done: str | None = None) -> Redirect:
    """See another page after a POST, so that a reload repeats nothing; `done` names the sentence `done.<code>` to show there."""
    if done:
        path += ("&" if "?" in path else "?") + f"done={done}"
    return Redirect(path, status_code=303)


def common(request: AnyRequest) -> dict[str, object]:
    """What every page has; the templates are strict, so nothing of this may be missing."""
    actor = request.scope.get("user")
    path = request.url.path
    done = f"done.{request.query_params.get('done', '')}"
    flash = translate(done)
    slices: Sequence[Manifest] = request.app.state.slices
    return {
        "actor": actor if isinstance(actor, Actor) else None,
        "community_name": actor.community_name if isinstance(actor, Actor) else _("邻里"),
        "community_phone": actor.community_phone if isinstance(actor, Actor) else "",
        "locale": current_locale.get(),
        "mode": request.cookies.get("mode") if request.cookies.get("mode") in ("standard", "elder") else "standard",
        "size": request.cookies.get("size") if request.cookies.get("size") in ("m", "l", "xl") else "m",
        "path": _here(request),
        "is_get": request.method == "GET",
        "form_key": new_id().hex,
        "assets": asset,
        "flash": flash if flash != done else None,
        "nav": sidebar(slices, actor, path) if isinstance(actor, Actor) else [],
        "tabs": tabs(actor, path),
        "title": "",
        "values": Typed(),
        "problems": Typed(),
        "errors": {},
        "refusal": None,
        "csrf_token": request.cookies.get("csrftoken", ""),
        "read_only": request.app.state.read_only.is_on,
    }


def tabs_of(actor: object, path: str) -> Sequence[tuple[str, str, str]]:
    """The places at the foot of the phone: behind the counter the shop's, else a resident's; none for strangers."""
    if not isinstance(actor, Actor):
        return ()
    counter = (
        SHOP_TABS
        if actor.has(Role.MERCHANT_OWNER)
        else tuple(tab for tab in SHOP_TABS if tab[1] != "/shop/settlements")
    )
    if path.startswith("/shop"):
        return counter
    if actor.has(Role.RESIDENT, Role.VOLUNTEER):
        return TABS
    return counter if actor.has(Role.MERCHANT_OWNER, Role.CLERK) else DESK_TABS


def tabs(actor: object, path: str) -> list[NavEntry]:
    """The same with the one place marked that this page belongs to."""
    found = tabs_of(actor, path)
    best = _nearest(path, [url for _label, url, _icon in found])
    return [NavEntry(translate(label), url, icon, url == best) for label, url, icon in found]


def _here(request: AnyRequest) -> str:
    """The page that somebody looks at, filters and all: where a change of size or language leads back to."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    try:
        return safe_path(urlsplit(request.headers.get("referer", "")).path)
    except ValueError:  # anybody may send any Referer
        return "/"


def sidebar(slices: Sequence[Manifest], actor: Actor, path: str) -> list[NavEntry]:
    """The staff's places that this person may open."""
    entries = [entry for item in slices for entry in item.nav if actor.has(*entry.roles)]
    entries.sort(key=lambda entry: entry.order)
    places = {place: entry.url for entry in entries for place in (entry.url, *entry.also)}
    best = places.get(_nearest(path, list(places)))
    return [NavEntry(translate(entry.label), entry.url, entry.icon, entry.url == best) for entry in entries]


def _nearest(path: str, places: Sequence[str]) -> str:
    """The place that a page lies in: the innermost, for one place may lie in another."""
    return max((url for url in places if path == url or path.startswith(url + "/")), key=len, default="")


def refusal_sentence(refusal: Refusal | Any) -> str:
    """What a refusal says to this reader. Works for the libraries' refusals as well: they carry a code and data."""
    key = f"refusal.{refusal.code}"
    text = catalogue(current_locale.get()).ugettext(key)
    if text == key:
        text = translate("refusal.kit.refused")
    data = refusal.data() if isinstance(refusal, Refusal) else dict(getattr(refusal, "__dict__", {}))
    try:
        return text.format(**{name: said(value) for name, value in data.items()})
    except (KeyError, IndexError):
        return text


class Typed(dict[str, str]):
    """What was typed, or the sentence beside it, by field name; empty for every field that has none."""

    def __missing__(self, name: str) -> str:
        return ""


class PageRefused(Exception):
    """A refusal that knows which page to show again, with everything that was typed."""

    def __init__(self, refusal: Exception, template: str, context: dict[str, object]) -> None:
        self.refusal, self.template, self.context = refusal, template, context
        super().__init__(str(refusal))


@contextmanager
def refill(request: AnyRequest, template: str, **context: object) -> Iterator[None]:
    """Inside, a refusal shows this page again: sentence on top, inputs kept, the transaction rolled back.

    Put `form_of` inside as well, so that unreadable fields come back the same way. The context must be plain data that
    was read before: nothing can be asked of the database once the transaction is gone.
    """
    try:
        yield
    except Exception as refusal:
        if not is_refusal(refusal):
            raise
        values = Typed({name: str(texts[-1]) for name, texts in _typed(request).items() if texts})
        problems = Typed()
        if isinstance(refusal, Invalid):
            problems.update(
                {
                    name: translate(f"{refusal.catalogue}.{code}", **refusal.problem_values(name))
                    for name, code in refusal.problems.items()
                }
            )
        raise PageRefused(refusal, template, {"values": values, "problems": problems, **context}) from refusal


def _typed(request: AnyRequest) -> Mapping[str, Sequence[object]]:
    values: Mapping[str, Sequence[object]] = getattr(request.state, "form_values", {})
    return {name: [text for text in texts if isinstance(text, str)] for name, texts in values.items()}


def is_refusal(error: Exception) -> bool:
    """True for our refusals and the libraries'. By type alone: SQLAlchemy's errors have a `code`, too."""
    return isinstance(error, Refusal | ledger.LedgerRefusal | redemption.RedemptionRefusal)


def safe_path(path: str | None, fallback: str = "/") -> str:
    """A path of this site that a person may be sent to; anything that could leave the site becomes the fallback."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable() or "\\" in path:
        return fallback
    return path
