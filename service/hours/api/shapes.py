"""What the queries found, in the shapes that cross the wire."""

from service.hours.actions import Reviewed
from service.hours.payloads import (
    ActivityOut,
    AttendanceOut,
    PersonInShiftOut,
    ReviewedOut,
    ReviewRowOut,
    ShiftOut,
)
from service.hours.queries import ActivityView, AttendanceView, PersonInShift, ReviewRow, ShiftView

MINUTE = "minute"


def activity_out(view: ActivityView) -> ActivityOut:
    """An activity."""
    return ActivityOut(
        activity_id=view.activity_id,
        title=view.title,
        place=view.place,
        contact_phone=view.contact_phone,
        service_class=view.service_class.value,
        description=view.description,
        state=view.state.value,
        revision=view.revision,
        shifts_ahead=view.shifts_ahead,
        next_starts_at=view.next_starts_at,
    )


def shift_out(view: ShiftView) -> ShiftOut:
    """A shift as the caller sees it."""
    return ShiftOut(
        shift_id=view.shift_id,
        activity_id=view.activity_id,
        title=view.title,
        place=view.place,
        contact_phone=view.contact_phone,
        service_class=view.service_class.value,
        state=view.state.value,
        activity_state=view.activity_state.value,
        opens_at=view.opens_at,
        starts_at=view.starts_at,
        ends_at=view.ends_at,
        closes_at=view.closes_at,
        places=view.places,
        placed=view.placed,
        places_left=view.places_left,
        waiting=view.waiting,
        minutes=view.minutes,
        unit=MINUTE,
        mine=view.mine.value if view.mine else None,
        ahead_of_me=view.ahead_of_me,
        attendance_id=view.attendance_id,
        revision=view.revision,
    )


def attendance_out(view: AttendanceView) -> AttendanceOut:
    """One presence."""
    return AttendanceOut(
        attendance_id=view.attendance_id,
        shift_id=view.shift_id,
        title=view.title,
        state=view.state.value,
        check=view.check.value,
        revision=view.revision,
        checked_in_at=view.checked_in_at,
        checked_out_at=view.checked_out_at,
        how_in=view.how_in.value,
        how_out=view.how_out.value if view.how_out else None,
        planned_minutes=view.planned_minutes,
        minutes=view.minutes,
        credited_minutes=view.credited_minutes,
        points_hundredths=view.points_hundredths,
        unit=MINUTE,
        return_reason=view.return_reason,
        correction_text=view.correction_text,
    )


def person_out(line: PersonInShift) -> PersonInShiftOut:
    """One line of the leader's list."""
    return PersonInShiftOut(
        member_id=line.member_id,
        name=line.name,
        card_no=line.card_no,
        sign_up=line.sign_up.value if line.sign_up else None,
        attendance_id=line.attendance_id,
        state=line.state.value if line.state else None,
        checked_in_at=line.checked_in_at,
        checked_out_at=line.checked_out_at,
        awaits_confirmation=line.awaits_confirmation,
    )


def review_row_out(row: ReviewRow) -> ReviewRowOut:
    """One row of the inbox."""
    return ReviewRowOut(
        attendance_id=row.attendance_id,
        revision=row.revision,
        member_id=row.member_id,
        name=row.name,
        card_no=row.card_no,
        title=row.title,
        served_on=row.served_on,
        state=row.state.value,
        check=row.check.value,
        taken_by=row.taken_by.title if row.taken_by else None,
        checked_in_at=row.checked_in_at,
        checked_out_at=row.checked_out_at,
        planned_minutes=row.planned_minutes,
        minutes=row.minutes,
        credited_minutes=row.credited_minutes,
        points_hundredths=row.points_hundredths,
        unit=MINUTE,
        return_reason=row.return_reason,
        correction_text=row.correction_text,
    )


def reviewed_out(done: Reviewed) -> ReviewedOut:
    """What became of each row of one review."""
    return ReviewedOut(
        review_id=done.review_id,
        done=done.done,
        verdicts={key: verdict.value for key, verdict in done.verdicts.items()},
    )
