"""What crosses the wire about opening balances. Points are hundredths."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import UploadFile

from service.imports.openings.cells import problem_sentence
from service.imports.openings.queries import OpeningView, RowView, Totals
from service.imports.openings.rules import SOURCE_LENGTH_MAX, OpeningState, OpeningVerdict, Outcome


class UploadForm(msgspec.Struct, frozen=True):
    """A sheet of balances, the day of the change-over and where the figures come from."""

    file: UploadFile
    effective_on: date
    source: Annotated[str, msgspec.Meta(max_length=SOURCE_LENGTH_MAX)]


class OpeningOut(msgspec.Struct, frozen=True):
    """One sheet."""

    opening_id: UUID
    state: OpeningState
    file_name: str
    unused: Sequence[str]
    effective_on: date
    new: int
    brought: int
    conflicts: int
    errors: int
    minutes: int
    points: int
    record_minutes: int
    posted: int
    refused: int
    returned: int
    kept: int
    uploaded_by: UUID
    uploaded_at: datetime
    proposed_by: UUID | None
    approved_by: UUID | None
    approved_at: datetime | None
    finished_at: datetime | None


class OpeningsOut(msgspec.Struct, frozen=True):
    """Sheets, the newest first, and the totals of the books: what people have, what the opening account gave, by unit."""

    rows: Sequence[OpeningOut]
    next: str | None
    held: Mapping[str, int]
    brought: Mapping[str, int]


class RowOut(msgspec.Struct, frozen=True):
    """One row of a sheet."""

    row_no: int
    verdict: OpeningVerdict
    member_id: UUID | None
    minutes: int
    points: int
    record_minutes: int
    source: str
    outcome: Outcome | None
    refused: str | None
    problems: Sequence[str]


class RowsOut(msgspec.Struct, frozen=True):
    """A page of rows."""

    rows: Sequence[RowOut]
    next: str | None


def opening_out(view: OpeningView) -> OpeningOut:
    """A sheet for the wire."""
    return OpeningOut(
        opening_id=view.opening_id,
        state=view.state,
        file_name=view.file_name,
        unused=view.unused,
        effective_on=view.effective_on,
        new=view.counts[OpeningVerdict.NEW],
        brought=view.counts[OpeningVerdict.BROUGHT],
        conflicts=view.counts[OpeningVerdict.CONFLICT],
        errors=view.counts[OpeningVerdict.ERROR],
        minutes=view.minutes,
        points=view.points,
        record_minutes=view.record_minutes,
        posted=view.posted,
        refused=view.refused,
        returned=view.returned,
        kept=view.kept,
        uploaded_by=view.uploaded_by,
        uploaded_at=view.uploaded_at,
        proposed_by=view.proposed_by,
        approved_by=view.approved_by,
        approved_at=view.approved_at,
        finished_at=view.finished_at,
    )


def openings_out(rows: Sequence[OpeningView], following: str | None, totals: Totals) -> OpeningsOut:
    """A page of sheets for the wire."""
    return OpeningsOut([opening_out(view) for view in rows], following, totals.held, totals.brought)


def row_out(row: RowView) -> RowOut:
    """A row for the wire."""
    return RowOut(
        row.row_no,
        row.verdict,
        row.member_id,
        row.minutes,
        row.points,
        row.record_minutes,
        row.source,
        row.outcome,
        row.refused_code,
        [problem_sentence(problem) for problem in row.problems],
    )
