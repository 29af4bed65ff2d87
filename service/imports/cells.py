"""What each cell of a sheet of people means; pure."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from service.identity import NAME_LENGTH_MAX, normal_card
from service.kit.access import Role
from service.kit.sheets.cells import EXACT_BELOW, cell_text, day_of, narrow
from service.kit.sheets.refusals import ColumnsMissing, ColumnTwice

ADULT_AT_14 = 14
"""Under 14 nobody signs in alone (个人信息保护法第三十一条); the guardian's number does."""
BORN_FROM = date(1900, 1, 1)
PLACE_LENGTH_MAX = 40


class Column(StrEnum):
    """The columns of the sheet, named as they are printed on it."""

    CARD = "卡号"
    NAME = "姓名"
    PHONE = "手机号"
    SIGNS_IN = "用手机号登录"
    GRID = "网格"
    BUILDING = "楼栋"
    DOOR = "门牌"
    BORN = "出生日期"
    ROLES = "身份"
    REVISION = "版本"


REQUIRED = (Column.CARD, Column.NAME)
ALIASES: Mapping[str, Column] = {
    "志愿者卡号": Column.CARD,
    "编号": Column.CARD,
    "联系电话": Column.PHONE,
    "手机": Column.PHONE,
    "手机号码": Column.PHONE,
    "电话": Column.PHONE,
    "手机号登录": Column.SIGNS_IN,
    "用手机号登录(是/否)": Column.SIGNS_IN,
    "所属网格": Column.GRID,
    "楼号": Column.BUILDING,
    "楼": Column.BUILDING,
    "门牌号": Column.DOOR,
    "房号": Column.DOOR,
    "生日": Column.BORN,
    "出生年月日": Column.BORN,
    "角色": Column.ROLES,
}
HEADINGS: Mapping[str, Column] = {column.value: column for column in Column} | dict(ALIASES)
ROLE_WORDS: Mapping[str, Role] = {
    "居民": Role.RESIDENT,
    "志愿者": Role.VOLUNTEER,
    "楼门长": Role.STEWARD,
    "网格员": Role.GRID_WORKER,
}
EXAMPLE_NAME = "示例人"
"""Stands in the template's first row; whoever forgets to delete it is told."""
CLEAR = "无"
"""The word that empties a cell of somebody who exists; an empty cell leaves what is there."""
YES, NO = frozenset({"是", "Y", "YES", "1", "TRUE", "√", "对"}), frozenset({"否", "N", "NO", "0", "FALSE", "×", "不"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in one cell: a code with its values, said late by `import_problem.<code>`."""

    column: Column
    code: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it was meant. None: the cell says nothing; an empty text: it shall be emptied."""

    row_no: int
    card_no: str
    name: str
    phone: str | None
    signs_in: bool | None
    grid: str | None
    building: str | None
    door: str | None
    born_on: str | None
    roles: tuple[str, ...]
    revision: int | None
    problems: tuple[Problem, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    """The cells as they stood, by heading, so that rows with problems can be handed back."""


def header_of(cells: Sequence[object]) -> dict[Column, int] | None:
    """Where each column is when this row names them; None when it is not a row of headings. Raises ColumnTwice."""
    found: dict[Column, int] = {}
    for position, cell in enumerate(cells):
        column = _column(cell)
        if column is None:
            continue
        if column in found:
            raise ColumnTwice(column.value)
        found[column] = position
    return found if len(found) > 1 or set(found) & set(REQUIRED) else None


def _column(cell: object) -> Column | None:
    if not isinstance(cell, str):
        return None
    text = narrow(cell).replace(" ", "").replace("*", "").replace("\n", "")
    bare = re.sub(r"\(.*\)$", "", text)
    return HEADINGS.get(text) or HEADINGS.get(bare)


def unused_headings(cells: Sequence[object]) -> list[str]:
    """Headings that we do not know and will leave aside, for the page to say so."""
    return [str(cell).strip()[:PLACE_LENGTH_MAX] for cell in cells if str(cell or "").strip() and _column(cell) is None]


def nearest_column(heading: str) -> Column | None:
    """The column that a heading we do not know may have meant; None when it resembles none."""
    close = difflib.get_close_matches(narrow(heading).replace(" ", ""), HEADINGS, n=1, cutoff=0.5)
    return HEADINGS[close[0]] if close else None


def check_header(header: Mapping[Column, int]) -> None:
    """Card number and name must be there."""
    missing = [column.value for column in REQUIRED if column not in header]
    if missing:
        raise ColumnsMissing("、".join(missing))


def row_of(row_no: int, header: Mapping[Column, int], cells: Sequence[object], day: date) -> Row:
    """What one row means, with everything that is wrong in it, not only the first thing."""
    return _Reader(header, cells, day).row(row_no)


def typed_row(cells: Mapping[Column, object], day: date) -> Row:
    """One person typed into a form, read as the only row of a sheet would be."""
    return row_of(1, {column: position for position, column in enumerate(cells)}, list(cells.values()), day)


class _Reader:
    """Reads the cells of one row and gathers what is wrong."""

    def __init__(self, header: Mapping[Column, int], cells: Sequence[object], day: date) -> None:
        self.header, self.cells, self.day = header, cells, day
        self.problems: list[Problem] = []

    def row(self, row_no: int) -> Row:
        card_no, name = self._card(), self._name()
        phone, signs_in, born = self._phone(), self._signs_in(), self._born()
        self._check_way_in(phone=phone, signs_in=signs_in, born=born)
        building, door = self._place(Column.BUILDING), self._place(Column.DOOR)
        if building and door is None and Column.DOOR in self.header:
            self._wrong(Column.DOOR, "door_missing")
        if door and building is None and Column.BUILDING in self.header:
            self._wrong(Column.BUILDING, "building_missing")
        grid, roles, revision = self._place(Column.GRID), self._roles(), self._revision()
        typed = {column.value: cell_text(self._cell(column)) for column in self.header}
        return Row(
            row_no, card_no, name, phone, signs_in, grid, building, door, born, roles, revision,
            tuple(self.problems), typed,
        )  # fmt: skip

    def _wrong(self, column: Column, code: str, **values: str) -> None:
        self.problems.append(Problem(column, code, values))

    def _cell(self, column: Column) -> object:
        position = self.header.get(column)
        return self.cells[position] if position is not None and position < len(self.cells) else None

    def _text(self, column: Column) -> str:
        cell = self._cell(column)
        if isinstance(cell, float) and abs(cell) >= EXACT_BELOW:
            self._wrong(column, "digits_lost")
            return ""
        return narrow(cell_text(cell))

    def _card(self) -> str:
        text = self._text(Column.CARD)
        card = normal_card(text) if text else None
        if card is None and not any(problem.column is Column.CARD for problem in self.problems):
            self._wrong(Column.CARD, "card" if text else "required")
        return card or ""

    def _name(self) -> str:
        cell = self._cell(Column.NAME)
        text = " ".join(cell_text(cell).replace("\u3000", " ").split())
        if text and not text.isascii():
            text = text.replace(" ", "")
        if not text:
            self._wrong(Column.NAME, "required")
        elif text == EXAMPLE_NAME:
            self._wrong(Column.NAME, "example")
        elif not isinstance(cell, str) or len(text) > NAME_LENGTH_MAX or not text.isprintable():
            self._wrong(Column.NAME, "name")
        return text

    def _phone(self) -> str | None:
        text = self._text(Column.PHONE)
        if not text:
            return None
        if text == CLEAR:
            return ""
        digits = re.sub(r"[\s\-()]", "", text)
        digits = re.sub(r"^(\+86|0086)", "", digits)
        if not re.fullmatch(r"1[3-9][0-9]{9}", digits):
            self._wrong(Column.PHONE, "phone")
            return None
        return f"+86{digits}"

    def _signs_in(self) -> bool | None:
        text = self._text(Column.SIGNS_IN).upper()
        if not text:
            return None
        if text in YES or text in NO:
            return text in YES
        self._wrong(Column.SIGNS_IN, "yes_or_no")
        return None

    def _check_way_in(self, *, phone: str | None, signs_in: bool | None, born: str | None) -> None:
        if signs_in and not phone and not any(problem.column is Column.PHONE for problem in self.problems):
            self._wrong(Column.PHONE, "phone_to_sign_in")
        if signs_in and born and years_old(date.fromisoformat(born), self.day) < ADULT_AT_14:
            self._wrong(Column.SIGNS_IN, "too_young")

    def _place(self, column: Column) -> str | None:
        text = self._text(column)
        if not text:
            return None
        if text == CLEAR:
            return ""
        if len(text) > PLACE_LENGTH_MAX or not text.isprintable():
            self._wrong(column, "too_long")
            return None
        return text

    def _born(self) -> str | None:
        cell = self._cell(Column.BORN)
        if narrow(cell_text(cell)) == CLEAR:
            return ""
        if cell is None or not cell_text(cell).strip():
            return None
        born = day_of(cell)
        if born is None:
            self._wrong(Column.BORN, "date")
        elif not BORN_FROM <= born <= self.day:
            self._wrong(Column.BORN, "date_range")
        else:
            return born.isoformat()
        return None

    def _roles(self) -> tuple[str, ...]:
        words = [word for word in re.split(r"[、，,;；/\s]+", self._text(Column.ROLES)) if word]
        unknown = [word for word in words if word not in ROLE_WORDS]
        if unknown:
            self._wrong(Column.ROLES, "role", word=unknown[0][:20])
        return tuple(sorted({ROLE_WORDS[word].value for word in words if word in ROLE_WORDS}))

    def _revision(self) -> int | None:
        text = self._text(Column.REVISION)
        if not text:
            return None
        if re.fullmatch(r"[0-9]{1,9}", text) is None:
            self._wrong(Column.REVISION, "revision")
            return None
        return int(text)


def years_old(born_on: date, day: date) -> int:
    """Age in full years."""
    return day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))
