"""A line that the shop has confirmed: taking its use back, by two people."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import AdjustmentCause, RequestState
from service.communities import organisations_by_ids
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import correcting, settling
from service.vouchers.payloads import TakeForm
from service.vouchers.payloads.corrections import CorrectionIn

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "vouchers/desk_correction.html"
CAUSES = (AdjustmentCause.DISPUTE, AdjustmentCause.WARRANTY)
"""What a person proposes; the third comes from a held record."""
CORRECTABLE = (
    redemption.SettlementState.CONFIRMED,
    redemption.SettlementState.APPROVED,
    redemption.SettlementState.PART_PAID,
    redemption.SettlementState.PAID,
)


async def _shown(session: AsyncSession, actor: Actor, settlement_id: UUID, line_no: int) -> dict[str, Any]:
    statement = await settling.found(session, actor.community_id, settlement_id)
    lines = await redemption.settlement_lines(session, actor.community_id, settlement_id, after=line_no - 1, limit=1)
    if not lines.lines or lines.lines[0].line_no != line_no:
        raise redemption.LineUnknown
    line = lines.lines[0]
    found = await redemption.adjustments(session, actor.community_id, settlement_id=settlement_id)
    ours = [each for each in found if each.line_no == line_no]
    places = await organisations_by_ids(session, actor.community_id, {statement.merchant_id})
    who = {each.proposed_by for each in ours} | {each.decided_by for each in ours if each.decided_by}
    is_free = all(each.state is RequestState.REFUSED for each in ours)
    return {
        "title": _("更正 {shop} 第 {number} 期第 {line} 行").format(
            shop=places[statement.merchant_id].name, number=statement.number, line=line_no
        ),
        "statement": statement,
        "line": line,
        "corrections": ours,
        "people": await people_by_ids(session, actor.community_id, who),
        "causes": [(each.value, translate(f"adjustment.cause.{each}")) for each in CAUSES],
        "is_correctable": statement.state in CORRECTABLE and line.kind != "adjustment" and not line.dispute_state,
        "may_propose": is_free and actor.has(Role.FINANCE),
        "may_decide": actor.has(Role.FINANCE, Role.APPROVER),
        "me": actor.member_id,
    }


@get(
    "/desk/settlements/{settlement_id:uuid}/lines/{line_no:int}/correction",
    opt=allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN),
    include_in_schema=False,
)
async def correction_page(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One line, what was proposed and decided about it, and the next step."""
    return page(request, TEMPLATE, **await _shown(session, actor, settlement_id, line_no))


@post(
    "/desk/settlements/{settlement_id:uuid}/lines/{line_no:int}/correction",
    opt=allow(Role.FINANCE),
    include_in_schema=False,
)
async def propose(
    request: AnyRequest,
    settlement_id: FromPath[UUID],
    line_no: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask a second person."""
    with refill(request, TEMPLATE, **await _shown(session, actor, settlement_id, line_no)):
        form = await form_of(request, CorrectionIn)

        async def work() -> str:
            await correcting.propose(
                session,
                actor=actor,
                settlement_id=settlement_id,
                line_no=line_no,
                cause=form.cause,
                reason=form.reason,
                now=now,
            )
            return f"{address(settlement_id, line_no)}?done=vouchers.correction_proposed"

        return await once_page(request, session, actor, now, work)


@post("/desk/corrections/{correction_id:uuid}/confirm", opt=allow(Role.FINANCE, Role.APPROVER), include_in_schema=False)
async def agree(
    request: AnyRequest,
    correction_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree as a second person."""
    return await _decided(request, correction_id, session, actor, now, is_agreed=True)


@post(
    "/desk/corrections/{correction_id:uuid}/withdraw", opt=allow(Role.FINANCE, Role.APPROVER), include_in_schema=False
)
async def turn_down(
    request: AnyRequest,
    correction_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Turn it down, or take one's own back."""
    return await _decided(request, correction_id, session, actor, now, is_agreed=False)


async def _decided(
    request: AnyRequest, correction_id: UUID, session: AsyncSession, actor: Actor, now: datetime, *, is_agreed: bool
) -> Redirect:
    found = await redemption.adjustment(session, actor.community_id, correction_id)
    with refill(request, TEMPLATE, **await _shown(session, actor, found.settlement_id, found.line_no)):
        await form_of(request, TakeForm)

        async def work() -> str:
            await correcting.decide(session, actor=actor, correction_id=correction_id, is_agreed=is_agreed, now=now)
            said = "agreed" if is_agreed else "refused"
            return f"{address(found.settlement_id, found.line_no)}?done=vouchers.correction_{said}"

        return await once_page(request, session, actor, now, work)


def address(settlement_id: UUID, line_no: int) -> str:
    """Where a line's correction is shown."""
    return f"/desk/settlements/{settlement_id}/lines/{line_no}/correction"
