"""The staff's first page and the audit log."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.desk import queries
from service.kit.access import OFFICE, Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.pages import page

AnyRequest = Request[Any, Any, Any]


@get("/desk", opt=allow(*OFFICE), include_in_schema=False)
async def desk(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
    kind: FromQuery[str | None] = None,
) -> Template:
    """What waits for me, the most urgent and the oldest first."""
    found = await queries.inbox(session, state.slices, actor, now, kind)
    total = sum(found.counts.values())
    views = [{"label": _("全部"), "url": "/desk", "count": total, "current": kind is None}] + [
        {"label": translate("inbox." + name), "url": f"/desk?kind={name}", "count": count, "current": kind == name}
        for name, count in found.counts.items()
    ]
    return page(request, "desk/inbox.html", title=_("待办"), rows=found.rows, views=views, total=total)


@get("/desk/audit", opt=allow(Role.AUDITOR, Role.ADMIN), include_in_schema=False)
async def audit_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    action: FromQuery[str] = "",
    object_id: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """Who did what, for whom, when."""
    found = await queries.audit_log(session, actor, action=action.strip(), object_id=object_id.strip(), after=after)
    next_url = None
    if found.next:
        next_url = "/desk/audit?" + urlencode({"action": action, "object_id": object_id, "after": found.next})
    return page(
        request,
        "desk/audit.html",
        title=_("操作记录"),
        lines=found.rows,
        next_url=next_url,
        action=action,
        object_id=object_id,
    )
