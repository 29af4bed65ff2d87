"""Messages as a page."""

from datetime import datetime
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor
from service.kit.i18n import _
from service.kit.pages import go, page
from service.notifications import actions, queries

AnyRequest = Request[Any, Any, Any]


@get("/messages", opt=SIGNED_IN, include_in_schema=False)
async def messages_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """What happened for this person, newest first. What is shown was read, but for this once it still says that it is new."""
    found = await queries.messages_for(session, actor, after)
    unread = await queries.unread_count(session, actor)
    fresh = [message.message_id for message in found.rows if not message.is_read]
    if fresh and not request.app.state.read_only.is_on:
        await actions.mark_read(session, actor=actor, ids=fresh, now=now)
    next_url = f"/messages?after={found.next}" if found.next else None
    return page(
        request, "notifications/messages.html", title=_("消息"), messages=found.rows, next_url=next_url, unread=unread
    )


@post("/messages/read", opt=SIGNED_IN, include_in_schema=False)
async def read_all(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> Redirect:
    """Mark everything as read."""
    await actions.mark_all_read(session, actor=actor, now=now)
    return go("/messages")
