"""Offers, and the vouchers in one's pocket."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.kit.access import SIGNED_IN, Actor
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.i18n import _, current_locale, translate
from service.kit.issuers import code_keys
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.paging import decode_cursor, encode_cursor
from service.vouchers.actions import taking
from service.vouchers.browser import voucher_cursor, voucher_mark
from service.vouchers.pages.wallet import wallet_worker
from service.vouchers.payloads import CancelForm, GiveForm, TakeForm
from service.vouchers.queries.catalogue import VoucherCard, offer_for, offers_for, voucher_for, vouchers_for
from service.vouchers.queries.paper import paper_code
from service.vouchers.rules import Tab

AnyRequest = Request[Any, Any, Any]
POLL_SECONDS = 2
"""How soon a voucher in the hand shows that it was used."""


class View(msgspec.Struct, frozen=True):
    """One tab."""

    label: str
    url: str
    current: bool


@get("/offers", opt=SIGNED_IN, include_in_schema=False)
async def offers_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[redemption.OfferKind | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What points are good for: the price in points, who gives it, how many are left, what is still missing."""
    cursor = decode_cursor(after, str)
    before = UUID(str(cursor[0])) if cursor else None
    found, following, balance = await offers_for(
        session, actor.community_id, actor.member_id, now=now, kind=kind, before=before
    )
    here = f"/offers?kind={kind}" if kind else "/offers"
    return page(
        request,
        "vouchers/offers.html",
        title=_("能换什么"),
        offers=found,
        balance=balance,
        kinds=kinds(kind),
        next_url=f"{here}{'&' if kind else '?'}after={encode_cursor(following.hex)}" if following else None,
        first_url=here if after else None,
    )


@get("/offers/{offer_id:uuid}", opt=SIGNED_IN, include_in_schema=False)
async def offer_page(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The confirm page: what it costs, and the balance before and after."""
    offer, balance = await offer_for(session, actor.community_id, actor.member_id, offer_id, now=now)
    return page(request, "vouchers/offer.html", title=offer.title, offer=offer, balance=balance)


@post("/offers/{offer_id:uuid}/take", opt=SIGNED_IN, include_in_schema=False)
async def take(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take it, exactly once: a double tap or the way back leads to the same voucher."""
    return await _take(request, offer_id, session, actor, now, is_reserved=False)


@post("/offers/{offer_id:uuid}/reserve", opt=SIGNED_IN, include_in_schema=False)
async def reserve(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Keep it for ten minutes and show the price; a double tap leads to the same one."""
    return await _take(request, offer_id, session, actor, now, is_reserved=True)


async def _take(
    request: AnyRequest, offer_id: UUID, session: AsyncSession, actor: Actor, now: datetime, *, is_reserved: bool
) -> Redirect:
    offer, balance = await offer_for(session, actor.community_id, actor.member_id, offer_id, now=now)
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/offer.html", title=offer.title, offer=offer, balance=balance):
        await form_of(request, TakeForm)

        async def work() -> str:
            voucher_id = await taking.take_offer(
                session, actor=actor, offer_id=offer_id, key=key, now=now, is_reserved=is_reserved
            )
            return f"/vouchers/{voucher_id}?done=vouchers.{'reserved' if is_reserved else 'taken'}"

        return await once_page(request, session, actor, now, work)


@post("/vouchers/{voucher_id:int}/confirm", opt=SIGNED_IN, include_in_schema=False)
async def confirm(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say yes to what is reserved."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    key = str((await request.form()).get("_key") or "")
    shown = await _shown(request, session, state, actor, card, now)
    with refill(request, "vouchers/voucher.html", title=card.title, **cast("dict[str, Any]", shown)):

        async def work() -> str:
            await taking.confirm(session, actor=actor, voucher_id=voucher_id, key=key, now=now)
            return f"/vouchers/{voucher_id}?done=vouchers.taken"

        return await once_page(request, session, actor, now, work)


def kinds(chosen: redemption.OfferKind | None) -> Sequence[View]:
    """All offers, or those of one kind."""
    each = [
        View(translate(f"offer.kind.{kind}"), f"/offers?kind={kind}", kind is chosen) for kind in redemption.OfferKind
    ]
    return [View(_("全部"), "/offers", chosen is None), *each]


def views(tab: Tab) -> Sequence[View]:
    """The wallet's three tabs."""
    labels = {Tab.USABLE: _("可用"), Tab.USED: _("用过"), Tab.OVER: _("过期或已退")}
    return [View(label, f"/vouchers?tab={each}", each is tab) for each, label in labels.items()]


@get("/vouchers", opt=SIGNED_IN, include_in_schema=False)
async def vouchers_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    tab: FromQuery[Tab] = Tab.USABLE,
    after: FromQuery[str | None] = None,
) -> Template:
    """My vouchers, newest first."""
    found, following = await vouchers_for(
        session, actor.community_id, actor.member_id, tab, now=now, before=voucher_mark(after)
    )
    cursor = voucher_cursor(following)
    return page(
        request,
        "vouchers/vouchers.html",
        title=_("券包"),
        tab=tab.value,
        tab_items=views(tab),
        wallet_worker=wallet_worker(request),
        vouchers=found,
        next_url=f"/vouchers?tab={tab}&after={cursor}" if cursor else None,
        first_url=f"/vouchers?tab={tab}" if after else None,
    )


def shown_code(state: State, actor: Actor, card: VoucherCard, now: datetime) -> str:
    """The QR of this moment, as SVG."""
    code = redemption.phone_code(
        code_keys(cast("Keyring", state.keyring), now),
        community_id=actor.community_id,
        voucher_id=card.voucher_id,
        code_seq=card.code_seq,
        now=now,
    )
    return redemption.qr_svg(redemption.code_url(state.settings.origin, code), title=_("券的二维码"))


async def _shown(
    request: AnyRequest, session: AsyncSession, state: State, actor: Actor, card: VoucherCard, now: datetime
) -> dict[str, object]:
    renews = await setting(session, actor.community_id, "voucher_code_seconds", local_day(now))
    return {
        "voucher": card,
        "svg": shown_code(state, actor, card, now) if card.is_usable else "",
        "short_code": redemption.in_groups(card.short_code),
        "poll_seconds": min(POLL_SECONDS, renews),
        "wallet_worker": wallet_worker(request),
    }


@get("/vouchers/{voucher_id:int}", opt=SIGNED_IN, include_in_schema=False)
async def voucher_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One voucher: the code to show, or when and where it was used."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    shown = await _shown(request, session, state, actor, card, now)
    return page(request, "vouchers/voucher.html", title=card.title, **cast("dict[str, Any]", shown))


@get("/vouchers/{voucher_id:int}/code", opt=SIGNED_IN, include_in_schema=False)
async def voucher_code(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template | Response[None]:
    """The part of the page that changes, asked for every two seconds. Unchanged, it costs an empty 304."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    step = redemption.next_step_at(now) if card.is_usable else 0
    look = f"{current_locale.get()}|{card.state}|{card.code_seq}|{card.changed_at.isoformat()}|{step}"
    etag = f'"{hashlib.sha256(look.encode()).hexdigest()[:24]}"'
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    if request.headers.get("if-none-match") == etag:
        return Response(None, status_code=304, headers=headers)
    shown = await _shown(request, session, state, actor, card, now)
    part = page(request, "vouchers/code.html", **cast("dict[str, Any]", shown))
    part.headers.update(headers)
    return part


@get("/vouchers/{voucher_id:int}/cancel", opt=SIGNED_IN, include_in_schema=False)
async def cancel_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What giving it back means."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    return page(request, "vouchers/cancel.html", title=_("不要这张券了"), voucher=card)


@post("/vouchers/{voucher_id:int}/cancel", opt=SIGNED_IN, include_in_schema=False)
async def cancel(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Give it back, or some of its pieces: the points come back at once."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/cancel.html", title=_("不要这张券了"), voucher=card):
        form = await form_of(request, CancelForm)

        async def work() -> str:
            await taking.give_back(
                session, actor=actor, voucher_id=voucher_id, quantity=form.quantity, key=key, now=now
            )
            return f"/vouchers/{voucher_id}?done=vouchers.cancelled"

        return await once_page(request, session, actor, now, work)


@get("/vouchers/{voucher_id:int}/give", opt=SIGNED_IN, include_in_schema=False)
async def give_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Whom to give it to, and what that means."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    return page(request, "vouchers/give.html", title=_("送给别人"), voucher=card)


@post("/vouchers/{voucher_id:int}/give", opt=SIGNED_IN, include_in_schema=False)
async def give(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Give it to another member, once."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/give.html", title=_("送给别人"), voucher=card):
        form = await form_of(request, GiveForm)

        async def work() -> str:
            await taking.give(
                session, actor=actor, voucher_id=voucher_id, card_no=form.card_no, name=form.name, key=key, now=now
            )
            return f"/vouchers/{voucher_id}?done=vouchers.given"

        return await once_page(request, session, actor, now, work)


@get("/vouchers/{voucher_id:int}/print", opt=SIGNED_IN, include_in_schema=False)
async def print_page(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The voucher on paper, with a code that stays until it is printed again."""
    card = await voucher_for(session, actor, voucher_id, now=now)
    return page(
        request,
        "vouchers/print.html",
        title=_("打印券"),
        cards=[printed(state, actor.community_id, card, now)] if card.is_usable else [],
        holders={},
        back_url=f"/vouchers/{voucher_id}",
        again_url=f"/vouchers/{voucher_id}/print",
    )


@post("/vouchers/{voucher_id:int}/print", opt=SIGNED_IN, include_in_schema=False)
async def print_again(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The paper was lost: the old code dies and a new one is printed."""

    async def work() -> str:
        await taking.print_again(session, actor=actor, voucher_id=voucher_id, now=now)
        return f"/vouchers/{voucher_id}/print"

    return await once_page(request, session, actor, now, work)


class Printed(msgspec.Struct, frozen=True):
    """One voucher on paper."""

    voucher: VoucherCard
    svg: str
    short_code: str
    is_signed: bool


def printed(state: State, community_id: int, card: VoucherCard, now: datetime) -> Printed:
    """The voucher with its code for paper; Q, because paper gets thumbed."""
    keys = code_keys(cast("Keyring", state.keyring), now)
    url = redemption.code_url(state.settings.origin, paper_code(keys, community_id, card))
    is_signed = card.offline_class is redemption.OfflineClass.ROAMING
    return Printed(card, redemption.qr_svg(url, ecc="Q"), redemption.in_groups(card.short_code), is_signed)
