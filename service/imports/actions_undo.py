"""Taking an import back, and forgetting what sheets said."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.identity import NewPerson, Particulars
from service.imports import queries
from service.imports.actions import record
from service.imports.actions_apply import GOOD, mark_rows
from service.imports.queries import RowView
from service.imports.rules import (
    KEEP_DAYS,
    BatchNotApplied,
    BatchState,
    LoginTakenSince,
    NothingToUndo,
    TooLateToUndo,
    Verdict,
)
from service.imports.tables import ImportBatch, ImportRow
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.db import broken_constraint


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking back did."""

    import_id: UUID
    undone: int
    kept: int


async def undo_import(session: AsyncSession, *, actor: Actor, import_id: UUID, now: datetime) -> Undone:
    """Take an applied import back: new people are closed, changed ones get back what they had.

    Whoever has a balance, a service or any act of their own since, or was changed again, stays as they are and is named
    on the import's page. Pressed twice, it happens once.
    """
    batch = await queries.lock_batch(session, actor.community_id, import_id)
    if batch.state == BatchState.UNDONE:
        good = batch.new_rows + batch.changed_rows
        return Undone(import_id, good - batch.kept_rows, batch.kept_rows)
    if batch.state != BatchState.APPLIED or batch.applied_at is None:
        raise BatchNotApplied
    if now - batch.applied_at > timedelta(days=KEEP_DAYS):
        raise TooLateToUndo
    rows = await queries.all_rows(session, actor.community_id, import_id, GOOD)
    kept = await _to_keep(session, actor.community_id, rows, batch.applied_at)
    back = [row for row in rows if row.row_no not in kept]
    if not back:
        raise NothingToUndo
    batch.state, batch.undone_by, batch.undone_at, batch.kept_rows = (
        BatchState.UNDONE,
        actor.member_id,
        now,
        len(kept),
    )
    record(session, actor, "imports.undone", batch, now)
    await mark_rows(session, actor.community_id, import_id, "kept", sorted(kept.items()))
    try:
        await _revert(session, actor, [row for row in back if row.verdict is Verdict.CHANGED], now)
    except IntegrityError as error:
        if broken_constraint(error) == "uq_member_login":
            raise LoginTakenSince from error
        raise
    new = [row.member_id for row in back if row.verdict is Verdict.NEW and row.member_id]
    returned = [row.member_id for row in back if row.before is not None and not row.before.is_open and row.member_id]
    if new or returned:
        await identity.close_people(session, actor=actor, ids=[*new, *returned], now=now)
    await session.flush()
    return Undone(import_id, len(back), len(kept))


async def _to_keep(
    session: AsyncSession, community_id: int, rows: Sequence[RowView], applied_at: datetime
) -> dict[int, str]:
    """Row number → why it stays. The people are locked, so that nobody becomes active while we look."""
    ids = [row.member_id for row in rows if row.member_id is not None]
    present = await queries.revisions(session, community_id, ids)
    active = await queries.active_since(session, community_id, ids, applied_at)
    kept: dict[int, str] = {}
    for row in rows:
        left_at = 1 if row.verdict is Verdict.NEW else (row.seen_revision or 0) + 1
        if row.member_id is None or present.get(row.member_id) != left_at:
            kept[row.row_no] = "changed"
        elif row.member_id in active and row.verdict is Verdict.NEW:
            kept[row.row_no] = "active"
    return kept


async def _revert(session: AsyncSession, actor: Actor, rows: Sequence[RowView], now: datetime) -> None:
    if not rows:
        return
    buildings = await communities.buildings(session, actor.community_id)
    people = [
        _as_before(row.before, buildings[row.before.building].building_id if row.before.building else None)
        for row in rows
        if row.before is not None
    ]
    await identity.update_people(session, community_id=actor.community_id, people=people, actor=actor, now=now)
    grants = [(row.member_id, Role(role)) for row in rows if row.member_id for role in row.granted]
    if grants:
        await identity.take_back_roles(session, actor=actor, grants=grants, day=local_day(now), now=now)


def _as_before(before: Particulars, building_id: UUID | None) -> NewPerson:
    return NewPerson(
        member_id=before.member_id,
        card_no=before.card_no,
        name=before.name,
        phone=before.phone,
        login_phone=before.signs_in,
        building_id=building_id,
        door=before.door,
        born_on=before.born_on,
    )


async def forget_rows(session: AsyncSession, now: datetime) -> int:
    """Forget what old sheets said of people; the counts stay. For the timed job: one batch of sheets at a time."""
    old = (
        sa.select(col(ImportBatch.community_id), col(ImportBatch.import_id))
        .where(
            sa.func.coalesce(col(ImportBatch.applied_at), col(ImportBatch.uploaded_at))
            < now - timedelta(days=KEEP_DAYS),
            sa.exists().where(
                col(ImportRow.community_id) == col(ImportBatch.community_id),
                col(ImportRow.import_id) == col(ImportBatch.import_id),
            ),
        )
        .limit(5)
    )
    forgotten = await session.execute(
        sa.delete(ImportRow)
        .where(sa.tuple_(col(ImportRow.community_id), col(ImportRow.import_id)).in_(old))
        .returning(col(ImportRow.row_no))
    )
    return len(forgotten.all())
