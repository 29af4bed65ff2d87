"""Posting approved sheets and taking posted ones back: the worker's part, a piece at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.identity import lock_people
from service.imports.openings.rules import OpeningState, OpeningVerdict, Outcome, record_reference, reference
from service.imports.openings.tables import OpeningBatch, OpeningRow
from service.imports.rules import KEEP_DAYS
from service.kit import audit
from service.kit.clock import day_begins
from service.records import Carried, carry_over, take_back_carried

PIECE = 500
"""Rows of one transaction: the book's head is held for a fraction of a second, and a crash costs that much work."""


async def post_piece(session: AsyncSession, now: datetime) -> int:
    """Post the next rows of the sheet that was approved first; answers how many, and 1 for finishing a sheet.

    Rows and people are locked before the head; what is written after it touches only them. A row that the ledger refuses
    (its period was closed meanwhile, the account too) is marked with the reason and keeps nobody from a next sheet.
    """
    batch = await _next(session, OpeningState.POSTING)
    if batch is None:
        return 0
    rows = await _piece(session, batch, None)
    if not rows:
        batch.state, batch.finished_at = OpeningState.POSTED, now
        _tell(session, "openings.posted", batch, now)
        return 1
    await lock_people(session, batch.community_id, [row.member_id for row in rows if row.member_id])
    specs = [ledger.AccountSpec(chart.OPENING, unit, floor=None) for unit in (chart.MINUTE, chart.POINT)]
    await ledger.open_accounts(session, batch.community_id, specs, now=now)
    await session.flush()
    worth = [row for row in rows if row.minutes or row.points]
    journals = [_journal(batch, row) for row in worth]
    verdicts = await ledger.post_many(session, batch.community_id, journals, now=now) if journals else []
    refused = {
        row.row_no: verdict.code
        for row, verdict in zip(worth, verdicts, strict=True)
        if isinstance(verdict, ledger.LedgerRefusal)
    }
    for row in rows:
        row.outcome = Outcome.REFUSED if row.row_no in refused else Outcome.POSTED
        row.refused_code, row.is_live = refused.get(row.row_no), row.row_no not in refused
    batch.refused_rows += len(refused)
    batch.posted_rows += len(rows) - len(refused)
    await carry_over(
        session,
        community_id=batch.community_id,
        carried=[_carried(batch, row) for row in rows if row.record_minutes and row.row_no not in refused],
        confirmed_by=batch.approved_by,
        now=now,
    )
    return len(rows)


async def return_piece(session: AsyncSession, now: datetime) -> int:
    """Take the next rows of a sheet back by their exact opposite; who has spent some of it keeps it all."""
    batch = await _next(session, OpeningState.RETURNING)
    if batch is None:
        return 0
    rows = await _piece(session, batch, Outcome.POSTED)
    if not rows:
        batch.state = OpeningState.RETURNED
        _tell(session, "openings.returned", batch, now)
        return 1
    await lock_people(session, batch.community_id, [row.member_id for row in rows if row.member_id])
    worth = [row for row in rows if row.minutes or row.points]
    verdicts = await ledger.reverse_many(
        session,
        batch.community_id,
        [
            ledger.Reversal(
                f"{reference(row.opening_id, row.row_no)}:back",
                reference(row.opening_id, row.row_no),
                Reason.OPENING_BALANCE,
                batch.ended_by,
            )
            for row in worth
        ],
        now=now,
    )
    kept = {
        row.row_no
        for row, verdict in zip(worth, verdicts, strict=True)
        if isinstance(verdict, ledger.LedgerRefusal) and not isinstance(verdict, ledger.AlreadyReversed)
    }
    for row in rows:
        row.outcome, row.is_live = (Outcome.KEPT, True) if row.row_no in kept else (Outcome.RETURNED, False)
    batch.kept_rows += len(kept)
    batch.returned_rows += len(rows) - len(kept)
    await take_back_carried(
        session,
        community_id=batch.community_id,
        references=[
            record_reference(row.opening_id, row.row_no)
            for row in rows
            if row.record_minutes and row.row_no not in kept
        ],
        confirmed_by=batch.ended_by,
        now=now,
    )
    return len(rows)


async def _next(session: AsyncSession, state: OpeningState) -> OpeningBatch | None:
    """The sheet to work on, locked. Another worker's is stepped over."""
    found = await session.execute(
        sa.select(OpeningBatch)
        .where(col(OpeningBatch.state) == state)
        .order_by(col(OpeningBatch.approved_at), col(OpeningBatch.opening_id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    batch: OpeningBatch | None = found.scalar_one_or_none()
    return batch


async def _piece(session: AsyncSession, batch: OpeningBatch, outcome: Outcome | None) -> Sequence[OpeningRow]:
    found = await session.execute(
        sa.select(OpeningRow)
        .where(
            col(OpeningRow.community_id) == batch.community_id,
            col(OpeningRow.opening_id) == batch.opening_id,
            col(OpeningRow.verdict) == OpeningVerdict.NEW,
            col(OpeningRow.outcome).is_(None) if outcome is None else col(OpeningRow.outcome) == outcome,
        )
        .order_by(col(OpeningRow.row_no))
        .limit(PIECE)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalars().all()


def _journal(batch: OpeningBatch, row: OpeningRow) -> ledger.Journal:
    assert row.member_id is not None, "a constraint says so"
    account = chart.member(row.member_id)
    legs = tuple(
        ledger.Leg(chart.OPENING, account, unit, amount)
        for unit, amount in ((chart.MINUTE, row.minutes), (chart.POINT, row.points))
        if amount
    )
    at = day_begins(batch.effective_on)
    place = reference(row.opening_id, row.row_no)
    return ledger.Journal(place, Reason.OPENING_BALANCE, legs, batch.approved_by, effective_at=at)


def _carried(batch: OpeningBatch, row: OpeningRow) -> Carried:
    assert row.member_id is not None, "a constraint says so"
    return Carried(
        member_id=row.member_id,
        minutes=row.record_minutes,
        title=row.source,
        source=f"opening:{row.opening_id}",
        reference=record_reference(row.opening_id, row.row_no),
        served_on=batch.effective_on,
    )


def _tell(session: AsyncSession, action: str, batch: OpeningBatch, now: datetime) -> None:
    audit.record(
        session,
        None,
        action,
        kind="opening",
        id=batch.opening_id,
        now=now,
        community_id=batch.community_id,
        detail={
            "posted": batch.posted_rows,
            "refused": batch.refused_rows,
            "returned": batch.returned_rows,
            "kept": batch.kept_rows,
        },
    )


async def forget_typed(session: AsyncSession, now: datetime) -> int:
    """Forget what old sheets said beside the figures. One batch of sheets at a time."""
    old = (
        sa.select(col(OpeningBatch.community_id), col(OpeningBatch.opening_id))
        .where(
            col(OpeningBatch.uploaded_at) < now - timedelta(days=KEEP_DAYS),
            sa.exists().where(
                col(OpeningRow.community_id) == col(OpeningBatch.community_id),
                col(OpeningRow.opening_id) == col(OpeningBatch.opening_id),
                col(OpeningRow.row_sealed).is_not(None),
            ),
        )
        .limit(5)
    )
    forgotten = await session.execute(
        sa.update(OpeningRow)
        .where(
            sa.tuple_(col(OpeningRow.community_id), col(OpeningRow.opening_id)).in_(old),
            col(OpeningRow.row_sealed).is_not(None),
        )
        .values(row_sealed=None)
        .returning(col(OpeningRow.row_no))
        .execution_options(synchronize_session=False)
    )
    return len(forgotten.all())
