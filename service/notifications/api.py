"""Messages as JSON."""

from datetime import datetime

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor
from service.notifications import actions, queries
from service.notifications.payloads import MessageOut, Messages


@get("/api/messages", opt=SIGNED_IN)
async def my_messages(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> Messages:
    """The person's messages, newest first."""
    found = await queries.messages_for(session, actor, after)
    items = [MessageOut(m.message_id, m.text, m.url, m.sent_at, m.is_read) for m in found.rows]
    return Messages(items=items, next=found.next, unread=await queries.unread_count(session, actor))


@post("/api/messages/read", opt=SIGNED_IN, status_code=204)
async def read_all(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> None:
    """Mark everything as read."""
    await actions.mark_all_read(session, actor=actor, now=now)
