"""Proving on from a number: what came after it is proved as the whole book would be, and what lies before is not read again."""

import re

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import Capture, Fault
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, hold_id, journal, post
from tests.ledger.sealing import KEYS, SIGNER, fill, gift, sealed
from tests.ledger.test_verify import PLANTS, Plant, filled, verified

pytestmark = pytest.mark.slow

__all__ = ["filled"]

SINCE = 5


def is_after(planted: Plant) -> bool:
    """Whether the fault stands in a row behind the number. What concerns accounts, keys and heads is looked at anyway."""
    named = re.match(r"(?:transfer|journal) (\d+)", planted.place)
    return int(named[1]) > SINCE if named else not planted.place.startswith("hold ")


AFTER = [planted for planted in PLANTS if is_after(planted)]


@pytest.mark.parametrize("planted", AFTER, ids=[f"{n}-{planted.kind}" for n, planted in enumerate(AFTER)])
async def test_a_fault_behind_the_number_is_named(database: Database, filled: int, planted: Plant):
    async with open_engine(database.superuser_url) as engine, sessions_of(engine)() as session:
        assert await verified(session, *planted.sql)
        named = {(fault.kind, fault.place) for fault in await ledger.verify(session, BOOK, since=SINCE)}
        # An account's first row behind the number is held to the row that it points to, so a wrong pointer is a wrong count.
        kind = "version" if planted.kind == "prev" else planted.kind
        assert (kind, planted.place) in named
        await session.rollback()


async def test_a_whole_book_is_whole_from_every_number_on(sessions: Sessions, filled: int):
    async with sessions.begin() as session:
        for since in range(10):
            assert await ledger.verify(session, BOOK, since=since) == []


async def test_a_number_that_the_book_has_not_reached_is_a_fault_of_the_book(sessions: Sessions, filled: int):
    async with sessions.begin() as session:
        assert await ledger.verify(session, BOOK, since=12) == [
            Fault("head_seq", BOOK, "book 7", "is at 9, the last transfer is 12")
        ]


MORE = (
    ("hold", "UPDATE ledger.hold SET captured = 0, released = 0"),
    ("hold", "UPDATE ledger.transfer SET kind = 'hold' WHERE seq = 10"),
    ("hold_account", "UPDATE ledger.transfer SET unit = 'minute' WHERE seq = 10"),
    ("account_balance", "UPDATE ledger.account SET balance = balance - 1 WHERE code = 'jar'"),
    ("account_last_seq", "UPDATE ledger.account SET last_seq = 9 WHERE code = 'bakery'"),
    ("version", "UPDATE ledger.transfer SET debit_prev = 4 WHERE seq = 10"),
    ("running_balance", "UPDATE ledger.transfer SET debit_prev = 10 WHERE seq = 10"),
    ("posted_at", "UPDATE ledger.transfer SET posted_at = '2020-01-01Z' WHERE seq = 10"),
)


@pytest.mark.parametrize(("kind", "statement"), MORE, ids=[f"{n}-{kind}" for n, (kind, _) in enumerate(MORE)])
async def test_what_goes_on_with_older_rows_is_held_to_them(
    database: Database, sessions: Sessions, filled: int, kind: str, statement: str
):
    await post(sessions, journal("use", Capture(hold_id(2), "bakery", 4)))
    async with open_engine(database.superuser_url) as engine, sessions_of(engine)() as session:
        assert await ledger.verify(session, BOOK, since=9) == []
        connection = await session.connection()
        await connection.exec_driver_sql("ALTER TABLE ledger.transfer DROP CONSTRAINT ck_transfer_order")
        if kind == "posted_at" and not await _has(session, "ledger.transfer", "posted_at"):
            statement = statement.replace("transfer", "journal").replace("seq", "journal_id")
            await connection.exec_driver_sql("ALTER TABLE ledger.journal DROP CONSTRAINT ck_journal_times")
        await connection.exec_driver_sql(statement)
        assert kind in {fault.kind for fault in await ledger.verify(session, BOOK, since=9)}
        await session.rollback()


async def _has(session: AsyncSession, table: str, column: str) -> bool:
    found = await (await session.connection()).exec_driver_sql(
        "SELECT 1 FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2", (table, column)
    )
    return found.first() is not None


async def test_since_the_last_seal_the_leaves_before_it_are_not_made_again(sessions: Sessions, book: int):
    await fill(sessions, gifts=300)
    last = await sealed(sessions)
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(number) for number in range(300, 700)], now=NOW)
        await ledger.extend(session, BOOK)
    read: list[int] = []

    def note(_connection, _cursor, statement: str, values: tuple[int, ...], _context, _many) -> None:
        if "ORDER BY t.seq" in statement:
            read.append(values[1])

    async with sessions.begin() as session:
        engine = (await session.connection()).sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            assert await ledger.verify_seals(session, BOOK, KEYS, since_last=True) == []
            assert read == [last.size]
            assert await ledger.verify_seals(session, BOOK, KEYS) == []
            assert 0 in read
        finally:
            event.remove(engine, "before_cursor_execute", note)


TREES = (
    ("tree_edge", "UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 600"),
    ("tile", "UPDATE ledger.tile SET hash = sha256('') WHERE place = 1"),
    ("seal_edge", "UPDATE ledger.seal SET edge = sha256('')"),
    ("seal_signature", "UPDATE ledger.seal SET root = sha256('')"),
)


@pytest.mark.parametrize(("kind", "statement"), TREES, ids=[kind for kind, _ in TREES])
async def test_the_tree_must_go_on_from_the_seal(
    database: Database, sessions: Sessions, book: int, kind: str, statement: str
):
    await fill(sessions, gifts=300)
    await sealed(sessions)
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(number) for number in range(300, 700)], now=NOW)
        await ledger.extend(session, BOOK)
    async with open_engine(database.superuser_url) as engine, sessions_of(engine)() as session:
        await (await session.connection()).exec_driver_sql(statement)
        assert kind in {fault.kind for fault in await ledger.verify_seals(session, BOOK, KEYS, since_last=True)}
        await session.rollback()


async def test_a_number_without_a_book_means_nothing(sessions: Sessions):
    async with sessions.begin() as session:
        with pytest.raises(ValueError, match="one book"):
            await ledger.verify(session, since=3)


async def test_sealing_twice_leaves_nothing_to_prove(sessions: Sessions, book: int):
    await fill(sessions)
    last = await sealed(sessions)
    async with sessions.begin() as session:
        again = await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
        assert again.is_new is False
        assert await ledger.verify(session, BOOK, since=last.size) == []
        assert await ledger.verify_seals(session, BOOK, KEYS, since_last=True) == []
