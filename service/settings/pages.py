"""The settings on a day, two days side by side, the history of one, and the forms that change it."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import SettingGroup
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.settings import actions, queries
from service.settings.rules import DECIDERS, EDITORS, READERS, earliest_day

AnyRequest = Request[Any, Any, Any]


class ChangeForm(msgspec.Struct):
    """A new value, its first day, and why."""

    value: int
    effective_from: date
    reason: str


@get("/desk/settings", opt=allow(*READERS), include_in_schema=False)
async def settings_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
    against: FromQuery[date | None] = None,
) -> Template:
    """Every setting as it held on a day, beside another day if that is asked."""
    today = local_day(now)
    views, people = await queries.settings_table(
        session, actor.community_id, day=on or today, other=against, today=today
    )
    groups = [
        (translate(f"settings.{group.value}"), [view for view in views if view.setting.group is group])
        for group in SettingGroup
    ]
    return page(
        request,
        "settings/list.html",
        title=_("规则设置"),
        groups=[(label, rows) for label, rows in groups if rows],
        people=people,
        day=on or today,
        on=on,
        against=against,
        today=today,
        differing=sum(view.differs for view in views),
    )


@get("/desk/settings/{name:str}", opt=allow(*READERS), include_in_schema=False)
async def setting_page(
    request: AnyRequest,
    name: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What one setting was worth from which day on, who set it, and what is still to come."""
    return page(request, "settings/setting.html", **await _shown(session, actor, name, local_day(now)))


async def _shown(session: AsyncSession, actor: Actor, name: str, today: date) -> dict[str, Any]:
    found = await queries.setting_history(session, actor.community_id, name)
    holding = next((line for line in found.lines if line.effective_from <= today), None)
    coming = (await queries.changes_to_come(session, actor.community_id, today)).get(name)
    return {
        "title": translate(f"setting.{name}"),
        "found": found,
        "people": found.people,
        "holding": holding,
        "coming": coming,
        "today": today,
        "earliest": earliest_day(moves_value=found.setting.moves_value, today=today),
        "may_edit": actor.has(*EDITORS) and coming is None,
        "may_undo": actor.has(*EDITORS),
        "may_decide": actor.has(*DECIDERS) and coming is not None and coming.proposed_by != actor.member_id,
    }


@post("/desk/settings/{name:str}", opt=allow(*EDITORS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    name: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask for a change."""
    with refill(request, "settings/setting.html", **await _shown(session, actor, name, local_day(now))):
        form = await form_of(request, ChangeForm)

        async def work() -> str:
            await actions.propose_change(
                session,
                actor=actor,
                name=name,
                value=form.value,
                effective_from=form.effective_from,
                reason=form.reason,
                now=now,
            )
            return f"/desk/settings/{name}?done=settings.proposed"

        return await once_page(request, session, actor, now, work)


async def _place(session: AsyncSession, actor: Actor, change_id: UUID) -> str:
    return (await queries.lock_change(session, actor.community_id, change_id)).name


@post("/desk/settings/changes/{change_id:uuid}/approve", opt=allow(*DECIDERS), include_in_schema=False)
async def approve(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree to somebody else's change."""

    async def work() -> str:
        await actions.approve_change(session, actor=actor, change_id=change_id, now=now)
        return f"/desk/settings/{await _place(session, actor, change_id)}?done=settings.approved"

    return await once_page(request, session, actor, now, work)


@post("/desk/settings/changes/{change_id:uuid}/refuse", opt=allow(*DECIDERS), include_in_schema=False)
async def refuse(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say no to a change."""

    async def work() -> str:
        await actions.refuse_change(session, actor=actor, change_id=change_id, now=now)
        return f"/desk/settings/{await _place(session, actor, change_id)}?done=settings.refused"

    return await once_page(request, session, actor, now, work)


@post("/desk/settings/changes/{change_id:uuid}/undo", opt=allow(*EDITORS), include_in_schema=False)
async def undo(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take back a change whose day has not come."""

    async def work() -> str:
        await actions.undo_change(session, actor=actor, change_id=change_id, now=now)
        return f"/desk/settings/{await _place(session, actor, change_id)}?done=settings.undone"

    return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """Changes that wait for a second person, for whoever may be one."""
    del now
    if not actor.has(*DECIDERS):
        return []
    return [
        InboxRow(
            "setting_change",
            translate(f"setting.{change.name}"),
            _("改为 {value}").format(value=change.value),
            change.proposed_at,
            f"/desk/settings/{change.name}",
        )
        for change in await queries.waiting_changes(session, actor.community_id)
        if change.proposed_by != actor.member_id
    ]


HANDLERS = [settings_page, setting_page, propose, approve, refuse, undo]
