"""The ledger beside its model, asked everything in every order: what Hypothesis finds it makes short."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.db import Database, open_engine, sessions_of
from tests.ledger.machine import Ledgers, play


@pytest.fixture
def where(fresh_database: Database) -> Iterator[Ledgers]:
    """A database and a loop of this test's own."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        opening = open_engine(fresh_database.app_url, pool_size=12)
        engine = loop.run_until_complete(opening.__aenter__())
        yield Ledgers(sessions_of(engine), fresh_database.superuser_url, loop)
        loop.run_until_complete(opening.__aexit__(None, None, None))


def test_the_ledger_does_what_the_model_does(where: Ledgers):
    play(where, max_examples=40, stateful_step_count=20, derandomize=True)
    assert where.met["posted"] > 100
    assert len(where.met) > 15
    # Accounts with more than one lot were met, and some of what was over was taken away.
    assert where.met["lots"] > 5
    assert where.met["swept"] > 0


@pytest.mark.slow
def test_the_ledger_does_what_the_model_does_for_long(where: Ledgers):
    play(where, max_examples=300, stateful_step_count=50)
