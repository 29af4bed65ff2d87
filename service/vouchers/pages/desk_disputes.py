"""A line that a shop objected to: what it was, and what is decided about it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import settling
from service.vouchers.payloads import ResolveForm
from service.vouchers.rules import Decision

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "vouchers/desk_dispute.html"


async def _line(session: AsyncSession, actor: Actor, settlement_id: UUID, line_no: int) -> dict[str, Any]:
    line = await settling.disputed_line(session, actor.community_id, settlement_id, line_no)
    places = await organisations_by_ids(session, actor.community_id, {line.merchant_id})
    people = await people_by_ids(
        session, actor.community_id, {line.raised_by, line.resolved_by, line.member_id, line.closed_by} - {None}
    )
    is_second = actor.member_id not in (line.closed_by, line.raised_by, line.member_id)
    return {
        "title": _("{shop} 第 {number} 期第 {line} 行").format(
            shop=places[line.merchant_id].name, number=line.number, line=line_no
        ),
        "line": line,
        "people": people,
        "is_open": line.state is redemption.DisputeState.DISPUTED,
        "may_resolve": is_second and actor.has(Role.FINANCE, Role.APPROVER),
        "is_second": is_second,
        "decisions": [(each.value, translate(f"dispute.decision.{each}")) for each in Decision],
    }


@get(
    "/desk/settlements/{settlement_id:uuid}/lines/{line_no:int}",
    opt=allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN),
    include_in_schema=False,
)
async def dispute_page(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One line in dispute, and the decision if it is made."""
    return page(request, TEMPLATE, **await _line(session, actor, settlement_id, line_no))


@post(
    "/desk/settlements/{settlement_id:uuid}/lines/{line_no:int}/resolve",
    opt=allow(Role.FINANCE, Role.APPROVER),
    include_in_schema=False,
)
async def resolve(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Decide the line: the shop's next statement carries it, or the points go back to the customer."""
    with refill(request, TEMPLATE, **await _line(session, actor, settlement_id, line_no)):
        form = await form_of(request, ResolveForm)

        async def work() -> str:
            await settling.resolve(
                session,
                actor=actor,
                settlement_id=settlement_id,
                line_no=line_no,
                is_for_shop=form.decision is Decision.FOR_SHOP,
                reason=form.reason,
                now=now,
            )
            return f"/desk/settlements/{settlement_id}/lines/{line_no}?done=vouchers.dispute_resolved"

        return await once_page(request, session, actor, now, work)
