"""What goes to the server as the text of an array comes out as it went in."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from ledger import arrays
from tests.db import Database
from tests.ledger.cast import connected

TEXTS = [
    [],
    ["a"],
    ["", " ", "a,b", "{}", "NULL", "null"],
    ['"', '""', 'a"b', "\\", '\\"', "a\\b", "'"],
    ["张三", "🙂", "\t\n\r\x1f\x7f", "é"],
    ["a", None, '"', None, "\\"],
    [None],
    [None, None],
]


@pytest.mark.parametrize("texts", TEXTS, ids=str)
async def test_texts(database: Database, texts: list[str | None]):
    async with connected(database.app_url) as connection:
        assert await connection.fetchval("SELECT $1::text::text[]", arrays.of_texts(texts)) == texts


async def test_what_no_database_takes_becomes_what_is_refused(database: Database):
    async with connected(database.app_url) as connection:
        for texts in (["a\0b", "\ud800", "ok"], ["a\0b", "\ud800", "ok", None]):
            found = await connection.fetchval("SELECT $1::text::text[]", arrays.of_texts(texts))
            assert found[:3] == ["a\x01b", "\x01", "ok"]


async def test_values_and_times(database: Database):
    one, day = UUID(int=7), datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
    first, last = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
    async with connected(database.app_url) as connection:
        for literal, kind, values in (
            (arrays.of_values([1, None, -(2**63) + 1, 0]), "bigint", [1, None, -(2**63) + 1, 0]),
            (arrays.of_values([one, None]), "uuid", [one, None]),
            (arrays.of_values([None, None]), "bigint", [None, None]),
            (arrays.of_values([]), "bigint", []),
            (arrays.of_times([day, None, first, last]), "timestamptz", [day, None, first, last]),
            (arrays.of_times([None]), "timestamptz", [None]),
        ):
            assert await connection.fetchval(f"SELECT $1::text::{kind}[]", literal) == values
