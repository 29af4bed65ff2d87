"""Exports, read by the programs they are for."""

import csv
import io
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import ledger
from ledger import Capture, ExportForm, Hold, Leg, Release, export
from ledger.export import rows
from ledger.tables import account as accounts_table
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.cast import BOOK, LATER, hold_id, issue, journal, post

pytestmark = pytest.mark.anyio
XIAN = ZoneInfo("Asia/Shanghai")
BEAN_CHECK = Path(sys.executable).with_name("bean-check")
NASTY = '他说 "好"; a | b \\ c'


async def written(sessions: Sessions, form: ExportForm, book: int = BOOK) -> str:
    """The whole file."""
    async with sessions() as session:
        return "".join([piece async for piece in export(session, book, form, zone=XIAN, roots={"li": "Liabilities"})])


async def stated(sessions: Sessions) -> dict[tuple[str, str], int]:
    """Every balance as the ledger keeps it."""
    async with sessions() as session:
        found = await session.execute(accounts_table.select())
        return {(row.code, row.unit): row.balance for row in found}


@pytest.fixture
async def busy(sessions: Sessions, book: int) -> Sessions:
    """A book with every kind of entry in it, words that no program likes, and a journal back in the last year."""
    await post(
        sessions,
        issue("a1"),
        issue("a2", "chen", 250, "minute"),
        journal("a3", Leg("issued", "li", "point", 33), Leg("li", "chen", "point", 7), reason=NASTY),
        journal("a4", Hold(hold_id(1), "li", "point", 120)),
        journal(
            f"=1+1 {NASTY}", Leg("chen", "bakery", "point", 5), effective_at=datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
        ),
        journal("a6", Capture(hold_id(1), "bakery", 20)),
        journal("a7", Release(hold_id(1), 100)),
    )
    async with sessions.begin() as session:
        back = [Leg("li", "issued", "point", 400)]
        await ledger.reverse(
            session, BOOK, reference="a8", original="a1", reason="mistake", actor_id=cast.ZHAO, legs=back, now=LATER
        )
    return sessions


def bean_check(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What Beancount's own checker says."""
    (folder / "book.beancount").write_text(text, encoding="utf-8")
    command = [str(BEAN_CHECK), "--no-cache", str(folder / "book.beancount")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def hledger(text: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What hledger says."""
    program = shutil.which("hledger")
    assert program is not None, "hledger is not installed; .ci/run installs it"
    (folder / "book.journal").write_text(text, encoding="utf-8")
    command = [program, "-f", str(folder / "book.journal"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C.UTF-8"})


async def test_bean_check_accepts_the_book(busy: Sessions, tmp_path: Path) -> None:
    text = await written(busy, ExportForm.BEANCOUNT)

    done = bean_check(text, tmp_path)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert text.count(" balance ") == len(cast.ACCOUNTS)
    assert "2026-01-01 * " in text, "an effect at 16:00 UTC is on the next day here"


async def test_bean_check_refuses_a_book_with_one_amount_changed(busy: Sessions, tmp_path: Path) -> None:
    text = await written(busy, ExportForm.BEANCOUNT)

    done = bean_check(text.replace("-0.33 POINT", "-0.34 POINT").replace("  0.33 POINT", "  0.34 POINT"), tmp_path)

    assert done.returncode != 0
    assert "Balance failed" in done.stderr + done.stdout


@pytest.mark.hledger
async def test_hledger_accepts_the_book_and_has_the_same_balances(busy: Sessions, tmp_path: Path) -> None:
    text = await written(busy, ExportForm.HLEDGER)

    done = hledger(text, tmp_path, "check", "--strict")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

    table = hledger(text, tmp_path, "balance", "--flat", "--empty", "--no-total", "--output-format=csv").stdout
    theirs = sorted(row["balance"] for row in csv.DictReader(io.StringIO(table)))
    ours = [_shown(unit, balance) for (_, unit), balance in (await stated(busy)).items()]
    assert theirs == sorted(ours)


def _shown(unit: str, balance: int) -> str:
    """An amount as hledger writes it."""
    if balance == 0:
        return "0"
    return f"{balance / 100:.2f} POINT" if unit == "point" else f"{balance} {unit.upper()}"


@pytest.mark.hledger
async def test_hledger_refuses_a_book_with_one_amount_changed(busy: Sessions, tmp_path: Path) -> None:
    text = await written(busy, ExportForm.HLEDGER)

    done = hledger(text.replace(" 250 MINUTE\n", " 251 MINUTE\n", 1).replace("-250 M", "-251 M", 1), tmp_path, "check")

    assert done.returncode != 0


async def test_the_table_has_every_transfer_and_runs_no_formula(busy: Sessions) -> None:
    text = await written(busy, ExportForm.CSV)

    lines = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [int(line["seq"]) for line in lines] == list(range(1, len(lines) + 1))
    assert lines[2]["reason"] == NASTY
    assert {line["reference"] for line in lines} >= {f"'=1+1 {NASTY}"}
    last = {(line[side], line["unit"]): int(line[f"{side}_balance"]) for line in lines for side in ("debit", "credit")}
    assert {key: value for key, value in (await stated(busy)).items() if key in last} == last


@pytest.mark.parametrize("form", list(ExportForm))
async def test_an_empty_book_is_a_file_as_well(sessions: Sessions, book: int, form: ExportForm, tmp_path: Path) -> None:
    text = await written(sessions, form)

    if form is ExportForm.BEANCOUNT:
        assert bean_check(text, tmp_path).returncode == 0


async def test_a_book_that_is_not_there_is_refused(sessions: Sessions) -> None:
    with pytest.raises(ledger.BookNotFound):
        await written(sessions, ExportForm.CSV, book=99)


async def test_journals_are_whole_wherever_a_batch_ends(busy: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await written(busy, ExportForm.BEANCOUNT)
    monkeypatch.setattr(rows, "BATCH", 1)

    assert await written(busy, ExportForm.BEANCOUNT) == whole


async def test_what_is_posted_meanwhile_waits_for_the_next_export(
    busy: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "BATCH", 2)
    before = await written(busy, ExportForm.BEANCOUNT)
    pieces: list[str] = []
    async with busy() as session:
        async for piece in export(session, BOOK, ExportForm.BEANCOUNT, zone=XIAN, roots={"li": "Liabilities"}):
            if not pieces:
                await post(busy, issue("meanwhile"), now=LATER)
            pieces.append(piece)

    assert "".join(pieces) == before


async def test_progress_ends_at_the_last_transfer(busy: Sessions) -> None:
    heard: list[tuple[int, int]] = []
    async with busy() as session:
        async for _ in export(session, BOOK, ExportForm.CSV, zone=XIAN, progress=lambda *step: heard.append(step)):
            pass

    assert heard[-1][0] == heard[-1][1] > 0
