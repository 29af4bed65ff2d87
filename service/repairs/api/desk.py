"""What whoever dispatches reads and writes beside single orders, as JSON."""

from datetime import date, datetime
from uuid import UUID

from litestar import get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.repairs import actions
from service.repairs.payloads import CandidateOut, CandidatesOut, SkillsIn
from service.repairs.payloads_month import ClassMonthOut, MonthOut
from service.repairs.queries import desk as queries
from service.repairs.queries.orders import order_for
from service.repairs.rules import DISPATCHERS
from service.repairs.view import classes_out, month_out


@get("/api/desk/repairs/{order_id:uuid}/candidates", opt=allow(*DISPATCHERS))
async def candidates(
    order_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> CandidatesOut:
    """Who could go: who can do it first, then who has least to do, then who lives nearest."""
    order = await order_for(session, actor, order_id)
    found = await queries.candidates(session, actor, order, local_day(now))
    return CandidatesOut(
        [
            CandidateOut(
                one.member_id,
                one.name,
                one.card_no,
                one.team_id,
                one.team,
                list(one.trades),
                one.can_do,
                one.is_same_building,
                one.is_same_grid,
                one.open_jobs,
            )
            for one in found
        ]
    )


@put("/api/desk/repairers/{member_id:uuid}/skills", opt=allow(*DISPATCHERS), status_code=204)
async def write_skills(
    member_id: FromPath[UUID],
    data: JSONBody[SkillsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """What a repairer can do, instead of what was written before."""
    await actions.write_skills(session, actor=actor, member_id=member_id, trades=data.trades, now=now)


@get("/api/desk/repairs/month", opt=allow(*DISPATCHERS))
async def month(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    day: FromQuery[date | None] = None,
) -> MonthOut:
    """What each repairer did in the month of a day, this one's unless said otherwise; numbers only."""
    return await month_out(session, actor, day or local_day(now))


@get("/api/desk/repairs/month/classes", opt=allow(*DISPATCHERS))
async def month_classes(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    day: FromQuery[date | None] = None,
) -> ClassMonthOut:
    """A month that is over, the last unless said otherwise, by class of household: sums of three and more. The look is logged."""
    return await classes_out(session, actor, day, now)


HANDLERS = [candidates, write_skills, month, month_classes]
