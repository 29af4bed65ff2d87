"""Shops' phones at the desk: a ticket for a new one, and what to do about one that is lost or out of reach."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import OrganisationKind, organisation, organisations
from service.kit.access import Actor, Role, allow
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app, transaction
from service.kit.i18n import _
from service.kit.issuers import code_keys
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import devices as phones
from service.vouchers.actions import exports
from service.vouchers.payloads import ReasonForm
from service.vouchers.payloads.devices import EXPORT_BYTES_MAX, ExportIn, TicketForm
from service.vouchers.queries.devices import phones_seen
from service.vouchers.said import uploaded

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "vouchers/desk_devices.html"
EXPORT = "vouchers/desk_device_export.html"


async def _shown(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    found = await phones_seen(session, actor.community_id, None, now)
    shops = await organisations(session, actor.community_id, OrganisationKind.MERCHANT)
    return {
        "title": _("店里的手机"),
        "phones": found.devices,
        "names": found.shops,
        "losses": found.losses,
        "shops": [(str(shop.organisation_id), shop.name) for shop in shops],
    }


@get("/desk/devices", opt=allow(Role.STAFF), include_in_schema=False)
async def devices_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The phones, those in use first."""
    return page(request, TEMPLATE, **await _shown(session, actor, now))


@post("/desk/devices/ticket", opt=allow(Role.STAFF), include_in_schema=False, status_code=200)
async def ticket(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """A ticket for one phone. It is shown this once and in no address, so a reload makes another."""
    shown = await _shown(session, actor, now)
    with refill(request, TEMPLATE, **shown):
        form = await form_of(request, TicketForm)
        made, ends_at = await phones.make_ticket(session, actor=actor, shop_id=form.shop, now=now)
    url = f"{state.settings.origin}/E/{made}".upper()
    qr = redemption.qr_svg(url, title=_("登记票的二维码"))
    return page(request, TEMPLATE, **shown, ticket=redemption.in_groups(made), qr=qr, ends_at=ends_at)


@get("/desk/devices/export", opt=allow(Role.STAFF), include_in_schema=False)
async def export_page(request: AnyRequest, actor: NamedDependency[Actor], now: NamedDependency[datetime]) -> Template:
    """Where the queue of a dead phone is brought in."""
    del actor, now
    return page(request, EXPORT, title=_("手机坏了，补交记录"))


@post(
    "/desk/devices/export",
    opt=allow(Role.STAFF),
    include_in_schema=False,
    status_code=200,
    request_max_body_size=EXPORT_BYTES_MAX,
)
async def take_export(
    request: AnyRequest,
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """An answer for each record. Sent again, by a reload as well, nothing happens twice: each says that it was here before."""
    title = _("手机坏了，补交记录")
    with refill(request, EXPORT, title=title):
        form = await form_of(request, ExportIn)
        keys = code_keys(cast("Keyring", state.keyring), now)
        taken = await exports.take_export(sessions_of_app(state), actor=actor, keys=keys, text=form.text, now=now)
    async with transaction(sessions_of_app(state)) as session:
        shop = await organisation(session, actor.community_id, taken.device.merchant_id)
    return page(
        request,
        EXPORT,
        title=title,
        shop=shop.name,
        label=taken.device.label,
        verdicts=[uploaded(each) for each in taken.answers],
        unread=taken.unread,
    )


@post("/desk/devices/{device_id:uuid}/revoke", opt=allow(Role.STAFF), include_in_schema=False)
async def revoke(
    request: AnyRequest,
    device_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The phone is lost."""
    with refill(request, TEMPLATE, **await _shown(session, actor, now)):
        form = await form_of(request, ReasonForm)

        async def work() -> str:
            await phones.revoke(session, actor=actor, shops=None, device_id=device_id, reason=form.reason, now=now)
            return "/desk/devices?done=vouchers.device_revoked"

        return await once_page(request, session, actor, now, work)


@post("/desk/devices/{device_id:uuid}/break-lease", opt=allow(Role.STAFF), include_in_schema=False)
async def break_lease(
    request: AnyRequest,
    device_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The phone is out of reach."""
    with refill(request, TEMPLATE, **await _shown(session, actor, now)):
        form = await form_of(request, ReasonForm)

        async def work() -> str:
            await phones.break_lease(session, actor=actor, shops=None, device_id=device_id, reason=form.reason, now=now)
            return "/desk/devices?done=vouchers.lease_broken"

        return await once_page(request, session, actor, now, work)
