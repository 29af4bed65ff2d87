"""Members' cards as JSON."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.identity import card_by_code, cards_of, people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.issuers import code_keys
from service.kit.once import once
from service.kit.refusals import Invalid
from service.vouchers.browser import COUNTER, SHOP_COOKIE, chosen, uuid_cookie
from service.vouchers.card_uses import pay_by_card
from service.vouchers.payloads import ScanOut
from service.vouchers.payloads.cards import (
    CardIn,
    CardOut,
    CardUseIn,
    CardVoucherOut,
    PrintCardsIn,
    PrintedCard,
    PrintedCards,
)
from service.vouchers.queries.cards import usable_here
from service.vouchers.queries.counter import shops_of
from service.vouchers.said import answered

AnyRequest = Request[Any, Any, Any]
HELPERS = allow(Role.STAFF)
ID_MOST = 2**63 - 1


@post("/api/shop/cards", opt=allow(*COUNTER), status_code=200)
async def look(
    request: AnyRequest,
    data: JSONBody[CardIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> CardOut:
    """What the holder of a card can use at this shop."""
    here = chosen(await shops_of(session, actor, local_day(now)), data.shop or uuid_cookie(request, SHOP_COOKIE))
    keys = code_keys(cast("Keyring", state.keyring), now)
    card = await card_by_code(session, actor.community_id, data.code, keys, now)
    found = await usable_here(session, actor.community_id, card.member_id, here.organisation_id, now)
    return CardOut(
        card.tail,
        card.is_locked,
        [
            CardVoucherOut(
                str(each.voucher_id), each.title, each.points, each.cash_fen, each.quantity_open, each.expires_at
            )
            for each in found
        ],
    )


@post("/api/shop/card-uses", opt=allow(*COUNTER), status_code=200)
async def use(
    request: AnyRequest,
    data: JSONBody[CardUseIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """The member typed the PIN for one voucher: used once, whoever asks how often. Five wrong PINs lock the card."""
    if int(data.voucher_id) > ID_MOST:
        raise Invalid({"voucher_id": "invalid"})
    here = chosen(await shops_of(session, actor, local_day(now)), data.shop or uuid_cookie(request, SHOP_COOKIE))
    return answered(
        await pay_by_card(
            request,
            sessions_of_app(state),
            code_keys(cast("Keyring", state.keyring), now),
            actor=actor,
            shop=here,
            code=data.code,
            voucher_id=int(data.voucher_id),
            pin=data.pin,
            nonce=data.nonce,
            quantity=data.quantity,
            now=now,
        )
    )


@post("/api/cards", opt=HELPERS, status_code=201)
async def print_cards(
    request: AnyRequest,
    data: JSONBody[PrintCardsIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PrintedCards]:
    """Cards for these members; a card printed before is worthless from now on."""

    async def work() -> PrintedCards:
        ids = await identity.print_cards(session, actor=actor, numbers=data.cards, now=now)
        held = await cards_of(session, actor.community_id, ids)
        people = await people_by_ids(session, actor.community_id, ids)
        keys = code_keys(cast("Keyring", state.keyring), now)
        return PrintedCards(
            [
                PrintedCard(
                    people[member_id].card_no,
                    redemption.code_url(
                        state.settings.origin,
                        redemption.card_code(
                            keys, community_id=actor.community_id, handle=each.handle, card_seq=each.card_seq
                        ),
                    ),
                )
                for member_id, each in sorted(held.items(), key=lambda pair: people[pair[0]].card_no)
            ]
        )

    return await once(request, session, actor, now, work, status=201)


@post("/api/cards/{member_id:uuid}/withdrawal", opt=HELPERS, status_code=204)
async def withdraw(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """The card was lost: it opens nothing from now on."""

    async def work() -> None:
        await identity.withdraw_card(session, actor=actor, member_id=member_id, now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/cards/{member_id:uuid}/unlocking", opt=HELPERS, status_code=204)
async def unlock(
    request: AnyRequest,
    member_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Five more tries, after the office has seen who holds the card."""

    async def work() -> None:
        await identity.unlock_card(session, actor=actor, member_id=member_id, now=now)

    return await once(request, session, actor, now, work, status=204)
