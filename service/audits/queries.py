"""Reads: the samples, what was drawn in one, and what was found of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.audits.rules import Drawn, SampleNotFound, Strata, Verdict, size_of
from service.audits.tables import AuditFinding, AuditSample, AuditSampleItem
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class SampleView:
    """One draw and how far its findings have come."""

    sample_id: UUID
    seed: str
    since: date
    until: date
    first_seq: int
    last_seq: int
    wanted: int
    strata: Strata
    looked_up: int
    drawn_by: UUID
    drawn_at: datetime
    drawn: int
    noted: int
    faults: int


@dataclass(frozen=True, slots=True)
class Item:
    """One journal of a sample."""

    place: int
    journal_id: int
    stratum: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What was noted of one journal."""

    finding_id: UUID
    journal_id: int
    verdict: Verdict
    note: str
    found_by: UUID
    found_at: datetime


_SPAN = sa.text("SELECT ledger.seq_before(:community_id, :since) + 1, ledger.seq_before(:community_id, :until)")


async def span(session: AsyncSession, community_id: int, since: datetime, until: datetime) -> tuple[int, int]:
    """The first and the last number that were given in a period; the last is below the first when there was none."""
    row = (await session.execute(_SPAN, {"community_id": community_id, "since": since, "until": until})).one()
    return int(row[0]), int(row[1])


_DRAWN = sa.text("""
SELECT j.journal_id, j.reason, t.unit, max(t.amount)
  FROM unnest(CAST(:numbers AS bigint[])) n(number)
 CROSS JOIN LATERAL (SELECT j.journal_id, j.reason, j.transfers FROM ledger.journal j
                      WHERE j.community_id = :community_id AND j.journal_id = n.number OFFSET 0) j
 CROSS JOIN LATERAL (SELECT t.unit, t.amount FROM ledger.transfer t
                      WHERE t.community_id = :community_id AND t.seq >= j.journal_id
                        AND t.seq < j.journal_id + j.transfers OFFSET 0) t
 GROUP BY 1, 2, 3
""")


async def drawn_journals(session: AsyncSession, community_id: int, numbers: Sequence[int]) -> Sequence[Drawn]:
    """Those of these numbers at which a journal begins, in the order of the numbers."""
    rows = await session.execute(_DRAWN, {"community_id": community_id, "numbers": list(numbers)})
    reasons: dict[int, str] = {}
    amounts: dict[int, dict[str, int]] = {}
    for journal_id, reason, unit, amount in rows:
        reasons[journal_id] = reason
        amounts.setdefault(journal_id, {})[unit] = amount
    return [Drawn(number, reasons[number], size_of(amounts[number])) for number in numbers if number in reasons]


def _samples(community_id: int) -> sa.Select[tuple[AuditSample, int, int, int]]:
    of_this = sa.and_(
        col(AuditSampleItem.community_id) == col(AuditSample.community_id),
        col(AuditSampleItem.sample_id) == col(AuditSample.sample_id),
    )
    found = sa.and_(
        col(AuditFinding.community_id) == col(AuditSample.community_id),
        col(AuditFinding.sample_id) == col(AuditSample.sample_id),
    )
    return sa.select(
        AuditSample,
        sa.select(sa.func.count()).select_from(AuditSampleItem).where(of_this).scalar_subquery(),
        sa.select(sa.func.count(sa.distinct(col(AuditFinding.journal_id)))).where(found).scalar_subquery(),
        sa.select(sa.func.count(sa.distinct(col(AuditFinding.journal_id))))
        .where(found, col(AuditFinding.verdict) == Verdict.FAULT)
        .scalar_subquery(),
    ).where(col(AuditSample.community_id) == community_id)


def _view(row: AuditSample, drawn: int, noted: int, faults: int) -> SampleView:
    return SampleView(
        row.sample_id,
        row.seed,
        row.since,
        row.until,
        row.first_seq,
        row.last_seq,
        row.wanted,
        Strata(row.strata),
        row.looked_up,
        row.drawn_by,
        row.drawn_at,
        drawn,
        noted,
        faults,
    )


async def samples(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[SampleView]:
    """Every sample that was ever drawn, the newest first; its id grows with time."""
    query = _samples(community_id)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(AuditSample.sample_id) < UUID(str(cursor[0])))
    rows = await session.execute(query.order_by(col(AuditSample.sample_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(*row) for row in rows], lambda last: encode_cursor(str(last.sample_id)))


async def sample(session: AsyncSession, community_id: int, sample_id: UUID) -> SampleView:
    """One sample."""
    rows = await session.execute(_samples(community_id).where(col(AuditSample.sample_id) == sample_id))
    row = rows.one_or_none()
    if row is None:
        raise SampleNotFound
    return _view(*row)


async def items(session: AsyncSession, community_id: int, sample_id: UUID) -> Sequence[Item]:
    """The journals of a sample in the order of the draw."""
    rows = await session.exec(
        select(AuditSampleItem)
        .where(col(AuditSampleItem.community_id) == community_id, col(AuditSampleItem.sample_id) == sample_id)
        .order_by(col(AuditSampleItem.place))
    )
    return [Item(row.place, row.journal_id, row.stratum) for row in rows]


async def findings(session: AsyncSession, community_id: int, sample_id: UUID) -> Mapping[int, Sequence[Finding]]:
    """By journal what was noted of it, the oldest first."""
    rows = await session.exec(
        select(AuditFinding)
        .where(col(AuditFinding.community_id) == community_id, col(AuditFinding.sample_id) == sample_id)
        .order_by(col(AuditFinding.finding_id))
    )
    told: dict[int, list[Finding]] = {}
    for row in rows:
        told.setdefault(row.journal_id, []).append(
            Finding(row.finding_id, row.journal_id, Verdict(row.verdict), row.note, row.found_by, row.found_at)
        )
    return told
