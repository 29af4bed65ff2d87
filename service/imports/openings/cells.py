"""What the cells of a sheet of balances mean; pure. Amounts are read exactly, never as fractions of two."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from service.identity import normal_card
from service.imports.cells import PLACE_LENGTH_MAX
from service.imports.openings.rules import MINUTES_MAX, POINTS_MAX_HUNDREDTHS, SOURCE_LENGTH_MAX
from service.kit.i18n import _, translate
from service.kit.sheets.cells import EXACT_BELOW, HEADER_WITHIN_ROWS, cell_text, is_blank, narrow
from service.kit.sheets.grid import read_grid
from service.kit.sheets.refusals import (
    ROWS_MAX,
    ColumnsMissing,
    ColumnTwice,
    FileEmpty,
    HeaderMissing,
    MergedCells,
    TooManyRows,
)


class Column(StrEnum):
    """The columns of the sheet, named as they are printed on it. The unit stands in the name, for it is the likeliest mistake."""

    CARD = "卡号"
    NAME = "姓名"
    MINUTES = "时间币（分钟）"
    POINTS = "积分"
    RECORD = "服务时长（分钟）"
    SOURCE = "来源"


ALIASES: Mapping[str, Column] = {
    "志愿者卡号": Column.CARD,
    "编号": Column.CARD,
    "原编号": Column.CARD,
    "时间币分钟": Column.MINUTES,
    "时间币分钟数": Column.MINUTES,
    "积分余额": Column.POINTS,
    "服务时长分钟": Column.RECORD,
    "备注": Column.SOURCE,
    "说明": Column.SOURCE,
}
AMOUNTS = (Column.MINUTES, Column.POINTS, Column.RECORD)


def _heading(text: str) -> str:
    return narrow(text).replace(" ", "").replace("*", "").replace("\n", "")


HEADINGS: Mapping[str, Column] = {_heading(column.value): column for column in Column} | dict(ALIASES)
_NUMBER = re.compile(r"(\d{1,12})(?:\.(\d{1,2})0*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one cell: a code with its values, said late by `opening_problem.<code>`."""

    column: Column
    code: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was meant. `points` are hundredths."""

    row_no: int
    card_no: str
    name: str
    minutes: int
    points: int
    record_minutes: int
    source: str
    problems: tuple[Problem, ...]
    typed: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BalancesRead:
    """The rows of a sheet and the headings that were left aside."""

    rows: Sequence[Row]
    unused: Sequence[str]


def read_balances(content: bytes, source: str) -> BalancesRead:
    """Every row of a file that is not blank; raises a refusal of `kit.sheets`. Slow: call it in a thread."""
    grid = read_grid(content)
    position, header = _headings(grid.rows)
    missing = [Column.CARD.value] if Column.CARD not in header else []
    if not set(header) & set(AMOUNTS):
        missing.append(Column.POINTS.value)
    if missing:
        raise ColumnsMissing("、".join(missing))
    for first, last in grid.merged:
        if last > position:
            raise MergedCells(str(first) if first == last else f"{first}-{last}")
    filled = [(no, cells) for no, cells in enumerate(grid.rows[position + 1 :], position + 2) if not is_blank(cells)]
    if not filled:
        raise FileEmpty
    if len(filled) > ROWS_MAX:
        raise TooManyRows
    rows = [_Reader(header, cells, source).row(row_no) for row_no, cells in filled]
    unused = [
        str(cell).strip()[:PLACE_LENGTH_MAX]
        for cell in grid.rows[position]
        if str(cell or "").strip() and _column(cell) is None
    ]
    return BalancesRead(rows, unused)


def _headings(rows: Sequence[Sequence[object]]) -> tuple[int, Mapping[Column, int]]:
    for position, cells in enumerate(rows[:HEADER_WITHIN_ROWS]):
        found: dict[Column, int] = {}
        for place, cell in enumerate(cells):
            column = _column(cell)
            if column is None:
                continue
            if column in found:
                raise ColumnTwice(column.value)
            found[column] = place
        if len(found) > 1 or Column.CARD in found:
            return position, found
    raise HeaderMissing if any(not is_blank(cells) for cells in rows) else FileEmpty


def _column(cell: object) -> Column | None:
    return HEADINGS.get(_heading(cell)) if isinstance(cell, str) else None


class _Reader:
    """Reads the cells of one row and gathers what is wrong."""

    def __init__(self, header: Mapping[Column, int], cells: Sequence[object], source: str) -> None:
        self.header, self.cells, self.source = header, cells, source
        self.problems: list[Problem] = []

    def row(self, row_no: int) -> Row:
        card = self._card()
        minutes = self._amount(Column.MINUTES, MINUTES_MAX)
        points = self._amount(Column.POINTS, POINTS_MAX_HUNDREDTHS, digits=2)
        record = self._amount(Column.RECORD, MINUTES_MAX)
        if not self.problems and minutes + points + record == 0:
            self._wrong(Column.CARD, "nothing")
        source = " ".join(self._text(Column.SOURCE).split()) or self.source
        if len(source) > SOURCE_LENGTH_MAX or not source.isprintable():
            self._wrong(Column.SOURCE, "source", most=str(SOURCE_LENGTH_MAX))
        typed = {column.value: cell_text(self._cell(column)) for column in self.header}
        return Row(
            row_no, card, self._text(Column.NAME), minutes, points, record, source, tuple(self.problems), typed
        )  # fmt: skip

    def _wrong(self, column: Column, code: str, **values: str) -> None:
        self.problems.append(Problem(column, code, values))

    def _cell(self, column: Column) -> object:
        position = self.header.get(column)
        return self.cells[position] if position is not None and position < len(self.cells) else None

    def _text(self, column: Column) -> str:
        return narrow(cell_text(self._cell(column)))

    def _card(self) -> str:
        cell, text = self._cell(Column.CARD), self._text(Column.CARD)
        if isinstance(cell, float) and abs(cell) >= EXACT_BELOW:
            self._wrong(Column.CARD, "digits_lost")
            return ""
        card = normal_card(text) if text else None
        if card is None:
            self._wrong(Column.CARD, "card" if text else "required")
        return card or ""

    def _amount(self, column: Column, most: int, *, digits: int = 0) -> int:
        """An amount in the ledger's units; an empty cell is nothing."""
        text = re.sub(r"[,\s]", "", self._text(column))
        if not text:
            return 0
        if text.startswith("-"):
            self._wrong(column, "negative")
            return 0
        match = _NUMBER.fullmatch(text)
        if match is None or (digits == 0 and (match[2] or "").strip("0")):
            self._wrong(column, "number_points" if digits else "number_minutes")
            return 0
        amount = int(Decimal(f"{match[1]}.{match[2] or 0}").scaleb(digits))
        if amount > most:
            self._wrong(column, "too_large")
            return 0
        return amount


def problem_sentence(problem: Problem) -> str:
    """积分：不能是负数."""
    said = translate(f"opening_problem.{problem.code}", **problem.values)
    return _("{column}：{problem}").format(column=translate(problem.column.value), problem=said)
