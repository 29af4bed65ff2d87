"""Asking for a change of a setting, agreeing to it, refusing it, taking it back. What holds is written by `communities`."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import (
    SETTINGS,
    SettingUnknown,
    change_setting,
    check_value,
    lock_settings,
    setting_lines,
    settings_on,
)
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.settings import queries, rules
from service.settings.rules import ChangeState
from service.settings.tables import SettingChange


async def propose_change(
    session: AsyncSession, *, actor: Actor, name: str, value: int, effective_from: date, reason: str, now: datetime
) -> UUID:
    """Ask for a change; where no value depends on it, it is agreed at once.

    Two may ask at the same time: the settings of a community are changed one after the other.
    """
    if name not in SETTINGS:
        raise SettingUnknown
    item, today = SETTINGS[name], local_day(now)
    check_value(name, value)
    rules.check_reason(reason)
    rules.check_day(effective_from, moves_value=item.moves_value, today=today)
    await lock_settings(session, actor.community_id)
    waiting = (await queries.changes_to_come(session, actor.community_id, today)).get(name)
    if waiting is not None:
        raise rules.ChangeWaits(waiting.effective_from)
    held = await settings_on(session, actor.community_id, [name], effective_from)
    if held[name] == value:
        raise rules.NothingChanges
    change = SettingChange(
        community_id=actor.community_id,
        change_id=new_id(),
        name=name,
        value=value,
        effective_from=effective_from,
        reason=reason.strip(),
        needs_second=item.moves_value,
        state=ChangeState.PROPOSED,
        proposed_by=actor.member_id,
        proposed_at=now,
    )
    session.add(change)
    detail = {"value": value, "from": effective_from.isoformat(), "name": name}
    audit.record(
        session, actor, "settings.change_proposed", kind="setting_change", id=change.change_id, now=now, detail=detail
    )
    if not item.moves_value:
        await _let_it_hold(session, actor, change, now)
    return change.change_id


async def approve_change(session: AsyncSession, *, actor: Actor, change_id: UUID, now: datetime) -> None:
    """Agree to somebody else's change: from its day on it holds."""
    await lock_settings(session, actor.community_id)
    change = await queries.lock_change(session, actor.community_id, change_id)
    _check_decision(change, actor, now)
    await _let_it_hold(session, actor, change, now)


async def refuse_change(session: AsyncSession, *, actor: Actor, change_id: UUID, now: datetime) -> None:
    """Say no to a change; everything stays as it is."""
    change = await queries.lock_change(session, actor.community_id, change_id)
    if ChangeState(change.state) is not ChangeState.PROPOSED:
        raise rules.ChangeDecided
    change.state, change.decided_by, change.decided_at = ChangeState.REFUSED, actor.member_id, now
    audit.record(session, actor, "settings.change_refused", kind="setting_change", id=change_id, now=now)


async def undo_change(session: AsyncSession, *, actor: Actor, change_id: UUID, now: datetime) -> None:
    """Take back a change whose day has not come: on that day the setting stays what it was the day before."""
    await lock_settings(session, actor.community_id)
    change = await queries.lock_change(session, actor.community_id, change_id)
    was = ChangeState(change.state)
    rules.check_undo(state=was, effective_from=change.effective_from, today=local_day(now))
    change.state, change.undone_by, change.undone_at = ChangeState.UNDONE, actor.member_id, now
    audit.record(session, actor, "settings.change_undone", kind="setting_change", id=change_id, now=now)
    if was is ChangeState.APPROVED:
        lines = await setting_lines(session, actor.community_id, change.name)
        before = next(line for line in lines if line.effective_from < change.effective_from)
        await change_setting(
            session,
            actor=actor,
            name=change.name,
            value=before.value,
            effective_from=change.effective_from,
            now=now,
        )


def _check_decision(change: SettingChange, actor: Actor, now: datetime) -> None:
    rules.check_decision(
        state=ChangeState(change.state),
        needs_second=change.needs_second,
        proposed_by=change.proposed_by,
        decider=actor.member_id,
        effective_from=change.effective_from,
        today=local_day(now),
    )


async def _let_it_hold(session: AsyncSession, actor: Actor, change: SettingChange, now: datetime) -> None:
    """Write the line. Days after it have lines only of changes that were taken back: they say what holds before them."""
    change.state, change.decided_by, change.decided_at = ChangeState.APPROVED, actor.member_id, now
    audit.record(session, actor, "settings.change_approved", kind="setting_change", id=change.change_id, now=now)
    lines = await setting_lines(session, actor.community_id, change.name)
    later = {line.effective_from for line in lines if line.effective_from > change.effective_from}
    for day in (change.effective_from, *sorted(later)):
        await change_setting(session, actor=actor, name=change.name, value=change.value, effective_from=day, now=now)
