"""What the slice puts on other pages: a card on the resident's home, rows in the staff's one list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service.exchange.queries.desk import Shown, count_aside, count_disputed, desk_list
from service.exchange.queries.exchanges import my_exchanges
from service.exchange.rules import STAFF
from service.kit.access import Actor, Role
from service.kit.manifest import InboxRow, Unfinished

AT_HOME = 3


async def my_next(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """邻里交换: the way to the board, and what waits for my word."""
    del now
    if not actor.has(Role.RESIDENT, Role.VOLUNTEER):
        return None
    found = await my_exchanges(session, actor, is_open=True)
    waiting = [view for view in found.rows if view.waits_for_me][:AT_HOME]
    return {"template": "exchange/card.html", "order": 25, "waiting": waiting}


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Disputes."""
    del now
    if not actor.has(*STAFF):
        return []
    found = await desk_list(session, actor, shown=Shown.DISPUTED)
    return [
        InboxRow(
            "exchange_disputed",
            view.title,
            f"{view.payer} {view.helper}",
            view.changed_at,
            f"/desk/exchange/{view.exchange_id}",
            is_urgent=True,
        )
        for view in reversed(found.rows)
    ]


async def waiting(session: AsyncSession, actor: Actor) -> int:
    """The number beside the staff's entry."""
    return await count_disputed(session, actor.community_id)


async def unfinished(session: AsyncSession, community_id: int, until: datetime) -> Sequence[Unfinished]:
    """Minutes of before a moment that lie aside."""
    return [Unfinished("exchanges", await count_aside(session, community_id, until), "/desk/exchange?shown=open")]
