"""A book as Parquet: the columns of the comma-separated values with types, for tools that compute with millions of rows.

Written by the optional package arro3 (`pip install linli[parquet]`): the ledger itself needs nothing for it.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.export.rows import Entry, Extent, book_at, entries

_NUMBER, _TEXT, _TIME = "int64", "string", "timestamp"
COLUMNS: dict[str, tuple[str, bool]] = {
    "seq": (_NUMBER, False),
    "journal_id": (_NUMBER, False),
    "reference": (_TEXT, False),
    "reason": (_TEXT, False),
    "kind": (_TEXT, False),
    "unit": (_TEXT, False),
    "amount": (_NUMBER, False),
    "debit": (_TEXT, False),
    "debit_balance": (_NUMBER, False),
    "credit": (_TEXT, False),
    "credit_balance": (_NUMBER, False),
    "effective_at": (_TIME, False),
    "posted_at": (_TIME, False),
    "actor_id": (_TEXT, True),
    "on_behalf_of": (_TEXT, True),
    "hold_id": (_TEXT, True),
    "reverses": (_NUMBER, True),
}
"""Kind of each column, and whether it may be empty. Amounts are in the unit's smallest part, times in microseconds of UTC."""


class ParquetMissing(Exception):
    """The optional package is not installed here."""


async def export_parquet(
    session: AsyncSession, book: int, file: BinaryIO, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a book as it stands now into a file. Needs only to read, and keeps some thousand rows in memory.

    Raises BookNotFound, and ParquetMissing where the optional package is not installed.
    """
    try:
        from arro3 import core, io  # noqa: PLC0415  (optional)
    except ImportError as missing:
        raise ParquetMissing from missing
    kinds = {
        _NUMBER: core.DataType.int64(),
        _TEXT: core.DataType.string(),
        _TIME: core.DataType.timestamp("us", tz="UTC"),
    }
    schema = core.Schema([core.Field(name, kinds[kind], nullable=empty) for name, (kind, empty) in COLUMNS.items()])
    extent = await book_at(session, book)
    pieces = entries(session, extent)
    loop = asyncio.get_running_loop()

    async def following() -> Sequence[Entry] | None:
        return await anext(pieces, None)

    def batches() -> Iterator[Any]:
        """In the writer's thread; each piece is read by the loop, whose connection it is."""
        while (piece := asyncio.run_coroutine_threadsafe(following(), loop).result()) is not None:
            rows = [row for entry in piece for row in _rows(extent, entry)]
            columns = zip(*rows, strict=True)
            yield core.RecordBatch.from_arrays(
                [
                    core.Array(list(values), type=core.DataType.int64()).cast(kinds[kind])
                    if kind == _TIME
                    else core.Array(list(values), type=kinds[kind])
                    for values, (kind, _) in zip(columns, COLUMNS.values(), strict=True)
                ],
                schema=schema,
            )
            if progress is not None:
                progress(piece[-1].transfers[-1].seq, extent.seq)

    reader = core.RecordBatchReader.from_batches(schema, batches())
    await asyncio.to_thread(io.write_parquet, reader, file)


def _rows(extent: Extent, entry: Entry) -> Iterator[tuple[int | str | None, ...]]:
    times = _microseconds(entry.effective_at), _microseconds(entry.posted_at)
    people = _text(entry.actor_id), _text(entry.on_behalf_of)
    for step in entry.transfers:
        yield (
            *(step.seq, entry.journal_id, entry.reference, entry.reason, step.kind, step.unit, step.amount),
            *(extent.accounts[step.debit].code, step.debit_balance),
            *(extent.accounts[step.credit].code, step.credit_balance),
            *times,
            *people,
            _text(step.hold_id),
            entry.reverses,
        )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _microseconds(at: datetime) -> int:
    whole = int(at.timestamp() // 1)
    return whole * 1_000_000 + at.microsecond
