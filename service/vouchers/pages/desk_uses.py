"""Using a voucher for a member at the desk: the member types the PIN, or a second person is asked; and the list of all."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.identity import cards_of, people_by_ids
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.db import sessions_of_app
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import desk_uses
from service.vouchers.actions.keeping import found
from service.vouchers.browser import desk_cursor, desk_mark
from service.vouchers.card_uses import desk_answer, use_at_desk
from service.vouchers.payloads import ScanOut
from service.vouchers.payloads.desk_uses import PinUseForm, SecondUseForm
from service.vouchers.queries.desk_uses import decided_uses, people_of, waiting_uses
from service.vouchers.rules import key_for

AnyRequest = Request[Any, Any, Any]
KEEPERS = allow(Role.STAFF)
SECONDS = allow(Role.STAFF, Role.APPROVER)
READERS = allow(Role.STAFF, Role.APPROVER, Role.AUDITOR)
FORM = "vouchers/desk_use.html"


@get("/desk/uses", opt=READERS, include_in_schema=False)
async def uses_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> Template:
    """What waits for a second person, and what was used at the desk, each with both names."""
    waiting = await waiting_uses(session, actor.community_id)
    decided, following = await decided_uses(session, actor.community_id, desk_mark(after))
    cursor = desk_cursor(following)
    return page(
        request,
        "vouchers/desk_uses.html",
        title=_("柜台代用"),
        waiting=waiting,
        decided=decided,
        people=await people_of(session, actor.community_id, [*waiting, *decided]),
        me=actor.member_id,
        may_decide=actor.has(Role.STAFF, Role.APPROVER),
        next_url=f"/desk/uses?after={cursor}" if cursor else None,
        first_url="/desk/uses" if after else None,
    )


async def _shown(session: AsyncSession, actor: Actor, voucher_id: int, now: datetime) -> dict[str, Any]:
    voucher = await found(session, actor.community_id, voucher_id)
    shops = await organisations_by_ids(session, actor.community_id, set(voucher.merchant_ids))
    people = await people_by_ids(session, actor.community_id, {voucher.member_id})
    cards = await cards_of(session, actor.community_id, [voucher.member_id])
    waiting = [line for line in await waiting_uses(session, actor.community_id) if line.voucher_id == voucher_id]
    return {
        "title": _("在柜台替本人用"),
        "voucher": voucher,
        "is_usable": voucher.state in (redemption.VoucherState.ISSUED, redemption.VoucherState.PART_USED)
        and now < voucher.expires_at,
        "holder": people.get(voucher.member_id),
        "card": cards.get(voucher.member_id),
        "shops": [(shop, shops[shop].name) for shop in voucher.merchant_ids if shop in shops],
        "waiting": waiting,
    }


@get("/desk/vouchers/{voucher_id:int}/use", opt=KEEPERS, include_in_schema=False)
async def use_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Two ways: the holder is here and types the PIN, or a second person is asked. The look is logged."""
    shown = await _shown(session, actor, voucher_id, now)
    member_id = shown["voucher"].member_id
    audit.record(session, actor, "vouchers.looked_up", kind="member", id=member_id, now=now, on_behalf_of=member_id)
    return page(request, FORM, **shown)


@post("/desk/vouchers/{voucher_id:int}/use", opt=KEEPERS, include_in_schema=False, status_code=200)
async def by_pin(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The holder typed the PIN. Pressed twice it is one use, by the form's own number."""
    shown = await _shown(session, actor, voucher_id, now)
    key = str((await request.form()).get("_key") or new_id().hex)
    with refill(request, FORM, **shown):
        form = await form_of(request, PinUseForm)
        answer = await use_at_desk(
            sessions_of_app(state),
            actor=actor,
            voucher_id=voucher_id,
            shop_id=form.shop,
            pin=form.pin,
            nonce=key_for(actor.member_id, f"desk-pin:{key}"),
            quantity=form.quantity,
            now=now,
        )
    return _result(request, answer)


def _result(request: AnyRequest, answer: ScanOut) -> Template:
    return page(request, "vouchers/desk_result.html", title=answer.title, answer=answer)


@post("/desk/vouchers/{voucher_id:int}/use-requests", opt=KEEPERS, include_in_schema=False)
async def ask_second(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask a second person, with a reason."""
    key = str((await request.form()).get("_key") or "")
    with refill(request, FORM, **await _shown(session, actor, voucher_id, now)):
        form = await form_of(request, SecondUseForm)

        async def work() -> str:
            await desk_uses.ask_second(
                session,
                actor=actor,
                voucher_id=voucher_id,
                shop_id=form.shop,
                quantity=form.quantity,
                reason=form.reason,
                key=key,
                now=now,
            )
            return "/desk/uses?done=vouchers.desk_use_asked"

        return await once_page(request, session, actor, now, work)


@post("/desk/uses/{desk_use_id:uuid}/confirm", opt=SECONDS, include_in_schema=False, status_code=200)
async def agree(
    request: AnyRequest,
    desk_use_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Use it as the second person. A reload gets the same answer."""
    scan = await desk_uses.agree(session, actor=actor, desk_use_id=desk_use_id, now=now)
    await session.flush()
    return _result(request, await desk_answer(session, actor, scan))


@post("/desk/uses/{desk_use_id:uuid}/refuse", opt=SECONDS, include_in_schema=False)
async def refuse(
    request: AnyRequest,
    desk_use_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Leave it, or take one's own question back."""

    async def work() -> str:
        await desk_uses.refuse(session, actor=actor, desk_use_id=desk_use_id, now=now)
        return "/desk/uses?done=vouchers.desk_use_refused"

    return await once_page(request, session, actor, now, work)
