"""The template of a list, for banks whose own cannot be read."""

from service.kit.export import csv_bytes
from service.kit.i18n import _
from service.kit.workbook import Sheet, xlsx_bytes
from service.payouts.bank.rules import LINES_MAX, Column

WIDTHS = (18, 12, 12, 26, 22, 24, 14, 12, 24)


def template_csv() -> bytes:
    """The headings alone."""
    return csv_bytes([column.value for column in Column], [])


def template() -> bytes:
    """An empty sheet, and a page that explains every column."""
    lines = Sheet("银行清单", [column.value for column in Column], [], WIDTHS, blank_rows=LINES_MAX)
    explained = Sheet(_("填写说明"), [_("列"), _("怎么填")], _explanations(), (18, 80))
    return xlsx_bytes([lines, explained])


def _explanations() -> list[tuple[str, str]]:
    said = {
        Column.MARK: _("付款文件里的附言，例如 LL000001-001。有它就认得出是哪一笔。"),
        Column.AMOUNT: _("付出去的金额，单位元，最多两位小数。"),
        Column.BACK: _("银行退回来的金额。和“金额”只填一个。"),
        Column.ACCOUNT: _("收款账号。没有附言时，靠账号和金额认。"),
        Column.HOLDER: _("收款人的户名。可以不填。"),
        Column.REFERENCE: _("银行的流水号。可以不填，填了会记在对账单上。"),
        Column.DAY: _("例如 2026-11-20。可以不填。"),
        Column.STATUS: _("“成功”或不填是付了，“失败”“退回”是没付成。别的字不认。"),
        Column.REASON: _("银行说的退回原因。可以不填。"),
    }
    rows = [(column.value, said[column]) for column in Column]
    rows.append(("", _("一行一笔，不合并单元格，不用公式。一次最多 {most} 行。").format(most=f"{LINES_MAX:,}")))
    return rows
