"""The files this slice hands out: the template to fill in, and the rows that were refused, each with its reason."""

from collections.abc import Sequence

from service.imports.cells import EXAMPLE_NAME, Column
from service.imports.queries import RowView
from service.imports.wording import problem_sentence
from service.kit.i18n import _
from service.kit.sheets.refusals import ROWS_MAX
from service.kit.workbook import Sheet, xlsx_bytes

HEADINGS = tuple(column for column in Column if column is not Column.REVISION)
WIDTHS = (14, 12, 16, 16, 14, 12, 10, 14, 18)
EXAMPLE = ("0012-9001", EXAMPLE_NAME, "19900000000", "是", "第一网格", "1号楼", "101", "1950-03-05", "居民、志愿者")
"""Deleted or overwritten by whoever fills the sheet in; the number belongs to nobody."""


def template() -> bytes:
    """An empty sheet with one example row, lists to choose from and a page that explains every column."""
    people = Sheet(
        "人员",
        [column.value for column in HEADINGS],
        [EXAMPLE],
        WIDTHS,
        choices={3: ("是", "否"), 8: ("居民", "居民、志愿者", "居民、楼门长", "居民、网格员", "居民、志愿者、楼门长")},
        blank_rows=ROWS_MAX - 1,
    )
    explained = Sheet(_("填写说明"), [_("列"), _("怎么填")], _explanations(), (18, 80))
    return xlsx_bytes([people, explained])


def _explanations() -> list[tuple[str, str]]:
    said = {
        Column.CARD: _("必填。卡上印的号码，每人一个，不能重复。再次导入时靠它认人。"),
        Column.NAME: _("必填。"),
        Column.PHONE: _("11 位手机号，可以不填。一家人可以留同一个联系电话。"),
        Column.SIGNS_IN: _("填“是”就可以用这个手机号登录，一个号码只能给一个人。未满 14 岁不能单独登录。"),
        Column.GRID: _("楼栋第一次出现时要写明它在哪个网格。"),
        Column.BUILDING: _("和门牌一起填。没有的楼栋会新建。"),
        Column.DOOR: _("例如 2-301。"),
        Column.BORN: _("例如 1950-03-05，也可以写 1950年3月5日。"),
        Column.ROLES: _("居民、志愿者、楼门长、网格员，可以填几个，用顿号分开。不填就是居民。"),
    }
    rows = [(column.value, said[column]) for column in HEADINGS]
    rows.append(("", _("已经在册的人：空着的格子不改动；要清空一格，写“无”。")))
    rows.append(("", _("请用普通表格：一行一个人，不合并单元格，不用公式。一次最多 20,000 行。")))
    return rows


def errors(rows: Sequence[RowView]) -> bytes:
    """The rows with errors as they were typed, and what is wrong with each: correct them and import this very file."""
    headings = [column.value for column in Column if any(column.value in row.row.typed for row in rows)]
    lines = [
        [
            str(row.row_no),
            "；".join(problem_sentence(problem) for problem in row.problems),
            *(row.row.typed.get(heading, "") for heading in headings),
        ]
        for row in rows
    ]
    return xlsx_bytes([Sheet(_("有错误的行"), [_("原来的行号"), _("问题"), *headings], lines, (12, 60))])
