"""A netting as a statement that both sides keep, and its decision."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.clearing.actions.netting import confirm_netting, refuse_netting
from service.clearing.pages.asking import AnyRequest
from service.clearing.payloads import Nothing
from service.clearing.queries.agreements import agreement
from service.clearing.queries.nettings import NettingView, netting, sums_until
from service.clearing.queries.transfers import FILE_ROWS_MAX, TransferView, partner_transfers
from service.clearing.rules import NETTERS, READERS, NettingState, netting_reference
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

DESK = allow(*READERS)


async def _context(session: AsyncSession, actor: Actor, netting_id: UUID) -> dict[str, Any]:
    found = await netting(session, actor.community_id, netting_id)
    known = await agreement(session, actor.community_id, found.partner_id)
    is_theirs_to_decide = not found.is_ours and found.state is NettingState.PROPOSED
    return {
        "title": _("和{name}的轧差单").format(name=known.partner_name),
        "netting": found,
        "agreement": known,
        "last_on": local_day(found.until) - timedelta(days=1),
        "own": await sums_until(session, actor.community_id, found.partner_id, found.until)
        if is_theirs_to_decide
        else None,
        "may_decide": is_theirs_to_decide and actor.has(*NETTERS),
        "reference": netting_reference(netting_id),
    }


async def _lines(session: AsyncSession, actor: Actor, found: NettingView, now: datetime) -> list[TransferView]:
    """Every transfer in it, oldest first: on paper both sides' lists are the same but for what is in and what is out.

    Before it is decided here, these are the rows that would be in it.
    """
    is_to_decide = not found.is_ours and found.state is NettingState.PROPOSED
    lines = await partner_transfers(
        session,
        actor.community_id,
        found.partner_id,
        netting_id=None if is_to_decide else found.netting_id,
        to_net_until=found.until if is_to_decide else None,
        size=FILE_ROWS_MAX,
        now=now,
    )
    return list(reversed(lines.rows))


@get("/desk/clearing/nettings/{netting_id:uuid}", opt=DESK, include_in_schema=False)
async def netting_page(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """What is netted, who proposed it, and what our own rows say."""
    return page(request, "clearing/netting.html", **await _context(session, actor, netting_id))


@get("/desk/clearing/nettings/{netting_id:uuid}/print", opt=DESK, include_in_schema=False)
async def print_page(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The statement on A4, with every transfer in it and room for signatures."""
    context = await _context(session, actor, netting_id)
    return page(
        request,
        "clearing/netting_print.html",
        **context,
        lines=await _lines(session, actor, context["netting"], now),
    )


@post("/desk/clearing/nettings/{netting_id:uuid}/confirm", opt=allow(*NETTERS), include_in_schema=False)
async def confirm(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Agree, and post."""
    with refill(request, "clearing/netting.html", **await _context(session, actor, netting_id)):
        await form_of(request, Nothing)

        async def work() -> str:
            await confirm_netting(session, actor=actor, netting_id=netting_id, now=now)
            return f"/desk/clearing/nettings/{netting_id}?done=clearing.netting_confirmed"

        return await once_page(request, session, actor, now, work)


@post("/desk/clearing/nettings/{netting_id:uuid}/refuse", opt=allow(*NETTERS), include_in_schema=False)
async def refuse(
    request: AnyRequest,
    netting_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Do not agree."""
    with refill(request, "clearing/netting.html", **await _context(session, actor, netting_id)):
        await form_of(request, Nothing)

        async def work() -> str:
            await refuse_netting(session, actor=actor, netting_id=netting_id, now=now)
            return f"/desk/clearing/nettings/{netting_id}?done=clearing.netting_refused"

        return await once_page(request, session, actor, now, work)


HANDLERS = [netting_page, print_page, confirm, refuse]
