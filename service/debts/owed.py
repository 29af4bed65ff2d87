"""A member's own page of what they owe for vouchers used twice: how much, when it is collected, and how to say no."""

from datetime import datetime
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.debts import actions, queries
from service.debts.payloads import ObjectionIn
from service.debts.rules import NOTE_LENGTH_MAX
from service.debts.timed import SETTINGS
from service.kit.access import SIGNED_IN, Actor
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]


async def _shown(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    owes, _has = await queries.conflict_debt(session, actor.community_id, actor.member_id)
    notice = await queries.notice_of(session, actor.community_id, actor.member_id)
    return {
        "title": _("我欠的积分"),
        "owed": owes,
        "notice": notice if notice is not None and notice.ended_at is None else None,
        "collections": await queries.collections(session, actor.community_id, member_id=actor.member_id),
        "rules": await settings_on(session, actor.community_id, SETTINGS, local_day(now)),
        "note_length": NOTE_LENGTH_MAX,
    }


@get("/owed", opt=SIGNED_IN, include_in_schema=False)
async def owed_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What I owe, since I was told, and what was collected."""
    return page(request, "debts/owed.html", **await _shown(session, actor, now))


@post("/owed/objection", opt=SIGNED_IN, include_in_schema=False)
async def object_(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """I do not agree to owe this: the office looks at it, and nothing is collected meanwhile."""
    with refill(request, "debts/owed.html", **await _shown(session, actor, now)):

        async def work() -> str:
            form = await form_of(request, ObjectionIn)
            await actions.object_to_notice(session, actor=actor, member_id=actor.member_id, words=form.words, now=now)
            return "/owed?done=debts.objected"

        return await once_page(request, session, actor, now, work)


HANDLERS = [owed_page, object_]
