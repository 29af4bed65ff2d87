"""The real app with one slice more, whose routes do one thing of the kit each."""

from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module

import pytest
import sqlalchemy as sa
import structlog
from litestar import Litestar

from service.app import create_app
from service.kit.logs import configure_logs
from service.kit.settings import Settings
from service.kit.tables import Audit
from tests.cast import KEYRING, UNLIMITED
from tests.kit.probe import PROBE, Gate

SLICES = ("identity", "desk", "notifications")


@pytest.fixture(scope="session")
def the_app() -> Litestar:
    """Built once; each test hangs it on its own database."""
    settings = Settings(worker=False, public_url="https://linli.example.org", **UNLIMITED)
    offered = [import_module(f"service.{name}.manifest").MANIFEST for name in SLICES]
    return create_app(settings, KEYRING, database_url="postgresql://nobody@127.0.0.1:1/none", slices=[*offered, PROBE])


@pytest.fixture(autouse=True)
def gate(the_app: Litestar) -> Gate:
    """Open by default."""
    made = the_app.state.gate = Gate()
    return made


@pytest.fixture(autouse=True)
def _logs_as_served() -> Iterator[None]:
    """The form of logs that a real start sets up."""
    configure_logs()
    yield
    structlog.reset_defaults()


@pytest.fixture
def deeds(app: Litestar) -> Callable[..., Awaitable[int]]:
    """Says how often the probe's work took effect."""

    async def count(action: str = "probe.done") -> int:
        async with app.state.sessions() as session:
            found = await session.execute(
                sa.select(sa.func.count()).select_from(Audit).where(sa.column("action") == action)
            )
            return int(found.scalar_one())

    return count
