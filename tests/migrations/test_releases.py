"""A database of every release comes to this version with everything in it: balances, journals, holds and seals.

Each is built at the release's last migration and filled by plain SQL that calls the functions as they were then. What is
here today takes no part before the upgrade.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import asyncpg
import pytest

import ledger
from ledger import Capture, Hold, Leg, Posted, Release
from migrations import runner
from tests.architecture.sources import ROOT
from tests.db import Database, Steward, open_engine, sessions_of
from tests.ledger.cast import connected, hold_id, journal
from tests.ledger.sealing import KEYS
from tests.migrations import releases
from tests.migrations.releases import FILLINGS, fingerprint

BOOK = 7
NOW = datetime(2026, 6, 1, tzinfo=UTC)
RELEASES = releases.releases()
SEEN = (
    "SELECT community_id, code, unit, floor, ceiling, balance, version, last_seq, closed_at FROM ledger.account",
    "SELECT community_id, hold_id, unit, amount, captured, released, expires_at FROM ledger.hold",
    """SELECT community_id, journal_id, reference, reason, transfers, actor_id, on_behalf_of, effective_at, posted_at,
              reverses FROM ledger.journal""",
    """SELECT community_id, seq, journal_id, kind, unit, amount, debit, debit_balance, debit_version, debit_prev, credit,
              credit_balance, credit_version, credit_prev, hold_id FROM ledger.transfer""",
    "SELECT community_id, seq, at FROM ledger.book",
)
SEALS = "SELECT community_id, number, size, root, edge, previous, sealed_at, signature, totals FROM ledger.seal"


async def filled(database: Database, release: releases.Release) -> None:
    """What people did with this release and the ones before it."""
    await runner.upgrade(database.owner_url, release.head)
    async with connected(database.app_url) as connection:
        for each in RELEASES[: RELEASES.index(release) + 1]:
            await connection.execute((FILLINGS / f"{each.name}.sql").read_text("utf-8"))


async def seen(url: str) -> list[set[tuple[object, ...]]]:
    """Everything that must be the same afterwards."""
    async with connected(url) as connection:
        has_seals = await connection.fetchval("SELECT to_regclass('ledger.seal') IS NOT NULL")
        queries = (*SEEN, SEALS) if has_seals else SEEN
        return [{tuple(map(_plain, row)) for row in await connection.fetch(query)} for query in queries]


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


@pytest.fixture
def empty_database(steward: Steward) -> Iterator[Database]:
    """A database in which no migration has run."""
    with steward.empty() as database:
        yield database


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES, ids=[each.name for each in RELEASES])
async def test_what_a_release_kept_is_kept(empty_database: Database, release: releases.Release):
    await filled(empty_database, release)
    before = await seen(empty_database.superuser_url)
    assert all(before)

    await runner.upgrade(empty_database.owner_url)

    assert (await seen(empty_database.superuser_url))[: len(before)] == before
    async with open_engine(empty_database.app_url) as engine, sessions_of(engine).begin() as session:
        assert await ledger.verify(session) == []
        assert await ledger.verify_seals(session, BOOK, KEYS) == []
        kept = await ledger.seals(session, BOOK)
        for seal in kept:
            assert await ledger.verify(session, BOOK, since=seal.size) == []
            assert (await ledger.prove(session, BOOK, 100)).seal.number == seal.number
        assert bool(kept) is (release.name != "0.1.0")


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES, ids=[each.name for each in RELEASES])
async def test_a_retry_from_before_the_upgrade_is_still_the_same(empty_database: Database, release: releases.Release):
    await filled(empty_database, release)
    await runner.upgrade(empty_database.owner_url)
    again = [
        journal("start", Leg("issued", "li", "point", 5000), Leg("issued", "li", "minute", 90), reason="opening"),
        journal("gift:7", Leg("li", "chen", "point", 3), reason="gift"),
        journal("hold:4", Hold(hold_id(4), "li", "point", 30), reason="voucher"),
        journal("use:2", Capture(hold_id(2), "bakery", 10), Release(hold_id(2)), reason="voucher"),
    ]
    async with open_engine(empty_database.app_url) as engine, sessions_of(engine).begin() as session:
        told = await ledger.post_many(session, BOOK, again, now=NOW)
        assert [isinstance(each, Posted) and each.replayed for each in told] == [True] * 4
        other = await ledger.post_many(session, BOOK, [journal("gift:7", Leg("li", "chen", "point", 4))], now=NOW)
        assert isinstance(other[0], ledger.ReferenceReused)
        (taken,) = await ledger.post_many(session, BOOK, [journal("use:4", Capture(hold_id(4), "bakery", 30))], now=NOW)
        assert isinstance(taken, Posted)
        assert await ledger.verify(session) == []


@pytest.mark.slow
async def test_a_whole_reversal_from_before_the_upgrade_is_still_the_same(empty_database: Database):
    await filled(empty_database, RELEASES[-1])
    await runner.upgrade(empty_database.owner_url)
    async with open_engine(empty_database.app_url) as engine, sessions_of(engine).begin() as session:
        undone = await ledger.reverse(
            session, BOOK, reference="undo", original="chain", reason="typo", actor_id=None, now=NOW
        )
        assert undone.replayed


def test_releases_go_forward_and_what_they_hold_is_never_edited():
    heads = [release.head for release in RELEASES]
    assert heads == sorted(set(heads))
    assert heads[-1] <= runner.expected_head()
    assert [release.name for release in RELEASES] == sorted(
        {release.name for release in RELEASES}, key=lambda name: [int(part) for part in name.split(".")]
    )
    for release in RELEASES:
        assert release.fingerprint == fingerprint(release.head), f"a migration of release {release.name} was edited"


def test_a_release_of_the_changelog_has_its_line_and_its_filling():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    named = re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert named[::-1] == [release.name for release in RELEASES]
    assert {file.stem for file in FILLINGS.glob("*.sql")} == set(named)


async def test_a_filling_speaks_to_its_own_release(empty_database: Database):
    first = RELEASES[0]
    await filled(empty_database, first)
    async with connected(empty_database.app_url) as connection:
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await connection.execute((FILLINGS / f"{RELEASES[1].name}.sql").read_text("utf-8"))
