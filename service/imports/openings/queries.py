"""Reads: sheets, their rows, what people brought before, and the totals of the books beside them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import chart
from service.identity import people_by_ids
from service.imports.openings.cells import Problem, Row
from service.imports.openings.rules import OpeningNotFound, OpeningState, OpeningVerdict, Outcome
from service.imports.openings.tables import OpeningBatch, OpeningRow
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.manifest import Unfinished
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class OpeningView:
    """A sheet as pages show it. Points are hundredths."""

    opening_id: UUID
    state: OpeningState
    file_name: str
    unused: Sequence[str]
    effective_on: date
    counts: Mapping[OpeningVerdict, int]
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
    proposed_at: datetime | None
    approved_by: UUID | None
    approved_at: datetime | None
    finished_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None

    @property
    def people(self) -> Collection[UUID]:
        """Everybody who did something with it."""
        every = (self.uploaded_by, self.proposed_by, self.approved_by, self.ended_by)
        return {who for who in every if who is not None}


class SealedRow(msgspec.Struct, frozen=True):
    """What is sealed of one row."""

    typed: dict[str, str]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RowView:
    """One row; `typed` is empty once it is forgotten."""

    row_no: int
    verdict: OpeningVerdict
    member_id: UUID | None
    who: str
    minutes: int
    points: int
    record_minutes: int
    source: str
    outcome: Outcome | None
    refused_code: str | None
    typed: Mapping[str, str]
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Totals:
    """What all people of the community have now, and what the opening account gave so far: for the sums before and after."""

    held: Mapping[str, int]
    brought: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What rows are compared with: people by card number with name and whether they are here, and what they brought."""

    people: Mapping[str, tuple[UUID, str, bool]]
    brought: Mapping[UUID, tuple[int, int, int]]


def place(community_id: int, opening_id: UUID, row_no: int) -> str:
    """Where a sealed row lives, so that it opens nowhere else."""
    return f"opening:{community_id}:{opening_id.hex}:{row_no}"


def _view(row: OpeningBatch) -> OpeningView:
    return OpeningView(
        row.opening_id,
        OpeningState(row.state),
        row.file_name,
        tuple(row.unused),
        row.effective_on,
        {
            OpeningVerdict.NEW: row.new_rows,
            OpeningVerdict.BROUGHT: row.brought_rows,
            OpeningVerdict.CONFLICT: row.conflict_rows,
            OpeningVerdict.ERROR: row.error_rows,
        },
        row.minutes,
        row.points,
        row.record_minutes,
        row.posted_rows,
        row.refused_rows,
        row.returned_rows,
        row.kept_rows,
        row.uploaded_by,
        row.uploaded_at,
        row.proposed_by,
        row.proposed_at,
        row.approved_by,
        row.approved_at,
        row.finished_at,
        row.ended_by,
        row.ended_at,
    )


async def opening_for(session: AsyncSession, actor: Actor, opening_id: UUID) -> OpeningView:
    """One sheet of the actor's community."""
    row = await session.get(OpeningBatch, (actor.community_id, opening_id), populate_existing=True)
    if row is None:
        raise OpeningNotFound
    return _view(row)


async def lock_opening(session: AsyncSession, community_id: int, opening_id: UUID) -> OpeningBatch:
    """The sheet itself, locked: whoever decides about it comes one after the other."""
    row = await session.get(OpeningBatch, (community_id, opening_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise OpeningNotFound
    return row


async def openings(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[OpeningView]:
    """Sheets, the newest first."""
    query = sa.select(OpeningBatch).where(col(OpeningBatch.community_id) == community_id)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(OpeningBatch.opening_id) < UUID(str(cursor[0])))
    rows = await session.execute(query.order_by(col(OpeningBatch.opening_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(row) for row in rows.scalars()], lambda last: encode_cursor(last.opening_id.hex))


def _rows_query(community_id: int, opening_id: UUID, verdict: OpeningVerdict) -> sa.Select[OpeningRow]:
    return (
        sa.select(OpeningRow)
        .where(
            col(OpeningRow.community_id) == community_id,
            col(OpeningRow.opening_id) == opening_id,
            col(OpeningRow.verdict) == verdict,
        )
        .order_by(col(OpeningRow.row_no))
    )


async def rows_of(
    session: AsyncSession,
    community_id: int,
    opening_id: UUID,
    verdict: OpeningVerdict,
    *,
    outcome: Outcome | None = None,
    after: str | None = None,
) -> Page[RowView]:
    """A page of a sheet's rows with this verdict and, when asked, this outcome, in the sheet's order."""
    query = _rows_query(community_id, opening_id, verdict)
    if outcome is not None:
        query = query.where(col(OpeningRow.outcome) == outcome)
    cursor = decode_cursor(after, int)
    if cursor is not None:
        query = query.where(col(OpeningRow.row_no) > cursor[0])
    found = (await session.execute(query.limit(PAGE_SIZE + 1))).scalars().all()
    people = await people_by_ids(session, community_id, {row.member_id for row in found})
    names = {member_id: f"{person.card_no} {person.name}" for member_id, person in people.items()}
    return page_of(_opened(keyring(session), found, names), lambda last: encode_cursor(last.row_no))


async def all_rows(
    session: AsyncSession, community_id: int, opening_id: UUID, verdict: OpeningVerdict
) -> Sequence[RowView]:
    """Every row with this verdict, for a file."""
    found = (await session.execute(_rows_query(community_id, opening_id, verdict))).scalars().all()
    return await anyio.to_thread.run_sync(_opened, keyring(session), found, {})


def _opened(keys: Keyring, rows: Sequence[OpeningRow], names: Mapping[UUID, str]) -> list[RowView]:
    views = []
    for row in rows:
        sealed = SealedRow({}, ())
        if row.row_sealed is not None:
            text = keys.open(row.row_sealed, place(row.community_id, row.opening_id, row.row_no))
            sealed = msgspec.json.decode(text, type=SealedRow)
        views.append(
            RowView(
                row.row_no,
                OpeningVerdict(row.verdict),
                row.member_id,
                names.get(row.member_id, "") if row.member_id else "",
                row.minutes,
                row.points,
                row.record_minutes,
                row.source,
                Outcome(row.outcome) if row.outcome else None,
                row.refused_code,
                sealed.typed,
                sealed.problems,
            )
        )
    return views


_TOTALS = sa.text("""
SELECT a.unit, coalesce(sum(a.balance) FILTER (WHERE a.code LIKE 'member:%'), 0)::bigint,
       -coalesce(sum(a.balance) FILTER (WHERE a.code = :opening), 0)::bigint
  FROM ledger.account a
 WHERE a.community_id = :community_id AND a.unit IN ('minute', 'point') AND (a.code LIKE 'member:%' OR a.code = :opening)
 GROUP BY a.unit
""")


async def totals(session: AsyncSession, community_id: int) -> Totals:
    """The sums of the books that a sheet will change, as the trial balance has them."""
    rows = (await session.execute(_TOTALS, {"community_id": community_id, "opening": chart.OPENING})).all()
    held, brought = {unit: held for unit, held, _ in rows}, {unit: given for unit, _, given in rows}
    return Totals(
        {unit: held.get(unit, 0) for unit in (chart.MINUTE, chart.POINT)},
        {unit: brought.get(unit, 0) for unit in (chart.MINUTE, chart.POINT)},
    )


async def closed_until(session: AsyncSession, community_id: int) -> datetime | None:
    """The moment before which nothing takes effect any more."""
    found = await session.execute(
        sa.text("SELECT b.closed_until FROM ledger.book b WHERE b.community_id = :community_id"),
        {"community_id": community_id},
    )
    until: datetime | None = found.scalar_one_or_none()
    return until


_UNDONE = r"""
EXISTS (SELECT FROM ledger.journal j JOIN ledger.journal u ON u.community_id = j.community_id AND u.reverses = j.journal_id
         WHERE j.community_id = opening_row.community_id
           AND j.reference = 'opening\:' || opening_row.opening_id || '\:' || opening_row.row_no)
"""
"""Finance undid the row's entry by hand, on the entry's own page: it is nobody's opening balance any more."""


async def brought_by(
    session: AsyncSession, community_id: int, ids: Collection[UUID]
) -> Mapping[UUID, tuple[int, int, int]]:
    """Minutes, hundredths of points and minutes of the record that people brought already, or that are under way."""
    rows = await session.execute(
        sa.select(
            col(OpeningRow.member_id), col(OpeningRow.minutes), col(OpeningRow.points), col(OpeningRow.record_minutes)
        ).where(
            col(OpeningRow.community_id) == community_id,
            col(OpeningRow.member_id) == sa.any_(sa.literal(sorted(ids), sa.ARRAY(sa.Uuid()))),
            col(OpeningRow.is_live),
            sa.text(f"NOT {_UNDONE}"),
        )
    )
    return {member_id: (minutes, points, record) for member_id, minutes, points, record in rows if member_id}


async def lock_undone(session: AsyncSession, community_id: int, opening_id: UUID) -> Sequence[OpeningRow]:
    """Live rows of this sheet's people whose entries were undone by hand, locked in one order."""
    new = sa.select(col(OpeningRow.member_id)).where(
        col(OpeningRow.community_id) == community_id,
        col(OpeningRow.opening_id) == opening_id,
        col(OpeningRow.verdict) == OpeningVerdict.NEW,
    )
    found = await session.execute(
        sa.select(OpeningRow)
        .where(
            col(OpeningRow.community_id) == community_id,
            col(OpeningRow.is_live),
            col(OpeningRow.member_id).in_(new),
            sa.text(_UNDONE),
        )
        .order_by(col(OpeningRow.opening_id), col(OpeningRow.row_no))
        .with_for_update()
    )
    return found.scalars().all()


async def waiting(session: AsyncSession, community_id: int) -> Sequence[OpeningView]:
    """Sheets that wait for a second person, the oldest first."""
    rows = await session.execute(
        sa.select(OpeningBatch)
        .where(col(OpeningBatch.community_id) == community_id, col(OpeningBatch.state) == OpeningState.PROPOSED)
        .order_by(col(OpeningBatch.proposed_at))
        .limit(PAGE_SIZE)
    )
    return [_view(row) for row in rows.scalars()]


async def unfinished(session: AsyncSession, community_id: int, until: datetime) -> Sequence[Unfinished]:
    """Sheets that take effect before a moment and are neither posted nor given up."""
    found = await session.execute(
        sa.select(sa.func.count()).where(
            col(OpeningBatch.community_id) == community_id,
            col(OpeningBatch.state).in_([OpeningState.PROPOSED, OpeningState.POSTING]),
            col(OpeningBatch.effective_on) < local_day(until),
        )
    )
    return [Unfinished("openings", int(found.scalar_one()), "/desk/openings")]


def same_figures(row: Row, brought: tuple[int, int, int]) -> bool:
    """True when the same was brought before."""
    return (row.minutes, row.points, row.record_minutes) == brought
