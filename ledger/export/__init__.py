"""Writes a book out for programs that are not ours, so that anyone can add it up again.

Beancount and hledger get every journal as a transaction and, at the end, one assertion for every account: `bean-check`
and `hledger check --strict` refuse the file when a single balance differs. Comma-separated values get every transfer as
a row; Parquet, which needs an optional package, the same with types.

An export shows the book as it stood at one number of its sequence. What is posted meanwhile is left for the next one,
so the writers need not wait. Memory is bounded by the number of accounts, whatever the number of transfers.

Signs are the ledger's own: what comes in on the credit side adds to an account, so the balances are those of the
statements.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import tzinfo
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.export import beancount, hledger, table
from ledger.export.parquet import ParquetMissing, export_parquet
from ledger.export.rows import Names, Writer, book_at, entries

__all__ = ["ExportForm", "ParquetMissing", "export", "export_parquet"]


class ExportForm(StrEnum):
    """What the file is for; the value is its ending."""

    BEANCOUNT = "beancount"
    HLEDGER = "journal"
    CSV = "csv"


_WRITERS: Mapping[ExportForm, type[Writer]] = {
    ExportForm.BEANCOUNT: beancount.Beancount,
    ExportForm.HLEDGER: hledger.Hledger,
    ExportForm.CSV: table.Table,
}


async def export(
    session: AsyncSession,
    book: int,
    form: ExportForm,
    *,
    zone: tzinfo,
    roots: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[str]:
    """The book as text, piece by piece. Needs only to read.

    `zone` decides on which day something took effect. `roots` puts the first word of an account's code under one of
    Assets, Liabilities, Equity, Income and Expenses; without a root it is Equity. `progress` hears how many of how
    many transfers are written. Raises BookNotFound.
    """
    extent = await book_at(session, book)
    writer = _WRITERS[form](extent, Names(extent.accounts, roots or {}), zone)
    yield writer.head()
    async for batch in entries(session, extent):
        yield "".join(map(writer.entry, batch))
        if progress is not None:
            progress(batch[-1].transfers[-1].seq, extent.seq)
    yield writer.foot()
