"""A closed year on the screen, on paper and as files."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Any

import anyio.to_thread
from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import qr_svg
from service.closing import drawing, files, queries
from service.closing.queries import YearView
from service.closing.rules import READERS, YearUnit
from service.identity import account_names, people_by_ids
from service.kit.access import Actor, allow
from service.kit.db import pieces_of, sessions_of_app
from service.kit.export import file_stream
from service.kit.i18n import _, translate
from service.kit.pages import common, page
from service.kit.words import in_groups
from service.kit.workbook import xlsx_answer

AnyRequest = Request[Any, Any, Any]
HERE = "\x00accounts:{unit}\x00"
"""Where the accounts of a unit stand in the paper: no template can write this by itself."""


@get("/desk/books/years", opt=allow(*READERS), include_in_schema=False)
async def years_page() -> Redirect:
    """The list of the years, which stands with the closings."""
    return Redirect("/desk/books/closings#years", status_code=303)


@get("/desk/books/years/{year:int}", opt=allow(*READERS), include_in_schema=False)
async def year_page(
    request: AnyRequest,
    year: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    check: FromQuery[str | None] = None,
) -> Template:
    """A closed year: trial balance with opening and closing, movements by reason; on demand held against the ledger."""
    title = _("{year} 年账册").format(year=year)
    if year in await queries.years(session, actor.community_id) and not await queries.is_drawn_up(
        session, actor.community_id, year
    ):
        return page(request, "closing/wait.html", title=title)
    view = await queries.year_view(session, actor.community_id, year)
    differences = await drawing.differences(session, actor.community_id, year) if check else []
    shown = await _shown(session, actor, view)
    return page(
        request, "closing/year.html", title=title, was_checked=check is not None, differences=differences, **shown
    )


async def _shown(session: AsyncSession, actor: Actor, view: YearView) -> dict[str, Any]:
    return {
        "view": view,
        "units": [unit.value for unit in YearUnit if any(row.unit == unit for row in view.totals)],
        "people": await people_by_ids(session, actor.community_id, {view.proposed_by, view.confirmed_by}),
    }


@get("/desk/books/years/{year:int}/print", opt=allow(*READERS), include_in_schema=False)
async def print_page(
    request: AnyRequest,
    year: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Stream:
    """The book of the year on A4, sent while it is written: cover, trial balance, movements, every account, signatures.

    However many accounts there are, a piece of them at a time is in memory.
    """
    view = await queries.year_view(session, actor.community_id, year)
    shown = await _shown(session, actor, view)
    url = f"{state.settings.origin}/seals/{actor.community_id}/{view.seal.number}" if view.seal else ""
    engine = request.app.template_engine
    assert engine is not None, "the app has templates"
    paper = engine.get_template("closing/book.html").render(
        common(request)
        | shown
        | {
            "title": _("{year} 年账册").format(year=year),
            "first_day": date(year, 1, 1),
            "last_day": date(year, 12, 31),
            "now": now,
            "root_groups": in_groups(view.seal.root.hex()) if view.seal else [],
            "qr": qr_svg(url, ecc="Q", title=_("封条的二维码")) if url else "",
            "here": {unit: HERE.format(unit=unit) for unit in shown["units"]},
            "differences": await drawing.differences(session, actor.community_id, year),
            "csrf_input": "",
        },
    )
    rows = engine.get_template("closing/rows.html")

    async def written(fresh: AsyncSession) -> AsyncIterator[str]:
        rest = paper
        for unit in shown["units"]:
            before, _mark, rest = rest.partition(HERE.format(unit=unit))
            yield before
            async for lines in queries.all_lines(fresh, actor.community_id, year, unit):
                names = await account_names(fresh, actor.community_id, [line.code for line in lines])
                yield rows.render(unit=unit, lines=lines, names=names)
        yield rest

    return Stream(pieces_of(sessions_of_app(state), written), media_type="text/html; charset=utf-8")


@get("/desk/books/years/{year:int}/book.csv", opt=allow(*READERS), include_in_schema=False)
async def csv_file(
    year: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Stream:
    """The same figures as a table."""
    await queries.year_view(session, actor.community_id, year)
    pieces = files.csv_bytes(sessions_of_app(state), actor.community_id, year)
    return file_stream(files.file_name(actor.community_id, year), pieces, files.CSV)


@get("/desk/books/years/{year:int}/book.xlsx", opt=allow(*READERS), include_in_schema=False)
async def xlsx_file(
    year: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Response[bytes]:
    """The same figures as a workbook."""
    sheets = await files.xlsx_sheets(session, actor.community_id, year)
    content = await anyio.to_thread.run_sync(files.workbook, sheets)
    return xlsx_answer(translate("{year} 年账册", year=year), content)


HANDLERS = [years_page, year_page, print_page, csv_file, xlsx_file]
