"""Routes that belong to no domain: health, metrics, display choices, the first page, the API's documentation."""

from collections.abc import Sequence
from typing import Annotated, Any, cast

import asyncpg
import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.response import Redirect, Template
from litestar.types import ControllerRouterHandler
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.ext.asyncio import AsyncEngine

from migrations.runner import expected_head
from service.kit.access import OFFICE, PUBLIC, Actor, Role
from service.kit.db import autocommit_connection
from service.kit.forms import form_of
from service.kit.i18n import _
from service.kit.pages import page, safe_path
from service.kit.read_only import READS_ONLY
from service.kit.refusals import NotFound, Unavailable

AnyRequest = Request[Any, Any, Any]
YEAR_SECONDS = 365 * 86_400
UNASKED = {**PUBLIC, "authentication": "none"}
"""For programs that watch: who it is does not matter, and the answer must not hang on the database."""


@get("/health/live", opt=UNASKED, media_type=MediaType.TEXT, include_in_schema=False, sync_to_thread=False)
def live() -> str:
    """The process answers."""
    return "ok"


@get("/health/ready", opt=UNASKED, media_type=MediaType.TEXT, include_in_schema=False)
async def ready(state: State) -> str:
    """The database answers and is at the revision this code needs; it says so when nothing can be written."""
    async with autocommit_connection(cast("AsyncEngine", state.engine)) as connection:
        try:
            revision = await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            revision = None
    if revision != expected_head():
        raise Unavailable
    return "ok, read only" if state.read_only.is_on else "ok"


@get("/metrics", opt=UNASKED, include_in_schema=False, sync_to_thread=False)
def metrics(request: AnyRequest) -> Response[bytes]:
    """Figures for Prometheus, to programs on this machine only."""
    # Behind a proxy on this machine everybody seems to come from here; what a proxy passed on names the one it came from.
    is_passed_on = any(name in request.headers for name in ("x-forwarded-for", "x-forwarded-host", "forwarded", "via"))
    if is_passed_on or request.client is None or request.client.host not in ("127.0.0.1", "::1"):
        raise NotFound
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@get("/", opt=PUBLIC, include_in_schema=False)
async def front(request: AnyRequest) -> Template | Redirect:
    """Everybody's first address leads to the place where their work is."""
    actor = request.scope.get("user")
    if not isinstance(actor, Actor):
        return page(request, "kit/welcome.html", title=_("邻里时间银行"))
    if actor.has(*OFFICE):
        return Redirect("/desk", status_code=303)
    if actor.has(Role.MERCHANT_OWNER, Role.CLERK):
        return Redirect("/shop", status_code=303)
    return Redirect("/home", status_code=303)


class DisplayForm(msgspec.Struct):
    """How somebody wants to read."""

    mode: Annotated[str, msgspec.Meta(pattern="^(standard|elder)$")] | None = None
    size: Annotated[str, msgspec.Meta(pattern="^(m|l|xl)$")] | None = None
    locale: Annotated[str, msgspec.Meta(pattern="^(zh-CN|en)$")] | None = None
    next: str | None = None


@post("/display", opt={**PUBLIC, **READS_ONLY}, include_in_schema=False)
async def display(request: AnyRequest, state: State) -> Redirect:
    """Keep the choice of size and language in the browser, and go on where one was."""
    form = await form_of(request, DisplayForm)
    chosen = {"mode": form.mode, "size": form.size, "locale": form.locale}
    if form.mode == "elder" and form.size is None:
        chosen["size"] = "l"
    if form.mode == "standard" and form.size is None:
        chosen["size"] = "m"
    secure = bool(state.settings.is_secure)
    cookies = [
        Cookie(key=name, value=value, max_age=YEAR_SECONDS, samesite="lax", secure=secure, httponly=True)
        for name, value in chosen.items()
        if value is not None
    ]
    return Redirect(safe_path(form.next), status_code=303, cookies=cookies)


@get("/api", opt=PUBLIC, include_in_schema=False)
async def api_documentation(request: AnyRequest) -> Template:
    """The API in words, made from its own description, with nothing loaded from elsewhere."""
    return page(request, "kit/api.html", title=_("接口说明"), operations=_operations(request), wide=True)


def _operations(request: AnyRequest) -> list[dict[str, object]]:
    schema = request.app.openapi_schema.to_schema()
    rows: list[dict[str, object]] = []
    for path, methods in sorted(schema.get("paths", {}).items()):
        rows.extend(
            {
                "path": path,
                "method": method.upper(),
                "summary": operation.get("summary", ""),
                "description": operation.get("description", ""),
                "parameters": [
                    {"name": item["name"], "place": item["in"], "required": item.get("required", False)}
                    for item in operation.get("parameters", [])
                ],
                "answers": sorted(operation.get("responses", {})),
            }
            for method, operation in methods.items()
            if method in ("get", "post", "put", "patch", "delete")
        )
    return rows


def system_handlers() -> Sequence[ControllerRouterHandler]:
    """All of the above."""
    return [live, ready, metrics, front, display, api_documentation]
