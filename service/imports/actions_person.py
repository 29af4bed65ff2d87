"""One person typed into a form: the same reading, judging and writing as a sheet with one row, and taken back the same way."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.identity import Particulars, PersonNotFound
from service.imports.actions import judged_rows, keep
from service.imports.actions_apply import apply_import
from service.imports.cells import CLEAR, ROLE_WORDS, Column, typed_row
from service.imports.compare import Judged
from service.imports.rules import CardTaken, CheckedTooLongAgo, PersonChanged, PersonRefused, Verdict
from service.kit.access import Actor, Role
from service.kit.clock import local_day

FIELDS: Mapping[Column, str] = {
    Column.CARD: "card_no",
    Column.NAME: "name",
    Column.PHONE: "phone",
    Column.SIGNS_IN: "signs_in",
    Column.GRID: "grid",
    Column.BUILDING: "building",
    Column.DOOR: "door",
    Column.BORN: "born_on",
    Column.ROLES: "roles",
    Column.REVISION: "revision",
}
"""What each column of the sheet is called in the form and on the wire."""
EMPTIED = (Column.PHONE, Column.BUILDING, Column.DOOR, Column.BORN)
"""A form shows what is there, so that a field left empty was emptied; a sheet needs a word for that."""
WORDS = {role: word for word, role in ROLE_WORDS.items()}


@dataclass(frozen=True, slots=True)
class TypedPerson:
    """A person as somebody typed them, nothing checked."""

    name: str
    phone: str = ""
    signs_in: bool = False
    grid: str = ""
    building: str = ""
    door: str = ""
    born_on: str | date = ""
    roles: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Saved:
    """Who was written, and by which import it can be taken back; None when there was nothing to write."""

    member_id: UUID
    import_id: UUID | None


async def add_person(session: AsyncSession, *, actor: Actor, card_no: str, typed: TypedPerson, now: datetime) -> Saved:
    """Enrol one person. Raises CardTaken, PersonRefused with what is wrong in each field, or PersonChanged."""
    judged, places = await judged_rows(
        session, actor.community_id, [typed_row(_cells(card_no, typed), local_day(now))], local_day(now)
    )
    if judged[0].before is not None:
        raise CardTaken(judged[0].before.card_no)
    return await _write(session, actor, judged[0], places, now)


async def change_person(
    session: AsyncSession, *, actor: Actor, member_id: UUID, revision: int, typed: TypedPerson, now: datetime
) -> Saved:
    """Correct one person, who is open again by it. Raises PersonRefused, or PersonChanged when `revision` is another by now."""
    person = await present(session, actor, member_id)
    cells = _cells(person.card_no, typed) | {Column.REVISION: str(revision)}
    if typed.door and not typed.building:  # emptying the building would drop the door without a word
        raise PersonRefused({"building": "building_missing"}, {})
    cells |= {column: CLEAR for column in EMPTIED if not cells[column]}
    judged, places = await judged_rows(session, actor.community_id, [typed_row(cells, local_day(now))], local_day(now))
    return await _write(session, actor, judged[0], places, now)


async def present(session: AsyncSession, actor: Actor, member_id: UUID) -> Particulars:
    """The person as they are now; PersonNotFound for another community's, too."""
    found = await identity.particulars_by_ids(session, actor.community_id, [member_id])
    if member_id not in found:
        raise PersonNotFound
    return found[member_id]


async def open_person(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> Particulars:
    """The same to be corrected, contact data open: the look is written down."""
    await identity.contact_of(session, actor, member_id, now, reason="correction")
    return await present(session, actor, member_id)


def _cells(card_no: str, typed: TypedPerson) -> dict[Column, object]:
    return {
        Column.CARD: card_no,
        Column.NAME: typed.name,
        Column.PHONE: typed.phone,
        Column.SIGNS_IN: "是" if typed.signs_in else "否",
        Column.GRID: typed.grid,
        Column.BUILDING: typed.building,
        Column.DOOR: typed.door,
        Column.BORN: typed.born_on,
        Column.ROLES: "、".join(WORDS.get(role, role.value) for role in typed.roles),
    }


async def _write(session: AsyncSession, actor: Actor, item: Judged, places: list[str], now: datetime) -> Saved:
    if item.problems:
        first = {problem.column: problem for problem in reversed(item.problems)}
        raise PersonRefused(
            {FIELDS[column]: problem.code for column, problem in first.items()},
            {FIELDS[column]: dict(problem.values) for column, problem in first.items()},
        )
    assert item.member_id is not None, "whoever has no problems has an id"
    if item.verdict is Verdict.CONFLICT:
        raise PersonChanged
    if item.verdict is Verdict.UNCHANGED:
        return Saved(item.member_id, None)
    batch = await keep(session, actor, "", (), [item], places, now)
    try:
        await apply_import(session, actor=actor, import_id=batch.import_id, now=now)
    except CheckedTooLongAgo as late:
        raise PersonChanged from late
    return Saved(item.member_id, batch.import_id)
