"""What the slice puts on other pages: the resident's home and the staff's one list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.hours import queries
from service.hours.queries import ReviewFilter, ReviewView
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.manifest import InboxRow, Unfinished

INBOX_ROWS_MAX = 200
REVIEWER_ROLES = frozenset({Role.APPROVER, Role.STAFF})


async def next_shift_card(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """The next shift; on its day the card's button leads to the scanner."""
    shift = await queries.my_next_shift(session, actor, now)
    if shift is None:
        return None
    return {
        "template": "hours/home_card.html",
        "order": 10,
        "shift": shift,
        "day": local_day(shift.starts_at),
        "days_left": (local_day(shift.starts_at) - local_day(now)).days,
        "is_inside": shift.attendance_id is not None,
    }


async def waiting_rows(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Hours that wait for a decision, longest waiting first; those one may not decide are left to others."""
    del now
    if not actor.has(*REVIEWER_ROLES):
        return []
    rows: list[InboxRow] = []
    for view in (ReviewView.ODD, ReviewView.WAITING):
        found = await queries.review_page(session, actor.community_id, ReviewFilter(view=view), size=INBOX_ROWS_MAX)
        rows += [
            InboxRow(
                kind="attendance",
                title=row.title,
                who=f"{row.name} {row.card_no}",
                since=row.done_at or row.checked_in_at,
                url=f"/desk/hours?view={view.value}&row={row.attendance_id.hex}",
            )
            for row in found.rows
            if row.member_id != actor.member_id
        ]
    return sorted(rows, key=lambda row: row.since)[:INBOX_ROWS_MAX]


async def waiting_work(session: AsyncSession, actor: Actor) -> int:
    """How many attendances wait for a decision."""
    return await queries.waiting_count(session, actor.community_id)


async def unfinished(session: AsyncSession, community_id: int, until: datetime) -> Sequence[Unfinished]:
    """Hours of shifts that began before a moment and that nobody has decided."""
    count = await queries.undecided_before(session, community_id, until)
    return [Unfinished("hours", count, "/desk/hours")]
