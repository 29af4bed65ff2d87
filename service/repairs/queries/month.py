"""The month's sheet: what each repairer did, in numbers only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.households import Job
from service.identity import people_by_ids
from service.kit.access import Actor
from service.kit.clock import FIRST_DAY, LAST_DAY, day_begins, local_day
from service.kit.refusals import Invalid
from service.repairs.rules import RepairState
from service.repairs.tables import RepairOrder


@dataclass(frozen=True, slots=True)
class Sheet:
    """Accepted orders of a month. `reduced` had a part or all of the price taken over; nothing says by which class of household.

    `claimed` are those whose warranty was claimed, whatever was decided.
    """

    repairer_id: UUID | None
    jobs: int
    normal: int
    reduced: int
    free: int
    minutes: int
    cash_fen: int
    payable_fen: int
    claimed: int


async def month_jobs(session: AsyncSession, actor: Actor, first: date, until: date) -> Sequence[Job]:
    """Every accepted order from a day until before another, with the resident's household as it is, and the day of its price."""
    rows = await session.execute(
        sa.select(
            col(RepairOrder.asked_by),
            col(RepairOrder.priced_on),
            col(RepairOrder.posted_at),
            col(RepairOrder.entitlement_id),
            col(RepairOrder.cash_fen),
            col(RepairOrder.payable_fen),
        ).where(*_accepted(actor, first, until))
    )
    found = rows.all()
    people = await people_by_ids(session, actor.community_id, {row.asked_by for row in found})
    return [
        Job(
            people[row.asked_by].household_id,
            row.asked_by,
            row.priced_on or local_day(row.posted_at),
            row.entitlement_id,
            row.cash_fen,
            row.payable_fen,
        )
        for row in found
    ]


def _accepted(actor: Actor, first: date, until: date) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(RepairOrder.community_id) == actor.community_id,
        col(RepairOrder.state) == RepairState.ACCEPTED,
        col(RepairOrder.accepted_at) >= day_begins(first),
        col(RepairOrder.accepted_at) < day_begins(until),
    )


def month_of(day: date) -> tuple[date, date]:
    """The first days of a day's month and of the next. Refused where no calendar of ours has them."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Invalid({"day": "date_range"})
    first = day.replace(day=1)
    return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)


async def month_sheet(session: AsyncSession, actor: Actor, first: date, until: date) -> Sequence[Sheet]:
    """One line for each repairer who had an order accepted from a day until before another, most jobs first."""
    cash, payable = col(RepairOrder.cash_fen), col(RepairOrder.payable_fen)

    def counted(*wanted: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.count().filter(*wanted)

    jobs = counted(sa.true())
    rows = await session.execute(
        sa.select(
            col(RepairOrder.repairer_id),
            jobs,
            counted(payable == 0, cash > 0),
            counted(payable > 0),
            counted(payable == 0, cash == 0),
            sa.func.sum(col(RepairOrder.minutes)),
            sa.cast(sa.func.sum(cash), sa.BigInteger),
            sa.cast(sa.func.sum(payable), sa.BigInteger),
            counted(col(RepairOrder.claimed_by).is_not(None)),
        )
        .where(*_accepted(actor, first, until))
        .group_by(col(RepairOrder.repairer_id))
        .order_by(jobs.desc(), col(RepairOrder.repairer_id))
    )
    return [Sheet(*row) for row in rows]
