"""Compares the rows of a sheet with who is there, and with each other; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from service.communities import BuildingView
from service.identity import NewPerson, Particulars
from service.imports.cells import Column, Problem, Row
from service.imports.rules import Verdict
from service.kit.access import Role
from service.kit.sheets.cells import repeated


@dataclass(frozen=True, slots=True)
class Known:
    """Everything the rows are compared with, read in a handful of queries."""

    people: Mapping[str, Particulars]
    """By card number, closed people too."""
    roles: Mapping[UUID, frozenset[Role]]
    buildings: Mapping[str, BuildingView]
    logins: Mapping[str, UUID]
    """Phone numbers that sign somebody in already."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: the heading, what is there and what will be."""

    column: Column
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Meant:
    """The whole person as the row would leave them."""

    name: str
    phone: str | None
    signs_in: bool
    grid: str | None
    building: str | None
    door: str | None
    born_on: date | None
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with its verdict."""

    row: Row
    verdict: Verdict
    member_id: UUID | None = None
    before: Particulars | None = None
    meant: Meant | None = None
    changes: tuple[Change, ...] = field(default=())
    problems: tuple[Problem, ...] = field(default=())
    """Of the row's own cells and of the comparison; only the former are found in `row`."""


def judge(rows: Sequence[Row], known: Known, new_id: Callable[[], UUID]) -> Sequence[Judged]:
    """The verdict on every row. New people get their ids here, so that checking twice names the same ones only once."""
    meant = [_meant(row, known) for row in rows]
    cards = repeated([(row.row_no, row.card_no) for row in rows])
    signing = [(row.row_no, (item.phone or "") if item.signs_in else "") for row, item in zip(rows, meant, strict=True)]
    logins = repeated(signing)
    grids: dict[str, str] = {name: place.grid for name, place in known.buildings.items()}
    judged = []
    for row, item in zip(rows, meant, strict=True):
        problems = list(row.problems)
        if row.row_no in cards:
            problems.append(Problem(Column.CARD, "card_twice", {"row": str(cards[row.row_no])}))
        if row.row_no in logins:
            problems.append(Problem(Column.PHONE, "login_twice", {"row": str(logins[row.row_no])}))
        problems += _against_known(row, item, known)
        problems += _place_problems(row, item, grids)
        judged.append(_judged(row, tuple(problems), item, known, new_id))
    return judged


def _judged(row: Row, problems: tuple[Problem, ...], meant: Meant, known: Known, new_id: Callable[[], UUID]) -> Judged:
    before = known.people.get(row.card_no)
    if problems:
        return Judged(row, Verdict.ERROR, before.member_id if before else None, before, problems=problems)
    if before is None:
        return Judged(row, Verdict.NEW, new_id(), None, meant)
    changes = _changes(before, known.roles.get(before.member_id, frozenset()), meant)
    if not changes:
        return Judged(row, Verdict.UNCHANGED, before.member_id, before)
    stale = row.revision is not None and row.revision != before.revision
    return Judged(row, Verdict.CONFLICT if stale else Verdict.CHANGED, before.member_id, before, meant, changes)


def _meant(row: Row, known: Known) -> Meant:
    """The row laid over the person: an empty cell leaves what is there, an emptied one clears it."""
    before = known.people.get(row.card_no)
    phone = _laid(row.phone, before.phone if before else None)
    building = _laid(row.building, before.building if before else None)
    door = None if row.building == "" else _laid(row.door, before.door if before else None)
    born = _laid(row.born_on, before.born_on.isoformat() if before and before.born_on else None)
    signs_in = row.signs_in if row.signs_in is not None else bool(before and before.signs_in)
    roles = frozenset(Role(role) for role in row.roles)
    return Meant(
        name=row.name,
        phone=phone,
        signs_in=signs_in and phone is not None,
        grid=_laid(row.grid, before.grid if before and building == before.building else None),
        building=building,
        door=door,
        born_on=date.fromisoformat(born) if born else None,
        roles=roles if before or roles else frozenset({Role.RESIDENT}),
    )


def _laid(typed: str | None, before: str | None) -> str | None:
    return before if typed is None else typed or None


def _against_known(row: Row, meant: Meant, known: Known) -> Sequence[Problem]:
    before = known.people.get(row.card_no)
    problems = []
    if row.revision is not None and before is None and row.card_no:
        problems.append(Problem(Column.CARD, "card_unknown"))
    if meant.signs_in and meant.phone:
        holder = known.logins.get(meant.phone)
        if holder is not None and (before is None or holder != before.member_id):
            problems.append(Problem(Column.PHONE, "login_taken"))
    return problems


def _place_problems(row: Row, meant: Meant, grids: dict[str, str]) -> Sequence[Problem]:
    """A door needs a building and the other way round; a building stands in one grid, whichever row names it first."""
    told = {problem.column for problem in row.problems}
    if meant.building is None:
        if (meant.door or row.grid) and Column.BUILDING not in told:
            return [Problem(Column.BUILDING, "building_missing")]
        return []
    problems = []
    if meant.door is None and Column.DOOR not in told:
        problems.append(Problem(Column.DOOR, "door_missing"))
    stands_in = grids.get(meant.building)
    if stands_in is None:
        if meant.grid is None:
            problems.append(Problem(Column.GRID, "grid_missing", {"building": meant.building}))
        else:
            grids[meant.building] = meant.grid
    elif row.grid and row.grid != stands_in:
        problems.append(Problem(Column.GRID, "grid_differs", {"building": meant.building, "grid": stands_in}))
    return problems


def _changes(before: Particulars, held: frozenset[Role], meant: Meant) -> tuple[Change, ...]:
    pairs = [
        (Column.NAME, before.name, meant.name),
        (Column.PHONE, before.phone or "", meant.phone or ""),
        (Column.SIGNS_IN, _yes(before.signs_in), _yes(meant.signs_in)),
        (Column.BUILDING, before.building or "", meant.building or ""),
        (Column.DOOR, before.door or "", meant.door or ""),
        (Column.BORN, str(before.born_on or ""), str(meant.born_on or "")),
    ]
    changes = [Change(column, old, new) for column, old, new in pairs if old != new]
    fresh = sorted(role.value for role in meant.roles - held)
    if fresh:
        changes.append(Change(Column.ROLES, "", "、".join(fresh)))
    if not before.is_open:
        changes.append(Change(Column.CARD, "closed", "open"))
    return tuple(changes)


def _yes(value: bool) -> str:  # noqa: FBT001 (the word for it)
    return "是" if value else "否"


def new_places(judged: Sequence[Judged], known: Known) -> list[str]:
    """The buildings that applying would open, each with its grid."""
    return sorted(
        {
            f"{item.meant.grid} {item.meant.building}"
            for item in judged
            if item.meant is not None and item.meant.building is not None and item.meant.building not in known.buildings
        }
    )


def person_of(member_id: UUID, card_no: str, meant: Meant, buildings: Mapping[str, BuildingView]) -> NewPerson:
    """The person to enrol or to update."""
    return NewPerson(
        member_id=member_id,
        card_no=card_no,
        name=meant.name,
        phone=meant.phone,
        login_phone=meant.signs_in,
        building_id=buildings[meant.building].building_id if meant.building else None,
        door=meant.door,
        born_on=meant.born_on,
        roles=tuple((role, None) for role in sorted(meant.roles)),
    )
