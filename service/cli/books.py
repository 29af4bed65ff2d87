"""verify and export: tell whether the books are whole, and let anyone else tell."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ledger import ExportForm, ParquetMissing, export_parquet
from service import clearing, communities
from service.cli.places import CommandRefused, database, keys, opened, run, say
from service.closing import year_differences, year_file_name, year_pieces
from service.kit.clock import system_clock
from service.kit.settings import Settings
from service.seals import raise_alarm
from service.wallet import book_pieces, file_name, verify_books

PARQUET = "parquet"


def add_to(commands: Any) -> None:
    """The commands of this module."""
    verify = commands.add_parser("verify", help="recompute the books and name the first fault of each kind")
    verify.add_argument("--community", type=int, help="one community only")
    verify.add_argument(
        "--since-seal", action="store_true", help="prove what was posted after the last seal, in a moment"
    )
    verify.set_defaults(do=check)
    year = commands.add_parser("year", help="write the book of a closed year, and hold it against the ledger")
    year.add_argument("year", type=int, help="the year, closed by two people on its page")
    year.add_argument("--community", type=int, help="whose book; may be left out where there is one community only")
    year.add_argument("--out", type=Path, help="the file to make; by default named after community and year")
    year.set_defaults(do=write_year)
    export = commands.add_parser("export", help="write a book for bean-check, hledger or a spreadsheet")
    forms = [*(form.name.lower() for form in ExportForm), PARQUET]
    export.add_argument(
        "form", choices=forms, help="what the file is for; parquet needs the package's extra of that name"
    )
    export.add_argument("--community", type=int, help="whose book; may be left out where there is one community only")
    export.add_argument("--out", type=Path, help="the file to make; by default named after community and day")
    export.set_defaults(do=write)


def check(chosen: argparse.Namespace) -> int:
    """Exit code 0 when every book is whole, 1 when any is not."""
    settings = Settings()
    faults = 0
    with database(settings) as place:
        keyring = keys(settings)

        async def examine() -> int:
            count = 0
            async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
                founded = await communities.communities(session)
                if chosen.community is not None and chosen.community not in {one.community_id for one in founded}:
                    raise CommandRefused(f"there is no community {chosen.community} here")
                for one in founded:
                    if chosen.community in (None, one.community_id):
                        found = await verify_books(session, one.community_id, since_seal=chosen.since_seal)
                        found += await clearing.verify_positions(session, one.community_id)
                        count += len(found)
                        say(f"{one.community_id} {one.name}: {'whole' if not found else f'{len(found)} faults'}")
                        for fault in found:
                            say(f"  - {fault}")
                            await raise_alarm(session, fault, now=system_clock())
            return count

        faults = run(examine())
    return 1 if faults else 0


def write(chosen: argparse.Namespace) -> int:
    """One file, whole or not there. Never overwrites."""
    settings = Settings()
    form = None if chosen.form == PARQUET else ExportForm[chosen.form.upper()]
    with database(settings) as place:
        keyring = keys(settings)

        async def founded() -> list[int]:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                return [one.community_id for one in await communities.communities(session)]

        async def copy(book: int, file: TextIO) -> None:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                if form is None:
                    await export_parquet(session, book, file.buffer, progress=_told)
                    return
                async for piece in book_pieces(session, book, form, _told):
                    file.write(piece)

        book = _chosen(run(founded()), chosen.community)
        name = file_name(book, form or ExportForm.CSV, system_clock())
        target = chosen.out or Path(name if form else name.removesuffix(ExportForm.CSV) + PARQUET)
        try:
            with _whole(target) as file:
                run(copy(book, file))
        except ParquetMissing as missing:
            raise CommandRefused(
                "Parquet is written by a package of its own: pip install 'linli[parquet]'"
            ) from missing
        say(f"Wrote {target}")
    return 0


def write_year(chosen: argparse.Namespace) -> int:
    """The year's figures as CSV, whole or not there. Exit code 1 when they are not what the ledger says."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def founded() -> list[int]:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                return [one.community_id for one in await communities.communities(session)]

        async def copy(book: int, file: TextIO) -> None:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                async for piece in year_pieces(session, book, chosen.year):
                    file.write(piece)

        async def compared(book: int) -> list[str]:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                return await year_differences(session, book, chosen.year)

        book = _chosen(run(founded()), chosen.community)
        target = chosen.out or Path(year_file_name(book, chosen.year))
        with _whole(target) as file:
            run(copy(book, file))
        say(f"Wrote {target}")
        found = run(compared(book))
    for each in found:
        say(f"  - {each} is not what the ledger says")
    say("Every figure is what the ledger says." if not found else f"{len(found)} differences")
    return 1 if found else 0


@contextmanager
def _whole(target: Path) -> Iterator[TextIO]:
    """A new file that gets its name when it is complete."""
    part = target.with_name(target.name + ".part")
    try:
        if target.exists():
            raise CommandRefused(f"{target} is there already; name another file with --out")
        file = part.open("x", encoding="utf-8", newline="")
    except FileExistsError as there:
        raise CommandRefused(
            f"{part} is there: another export is at work, or one was cut off; delete it then"
        ) from there
    except OSError as trouble:
        raise CommandRefused(f"{target} cannot be written: {trouble.strerror}") from trouble
    try:
        with file:
            yield file
        part.rename(target)
    except OSError as trouble:
        part.unlink(missing_ok=True)
        raise CommandRefused(f"{target} cannot be written: {trouble.strerror}") from trouble
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _chosen(founded: Sequence[int], named: int | None) -> int:
    """The book that is meant."""
    if named is None and len(founded) == 1:
        return founded[0]
    if named is not None and named in founded:
        return named
    known = ", ".join(map(str, founded)) or "none"
    raise CommandRefused(f"say whose book with --community; there are: {known}")


def _told(done: int, total: int) -> None:
    """Progress for whoever watches; a file or a timer gets none."""
    if sys.stderr.isatty():
        end = os.linesep if done == total else ""
        print(f"\r{done:,} of {total:,} transfers", end=end, file=sys.stderr, flush=True)
