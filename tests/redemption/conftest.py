import pytest

from tests.db import Sessions
from tests.redemption.market import Market


@pytest.fixture
async def market(sessions: Sessions) -> Market:
    """A market on the worker's database."""
    return await Market(sessions).open()


@pytest.fixture
async def fresh_market(fresh_sessions: Sessions) -> Market:
    """A market on a database of its own, for races and for planted faults."""
    return await Market(fresh_sessions).open()
