"""The book of tests/ledger/cast.py, opened."""

import pytest

from tests.db import Sessions
from tests.ledger import cast


@pytest.fixture
async def book(sessions: Sessions) -> int:
    """Book 7 with its accounts, committed."""
    async with sessions.begin() as session:
        await cast.found(session)
    return cast.BOOK


@pytest.fixture
async def fresh_book(fresh_sessions: Sessions) -> int:
    """The same in a database of this test's own."""
    async with fresh_sessions.begin() as session:
        await cast.found(session)
    return cast.BOOK
