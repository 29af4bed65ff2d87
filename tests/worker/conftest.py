"""Workers on this test's own town, with subscribers the test writes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.kit import outbox
from service.kit.db import Sessions, make_engine, make_sessions
from service.kit.ids import new_id
from service.kit.manifest import Manifest, Timed, Watch
from service.notifications.manifest import MANIFEST
from service.notifications.tables import Message
from service.worker import Worker
from tests.cast import HERE, KEYRING, START, Town
from tests.db import Database

Subscribe = Callable[..., Worker]


@pytest.fixture
async def town_sessions(town_database: Database) -> AsyncIterator[Sessions]:
    engine = make_engine(town_database.app_url, pool_size=20)
    yield make_sessions(engine, KEYRING)
    await engine.dispose()


@pytest.fixture
def a_worker(town_sessions: Sessions, town_database: Database) -> Subscribe:
    """Makes a worker with the messages' subscribers and those of the test; it tries again without a pause."""

    def make(
        *subscribers: Any,
        readers: Sequence[Any] = (),
        timed: Sequence[Timed] = (),
        watches: Sequence[Watch] = (),
        messages: bool = True,
    ) -> Worker:
        own = Manifest(
            name="probe",
            subscribers={facts.WishApproved: subscribers} if subscribers else {},
            readers={facts.WishApproved: readers},
            timed=timed,
            watches=watches,
        )
        slices = [MANIFEST, own] if messages else [own]
        return Worker(town_sessions, lambda: START, slices, town_database.app_url, first_pause=timedelta(0))

    return make


@pytest.fixture
def fact(town: Town) -> facts.WishApproved:
    """Li's wish was approved."""
    return facts.WishApproved(community_id=HERE, wish_id=new_id(), asked_by=town.actors["li"].member_id)


@pytest.fixture
def record(town_sessions: Sessions) -> Callable[..., Awaitable[None]]:
    """Records facts in a transaction that commits."""

    async def do(*happened: facts.WishApproved) -> None:
        async with town_sessions.begin() as session:
            for one in happened:
                outbox.record(session, one, now=START)

    return do


@pytest.fixture
def counted(town_sessions: Sessions) -> Callable[[str], Awaitable[int]]:
    """How many messages, or outbox rows that wait, or jobs, there are."""
    queries: dict[str, sa.Executable] = {
        "messages": sa.select(sa.func.count()).select_from(Message),
        "waiting": sa.text("SELECT count(*) FROM outbox WHERE relayed_at IS NULL"),
        "jobs": sa.text("SELECT count(*) FROM jobs.pgqueuer"),
    }

    async def count(what: str) -> int:
        async with town_sessions() as session:
            return int((await session.execute(queries[what])).scalar_one())

    return count


async def fails(_: AsyncSession, __: object, ___: datetime) -> None:
    """A subscriber that never manages."""
    raise RuntimeError("no")


@pytest.fixture
def deeds(town_sessions: Sessions) -> Callable[[str], Awaitable[int]]:
    """How many audit lines of an action there are."""

    async def count(action: str) -> int:
        async with town_sessions() as session:
            found = await session.execute(sa.text("SELECT count(*) FROM audit WHERE action = :a"), {"a": action})
            return int(found.scalar_one())

    return count
