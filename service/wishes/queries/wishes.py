"""One wish: its face, its row, its history, and what must be counted before something is done to it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role
from service.records import ServiceClass
from service.wishes.kinds import Warmth, WishCategory, WishKind
from service.wishes.rules import OPEN, Verb, Who, WishNotFound, WishState, check_visible
from service.wishes.tables import Wish, WishEvent


@dataclass(frozen=True, slots=True)
class WishView:
    """One wish as it stands. Names, masked or not, are the page's business."""

    wish_id: UUID
    code: str
    kind: WishKind
    category: WishCategory
    state: WishState
    revision: int
    title: str
    text: str
    preferred_time: str
    expected_minutes: int
    building: str | None
    asked_by: UUID
    posted_by: UUID
    posted_at: datetime
    changed_at: datetime
    approved_at: datetime | None
    approved_by: UUID | None
    service_class: ServiceClass
    reward_points: int
    reward_budget: UUID | None
    expires_at: datetime | None
    reason: str | None
    volunteer_id: UUID | None
    claimed_at: datetime | None
    claim_due_at: datetime | None
    served_from_at: datetime | None
    served_minutes: int | None
    served_note: str | None
    served_at: datetime | None
    confirm_due_at: datetime | None
    confirmed_at: datetime | None
    confirmed_by: UUID | None
    credited_minutes: int | None
    credited_points_hundredths: int | None
    warmth: Warmth | None
    thanks: str | None

    @property
    def is_urgent(self) -> bool:
        """Help is needed now."""
        return self.kind is WishKind.URGENT

    @property
    def is_unseen(self) -> bool:
        """An urgent wish that is on its way without anybody of the staff having looked at it."""
        return self.is_urgent and self.approved_by is None and self.approved_at is not None and self.state in OPEN


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One step of a wish."""

    revision: int
    verb: Verb
    state_before: WishState | None
    state_after: WishState
    at: datetime
    actor_id: UUID | None
    on_behalf_of: UUID | None
    volunteer_id: UUID | None
    note: str | None


def who_of(actor: Actor) -> Who:
    """The signed-in person as the rules see them."""
    return Who(
        member_id=actor.member_id,
        household_id=actor.household_id,
        is_volunteer=actor.has(Role.VOLUNTEER),
        is_staff=actor.has(Role.STAFF, Role.APPROVER),
        is_reader=actor.has(Role.AUDITOR),
    )


def to_view(row: Wish) -> WishView:
    """The open face of a row."""
    values: dict[str, Any] = {name: getattr(row, name) for name in WishView.__slots__}
    values |= {
        "kind": WishKind(row.kind),
        "category": WishCategory(row.category),
        "state": WishState(row.state),
        "service_class": ServiceClass(row.service_class),
        "warmth": Warmth(row.warmth) if row.warmth else None,
    }
    return WishView(**values)


async def lock_wish(session: AsyncSession, community_id: int, wish_id: UUID) -> Wish:
    """The row itself, locked until the end of the transaction and read anew; raises WishNotFound."""
    found = await session.exec(
        select(Wish)
        .where(col(Wish.community_id) == community_id, col(Wish.wish_id) == wish_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = found.first()
    if row is None:
        raise WishNotFound
    return row


async def lock_wishes(session: AsyncSession, community_id: int, ids: Collection[UUID]) -> Mapping[UUID, Wish]:
    """Several rows, locked in one order."""
    rows = await session.exec(
        select(Wish)
        .where(col(Wish.community_id) == community_id, col(Wish.wish_id).in_(sorted(set(ids))))
        .order_by(col(Wish.wish_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.wish_id: row for row in rows}


async def wish_for(session: AsyncSession, actor: Actor, wish_id: UUID) -> WishView:
    """One wish, for somebody who may see it. Not there and not theirs look the same."""
    row = await session.get(Wish, (actor.community_id, wish_id))
    if row is None:
        raise WishNotFound
    check_visible(row, who_of(actor))
    return to_view(row)


async def history(session: AsyncSession, community_id: int, wish_id: UUID) -> Sequence[HistoryLine]:
    """Everything that happened to a wish, oldest first."""
    rows = await session.exec(
        select(WishEvent)
        .where(col(WishEvent.community_id) == community_id, col(WishEvent.wish_id) == wish_id)
        .order_by(col(WishEvent.revision))
    )
    return [
        HistoryLine(
            revision=row.revision,
            verb=Verb(row.verb),
            state_before=WishState(row.state_before) if row.state_before else None,
            state_after=WishState(row.state_after),
            at=row.at,
            actor_id=row.actor_id,
            on_behalf_of=row.on_behalf_of,
            volunteer_id=row.volunteer_id,
            note=row.note,
        )
        for row in rows
    ]


async def open_counts(session: AsyncSession, community_id: int, member_id: UUID) -> tuple[int, int]:
    """How many open wishes somebody has, and how many of them are urgent."""
    row = (
        await session.execute(
            sa.select(sa.func.count(), sa.func.count().filter(col(Wish.kind) == WishKind.URGENT)).where(
                col(Wish.community_id) == community_id,
                col(Wish.asked_by) == member_id,
                col(Wish.state).in_([str(state) for state in OPEN]),
            )
        )
    ).one()
    return int(row[0]), int(row[1])


async def served_elsewhere(
    session: AsyncSession, community_id: int, member_id: UUID, started_at: datetime, length: timedelta, *, but: UUID
) -> tuple[str, datetime, datetime] | None:
    """Another wish that the volunteer reported for some of this time and that waits for its asker.

    What is confirmed is the record's to know.
    """
    ends_at = col(Wish.served_from_at) + sa.func.make_interval(0, 0, 0, 0, 0, col(Wish.served_minutes))
    found = await session.execute(
        sa.select(col(Wish.title), col(Wish.served_from_at), ends_at)
        .where(
            col(Wish.community_id) == community_id,
            col(Wish.volunteer_id) == member_id,
            col(Wish.wish_id) != but,
            col(Wish.state) == str(WishState.SERVED),
            col(Wish.served_from_at) < started_at + length,
            ends_at > started_at,
        )
        .order_by(col(Wish.served_from_at))
        .limit(1)
    )
    row = found.first()
    return None if row is None else (row[0], row[1], row[2])
