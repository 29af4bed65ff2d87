"""Scans of phones without a network that people look at: whether the shop is paid is said by one and decided by another."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import ReviewState
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import devices as phones
from service.vouchers.payloads.devices import DecisionForm, ProposalForm
from service.vouchers.queries.devices import held_records

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "vouchers/desk_held.html"
READERS = allow(Role.STAFF, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN)


async def _shown(session: AsyncSession, actor: Actor, *, decided: bool) -> dict[str, Any]:
    held = await held_records(session, actor.community_id, is_open=not decided)
    people = {
        each for review in held.reviews for each in (review.clerk_id, review.proposed_by, review.decided_by) if each
    }
    return {
        "title": _("待核对的离线记录"),
        "held": held.reviews,
        "shops": held.shops,
        "people": await people_by_ids(session, actor.community_id, people),
        "proposed": ReviewState.PROPOSED,
        "me": actor.member_id,
        "may_propose": actor.has(Role.STAFF),
        "may_decide": actor.has(Role.FINANCE, Role.APPROVER),
        "views": [
            {"label": _("等人看"), "url": "/desk/held", "current": not decided},
            {"label": _("看过的"), "url": "/desk/held?view=decided", "current": decided},
        ],
        "is_decided": decided,
    }


@get("/desk/held", opt=READERS, include_in_schema=False)
async def held_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    view: FromQuery[Literal["waiting", "decided"]] = "waiting",
) -> Template:
    """What waits, the one that is due first at the top; or what was decided."""
    return page(request, TEMPLATE, **await _shown(session, actor, decided=view == "decided"))


@post("/desk/held/{device_id:uuid}/{nonce:uuid}/propose", opt=allow(Role.STAFF), include_in_schema=False)
async def propose(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Whether the shop should be paid, and why."""
    with refill(request, TEMPLATE, **await _shown(session, actor, decided=False), wrong=nonce):
        form = await form_of(request, ProposalForm)

        async def work() -> str:
            await phones.propose_review(
                session,
                actor=actor,
                device_id=device_id,
                nonce=nonce,
                is_paid=form.is_paid == "yes",
                note=form.note,
                now=now,
            )
            return "/desk/held?done=vouchers.review_proposed"

        return await once_page(request, session, actor, now, work)


@post(
    "/desk/held/{device_id:uuid}/{nonce:uuid}/decide", opt=allow(Role.FINANCE, Role.APPROVER), include_in_schema=False
)
async def decide(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Do what was proposed, as the second person, or put it back."""
    with refill(request, TEMPLATE, **await _shown(session, actor, decided=False), wrong=nonce):
        form = await form_of(request, DecisionForm)

        async def work() -> str:
            agreed = form.is_agreed == "yes"
            await phones.decide_review(
                session, actor=actor, device_id=device_id, nonce=nonce, is_agreed=agreed, now=now
            )
            return f"/desk/held?done=vouchers.review_{'decided' if agreed else 'put_back'}"

        return await once_page(request, session, actor, now, work)
