"""Deciding about hours. Approving writes the service record and posts what it earned, in one call for all rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.facts import AttendanceApprovalUndone, AttendanceApproved, AttendanceReturned
from service.hours import queries
from service.hours.rules import (
    REVIEW_ROWS_MAX,
    AttendanceNotFound,
    AttendanceNotInReview,
    AttendanceState,
    NothingChosen,
    NothingToUndo,
    OwnHours,
    ReviewNotFound,
    TooManyRows,
    Verdict,
    check_approval,
)
from service.hours.tables import Activity, Attendance, HoursReview, Shift
from service.identity import lock_people
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.ids import new_id
from service.records import RecordKind, Service, ServiceClass, correct_records, record_services, taken_times


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one review did, row by row."""

    review_id: UUID
    verdicts: Mapping[UUID, Verdict]

    @property
    def done(self) -> int:
        """How many rows were decided."""
        return sum(verdict is Verdict.DONE for verdict in self.verdicts.values())


def _check_size(items: Mapping[UUID, int]) -> None:
    if not items:
        raise NothingChosen
    if len(items) > REVIEW_ROWS_MAX:
        raise TooManyRows


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


async def approve_attendances(
    session: AsyncSession, *, actor: Actor, items: Mapping[UUID, int], now: datetime
) -> Reviewed:
    """Approve many attendances, each with the revision the reviewer saw: every row gets its own verdict.

    A row that somebody else decided or changed meanwhile is left alone and said so; the others go through. The rows'
    locks make a second approval at the same moment wait and then find every row decided.
    """
    _check_size(items)
    rows = await queries.lock_attendances(session, actor.community_id, ids=items.keys())
    verdicts: dict[UUID, Verdict] = {}
    for attendance_id, revision in items.items():
        found = rows.get(attendance_id)
        if found is None or found[0].revision != revision:
            verdicts[attendance_id] = Verdict.STALE
            continue
        verdicts[attendance_id] = check_approval(
            state=AttendanceState(found[0].state),
            member_id=found[0].member_id,
            actor_id=actor.member_id,
            awaits_confirmation=found[0].awaits_confirmation,
            minutes=found[0].minutes,
        )
    standing = [(row, shift) for row, shift, _ in rows.values() if verdicts[row.attendance_id] is Verdict.DONE]
    verdicts |= dict.fromkeys(await _taken(session, actor.community_id, standing), Verdict.TIME_TAKEN)
    review_id = _open_review(session, actor, "approve", verdicts, now)
    chosen = [
        (row, shift, activity) for row, shift, activity in rows.values() if verdicts[row.attendance_id] is Verdict.DONE
    ]
    await session.flush()
    if chosen:
        await _credit(session, actor, chosen, review_id, now)
    return Reviewed(review_id, verdicts)


async def _taken(
    session: AsyncSession, community_id: int, rows: Sequence[tuple[Attendance, Shift]]
) -> Collection[UUID]:
    """Rows whose time another service counts already. The people stay locked until this transaction ends."""
    await lock_people(session, community_id, [row.member_id for row, _ in rows])
    spans = [queries.span_of(row, shift) for row, shift in rows]
    found = await taken_times(session, community_id, [span for span in spans if span is not None])
    return [UUID(hex=reference) for reference in found]


async def _credit(
    session: AsyncSession,
    actor: Actor,
    chosen: Sequence[tuple[Attendance, Shift, Activity]],
    review_id: UUID,
    now: datetime,
) -> None:
    services = [_service(row, shift, activity) for row, shift, activity in chosen]
    credited = await record_services(session, community_id=actor.community_id, services=services, actor=actor, now=now)
    # What was credited is only known now, with the book's head held. The rows below are locked already and the new ones
    # are nobody's yet, so writing them waits for no one.
    for (row, _, _), earned in zip(chosen, credited, strict=True):
        row.state = AttendanceState.APPROVED
        row.revision += 1
        row.review_id, row.reviewed_by, row.reviewed_at = review_id, actor.member_id, now
        row.return_reason, row.correction_asked_at = None, None
        row.credited_minutes, row.points_hundredths = earned.minutes, earned.points_hundredths
        row.record_id = earned.record_id
        audit.record(
            session,
            actor,
            "hours.approved",
            kind="attendance",
            id=row.attendance_id,
            now=now,
            detail={"minutes": earned.minutes, "points": earned.points_hundredths, "review": review_id.hex},
        )
        outbox.record(
            session,
            AttendanceApproved(
                community_id=row.community_id,
                attendance_id=row.attendance_id,
                member_id=row.member_id,
                minutes=earned.minutes,
                points_hundredths=earned.points_hundredths,
            ),
            now=now,
        )


def _service(row: Attendance, shift: Shift, activity: Activity) -> Service:
    """The revision is part of the reference: after an undo the next approval is another posting, a retry the same."""
    service_class = ServiceClass(activity.service_class)
    span = queries.span_of(row, shift)
    return Service(
        member_id=row.member_id,
        minutes=row.minutes,
        kind=RecordKind.TRAINING if service_class is ServiceClass.TRAINING else RecordKind.CREDITED,
        service_class=service_class,
        title=activity.title,
        source=f"attendance:{row.attendance_id.hex}",
        reference=f"attendance:{row.attendance_id.hex}:approved:{row.revision}",
        served_on=row.served_on,
        served_from_at=span.starts_at if span else None,
        served_until_at=span.ends_at if span else None,
    )


async def return_attendances(
    session: AsyncSession, *, actor: Actor, items: Mapping[UUID, int], reason: str, now: datetime
) -> Reviewed:
    """Send attendances back with a reason, which the volunteer reads and may answer."""
    _check_size(items)
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
