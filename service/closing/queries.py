"""Reads: how far the books are closed, what is still open, and what a closed year was."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.closing.rules import ClosingNotFound, ClosingState, YearNotFound
from service.closing.tables import PeriodClosing, YearClose, YearLine, YearMovement, YearTotal
from service.kit.manifest import Manifest, Unfinished
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of

LATE_SHOWN = 20
LINES_AT_ONCE = 500
"""Accounts in one piece of a year's book: what is read, opened and sent at once."""


@dataclass(frozen=True, slots=True)
class ClosingView:
    """One closing and its two people."""

    closing_id: UUID
    last_day: date
    year: int | None
    state: ClosingState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class LateEntry:
    """A journal that was posted after a period and takes effect in it."""

    journal_id: int
    reason: str
    effective_at: datetime
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class Open:
    """What a period up to a moment still has open, slice by slice, and what was booked into it afterwards."""

    unfinished: Sequence[Unfinished]
    late: Sequence[LateEntry]
    late_count: int


@dataclass(frozen=True, slots=True)
class YearView:
    """A closed year with its figures; `seal` is the first seal that closes everything it is made of, once there is one."""

    year: int
    proposed_by: UUID
    confirmed_by: UUID
    closed_at: datetime
    drawn_up_at: datetime
    seq: int
    journals: int
    totals: Sequence[YearTotal]
    movements: Sequence[YearMovement]
    seal: ledger.Seal | None


async def closed_until(session: AsyncSession, community_id: int) -> datetime | None:
    """The moment before which nothing takes effect any more."""
    found = await session.execute(
        sa.text("SELECT b.closed_until FROM ledger.book b WHERE b.community_id = :community_id"),
        {"community_id": community_id},
    )
    until: datetime | None = found.scalar_one_or_none()
    return until


def _view(row: PeriodClosing) -> ClosingView:
    return ClosingView(
        row.closing_id,
        row.last_day,
        row.year,
        ClosingState(row.state),
        row.proposed_by,
        row.proposed_at,
        row.decided_by,
        row.decided_at,
    )


async def closings(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[ClosingView]:
    """Closings, the newest first."""
    query = sa.select(PeriodClosing).where(col(PeriodClosing.community_id) == community_id)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(PeriodClosing.closing_id) < UUID(str(cursor[0])))
    rows = await session.execute(query.order_by(col(PeriodClosing.closing_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(row) for row in rows.scalars()], lambda last: encode_cursor(last.closing_id.hex))


async def waiting_closing(session: AsyncSession, community_id: int) -> ClosingView | None:
    """The closing that waits for its second person."""
    row = await session.execute(
        sa.select(PeriodClosing).where(
            col(PeriodClosing.community_id) == community_id, col(PeriodClosing.state) == ClosingState.PROPOSED
        )
    )
    found = row.scalar_one_or_none()
    return _view(found) if found is not None else None


async def closing_for(session: AsyncSession, community_id: int, closing_id: UUID) -> ClosingView:
    """One closing of this community."""
    row = await session.get(PeriodClosing, (community_id, closing_id))
    if row is None:
        raise ClosingNotFound
    return _view(row)


async def lock_closing(session: AsyncSession, community_id: int, closing_id: UUID) -> PeriodClosing:
    """The closing itself, locked: of two who decide at once the second finds it decided."""
    row = await session.get(PeriodClosing, (community_id, closing_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise ClosingNotFound
    return row


async def years(session: AsyncSession, community_id: int) -> Sequence[int]:
    """The years that were closed, drawn up or not, the newest first."""
    rows = await session.execute(
        sa.select(col(PeriodClosing.year))
        .where(
            col(PeriodClosing.community_id) == community_id,
            col(PeriodClosing.state) == ClosingState.CLOSED,
            col(PeriodClosing.year).is_not(None),
        )
        .order_by(col(PeriodClosing.year).desc())
    )
    return [year for year in rows.scalars() if year is not None]


_LATE = """
  FROM ledger.journal j
 WHERE j.community_id = :community_id AND j.journal_id > ledger.seq_before(:community_id, :until)
   AND j.effective_at < :until AND (CAST(:closed AS timestamptz) IS NULL OR j.effective_at >= :closed)
"""


async def still_open(session: AsyncSession, slices: Sequence[Manifest], community_id: int, *, until: datetime) -> Open:
    """Everything that belongs before a moment and is not done, asked of every slice, and what was booked into it since."""
    found = [one for item in slices for ask in item.unfinished for one in await ask(session, community_id, until)]
    asked = {"community_id": community_id, "until": until, "closed": await closed_until(session, community_id)}
    count = await session.execute(sa.text("SELECT count(*)" + _LATE), asked)
    rows = await session.execute(
        sa.text(
            "SELECT j.journal_id, j.reason, j.effective_at, j.posted_at"
            + _LATE
            + " ORDER BY j.journal_id DESC LIMIT :most"
        ),
        asked | {"most": LATE_SHOWN},
    )
    return Open([one for one in found if one.count], [LateEntry(*row) for row in rows], count.scalar_one())


async def is_drawn_up(session: AsyncSession, community_id: int, year: int) -> bool:
    """True once the figures of a year stand."""
    return await session.get(YearClose, (community_id, year)) is not None


async def year_view(session: AsyncSession, community_id: int, year: int) -> YearView:
    """A closed year. Raises YearNotFound while it is not drawn up."""
    row = await session.get(YearClose, (community_id, year))
    if row is None:
        raise YearNotFound
    totals = await session.execute(
        sa.select(YearTotal)
        .where(col(YearTotal.community_id) == community_id, col(YearTotal.year) == year)
        .order_by(sa.collate(col(YearTotal.unit), "C"), sa.collate(col(YearTotal.kind), "C"))
    )
    movements = await session.execute(
        sa.select(YearMovement)
        .where(col(YearMovement.community_id) == community_id, col(YearMovement.year) == year)
        .order_by(
            sa.collate(col(YearMovement.unit), "C"),
            sa.collate(col(YearMovement.kind), "C"),
            sa.collate(col(YearMovement.reason), "C"),
        )
    )
    return YearView(
        year,
        row.proposed_by,
        row.confirmed_by,
        row.closed_at,
        row.drawn_up_at,
        row.seq,
        row.journals,
        totals.scalars().all(),
        movements.scalars().all(),
        await _seal_over(session, community_id, row.seq),
    )


async def _seal_over(session: AsyncSession, community_id: int, seq: int) -> ledger.Seal | None:
    number = await session.execute(
        sa.text("SELECT min(s.number) FROM ledger.seal s WHERE s.community_id = :community_id AND s.size >= :seq"),
        {"community_id": community_id, "seq": seq},
    )
    found: int | None = number.scalar_one()
    return await ledger.seal_by_number(session, community_id, found) if found is not None else None


async def year_lines(
    session: AsyncSession, community_id: int, year: int, unit: str, *, after: str | None = None, size: int = PAGE_SIZE
) -> Page[YearLine]:
    """The accounts of a year in one unit: those of nobody first, then people's by card number."""
    place = (sa.collate(col(YearLine.card_no), "C"), col(YearLine.code))
    query = sa.select(YearLine).where(
        col(YearLine.community_id) == community_id, col(YearLine.year) == year, col(YearLine.unit) == unit
    )
    cursor = decode_cursor(after, str, str)
    if cursor is not None:
        query = query.where(sa.tuple_(*place) > sa.tuple_(sa.literal(cursor[0]), sa.literal(cursor[1])))
    rows = await session.execute(query.order_by(*place).limit(size + 1))
    return page_of(list(rows.scalars()), lambda last: encode_cursor(last.card_no, last.code), size)


async def all_lines(
    session: AsyncSession, community_id: int, year: int, unit: str
) -> AsyncIterator[Sequence[YearLine]]:
    """Every account of a year in one unit, a piece at a time, however many there are."""
    after: str | None = None
    while True:
        page = await year_lines(session, community_id, year, unit, after=after, size=LINES_AT_ONCE)
        if page.rows:
            yield page.rows
        after = page.next
        if after is None:
            return
