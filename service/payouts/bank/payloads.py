"""What crosses the wire about the bank's lists. Never a whole account number."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar.datastructures import UploadFile

from service.payouts.bank.queries import Choice, Columns, LineView, ListView
from service.payouts.bank.rules import HEADING_LENGTH_MAX, Column, Direction, ListState, Outcome, Verdict
from service.payouts.payloads import Reason

CHOICE = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(/[1-9][0-9]{0,5})?$"
"""A statement, and behind a slash one of its payments."""
Heading = Annotated[str, msgspec.Meta(max_length=HEADING_LENGTH_MAX, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ListForm(msgspec.Struct, frozen=True):
    """The bank's list."""

    file: UploadFile


class ColumnsIn(msgspec.Struct):
    """The bank's headings, by what they are; empty: ours, or what banks often write. `revision` is what was read."""

    revision: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
    mark: Heading = ""
    amount: Heading = ""
    back: Heading = ""
    account: Heading = ""
    holder: Heading = ""
    reference: Heading = ""
    day: Heading = ""
    status: Heading = ""
    reason: Heading = ""

    def headings(self) -> Mapping[Column, str]:
        """By our column."""
        return {column: getattr(self, column.name.lower()).strip() for column in Column}


class ColumnsOut(msgspec.Struct):
    """The bank's headings as this community keeps them, and which version it is."""

    revision: int
    mark: str
    amount: str
    back: str
    account: str
    holder: str
    reference: str
    day: str
    status: str
    reason: str


class BookIn(msgspec.Struct):
    """Which statement a line is about; for money that came back, which of its payments."""

    settlement: UUID
    payment: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] | None = None


class BookForm(msgspec.Struct):
    """The same from a page: the statement, and behind a slash the payment."""

    choice: Annotated[str, msgspec.Meta(pattern=CHOICE)]

    def chosen(self) -> tuple[UUID, int | None]:
        """The statement and the payment."""
        settlement, _, payment = self.choice.partition("/")
        return UUID(settlement), int(payment) if payment else None


class AsideIn(msgspec.Struct):
    """Why a line concerns no statement."""

    reason: Reason


class ListOut(msgspec.Struct):
    """One list, with how many lines it has of each kind."""

    list_id: UUID
    state: ListState
    file_name: str
    line_count: int
    uploaded_by: UUID
    uploaded_at: datetime
    booked_by: UUID | None
    booked_at: datetime | None
    verdicts: Mapping[Verdict, int]
    outcomes: Mapping[Outcome, int]


class ListsOut(msgspec.Struct):
    """Lists, the newest first."""

    items: Sequence[ListOut]
    next: str | None


class LineOut(msgspec.Struct):
    """One line. `problem` names the column and what is wrong in it."""

    line_no: int
    verdict: Verdict
    direction: Direction | None
    fen: int
    mark: str
    holder: str
    tail: str
    reference: str
    paid_on: date | None
    bank_reason: str
    problem: tuple[Column, str] | None
    settlement_id: UUID | None
    payment: int | None
    outcome: Outcome | None
    refused_code: str | None
    reason: str
    decided_by: UUID | None
    decided_at: datetime | None


class ChoiceOut(msgspec.Struct):
    """A statement that a line may be booked to by hand: what is open of it, or a payment that may have come back."""

    settlement_id: UUID
    number: int
    shop: str
    fen: int
    payment: int | None


class LinesOut(msgspec.Struct):
    """Lines in the list's order, and what those that wait may be booked to."""

    items: Sequence[LineOut]
    next: str | None
    choices: Sequence[ChoiceOut]


def columns_out(columns: Columns) -> ColumnsOut:
    """The headings over the wire."""
    named = {column.name.lower(): columns.headings.get(column.value, "") for column in Column}
    return ColumnsOut(revision=columns.revision, **named)


def list_out(view: ListView) -> ListOut:
    """A list over the wire."""
    return msgspec.convert(view, ListOut, from_attributes=True)


def lines_out(lines: Sequence[LineView], following: str | None, choices: Sequence[Choice]) -> LinesOut:
    """A page of lines over the wire."""
    return LinesOut(
        [msgspec.convert(line, LineOut, from_attributes=True) for line in lines],
        following,
        [msgspec.convert(choice, ChoiceOut, from_attributes=True) for choice in choices],
    )
