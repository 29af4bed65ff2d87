"""Sending hours back, and taking decisions back: what was posted is reversed, in one call for all rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.facts import AttendanceApprovalUndone, AttendanceReturned
from service.hours import queries
from service.hours.actions.approving import Reviewed, check_choice
from service.hours.rules import (
    AttendanceNotFound,
    AttendanceNotInReview,
    AttendanceState,
    NothingToUndo,
    OwnHours,
    ReviewNotFound,
    Verdict,
)
from service.hours.tables import Attendance, HoursReview
from service.identity import lock_people
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.ids import new_id
from service.records import correct_records


def _open_review(
    session: AsyncSession, actor: Actor, verb: str, verdicts: Mapping[UUID, Verdict], now: datetime
) -> UUID:
    review_id = new_id()
    session.add(
        HoursReview(
            community_id=actor.community_id,
            review_id=review_id,
            verb=verb,
            actor_id=actor.member_id,
            at=now,
            verdicts={key.hex: verdict.value for key, verdict in verdicts.items()},
        )
    )
    return review_id


async def return_attendances(
    session: AsyncSession, *, actor: Actor, items: Mapping[UUID, int], reason: str, now: datetime
) -> Reviewed:
    """Send attendances back with a reason, which the volunteer reads and may answer."""
    check_choice(items)
    rows = await queries.lock_attendances(session, actor.community_id, ids=items.keys())
    verdicts: dict[UUID, Verdict] = {}
    for attendance_id, revision in items.items():
        found = rows.get(attendance_id)
        if found is not None and found[0].member_id == actor.member_id:
            verdicts[attendance_id] = Verdict.OWN
        elif found is None or found[0].revision != revision or found[0].state != AttendanceState.DONE:
            verdicts[attendance_id] = Verdict.STALE
        else:
            verdicts[attendance_id] = Verdict.DONE
    review_id = _open_review(session, actor, "return", verdicts, now)
    await session.flush()
    for row, _, _ in rows.values():
        if verdicts[row.attendance_id] is not Verdict.DONE:
            continue
        row.state = AttendanceState.RETURNED
        row.revision += 1
        row.review_id, row.reviewed_by, row.reviewed_at = review_id, actor.member_id, now
        row.return_reason, row.correction_asked_at = reason, None
        audit.record(
            session,
            actor,
            "hours.returned",
            kind="attendance",
            id=row.attendance_id,
            now=now,
            detail={"review": review_id.hex},
        )
        outbox.record(
            session,
            AttendanceReturned(community_id=row.community_id, attendance_id=row.attendance_id, member_id=row.member_id),
            now=now,
        )
    return Reviewed(review_id, verdicts)


async def undo_review(session: AsyncSession, *, actor: Actor, review_id: UUID, now: datetime) -> int:
    """Take back everything of one review that still stands; the answer says how many rows wait for a decision again."""
    review = await session.get(HoursReview, (actor.community_id, review_id))
    if review is None:
        raise ReviewNotFound
    rows = await queries.lock_attendances(session, actor.community_id, review_id=review_id)
    if not rows:
        raise NothingToUndo
    # Set once and by whoever holds the rows: a plain UPDATE, because the role may write this one column only.
    await session.execute(
        sa.update(HoursReview)
        .where(col(HoursReview.community_id) == actor.community_id, col(HoursReview.review_id) == review_id)
        .values(undone_at=now)
    )
    await _undo(session, actor, [row for row, _, _ in rows.values()], now)
    return len(rows)


async def undo_approval(
    session: AsyncSession, *, actor: Actor, attendance_id: UUID, revision: int, now: datetime
) -> None:
    """Take back one decision that was right for the others of its review."""
    rows = await queries.lock_attendances(session, actor.community_id, ids=[attendance_id])
    if attendance_id not in rows:
        raise AttendanceNotFound
    row = rows[attendance_id][0]
    if row.revision != revision or row.review_id is None:
        raise AttendanceNotInReview(row.state)
    await _undo(session, actor, [row], now)


async def _undo(session: AsyncSession, actor: Actor, rows: Sequence[Attendance], now: datetime) -> None:
    """Let locked, decided rows wait again, and reverse what they posted, in as many statements for many as for one."""
    if any(row.member_id == actor.member_id for row in rows):
        raise OwnHours
    approved = [row for row in rows if row.state == AttendanceState.APPROVED]
    returned = [row.attendance_id for row in rows if row.state != AttendanceState.APPROVED]
    for row in approved:
        undone = AttendanceApprovalUndone(
            community_id=row.community_id,
            attendance_id=row.attendance_id,
            member_id=row.member_id,
            minutes=row.credited_minutes or 0,
        )
        outbox.record(session, undone, now=now)
    ids = [row.attendance_id for row in approved]
    await audit.record_many(session, actor, "hours.approval_undone", kind="attendance", ids=ids, now=now)
    await audit.record_many(session, actor, "hours.return_undone", kind="attendance", ids=returned, now=now)
    # Everybody before the first row is written and before the reversals: those take the book's head, and nothing is locked
    # after it.
    await lock_people(session, actor.community_id, [row.member_id for row in rows])
    await session.execute(
        sa.update(Attendance)
        .where(
            col(Attendance.community_id) == actor.community_id,
            col(Attendance.attendance_id) == sa.any_(sa.literal([*ids, *returned], sa.ARRAY(sa.Uuid()))),
        )
        .values(
            state=AttendanceState.DONE,
            revision=col(Attendance.revision) + 1,
            review_id=None,
            reviewed_by=None,
            reviewed_at=None,
            return_reason=None,
            credited_minutes=None,
            points_hundredths=None,
            record_id=None,
        )
        .execution_options(synchronize_session=False)
    )
    records = [row.record_id for row in approved if row.record_id is not None]
    await correct_records(session, actor=actor, record_ids=records, now=now)


def note_export(session: AsyncSession, *, actor: Actor, view: str, rows: int, now: datetime) -> None:
    """Leave a line about a list of people that left the system as a file."""
    audit.record(
        session, actor, "hours.exported", kind="attendance", id=view, now=now, detail={"view": view, "rows": rows}
    )
