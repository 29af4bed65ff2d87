"""Builds the app from the slices."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from litestar import Litestar, Request, Router
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import CacheControlHeader, State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig
from litestar.types import ExceptionHandlersMap
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from service.identity import actor_of_cookie
from service.kit import words
from service.kit.access import PUBLIC, Actor, guard
from service.kit.clock import Clock, provide_now, system_clock
from service.kit.crypto import Keyring
from service.kit.db import make_engine, make_poster, make_sessions, session_per_request
from service.kit.edge import edge, identify
from service.kit.i18n import _, ngettext, translate
from service.kit.logs import ensure_logs
from service.kit.manifest import Manifest
from service.kit.pace import Paces
from service.kit.pages import STATIC, PageRefused, refusal_sentence
from service.kit.paging import seal_cursors_with
from service.kit.problems import on_bug, on_http, on_page_refused, on_refusal
from service.kit.read_only import ReadOnly
from service.kit.refusals import NotSignedIn, Refusal
from service.kit.routing import Service
from service.kit.settings import Settings
from service.kit.together import Together
from service.slices import manifests
from service.system import system_handlers
from service.worker import Worker

SERVICE = Path(__file__).resolve().parent


def templates() -> Environment:
    """Jinja over every slice's own folder; a missing name is an error, everything is escaped."""
    folders = {path.parent.name: FileSystemLoader(path) for path in sorted(SERVICE.glob("*/templates"))}
    environment = Environment(
        loader=PrefixLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(_, ngettext, newstyle=False)  # type: ignore[attr-defined] # added by the i18n extension
    environment.globals["said"] = translate
    environment.filters.update(
        hours=words.hours,
        points=words.points,
        yuan=words.yuan,
        when=words.when,
        day=words.day,
        clock=words.clock,
        masked=words.masked_name,
        phone=words.phone,
        said=words.sentence,
        refusal=refusal_sentence,
    )
    return environment


async def provide_actor(request: Request[Any, Any, Any]) -> Actor:
    """The signed-in person; routes that need one say so in `opt`, so that the guard has refused everybody else."""
    actor = request.scope.get("user")
    if not isinstance(actor, Actor):
        raise NotSignedIn
    return actor


async def authenticate(state: State, cookie: str) -> Actor | None:
    """The person behind a session cookie, in one round trip of its own."""
    now: datetime = cast("Clock", state.clock)()
    return await actor_of_cookie(cast("AsyncEngine", state.engine), cast("Keyring", state.keyring), cookie, now)


async def nobody_is_asked(connection: ASGIConnection[Any, Any, Any, Any], actor: Actor) -> None:
    """For an app of slices that know no second factor."""


@contextlib.asynccontextmanager
async def work_inside(app: Litestar) -> AsyncIterator[None]:
    """Run the worker beside the web server, unless another process does."""
    worker: Worker = app.state.worker
    task = asyncio.create_task(worker.run()) if app.state.settings.worker else None
    try:
        yield
    finally:
        worker.stop.set()
        if task is not None:
            await asyncio.wait([task], timeout=10)
            task.cancel()
        await cast("ledger.GroupPoster", app.state.poster).close()
        await cast("Together", app.state.together).close()
        await cast("AsyncEngine", app.state.engine).dispose()


def _built_files() -> Router:
    """What the build made: named by content, so kept for ever by browsers.

    Only files are compressed. A page holds a token, which its compressed length would help to guess.
    """
    STATIC.mkdir(exist_ok=True)
    return create_static_files_router(
        path="/static",
        directories=[STATIC],
        opt=dict(PUBLIC) | {"authentication": "none"},
        middleware=[DefineMiddleware(CompressionMiddleware, config=CompressionConfig(backend="gzip"))],
        cache_control=CacheControlHeader(max_age=31_536_000, public=True, immutable=True),
    )


REFUSING: ExceptionHandlersMap = {
    PageRefused: on_page_refused,
    Refusal: on_refusal,
    ledger.LedgerRefusal: on_refusal,
    redemption.RedemptionRefusal: on_refusal,
    HTTPException: on_http,
    Exception: on_bug,
}

DESCRIPTION = OpenAPIConfig(
    title="Linli",
    version="1",
    description="The same actions as the pages, as JSON. Times are RFC 3339, amounts are integers with their unit.",
    openapi_router=Router(path="/schema", route_handlers=[], opt=dict(PUBLIC)),
    render_plugins=[JsonRenderPlugin()],
)


def _csrf(settings: Settings, keyring: Keyring) -> CSRFConfig:
    return CSRFConfig(
        secret=keyring.key("csrf").hex(),
        cookie_secure=settings.is_secure,
        cookie_httponly=False,
        cookie_samesite="lax",
    )


def _engine(settings: Settings, url: str) -> tuple[AsyncEngine, ReadOnly]:
    """The pool, and what it learns from its connections about whether anything may be written."""
    known = ReadOnly(always=settings.read_only)
    pool = make_engine(url, pool_size=settings.pool_size, pgbouncer=settings.pgbouncer, read_only=known)
    return pool, known


def _paces(settings: Settings) -> Paces:
    return Paces(
        session_per_minute=settings.session_requests_per_minute,
        address_per_minute=settings.address_requests_per_minute,
    )


def create_app(
    settings: Settings,
    keyring: Keyring,
    *,
    database_url: str,
    direct_url: str | None = None,
    clock: Clock = system_clock,
    slices: Sequence[Manifest] | None = None,
) -> Litestar:
    """The whole service over one database; `direct_url` leads past a pooler. Nothing is read from the environment here."""
    engine, read_only = _engine(settings, database_url)
    sessions = make_sessions(engine, keyring, seal_copies=settings.seal_copies)
    offered = manifests() if slices is None else slices
    seal_cursors_with(keyring.key("cursor"))
    state = State(
        {
            "settings": settings,
            "keyring": keyring,
            "engine": engine,
            "read_only": read_only,
            "sessions": sessions,
            "poster": make_poster(sessions),
            "together": Together(),
            "clock": clock,
            "slices": offered,
            "authenticate": authenticate,
            "prove": next((item.prove for item in offered if item.prove), nobody_is_asked),
            "paces": _paces(settings),
            "worker": Worker(sessions, clock, offered, direct_url or database_url, read_only=read_only),
        }
    )
    app = Service(
        route_handlers=[
            _built_files(),
            *system_handlers(),
            *(handler for item in offered for handler in item.handlers),
        ],
        dependencies={
            "session": Provide(session_per_request),
            "actor": Provide(provide_actor),
            "now": Provide(provide_now),
        },
        signature_types=[AsyncSession, Actor, datetime],
        guards=[guard],
        middleware=[identify],
        exception_handlers=REFUSING,
        csrf_config=_csrf(settings, keyring),
        template_config=TemplateConfig(instance=JinjaTemplateEngine.from_environment(templates())),
        openapi_config=DESCRIPTION,
        lifespan=[work_inside],
        logging_config=None,
        on_startup=[ensure_logs],
        request_max_body_size=settings.body_limit_bytes,
        state=state,
        debug=False,
    )
    # Around the router, so that what the router itself refuses gets the same headers, language and log line.
    app.asgi_handler = edge(app.asgi_handler)
    return app
