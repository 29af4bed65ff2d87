"""What crosses the wire about imports."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import UploadFile

from service.identity import Particulars
from service.imports.actions_person import TypedPerson
from service.imports.queries import BatchView, PastChange, RowView
from service.imports.rules import BatchState, Verdict
from service.imports.wording import change_sentence, problem_sentence, written_sentences
from service.kit.access import Role


class UploadForm(msgspec.Struct, frozen=True):
    """A sheet of people."""

    file: UploadFile


class SlipsForm(msgspec.Struct, frozen=True):
    """Which part of the people gets slips now, counted from 1."""

    part: int = 1


Typed = Annotated[str, msgspec.Meta(max_length=200)]


class PersonFields(msgspec.Struct, frozen=True, kw_only=True):
    """A person as a form sends them; what each field may hold is the sheet's rule."""

    name: Typed = ""
    phone: Typed = ""
    signs_in: bool = False
    grid: Typed = ""
    building: Typed = ""
    door: Typed = ""
    born_on: Typed = ""
    resident: bool = False
    volunteer: bool = False
    steward: bool = False
    grid_worker: bool = False

    def typed(self) -> TypedPerson:
        """For the action."""
        ticked = {
            Role.RESIDENT: self.resident,
            Role.VOLUNTEER: self.volunteer,
            Role.STEWARD: self.steward,
            Role.GRID_WORKER: self.grid_worker,
        }
        return TypedPerson(
            self.name,
            self.phone,
            self.signs_in,
            self.grid,
            self.building,
            self.door,
            self.born_on,
            tuple(role for role, is_ticked in ticked.items() if is_ticked),
        )


class NewPersonForm(PersonFields, frozen=True, kw_only=True):
    """Somebody new, by card number."""

    card_no: Typed = ""


class ChangedPersonForm(PersonFields, frozen=True, kw_only=True):
    """Somebody who is here, as they were when the form was opened."""

    revision: Annotated[int, msgspec.Meta(ge=1, le=999_999_999)]


class PersonIn(msgspec.Struct, frozen=True, kw_only=True):
    """The whole person: what is null or left out is empty. Roles are added and never ended by this."""

    name: Typed
    phone: Typed | None = None
    signs_in: bool = False
    grid: Typed | None = None
    building: Typed | None = None
    door: Typed | None = None
    born_on: date | None = None
    roles: Annotated[list[Role], msgspec.Meta(max_length=20)] = []

    def typed(self) -> TypedPerson:
        """For the action."""
        return TypedPerson(
            self.name,
            self.phone or "",
            self.signs_in,
            self.grid or "",
            self.building or "",
            self.door or "",
            self.born_on or "",
            tuple(self.roles),
        )


class NewPersonIn(PersonIn, frozen=True, kw_only=True):
    """Somebody new, by card number."""

    card_no: Typed


class ChangedPersonIn(PersonIn, frozen=True, kw_only=True):
    """Somebody who is here; `revision` as it was read."""

    revision: Annotated[int, msgspec.Meta(ge=1, le=999_999_999)]


class SavedAnswer(msgspec.Struct, frozen=True):
    """Who was written, and the import by which it can be taken back; null when nothing was different."""

    member_id: UUID
    import_id: UUID | None


class PastChangeAnswer(msgspec.Struct, frozen=True):
    """What was written about a person, in words, and the import by which it can be taken back."""

    import_id: UUID
    state: BatchState
    at: datetime
    is_new: bool
    changes: list[str]


class ParticularsAnswer(msgspec.Struct, frozen=True):
    """One person with everything open, to be corrected; the look was written down."""

    member_id: UUID
    card_no: str
    name: str
    phone: str | None
    signs_in: bool
    grid: str | None
    building: str | None
    door: str | None
    born_on: date | None
    revision: int
    is_open: bool
    history: list[PastChangeAnswer]


class BatchAnswer(msgspec.Struct, frozen=True):
    """One import."""

    import_id: UUID
    state: BatchState
    file_name: str
    unused_columns: list[str]
    new: int
    changed: int
    unchanged: int
    conflicts: int
    errors: int
    kept: int
    uploaded_at: datetime
    applied_at: datetime | None
    undone_at: datetime | None


class BatchesAnswer(msgspec.Struct, frozen=True):
    """Imports, the newest first."""

    imports: list[BatchAnswer]
    next: str | None


class ProblemAnswer(msgspec.Struct, frozen=True):
    """What is wrong in one cell."""

    column: str
    code: str
    sentence: str


class RowAnswer(msgspec.Struct, frozen=True):
    """One row of a sheet with its verdict."""

    row: int
    verdict: Verdict
    card_no: str
    problems: list[ProblemAnswer]
    changes: list[str]
    values: list[str]
    """What would be or was written about somebody new, the number masked."""
    kept: str | None


class RowsAnswer(msgspec.Struct, frozen=True):
    """A page of rows."""

    rows: list[RowAnswer]
    next: str | None


class SlipAnswer(msgspec.Struct, frozen=True):
    """A one-time code for one person, told once."""

    member_id: UUID
    card_no: str
    code: str
    url: str


class SlipsAnswer(msgspec.Struct, frozen=True):
    """One part of an import's slips, and how many parts there are."""

    slips: list[SlipAnswer]
    part: int
    parts: int


def batch_answer(batch: BatchView) -> BatchAnswer:
    """An import as JSON."""
    return BatchAnswer(
        import_id=batch.import_id,
        state=batch.state,
        file_name=batch.file_name,
        unused_columns=list(batch.unused),
        new=batch.counts[Verdict.NEW],
        changed=batch.counts[Verdict.CHANGED],
        unchanged=batch.counts[Verdict.UNCHANGED],
        conflicts=batch.counts[Verdict.CONFLICT],
        errors=batch.counts[Verdict.ERROR],
        kept=batch.kept,
        uploaded_at=batch.uploaded_at,
        applied_at=batch.applied_at,
        undone_at=batch.undone_at,
    )


def row_answer(row: RowView) -> RowAnswer:
    """A row as JSON: what is wrong or would change, in words."""
    return RowAnswer(
        row=row.row_no,
        verdict=row.verdict,
        card_no=row.row.card_no,
        problems=[
            ProblemAnswer(problem.column.value, problem.code, problem_sentence(problem)) for problem in row.problems
        ],
        changes=[change_sentence(change) for change in row.changes],
        values=written_sentences(row.meant) if row.verdict is Verdict.NEW and row.meant else [],
        kept=row.kept,
    )


def particulars_answer(item: Particulars, history: Sequence[PastChange]) -> ParticularsAnswer:
    """A person as JSON, open, with what was written about them."""
    return ParticularsAnswer(
        item.member_id,
        item.card_no,
        item.name,
        item.phone,
        item.signs_in,
        item.grid,
        item.building,
        item.door,
        item.born_on,
        item.revision,
        item.is_open,
        [
            PastChangeAnswer(
                past.import_id, past.state, past.at, past.is_new, [change_sentence(c) for c in past.changes]
            )
            for past in history
        ],
    )
