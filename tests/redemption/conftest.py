from collections.abc import AsyncIterator

import pytest

from tests.db import Database, Sessions, open_engine, sessions_of
from tests.redemption.market import Market


@pytest.fixture
async def market(sessions: Sessions) -> Market:
    """A market on the worker's database."""
    return await Market(sessions).open()


@pytest.fixture
async def fresh_market(fresh_database: Database) -> AsyncIterator[Market]:
    """A market on a database of its own with room for a crowd: for races and for planted faults."""
    async with open_engine(fresh_database.app_url, pool_size=45) as engine:
        yield await Market(sessions_of(engine)).open()
