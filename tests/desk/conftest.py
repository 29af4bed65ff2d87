"""The real app with one more slice, whose waiting work the test decides."""

from collections.abc import AsyncIterator
from datetime import datetime
from importlib import import_module

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlmodel.ext.asyncio.session import AsyncSession

from service.app import create_app
from service.kit.access import Actor
from service.kit.manifest import InboxRow, Manifest
from service.kit.settings import Settings
from tests.cast import KEYRING, UNLIMITED

WAITING: list[InboxRow] = []
ASKED_BY: list[tuple[Actor, datetime]] = []


async def _what_waits(_: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    ASKED_BY.append((actor, now))
    return list(WAITING)


@pytest.fixture(scope="session")
def the_app() -> Litestar:
    """Built once; each test hangs it on its own database."""
    offered = [import_module(f"service.{name}.manifest").MANIFEST for name in ("identity", "desk", "notifications")]
    probe = Manifest(name="probe", staff_inbox=[_what_waits])
    settings = Settings(worker=False, public_url="https://linli.example.org", **UNLIMITED)
    return create_app(settings, KEYRING, database_url="postgresql://nobody@127.0.0.1:1/none", slices=[*offered, probe])


@pytest.fixture
def waiting() -> list[InboxRow]:
    """What waits for staff."""
    WAITING.clear()
    ASKED_BY.clear()
    return WAITING


@pytest.fixture
async def statements(app: Litestar) -> AsyncIterator[list[str]]:
    """Every statement sent to the database, in order."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    sa.event.listen(app.state.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(app.state.engine.sync_engine, "before_cursor_execute", note)
