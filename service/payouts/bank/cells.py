"""What the cells of the bank's list mean; pure. Amounts are read exactly into fen, never as fractions of two."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from service.kit.sheets.cells import EXACT_BELOW, HEADER_WITHIN_ROWS, cell_text, day_of, is_blank, narrow
from service.kit.sheets.grid import read_grid
from service.kit.sheets.refusals import ColumnsMissing, ColumnTwice, FileEmpty, MergedCells, TooManyRows
from service.payouts.bank.rules import LINES_MAX, REASON_LENGTH_MAX, Column, Direction, HeadingsUnknown

TEXT_LENGTH_MAX = 200
FEN_MAX = 10**12
"""Ten thousand million yuan: more than any statement."""
ALIASES: Mapping[str, Column] = {
    "摘要": Column.MARK,
    "用途": Column.MARK,
    "备注": Column.MARK,
    "交易金额": Column.AMOUNT,
    "付款金额": Column.AMOUNT,
    "支出金额": Column.AMOUNT,
    "借方金额": Column.AMOUNT,
    "退票金额": Column.BACK,
    "收入金额": Column.BACK,
    "贷方金额": Column.BACK,
    "对方账号": Column.ACCOUNT,
    "收款人账号": Column.ACCOUNT,
    "户名": Column.HOLDER,
    "收款人": Column.HOLDER,
    "对方户名": Column.HOLDER,
    "收款人名称": Column.HOLDER,
    "交易流水号": Column.REFERENCE,
    "银行流水号": Column.REFERENCE,
    "凭证号": Column.REFERENCE,
    "交易日期": Column.DAY,
    "交易时间": Column.DAY,
    "付款日期": Column.DAY,
    "处理状态": Column.STATUS,
    "交易状态": Column.STATUS,
    "处理结果": Column.STATUS,
    "失败原因": Column.REASON,
    "原因": Column.REASON,
}
"""What banks write over their columns where the community has not said otherwise. The first one in a row counts."""
PAID = frozenset({"", "成功", "交易成功", "付款成功", "处理成功", "已付", "已付款", "已入账", "PAID", "SUCCESS"})
BACK = frozenset(
    {"失败", "交易失败", "付款失败", "处理失败", "退回", "已退回", "退汇", "已退汇", "退票", "RETURNED", "FAILED"}
)
_SENT_BACK = re.compile("退汇|退票")
_SENT_BACK_HEADING = re.compile("退汇|退票|退回")
"""How banks call their own sending back. A credit alone may be money that a shop sent for reasons of its own."""
TEXTS: Sequence[Column] = [column for column in Column if column is not Column.DAY]
FORMULA = frozenset("=+@")
_QUOTED = re.compile(r'="([^"]*)"')
"""How banks keep a spreadsheet from rounding a number: text, computed by nobody here. Our own files put a quote before it."""
_AMOUNT = re.compile(r"[¥￥]?([0-9]{1,3}(?:,[0-9]{3})*|[0-9]{1,12})(?:\.([0-9]{1,2})0*)?(?:元)?")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the bank meant it, or `problem`, the code of what is wrong with it and in which column."""

    line_no: int
    direction: Direction
    fen: int
    mark: str
    account: str
    holder: str
    reference: str
    paid_on: date | None
    reason: str
    place: int = 1
    """Which of the equal lines of its list it is, from 1."""
    says_returned: bool = False
    """For money that came: the bank itself says that it sent it back, by status, heading or words."""
    problem: tuple[Column, str] | None = None

    def identity(self) -> str:
        """What makes it the same line in whatever list: all that the bank says, and its place among equal ones."""
        day = self.paid_on.isoformat() if self.paid_on else ""
        said = (self.direction.value, str(self.fen), self.mark, self.account, self.holder, self.reference, day)
        return "\x1f".join((*said, str(self.place)))


def headings_of(chosen: Mapping[str, str]) -> Mapping[str, Column]:
    """Heading → column: what the community chose, before our own names, before what banks often write."""
    own = {_heading(heading): Column(column) for column, heading in chosen.items() if heading}
    known = {_heading(column.value): column for column in Column} | dict(ALIASES)
    taken = set(own.values())
    return own | {heading: column for heading, column in known.items() if heading not in own and column not in taken}


def read_lines(content: bytes, chosen: Mapping[str, str]) -> Sequence[Line]:
    """Every line of a file that is not blank; raises a refusal of `kit.sheets` or of `rules`. Slow: call it in a thread."""
    grid = read_grid(content)
    position, header, back = _header(grid.rows, headings_of(chosen))
    missing = [
        column.value
        for column, is_there in (
            (Column.AMOUNT, Column.AMOUNT in header or Column.BACK in header),
            (Column.MARK, Column.MARK in header or Column.ACCOUNT in header),
        )
        if not is_there
    ]
    if missing:
        raise ColumnsMissing("、".join(missing))
    for first, last in grid.merged:
        if last > position + 1:
            raise MergedCells(str(first) if first == last else f"{first}-{last}")
    filled = [(no, cells) for no, cells in enumerate(grid.rows[position + 1 :], position + 2) if not is_blank(cells)]
    if not filled:
        raise FileEmpty
    if len(filled) > LINES_MAX:
        raise TooManyRows(LINES_MAX)
    is_said = _SENT_BACK_HEADING.search(back) is not None
    return _placed([_line(row_no, header, cells, is_said=is_said) for row_no, cells in filled])


def _placed(lines: Sequence[Line]) -> Sequence[Line]:
    """Equal lines are told apart by which of them each is, wherever the list begins."""
    seen: Counter[str] = Counter()
    placed = []
    for line in lines:
        seen[line.identity()] += 1
        placed.append(_with_place(line, seen[line.identity()]))
    return placed


def _with_place(line: Line, place: int) -> Line:
    return Line(
        line.line_no, line.direction, line.fen, line.mark, line.account, line.holder, line.reference, line.paid_on,
        line.reason, place, line.says_returned, line.problem,
    )  # fmt: skip


def _heading(text: str) -> str:
    return re.sub(r"[\s*]|\((?:元|人民币|必填)\)$", "", narrow(text))


def _header(rows: Sequence[Sequence[object]], known: Mapping[str, Column]) -> tuple[int, Mapping[Column, int], str]:
    """Which row has the headings, where each column is, and what stands over the money that came."""
    for position, cells in enumerate(rows[:HEADER_WITHIN_ROWS]):
        found: dict[Column, int] = {}
        names: dict[Column, str] = {}
        for place, cell in enumerate(cells):
            heading = _heading(cell) if isinstance(cell, str) else ""
            column = known.get(heading)
            if column is None:
                continue
            if names.get(column) == heading:
                raise ColumnTwice(heading)
            names.setdefault(column, heading)
            found.setdefault(column, place)
        if len(found) > 1:
            return position, found, names.get(Column.BACK, "")
    raise HeadingsUnknown if any(not is_blank(cells) for cells in rows) else FileEmpty


class _Wrong(Exception):
    """A cell that cannot be read."""

    def __init__(self, column: Column, code: str) -> None:
        super().__init__(code)
        self.where = (column, code)


def _line(row_no: int, header: Mapping[Column, int], cells: Sequence[object], *, is_said: bool) -> Line:
    try:
        texts: dict[Column, str] = {each: _text(each, _cell(header, cells, each)) for each in TEXTS}
        direction, fen = _money(texts)
        account = re.sub(r"[\s-]", "", texts[Column.ACCOUNT])
        return Line(
            row_no,
            direction,
            fen,
            texts[Column.MARK],
            account,
            texts[Column.HOLDER],
            texts[Column.REFERENCE],
            _day(_cell(header, cells, Column.DAY)),
            texts[Column.REASON][:REASON_LENGTH_MAX],
            says_returned=direction is Direction.RETURNED and (is_said or _says(texts)),
        )
    except _Wrong as wrong:
        return Line(row_no, Direction.PAID, 0, "", "", "", "", None, "", problem=wrong.where)


def _says(texts: Mapping[Column, str]) -> bool:
    said = _SENT_BACK.search(texts[Column.MARK]) or _SENT_BACK.search(texts[Column.REASON])
    return texts[Column.STATUS].upper() in BACK or said is not None


def _cell(header: Mapping[Column, int], cells: Sequence[object], column: Column) -> object:
    position = header.get(column)
    return cells[position] if position is not None and position < len(cells) else None


def _text(column: Column, cell: object) -> str:
    if isinstance(cell, float) and abs(cell) >= EXACT_BELOW:
        raise _Wrong(column, "digits_lost")
    text = " ".join(narrow(cell_text(cell)).split())
    quoted = _QUOTED.fullmatch(text)
    text = (quoted[1].strip() if quoted else text).removeprefix("'")
    if text[:1] in FORMULA:
        raise _Wrong(column, "formula")
    if len(text) > TEXT_LENGTH_MAX or not text.isprintable():
        raise _Wrong(column, "too_long")
    return text


def _money(texts: Mapping[Column, str]) -> tuple[Direction, int]:
    out, back = _fen(Column.AMOUNT, texts), _fen(Column.BACK, texts)
    status = texts[Column.STATUS].upper()
    if status not in PAID | BACK:
        raise _Wrong(Column.STATUS, "status")
    if (out > 0) == (back > 0):
        raise _Wrong(Column.AMOUNT, "two_amounts" if out else "amount_missing")
    return (Direction.RETURNED, back or out) if back or status in BACK else (Direction.PAID, out)


def _fen(column: Column, texts: Mapping[Column, str]) -> int:
    text = texts[column].replace(" ", "")
    if text in ("", "-", "--"):
        return 0
    if text.startswith("-"):
        raise _Wrong(column, "negative")
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise _Wrong(column, "amount")
    fen = int(match[1].replace(",", "")) * 100 + int((match[2] or "0").ljust(2, "0"))
    if fen > FEN_MAX:
        raise _Wrong(column, "amount")
    return fen


def _day(cell: object) -> date | None:
    text = narrow(cell_text(cell))
    if not text:
        return None
    # Banks write the time after the day.
    day = day_of(cell) or day_of(re.sub(r"[ T]?[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$", "", text))
    if day is None:
        raise _Wrong(Column.DAY, "day")
    return day
