"""The question for a code in the middle of an act: a clear no for programs, a page that keeps what was typed for people."""

import json
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import UploadFile
from sqlalchemy.ext.asyncio import AsyncEngine

from service.identity.queries_factor import standing_now
from service.identity.rules_factor import CodeNeeded, FactorNeeded, check_standing
from service.kit.access import Actor
from service.kit.clock import Clock
from service.kit.edge import FORM_KEPT_BYTES, SECRET_FIELDS
from service.kit.i18n import _
from service.kit.pages import PageRefused, safe_path
from service.kit.problems import wants_json

AnyRequest = Request[Any, Any, Any]
ASKED = "identity/prove.html"
NOT_KEPT = SECRET_FIELDS | {"_csrf_token"}
Fields = list[tuple[str, str]]


async def ask_for_a_code(connection: ASGIConnection[Any, Any, Any, Any], actor: Actor) -> None:
    """Let an act of the office pass, or refuse it with what is missing. Nothing of it was done yet."""
    state = connection.app.state
    now = cast("Clock", state.clock)()
    standing = await standing_now(cast("AsyncEngine", state.engine), actor, now)
    try:
        check_standing(standing, now)
    except (CodeNeeded, FactorNeeded) as refusal:
        request = cast("AnyRequest", connection)
        if wants_json(request):
            raise
        kept, is_whole = await _typed(request)
        context = asked_page(request.url.path, kept, is_whole=is_whole, has_factor=isinstance(refusal, CodeNeeded))
        raise PageRefused(refusal, ASKED, context) from refusal


def asked_page(url: str, kept: str, *, is_whole: bool = True, has_factor: bool = True) -> dict[str, Any]:
    """What the page with the question shows: where the act was going, and what was typed for it."""
    return {
        "title": _("先输一次验证码") if has_factor else _("先登记验证器"),
        "url": safe_path(url),
        "kept": kept,
        "is_whole": is_whole,
        "has_factor": has_factor,
        "in_office": url.startswith("/desk"),
    }


def kept_fields(kept: str) -> Fields:
    """The fields of the act that waits; nothing where they cannot be read."""
    try:
        return msgspec.json.decode(kept, type=Fields)
    except (msgspec.DecodeError, UnicodeError):
        return []


async def _typed(request: AnyRequest) -> tuple[str, bool]:
    """Every field of the form but secrets, as one text, and whether that is all there was: files cannot be handed back."""
    items = list((await request.form()).multi_items())
    fields = [(name, value) for name, value in items if isinstance(value, str) and name not in NOT_KEPT]
    is_whole = all(isinstance(value, str) and name not in SECRET_FIELDS for name, value in items)
    is_whole = is_whole or not any(_is_given(value) for name, value in items if (name, value) not in fields)
    kept = json.dumps(fields, ensure_ascii=False)
    return (kept, is_whole) if len(kept.encode()) <= FORM_KEPT_BYTES else ("[]", False)


def _is_given(value: object) -> bool:
    return bool(value.filename) if isinstance(value, UploadFile) else bool(value)
