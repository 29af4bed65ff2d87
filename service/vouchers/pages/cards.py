"""Members' cards: the counter's page, where the member types the PIN, and the office's, where cards are printed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.identity import (
    CardUnknown,
    card_by_code,
    cards_of,
    cards_printed,
    members_by_card,
    normal_card,
    people_by_ids,
)
from service.kit.access import Actor, Role, allow
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.browser import COUNTER, shop_here
from service.vouchers.card_uses import pay_by_card
from service.vouchers.payloads.cards import CardUseForm, PrintCardsForm
from service.vouchers.queries.cards import usable_here
from service.vouchers.rules import PRINTED_CARDS_MAX, key_for

AnyRequest = Request[Any, Any, Any]
HELPERS = allow(Role.STAFF)
AT_MOST = 253_402_300_799_000_000
"""Microseconds since 1970: the last second of the year 9999."""


@get("/shop/cards/{code:str}", opt=allow(*COUNTER), include_in_schema=False)
async def card_page(
    request: AnyRequest,
    code: FromPath[str],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What the holder can use here. Showing it redeems nothing."""
    return page(request, "vouchers/card_counter.html", **await _shown(request, state, session, actor, code, now))


async def _shown(
    request: AnyRequest, state: State, session: AsyncSession, actor: Actor, code: str, now: datetime
) -> dict[str, Any]:
    _shops, shop = await shop_here(request, session, actor, now)
    keys = code_keys(cast("Keyring", state.keyring), now)
    card = await card_by_code(session, actor.community_id, code, keys, now)
    return {
        "title": _("会员卡"),
        "code": code,
        "card": card,
        "shop": shop,
        "vouchers": await usable_here(session, actor.community_id, card.member_id, shop.organisation_id, now),
    }


@post("/shop/cards/{code:str}", opt=allow(*COUNTER), include_in_schema=False, status_code=200)
async def use(
    request: AnyRequest,
    code: FromPath[str],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The member typed the PIN. Pressed twice it is one use, by the form's own number."""
    shown = await _shown(request, state, session, actor, code, now)
    key = str((await request.form()).get("_key") or new_id().hex)
    with refill(request, "vouchers/card_counter.html", **shown):
        form = await form_of(request, CardUseForm)
        answer = await pay_by_card(
            request,
            sessions_of_app(state),
            code_keys(cast("Keyring", state.keyring), now),
            actor=actor,
            shop=shown["shop"],
            code=code,
            voucher_id=form.voucher_id,
            pin=form.pin,
            nonce=key_for(actor.member_id, f"card:{key}"),
            quantity=form.quantity,
            now=now,
        )
    return page(request, "vouchers/result.html", title=answer.title, answer=answer)


class CardView(msgspec.Struct, frozen=True):
    """One card for paper."""

    name: str
    card_no: str
    svg: str


@get("/desk/cards", opt=HELPERS, include_in_schema=False)
async def cards_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    card: FromQuery[str | None] = None,
) -> Template:
    """Print cards, and take back or unlock somebody's."""
    return page(request, "vouchers/desk_cards.html", **await _desk(session, actor, card))


async def _desk(session: AsyncSession, actor: Actor, card: str | None) -> dict[str, Any]:
    number = normal_card(card) if card else None
    member = (await members_by_card(session, actor.community_id, [number])).get(number) if number else None
    found = await cards_of(session, actor.community_id, [member.member_id]) if member else {}
    return {
        "title": _("会员卡"),
        "typed": card or "",
        "member_id": member.member_id if member else None,
        "found": found.get(member.member_id) if member else None,
    }


@post("/desk/cards/print", opt=HELPERS, include_in_schema=False)
async def print_cards(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """New cards; a card printed before is worthless from now on. Pressed twice, or loaded again, it is one printing."""
    with refill(request, "vouchers/desk_cards.html", **await _desk(session, actor, None)):
        form = await form_of(request, PrintCardsForm)
        typed = [text for text in re.split(r"[\n,，]", form.cards) if text.strip()]

        async def work() -> str:
            await identity.print_cards(session, actor=actor, numbers=typed[:PRINTED_CARDS_MAX], now=now)
            return f"/desk/cards/sheet?at={int(now.timestamp() * 1_000_000)}"

        return await once_page(request, session, actor, now, work)


@get("/desk/cards/sheet", opt=HELPERS, include_in_schema=False)
async def sheet_page(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    at: FromQuery[int],
) -> Template:
    """The cards of one's own printing that are good still, on A4, eight to a sheet."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=max(0, min(at, AT_MOST)))
    found = await cards_printed(session, actor, moment)
    if not found:
        raise CardUnknown
    people = await people_by_ids(session, actor.community_id, set(found))
    keys = code_keys(cast("Keyring", state.keyring), now)
    views = [
        CardView(
            people[member_id].name,
            people[member_id].card_no,
            redemption.qr_svg(
                redemption.code_url(
                    state.settings.origin,
                    redemption.card_code(
                        keys, community_id=actor.community_id, handle=held.handle, card_seq=held.card_seq
                    ),
                ),
                ecc="Q",
            ),
        )
        for member_id, held in sorted(found.items(), key=lambda each: people[each[0]].card_no)
    ]
    return page(request, "vouchers/cards_print.html", title=_("打印会员卡"), cards=views)


@post("/desk/cards/{member_id:uuid}/withdraw", opt=HELPERS, include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The card was lost."""

    async def work() -> str:
        await identity.withdraw_card(session, actor=actor, member_id=member_id, now=now)
        return "/desk/cards?done=vouchers.card_withdrawn"

    return await once_page(request, session, actor, now, work)


@post("/desk/cards/{member_id:uuid}/unlock", opt=HELPERS, include_in_schema=False)
async def unlock(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Five more tries."""

    async def work() -> str:
        await identity.unlock_card(session, actor=actor, member_id=member_id, now=now)
        return "/desk/cards?done=vouchers.card_unlocked"

    return await once_page(request, session, actor, now, work)
