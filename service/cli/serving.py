"""run, serve, worker: the processes that go on."""

import argparse
import asyncio
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import uvicorn
from sqlmodel.ext.asyncio.session import AsyncSession

from migrations.runner import upgrade
from service import communities
from service.app import create_app
from service.cli.doctor import complaints
from service.cli.places import CommandRefused, Place, database, first_keys, is_running, keys, opened, run, say
from service.cli.tls import self_made_certificate
from service.demo import DEMO_MARK, SIGN_INS, is_demo, load_demo
from service.kit.clock import system_clock
from service.kit.crypto import Keyring
from service.kit.logs import configure_logs
from service.kit.read_only import ReadOnly
from service.kit.settings import Settings
from service.slices import manifests
from service.worker import Worker


def run_here(chosen: argparse.Namespace) -> int:
    """Make what is missing, migrate, load the demo into an empty embedded database, print the addresses, serve."""
    settings = _settings(chosen)
    certificate: tuple[Path, Path] | None = None
    if chosen.tls:
        certificate = self_made_certificate(settings.data_dir.parent / "tls", settings.host)
        settings = settings.model_copy(
            update={"public_url": settings.public_url or f"https://{settings.host}:{settings.port}"}
        )
    _log(settings, unless_said="file")
    with database(settings, keep=True) as place:
        if place.owner_url is None:
            raise CommandRefused("LINLI_OWNER_URL is needed to migrate; or use `linli serve` on a migrated database")
        run(upgrade(place.owner_url))
        keyring = first_keys(settings, place)
        has_demo = run(_demo_when_empty(place, keyring, wanted=place.is_embedded and not chosen.no_demo))
        _introduce(settings, has_demo=has_demo)
        _serve(settings, keyring, place, certificate)
    return 0


def serve_only(chosen: argparse.Namespace) -> int:
    """Serve a database that is ready; refuse one that is not, and a demo on a public address."""
    settings = _settings(chosen)
    _log(settings, unless_said="stderr")
    with database(settings, keep=True) as place:
        keyring = keys(settings)
        found = run(complaints(place, keyring))
        if found:
            raise CommandRefused("not serving:\n  - " + "\n  - ".join(found))
        if run(_has_demo(place, keyring)) and not _is_local(settings):
            raise CommandRefused(f"not serving: {DEMO_MARK} are in this database and {settings.origin} is not local")
        _serve(settings, keyring, place, None)
    return 0


def work_only(chosen: argparse.Namespace) -> int:
    """Deliver facts and do timed work until told to stop."""
    settings = Settings()
    if not is_running(settings):
        raise CommandRefused("the private database lives with `linli serve`, which does this work too; start that")
    with database(settings) as place:
        keyring = keys(settings)

        async def work() -> None:
            known = ReadOnly(always=settings.read_only)
            async with opened(place, keyring, read_only=known) as (_, sessions):
                worker = Worker(sessions, system_clock, manifests(), place.app_url, read_only=known)
                loop = asyncio.get_running_loop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.add_signal_handler(number, worker.stop.set)
                if chosen.retry:
                    say(f"{await worker.retry_parked()} parked deliveries are tried again.")
                await worker.run()

        run(work())
    return 0


def _settings(chosen: argparse.Namespace) -> Settings:
    settings = Settings()
    return settings.model_copy(update={"port": chosen.port}) if chosen.port else settings


def _log(settings: Settings, *, unless_said: str) -> None:
    """Send the log where the operator wants it."""
    if (settings.log or unless_said) != "file":
        return
    try:
        configure_logs(settings.log_file)
    except OSError as problem:
        raise CommandRefused(
            f"the log {settings.log_file} cannot be written ({problem.strerror}); LINLI_LOG=stderr needs no file"
        ) from problem


def _is_local(settings: Settings) -> bool:
    return urlsplit(settings.origin).hostname in ("127.0.0.1", "localhost", "::1")


async def _has_demo(place: Place, keyring: Keyring) -> bool:
    async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
        return await is_demo(session)


async def _demo_when_empty(place: Place, keyring: Keyring, *, wanted: bool) -> bool:
    async with opened(place, keyring) as (_, sessions):
        async with sessions.begin() as session:
            if await _any_community(session):
                return await is_demo(session)
        if wanted:
            shutil.rmtree(Settings().seal_copies, ignore_errors=True)  # of a demo that is gone with its database
            say("Loading the demo: an invented roster in a real street. This takes a moment, once.")
            await load_demo(sessions, keyring, datetime.now(UTC), say)
        return wanted


async def _any_community(session: AsyncSession) -> bool:
    return bool(await communities.communities(session))


def _introduce(settings: Settings, *, has_demo: bool) -> None:
    say("")
    say(f"  邻里 Linli   {settings.origin}")
    if settings.log != "stderr":
        say(f"  log          {settings.log_file}")
    if has_demo:
        say("")
        for line in SIGN_INS:
            say(f"  {line}")
    say("")


def _serve(settings: Settings, keyring: Keyring, place: Place, certificate: tuple[Path, Path] | None) -> None:
    app = create_app(settings, keyring, database_url=place.pool_url, direct_url=place.app_url)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        log_config=None,  # its lines go the way of ours
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or None,
        timeout_graceful_shutdown=10,
        ssl_certfile=certificate[0] if certificate else None,
        ssl_keyfile=certificate[1] if certificate else None,
    )
    # uvicorn raises the signal again when it is done; this turns it into an ordinary end, so that the database stops too.
    signal.signal(signal.SIGTERM, _leave)
    uvicorn.Server(config).run()


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit(0)
