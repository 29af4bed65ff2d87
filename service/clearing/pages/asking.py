"""What the pages of members and of staff share: the form, what it is checked against, and the page before it is sent."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.clearing.actions.sending import send
from service.clearing.payloads import SendForm
from service.clearing.queries.agreements import AgreementView, agreements
from service.clearing.queries.transfers import receiver_of
from service.clearing.rules import AgreementState, NoAgreement, NotEnough, Unit, amount_of
from service.kit.access import Actor
from service.kit.i18n import _

AnyRequest = Request[Any, Any, Any]


async def partners(session: AsyncSession, community_id: int) -> list[AgreementView]:
    """The communities that members may send to."""
    return [one for one in await agreements(session, community_id) if one.state is AgreementState.ACCEPTED]


async def form_context(session: AsyncSession, community_id: int, member_id: UUID) -> dict[str, Any]:
    """What the form needs: where it may go, and what there is to send."""
    account = chart.member(member_id)
    held = await ledger.balances(session, community_id, [(account, unit) for unit in Unit])
    return {
        "partners": [(one.partner_id, one.partner_name) for one in await partners(session, community_id)],
        "units": [(Unit.MINUTE.value, _("时间币（小时）")), (Unit.POINT.value, _("积分（分）"))],
        "held": {unit.value: held.get((account, unit), 0) for unit in Unit},
    }


async def checked(session: AsyncSession, actor: Actor, form: SendForm, held: dict[str, int]) -> dict[str, Any]:
    """Everything that the person must see before it is sent; a masked name and no more of whoever is there."""
    amount = amount_of(form.unit, form.amount)
    places = {one.partner_id: one.partner_name for one in await partners(session, actor.community_id)}
    if form.partner not in places:
        raise NoAgreement
    receiver = await receiver_of(session, form.partner, form.card, form.name)
    if amount > held[form.unit]:
        raise NotEnough
    return {
        "form": form,
        "partner_name": places[form.partner],
        "receiver": receiver,
        "amount": amount,
        "left": held[form.unit] - amount,
    }


async def send_form(
    session: AsyncSession, actor: Actor, form: SendForm, *, now: datetime, member_id: UUID | None = None
) -> UUID:
    """Send what the form says."""
    return await send(
        session,
        actor=actor,
        partner_id=form.partner,
        receiver=await receiver_of(session, form.partner, form.card, form.name),
        unit=form.unit,
        amount=amount_of(form.unit, form.amount),
        now=now,
        member_id=member_id,
    )
