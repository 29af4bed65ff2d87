"""The files this part hands out: the template, and the rows with errors, each with its reason."""

from collections.abc import Sequence

from service.imports.openings.cells import Column, problem_sentence
from service.imports.openings.queries import RowView
from service.kit.i18n import _
from service.kit.sheets.refusals import ROWS_MAX
from service.kit.workbook import Sheet, xlsx_bytes

WIDTHS = (14, 12, 16, 12, 18, 40)


def template() -> bytes:
    """An empty sheet, and a page that explains every column."""
    balances = Sheet("期初余额", [column.value for column in Column], [], WIDTHS, blank_rows=ROWS_MAX)
    explained = Sheet(_("填写说明"), [_("列"), _("怎么填")], _explanations(), (18, 80))
    return xlsx_bytes([balances, explained])


def _explanations() -> list[tuple[str, str]]:
    said = {
        Column.CARD: _("必填。先把人导入，这里靠卡号认人。"),
        Column.NAME: _("可以不填。填了就核对：和卡号上的姓名不一样的行不会导入。"),
        Column.MINUTES: _("还可以花的时间币，按分钟填整数。60 分钟是一个时间币。"),
        Column.POINTS: _("还可以花的积分，最多两位小数。"),
        Column.RECORD: _("以前累计的服务时长，按分钟填整数。只进服务记录，不变成积分和时间币。可以不填。"),
        Column.SOURCE: _("这些数是从哪里来的，本人在存折上看得到。不填就用上传时写的来源。"),
    }
    rows = [(column.value, said[column]) for column in Column]
    rows.append(("", _("一个人一行，每人只能带一次。负数不能带进来。一次最多 20,000 行。")))
    return rows


def errors(rows: Sequence[RowView]) -> bytes:
    """The rows with errors as they were typed, and what is wrong with each: correct them and upload this very file."""
    headings = [column.value for column in Column if any(column.value in row.typed for row in rows)]
    lines = [
        [
            str(row.row_no),
            "；".join(problem_sentence(problem) for problem in row.problems),
            *(row.typed.get(heading, "") for heading in headings),
        ]
        for row in rows
    ]
    return xlsx_bytes([Sheet(_("有错误的行"), [_("原来的行号"), _("问题"), *headings], lines, (12, 60))])
