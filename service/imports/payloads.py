"""What crosses the wire about imports."""

from datetime import datetime
from uuid import UUID

import msgspec
from litestar.datastructures import UploadFile

from service.imports.queries import BatchView, RowView
from service.imports.rules import BatchState, Verdict
from service.imports.wording import change_sentence, problem_sentence


class UploadForm(msgspec.Struct, frozen=True):
    """A sheet of people."""

    file: UploadFile


class SlipsForm(msgspec.Struct, frozen=True):
    """Which part of the people gets slips now, counted from 1."""

    part: int = 1


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
        kept=row.kept,
    )
