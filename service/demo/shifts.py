"""Activities and shifts: a season of Saturdays, approved; today's and tomorrow's, waiting for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col

from service import identity
from service.demo.cast import HERE
from service.demo.stage import Stage
from service.hours import actions
from service.hours.rules import AttendanceState, How
from service.hours.tables import Attendance
from service.kit.access import Role
from service.kit.clock import local_day
from service.records import ServiceClass

WEEKS = 9
SERVED_WEEKS = 8
"""So many cleaning days are over: the last is a week ago."""
CROWD = 5
"""Volunteers of the roster who come along every time."""


async def season(stage: Stage) -> None:
    """Plan, serve and approve."""
    at = stage.at(80, 10)
    cleaning = await _plan(
        stage,
        "周末清洁日",
        "1号楼前小广场",
        ServiceClass.GENERAL,
        "扫楼道、清小广告、理车棚。工具社区准备，穿方便的鞋。",
        at,
    )
    lessons = await _plan(
        stage,
        "手机课堂",
        "党群服务中心二楼",
        ServiceClass.SKILLED,
        "一对一教长者用手机：打视频、挂号、付款、防骗。",
        at,
    )
    patrol = await _plan(
        stage, "平安巡逻", "西门岗亭集合", ServiceClass.PATROL, "两人一组，看消防通道和电动车，见到老人多问一句。", at
    )
    first = stage.at(7 * SERVED_WEEKS, 9)
    days = await _shifts(stage, cleaning, first, hours=3, places=20, weeks=WEEKS + 1, at=at)
    afternoon = stage.at(1, 14)
    (class_shift,) = await _shifts(stage, lessons, afternoon, hours=2, places=4, weeks=1, at=stage.at(6, 10))
    (tonight,) = await _shifts(stage, patrol, stage.at(0, 19), hours=2, places=6, weeks=1, at=stage.at(3, 10))
    (tomorrow,) = await _shifts(stage, patrol, stage.at(-1, 19), hours=2, places=2, weeks=1, at=stage.at(3, 10))
    helpers = await _helpers(stage)
    for week, shift_id in enumerate(days[:SERVED_WEEKS]):
        start = first + timedelta(weeks=week)
        await _serve(stage, shift_id, helpers, start, start + timedelta(hours=3))
        await _approve(stage, shift_id, start + timedelta(hours=6))
    await _unapproved_class(stage, class_shift, helpers, afternoon)
    for handle in ("chen", "sun"):
        for shift_id in (tonight, tomorrow, days[SERVED_WEEKS + 1]):
            await _sign_up(stage, shift_id, stage.cast[handle].member_id, stage.at(2, 12))
    await _sign_up(stage, tomorrow, helpers[-1], stage.at(2, 13))


async def _plan(
    stage: Stage, title: str, place: str, service_class: ServiceClass, description: str, at: datetime
) -> UUID:
    text = actions.ActivityText(title, place, stage.cast["wu"].community_phone, service_class, description)
    activity_id = await actions.plan_activity(
        stage.session, actor=stage.cast["wu"], text=text, leaders=[stage.cast["wei"].member_id], now=at
    )
    await actions.open_activity(stage.session, actor=stage.cast["wu"], activity_id=activity_id, now=at)
    return activity_id


async def _shifts(
    stage: Stage, activity_id: UUID, starts_at: datetime, *, hours: int, places: int, weeks: int, at: datetime
) -> Sequence[UUID]:
    return await actions.add_shifts(
        stage.session,
        actor=stage.cast["wu"],
        activity_id=activity_id,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=hours),
        places=places,
        weeks=weeks,
        now=at,
    )


async def _helpers(stage: Stage) -> Sequence[UUID]:
    """陈助人, 孙乐助 and some volunteers of the roster."""
    everybody = await identity.find_people(stage.session, HERE, role=Role.VOLUNTEER)
    known = {actor.member_id for actor in stage.cast.values()}
    crowd = [person.member_id for person in everybody.rows if person.member_id not in known][:CROWD]
    return [stage.cast["chen"].member_id, stage.cast["sun"].member_id, *crowd]


async def _serve(stage: Stage, shift_id: UUID, helpers: Sequence[UUID], came_at: datetime, left_at: datetime) -> None:
    """The leader ticks everybody off on arrival and on leaving."""
    leader = stage.cast["wei"]
    for member_id in helpers:
        await actions.check_in(
            stage.session, actor=leader, shift_id=shift_id, member_id=member_id, how=How.LEADER, now=came_at
        )
    for member_id in helpers:
        await actions.check_out(
            stage.session, actor=leader, shift_id=shift_id, member_id=member_id, how=How.LEADER, now=left_at
        )


async def _approve(stage: Stage, shift_id: UUID, at: datetime) -> None:
    rows = await stage.session.execute(
        sa.select(col(Attendance.attendance_id), col(Attendance.revision)).where(
            col(Attendance.community_id) == HERE,
            col(Attendance.shift_id) == shift_id,
            col(Attendance.state) == AttendanceState.DONE,
        )
    )
    items = dict(rows.all())
    await actions.approve_in_one(stage.session, actor=stage.cast["zheng"], items=items, now=at)


async def _unapproved_class(stage: Stage, shift_id: UUID, helpers: Sequence[UUID], start: datetime) -> None:
    """Yesterday's lesson waits for review: one in time, one who left early, one who never checked out."""
    leader = stage.cast["wei"]
    for member_id in helpers[1:4]:
        await actions.check_in(
            stage.session, actor=leader, shift_id=shift_id, member_id=member_id, how=How.LEADER, now=start
        )
    for member_id, minutes in zip(helpers[1:3], (120, 45), strict=True):
        await actions.check_out(
            stage.session,
            actor=leader,
            shift_id=shift_id,
            member_id=member_id,
            how=How.LEADER,
            now=start + timedelta(minutes=minutes),
        )
    assert local_day(start) < local_day(stage.now)
    await actions.close_due_shifts(stage.session, stage.now)


async def _sign_up(stage: Stage, shift_id: UUID, member_id: UUID, at: datetime) -> None:
    await actions.sign_up(
        stage.session, actor=stage.cast["wu"], shift_id=shift_id, member_id=member_id, may_wait=True, now=at
    )
