"""Settings as JSON: what held on a day, the history of one, and the acts."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import translate
from service.kit.once import once
from service.settings import actions, queries
from service.settings.payloads import (
    ChangeIn,
    ChangeOut,
    SettingHistoryOut,
    SettingLineOut,
    SettingOut,
    SettingsOut,
)
from service.settings.queries import ChangeView
from service.settings.rules import DECIDERS, EDITORS, READERS

AnyRequest = Request[Any, Any, Any]


def _change(view: ChangeView) -> ChangeOut:
    return msgspec.convert(view, ChangeOut, from_attributes=True)


@get("/api/settings", opt=allow(*READERS))
async def settings(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
    against: FromQuery[date | None] = None,
) -> SettingsOut:
    """Every setting as it held on a day, or holds today; `against` another day, too."""
    today = local_day(now)
    views, _people = await queries.settings_table(
        session, actor.community_id, day=on or today, other=against, today=today
    )
    items = [
        SettingOut(
            name=view.setting.name,
            text=translate(f"setting.{view.setting.name}"),
            value=view.line.value,
            effective_from=view.line.effective_from,
            set_by=view.line.set_by,
            set_at=view.line.set_at,
            smallest=view.setting.smallest,
            largest=view.setting.largest,
            moves_value=view.setting.moves_value,
            other_value=view.other.value if view.other else None,
            coming=_change(view.coming) if view.coming else None,
        )
        for view in views
    ]
    return SettingsOut(on or today, items)


@get("/api/settings/{name:str}", opt=allow(*READERS))
async def setting(
    name: FromPath[str], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> SettingHistoryOut:
    """The history of one setting, and every change anybody asked for."""
    found = await queries.setting_history(session, actor.community_id, name)
    return SettingHistoryOut(
        name=name,
        text=translate(f"setting.{name}"),
        smallest=found.setting.smallest,
        largest=found.setting.largest,
        moves_value=found.setting.moves_value,
        lines=[msgspec.convert(line, SettingLineOut, from_attributes=True) for line in found.lines],
        changes=[_change(change) for change in found.changes],
    )


@post("/api/settings/{name:str}/changes", opt=allow(*EDITORS), status_code=201)
async def propose(
    request: AnyRequest,
    name: FromPath[str],
    data: JSONBody[ChangeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ChangeOut]:
    """Ask for a change; where value depends on it, a second person agrees before its day."""

    async def work() -> ChangeOut:
        change_id = await actions.propose_change(
            session,
            actor=actor,
            name=name,
            value=data.value,
            effective_from=data.effective_from,
            reason=data.reason,
            now=now,
        )
        return await _decided(session, actor, change_id)

    return await once(request, session, actor, now, work, status=201)


async def _decided(session: AsyncSession, actor: Actor, change_id: UUID) -> ChangeOut:
    await session.flush()
    return _change(queries.change_view(await queries.lock_change(session, actor.community_id, change_id)))


@post("/api/settings/changes/{change_id:uuid}/approval", opt=allow(*DECIDERS), status_code=200)
async def approve(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ChangeOut]:
    """Agree to somebody else's change."""

    async def work() -> ChangeOut:
        await actions.approve_change(session, actor=actor, change_id=change_id, now=now)
        return await _decided(session, actor, change_id)

    return await once(request, session, actor, now, work)


@post("/api/settings/changes/{change_id:uuid}/refusal", opt=allow(*DECIDERS), status_code=200)
async def refuse(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ChangeOut]:
    """Say no to a change."""

    async def work() -> ChangeOut:
        await actions.refuse_change(session, actor=actor, change_id=change_id, now=now)
        return await _decided(session, actor, change_id)

    return await once(request, session, actor, now, work)


@post("/api/settings/changes/{change_id:uuid}/undoing", opt=allow(*EDITORS), status_code=200)
async def undo(
    request: AnyRequest,
    change_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ChangeOut]:
    """Take back a change whose day has not come."""

    async def work() -> ChangeOut:
        await actions.undo_change(session, actor=actor, change_id=change_id, now=now)
        return await _decided(session, actor, change_id)

    return await once(request, session, actor, now, work)


HANDLERS = [settings, setting, propose, approve, refuse, undo]
