"""The book of a closed year as a table: for a spreadsheet, a program, an archive. The same figures as on paper."""

from collections.abc import AsyncIterator, Iterable, Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from service.closing.queries import YearView, all_lines, year_view
from service.closing.rules import YearUnit
from service.identity import account_names
from service.kit.db import Sessions, pieces_of
from service.kit.export import Cell, csv_lines
from service.kit.i18n import _, translate
from service.kit.workbook import Sheet, xlsx_bytes

CSV = "text/csv; charset=utf-8"


def file_name(community_id: int, year: int) -> str:
    """Whose year."""
    return f"linli-{community_id}-{year}.csv"


def csv_bytes(sessions: Sessions, community_id: int, year: int) -> AsyncIterator[bytes]:
    """The whole book as one table, a piece at a time; what was drawn up never changes, so it needs no one transaction."""
    return pieces_of(sessions, lambda session: csv_pieces(session, community_id, year))


async def csv_pieces(session: AsyncSession, community_id: int, year: int) -> AsyncIterator[str]:
    """The same as text, for a command."""
    view = await year_view(session, community_id, year)
    head: list[Cell] = [_("部分"), _("单位"), _("科目"), _("账户"), _("卡号"), _("摘要"), *_figures()]
    rows: list[list[Cell]] = [[_("试算平衡"), row.unit, row.kind, "", "", "", *_of(row)] for row in view.totals]
    rows += [
        [_("按原因"), row.unit, row.kind, "", "", row.reason, "", row.received, row.given, ""] for row in view.movements
    ]
    yield "\ufeff" + csv_lines([head, *rows]).decode()
    for unit in YearUnit:
        async for lines in all_lines(session, community_id, year, unit):
            part: list[list[Cell]] = [
                [_("账户"), unit, row.code.partition(":")[0], row.code, row.card_no, "", *_of(row)] for row in lines
            ]
            yield csv_lines(part).decode()


def _figures() -> list[str]:
    return [_("期初"), _("转入"), _("转出"), _("期末")]


def _of(row: object) -> list[Cell]:
    return [getattr(row, name) for name in ("opening", "received", "given", "closing")]


async def xlsx_sheets(session: AsyncSession, community_id: int, year: int) -> Sequence[Sheet]:
    """The same for a workbook. A spreadsheet is kept whole in memory, some hundred bytes an account."""
    view = await year_view(session, community_id, year)
    sheets = [_totals(view), _movements(view)]
    for unit in YearUnit:
        rows: list[list[Cell]] = []
        async for lines in all_lines(session, community_id, year, unit):
            names = await account_names(session, community_id, [line.code for line in lines])
            rows += [[line.card_no, names[line.code], *_of(line)] for line in lines]
        if rows:
            title = f"{_('账户')} {translate(f'unit.{unit}')}"
            sheets.append(Sheet(title, [_("卡号"), _("账户"), *_figures()], rows, (14, 30, 14, 14, 14, 14)))
    return sheets


def workbook(sheets: Iterable[Sheet]) -> bytes:
    """Slow for thousands of rows: call it in a thread."""
    return xlsx_bytes(list(sheets))


def _totals(view: YearView) -> Sheet:
    rows: list[list[Cell]] = [
        [translate(f"unit.{row.unit}"), translate(f"account.{row.kind}"), row.accounts, *_of(row)]
        for row in view.totals
    ]
    note: list[Cell] = [_("数字用账簿的最小单位：积分是百分之一分，时间币是分钟，钱是人民币分。")]
    return Sheet(
        _("试算平衡"), [_("单位"), _("科目"), _("账户数"), *_figures()], [*rows, note], (12, 24, 10, 14, 14, 14, 14)
    )


def _movements(view: YearView) -> Sheet:
    rows: list[list[Cell]] = [
        [
            translate(f"unit.{row.unit}"),
            translate(f"account.{row.kind}"),
            translate(f"reason.{row.reason}"),
            row.journals,
            row.received,
            row.given,
        ]
        for row in view.movements
    ]
    head = [_("单位"), _("科目"), _("摘要"), _("凭证数"), _("转入"), _("转出")]
    return Sheet(_("按原因"), head, rows, (12, 24, 40, 10, 14, 14))
