"""The book as Parquet: the same rows as the comma-separated values, with types, and the sums of the accounts."""

import csv
import io
import sys
from datetime import UTC
from pathlib import Path

import arro3.io
import pytest

import ledger
from ledger import Capture, ExportForm, Hold, Leg, ParquetMissing
from tests.db import Sessions
from tests.ledger.cast import BOOK, NOW, hold_id, issue, journal, post


async def filled(sessions: Sessions) -> None:
    both = (Leg("li", "bakery", "point", 30), Leg("bakery", "chen", "point", 7))
    await post(sessions, issue("start"), journal('=two, "quoted"', *both))
    await post(sessions, journal("aside", Hold(hold_id(1), "li", "point", 50)))
    await post(sessions, journal("used", Capture(hold_id(1), "bakery", 20), effective_at=NOW))
    await post(sessions, *(journal(f"many {n}", Leg("li", "chen", "point", 1)) for n in range(20)))


@pytest.mark.usefixtures("book")
async def test_the_rows_are_those_of_the_other_form_with_types(
    sessions: Sessions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["ledger.export.rows"], "BATCH", 4)  # several pieces, some of them within a journal
    await filled(sessions)
    told: list[tuple[int, int]] = []
    place = tmp_path / "book.parquet"
    async with sessions.begin() as session:
        with place.open("wb") as file:
            await ledger.export_parquet(session, BOOK, file, progress=lambda *done: told.append(done))
        text = "".join([piece async for piece in ledger.export(session, BOOK, ExportForm.CSV, zone=UTC)])
        balances = await ledger.balances(session, BOOK, [("li", "point"), ("bakery", "point"), ("chen", "point")])

    table = arro3.io.read_parquet(str(place)).read_all()
    columns = {name: table.column(name).to_pylist() for name in table.schema.names}
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert list(columns) == list(rows[0])
    for name, values in columns.items():
        said = ["" if value is None else value.isoformat() if name.endswith("_at") else str(value) for value in values]
        assert said == [row[name].removeprefix("'") for row in rows], name
    assert told[-1] == (len(rows), len(rows))
    for (code, _), balance in balances.items():
        credited = sum(amount for amount, to in zip(columns["amount"], columns["credit"], strict=True) if to == code)
        debited = sum(amount for amount, of in zip(columns["amount"], columns["debit"], strict=True) if of == code)
        assert credited - debited == balance


@pytest.mark.usefixtures("book")
async def test_without_the_optional_package_it_says_so(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arro3", None)
    async with sessions.begin() as session:
        with pytest.raises(ParquetMissing):
            await ledger.export_parquet(session, BOOK, io.BytesIO())


@pytest.mark.usefixtures("book")
async def test_an_unknown_book_is_refused(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.export_parquet(session, BOOK + 1, io.BytesIO())
