"""Applying a checked sheet, all or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity
from service.identity import NewPerson
from service.imports import queries
from service.imports.actions import record
from service.imports.compare import Meant, person_of
from service.imports.queries import RowView
from service.imports.rules import BatchState, BatchUndone, CheckedTooLongAgo, NothingToApply, Verdict
from service.imports.tables import ImportRow
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import broken_constraint
from service.kit.ids import new_id

GOOD = (Verdict.NEW, Verdict.CHANGED)


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying did; the same for whoever presses second."""

    import_id: UUID
    new: int
    changed: int


async def apply_import(session: AsyncSession, *, actor: Actor, import_id: UUID, now: datetime) -> Applied:
    """Write all good rows, all or none. Pressed twice, or by two clerks at once, it happens once.

    Raises CheckedTooLongAgo when anybody of the sheet was changed since it was checked: what the clerk saw must be what
    is written.
    """
    batch = await queries.lock_batch(session, actor.community_id, import_id)
    if batch.state == BatchState.APPLIED:
        return Applied(import_id, batch.new_rows, batch.changed_rows)
    if batch.state == BatchState.UNDONE:
        raise BatchUndone
    rows = await queries.all_rows(session, actor.community_id, import_id, GOOD)
    if not rows:
        raise NothingToApply
    day = local_day(now)
    await _check_still_true(session, actor.community_id, rows, day)
    batch.state, batch.applied_by, batch.applied_at = BatchState.APPLIED, actor.member_id, now
    record(session, actor, "imports.applied", batch, now)
    meant = [(row, row.meant) for row in rows if row.meant is not None]
    places = {(each.grid or "", each.building) for _, each in meant if each.building}
    buildings = await communities.open_buildings(
        session, community_id=actor.community_id, places=places, actor=actor, now=now
    )
    people = {row.row_no: person_of(row.member_id or new_id(), row.row.card_no, each, buildings) for row, each in meant}
    changed = [pair for pair in meant if pair[0].verdict is Verdict.CHANGED]
    fresh = [people[row.row_no] for row, _ in meant if row.verdict is Verdict.NEW]
    try:
        await _apply_changes(session, actor, import_id, changed, people, now)
        if fresh:
            await identity.enrol_people(
                session,
                community_id=actor.community_id,
                people=fresh,
                actor=actor,
                day=day,
                now=now,
                import_id=import_id,
            )
    except IntegrityError as error:
        # Another clerk enrolled them, or gave away the number they sign in with, a moment ago.
        if broken_constraint(error) in ("uq_member_card_no", "uq_member_login"):
            raise CheckedTooLongAgo(1) from error
        raise
    return Applied(import_id, batch.new_rows, batch.changed_rows)


async def _check_still_true(session: AsyncSession, community_id: int, rows: Sequence[RowView], day: date) -> None:
    """Lock whoever will be changed, and compare everybody with what was seen when the sheet was checked."""
    seen = {row.member_id: row.seen_revision for row in rows if row.verdict is Verdict.CHANGED and row.member_id}
    present = await queries.revisions(session, community_id, seen)
    known = await queries.known_to(session, community_id, [row.row for row in rows], day)
    outdated = {member_id for member_id, revision in seen.items() if present.get(member_id) != revision}
    for row in rows:
        person = known.people.get(row.row.card_no)
        if row.verdict is Verdict.NEW and person is not None:
            outdated.add(person.member_id)
        if row.meant is not None and row.meant.signs_in and row.meant.phone:
            holder = known.logins.get(row.meant.phone)
            if holder is not None and holder != row.member_id:
                outdated.add(holder)
    if outdated:
        raise CheckedTooLongAgo(len(outdated))


async def _apply_changes(
    session: AsyncSession,
    actor: Actor,
    import_id: UUID,
    rows: Sequence[tuple[RowView, Meant]],
    people: Mapping[int, NewPerson],
    now: datetime,
) -> None:
    if not rows:
        return
    closed = [row.member_id for row, _ in rows if row.member_id and row.before is not None and not row.before.is_open]
    if closed:
        await identity.reopen_people(session, actor=actor, ids=closed, now=now)
    changed = [people[row.row_no] for row, _ in rows]
    await identity.update_people(session, community_id=actor.community_id, people=changed, actor=actor, now=now)
    wanted = {(row.member_id, role) for row, each in rows if row.member_id for role in each.roles}
    granted = await identity.grant_roles(
        session, community_id=actor.community_id, grants=wanted, actor=actor, day=local_day(now), now=now
    )
    by_member: dict[UUID, list[str]] = {}
    for member_id, role in granted:
        by_member.setdefault(member_id, []).append(role.value)
    given = [(row.row_no, by_member[row.member_id]) for row, _ in rows if row.member_id in by_member]
    await mark_rows(session, actor.community_id, import_id, "granted", given)


async def mark_rows(
    session: AsyncSession, community_id: int, import_id: UUID, column: str, values: Sequence[tuple[int, object]]
) -> None:
    """Write one column of many rows of an import in one batch."""
    if not values:
        return
    statement = (
        sa.update(ImportRow.__table__)  # type: ignore[attr-defined] # SQLModel types hide the table
        .where(
            col(ImportRow.community_id) == community_id,
            col(ImportRow.import_id) == import_id,
            col(ImportRow.row_no) == sa.bindparam("b_row_no"),
        )
        .values({column: sa.bindparam("b_value")})
    )
    rows = [{"b_row_no": row_no, "b_value": value} for row_no, value in values]
    await (await session.connection()).execute(statement, rows)
