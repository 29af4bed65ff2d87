"""What the slice puts on other pages: a card on the resident's home, rows in the staff's one list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role
from service.kit.manifest import InboxRow
from service.repairs.queries import orders as queries
from service.repairs.queries.desk import Shown, count_waiting, desk_list, not_released
from service.repairs.rules import DISPATCHERS
from service.repairs.view import listed

AT_HOME = 2


async def my_repairs(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """维修: what is open of mine, and the jobs of a repairer."""
    del now
    is_repairer = actor.has(Role.REPAIRER)
    if not is_repairer and not actor.has(Role.RESIDENT, Role.VOLUNTEER, Role.STEWARD):
        return None
    found = await queries.my_open(session, actor.community_id, actor.member_id)
    shown = await listed(session, actor, found)
    mine = [view for order, view in zip(found, shown, strict=True) if order.asked_by == actor.member_id]
    jobs = [view for order, view in zip(found, shown, strict=True) if order.repairer_id == actor.member_id]
    return {
        "template": "repairs/card.html",
        "order": 40,
        "repairs": mine[:AT_HOME],
        "jobs": jobs[:AT_HOME],
        "is_repairer": is_repairer,
    }


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Orders that nobody was given yet, warranties to be decided, and kept parts that could not be released."""
    del now
    if not actor.has(*DISPATCHERS):
        return []
    rows = []
    kinds = [
        ("repair_reported", (await desk_list(session, actor, shown=Shown.WAITING)).rows),
        ("repair_claimed", (await desk_list(session, actor, shown=Shown.CLAIMED)).rows),
    ]
    if actor.has(Role.STAFF):
        kinds.append(("repair_not_released", await not_released(session, actor)))
    for kind, found in kinds:
        rows += [
            InboxRow(
                kind, each.text[:40], each.asker, order.changed_at, f"/desk/repairs/{each.order_id}", each.is_urgent
            )
            for order, each in zip(found, await listed(session, actor, found), strict=True)
        ]
    return sorted(rows, key=lambda row: row.since)


async def waiting(session: AsyncSession, actor: Actor) -> int:
    """The number beside the entry."""
    return await count_waiting(session, actor)
