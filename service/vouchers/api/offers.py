"""Offers and vouchers as JSON, for residents and for the desk."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import settings_on
from service.identity import person
from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once
from service.kit.paging import decode_cursor, encode_cursor
from service.kit.refusals import NotAllowed
from service.vouchers.actions import offering, taking
from service.vouchers.browser import voucher_cursor, voucher_mark
from service.vouchers.payloads import (
    CancelIn,
    GiveIn,
    OfferIn,
    OfferMade,
    OfferOut,
    OffersOut,
    PledgeIn,
    PrintedOut,
    ReasonIn,
    TakeIn,
    VoucherOut,
    VouchersOut,
)
from service.vouchers.queries.catalogue import VoucherCard, offers_for, voucher_cards, voucher_for, vouchers_for
from service.vouchers.queries.office import offer_of
from service.vouchers.queries.paper import paper_code
from service.vouchers.rules import Tab
from service.vouchers.terms import HABITS, terms_of

AnyRequest = Request[Any, Any, Any]
WRITERS = (Role.STAFF, Role.ADMIN)


def key_of(request: AnyRequest) -> str:
    """The client's key for an act that may come twice; a client without one gets no protection from itself."""
    return request.headers.get("idempotency-key") or new_id().hex


@get("/api/offers", opt=SIGNED_IN)
async def offers(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[redemption.OfferKind | None] = None,
    after: FromQuery[str | None] = None,
) -> OffersOut:
    """Offers that the reader can take now, newest first; of one kind if wanted."""
    cursor = decode_cursor(after, str)
    before = UUID(str(cursor[0])) if cursor else None
    found, following, _ = await offers_for(
        session, actor.community_id, actor.member_id, now=now, kind=kind, before=before
    )
    items = [
        OfferOut(
            offer_id=item.offer_id,
            title=item.title,
            kind=item.kind,
            shops=item.shops,
            pieces=item.pieces,
            price=item.points * 100,
            unit="point",
            cash_fen=item.cash_fen,
            left=item.left,
            valid_until=item.valid_until,
            weekdays=list(item.days),
            usable_on=item.usable_on,
            price_list_version=item.price_list_version,
            voucher_days=item.voucher_days,
            rules=list(item.rules),
            missing=item.missing,
            is_full=item.is_full,
            is_capped=item.is_capped,
            again_on=item.again_on,
        )
        for item in found
    ]
    return OffersOut(items, encode_cursor(following.hex) if following else None)


@post("/api/offers/{offer_id:uuid}/vouchers", opt=SIGNED_IN)
async def take(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    data: JSONBody[TakeIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[VoucherOut]:
    """Take an offer for oneself, or for somebody by staff. Exactly once by the Idempotency-Key."""
    return await take_for(request, state, session, actor, now, offer_id, data.for_member, is_reserved=False)


async def take_for(
    request: AnyRequest,
    state: State,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    offer_id: UUID,
    for_member: UUID | None,
    *,
    is_reserved: bool,
) -> Response[VoucherOut]:
    """Take or reserve an offer for oneself, or for somebody by staff."""

    async def work() -> VoucherOut:
        holder = None
        if for_member is not None and for_member != actor.member_id:
            if not actor.has(Role.STAFF):
                raise NotAllowed
            holder = await person(session, actor.community_id, for_member)
        voucher_id = await taking.take_offer(
            session,
            actor=actor,
            offer_id=offer_id,
            key=key_of(request),
            now=now,
            for_member=holder,
            is_reserved=is_reserved,
        )
        await session.flush()
        return await shown_voucher(state, session, actor, voucher_id, now)

    return await once(request, session, actor, now, work, status=201)


async def shown_voucher(
    state: State, session: AsyncSession, actor: Actor, voucher_id: int, now: datetime
) -> VoucherOut:
    """A voucher that was just written, as it stands."""
    found = await redemption.voucher(session, actor.community_id, voucher_id)
    return _voucher(state, actor, (await voucher_cards(session, actor.community_id, [found], now))[0], now)


@get("/api/vouchers", opt=SIGNED_IN)
async def vouchers(
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    tab: FromQuery[Tab] = Tab.USABLE,
    after: FromQuery[str | None] = None,
) -> VouchersOut:
    """One's own vouchers of one tab, newest first."""
    found, following = await vouchers_for(
        session, actor.community_id, actor.member_id, tab, now=now, before=voucher_mark(after)
    )
    return VouchersOut([_voucher(state, actor, item, now) for item in found], voucher_cursor(following))


@get("/api/vouchers/{voucher_id:int}", opt=SIGNED_IN)
async def voucher(
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> VoucherOut:
    """One's own voucher, with the code to show now."""
    return _voucher(state, actor, await voucher_for(session, actor, voucher_id, now=now), now)


@post("/api/vouchers/{voucher_id:int}/cancellation", opt=SIGNED_IN, status_code=204)
async def cancel(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[CancelIn | None] = None,
) -> Response[None]:
    """Give a voucher back, or some of its pieces: the points come back at once."""
    quantity = data.quantity if data else None

    async def work() -> None:
        await taking.give_back(
            session, actor=actor, voucher_id=voucher_id, quantity=quantity, key=key_of(request), now=now
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/vouchers/{voucher_id:int}/gift", opt=SIGNED_IN, status_code=204)
async def give(
    request: AnyRequest,
    voucher_id: FromPath[int],
    data: JSONBody[GiveIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Give a voucher to another member, by card and name."""

    async def work() -> None:
        await taking.give(
            session,
            actor=actor,
            voucher_id=voucher_id,
            card_no=data.card_no,
            name=data.name,
            key=key_of(request),
            now=now,
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/vouchers/{voucher_id:int}/printing", opt=SIGNED_IN, status_code=200)
async def print_again(
    request: AnyRequest,
    voucher_id: FromPath[int],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[PrintedOut]:
    """A new code for paper, for oneself or for anybody by staff; every code shown or printed before dies."""

    async def work() -> PrintedOut:
        await taking.print_again(session, actor=actor, voucher_id=voucher_id, now=now)
        await session.flush()
        shown = await redemption.voucher(session, actor.community_id, voucher_id)
        code = paper_code(code_keys(cast("Keyring", state.keyring), now), actor.community_id, shown)
        return PrintedOut(str(voucher_id), redemption.code_url(state.settings.origin, code))

    return await once(request, session, actor, now, work)


def _voucher(state: State, actor: Actor, card: VoucherCard, now: datetime) -> VoucherOut:
    qr = None
    if card.is_usable:
        code = redemption.phone_code(
            code_keys(cast("Keyring", state.keyring), now),
            community_id=actor.community_id,
            voucher_id=card.voucher_id,
            code_seq=card.code_seq,
            now=now,
        )
        qr = redemption.code_url(state.settings.origin, code)
    return VoucherOut(
        voucher_id=str(card.voucher_id),
        offer_id=card.offer_id,
        title=card.title,
        shops=card.shops,
        price=card.points * 100,
        unit="point",
        subsidy=card.subsidy_points * 100,
        cash_fen=card.cash_fen,
        quantity_total=card.quantity_total,
        quantity_used=card.quantity_used,
        quantity_open=card.quantity_open,
        state=card.state,
        short_code=card.short_code if card.is_usable else None,
        qr=qr,
        weekdays=list(card.days),
        usable_on=card.usable_on,
        price_list_version=card.price_list_version,
        issued_at=card.issued_at,
        expires_at=card.expires_at,
        used_at=card.used_at,
        used_at_shop=card.used_at_shop,
        may_give=card.may_give,
        is_gift=card.is_gift,
    )


@post("/api/offers", opt=allow(*WRITERS))
async def draft(
    request: AnyRequest,
    data: JSONBody[OfferIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[OfferMade]:
    """Write an offer down as a draft."""

    async def work() -> OfferMade:
        habits = await settings_on(session, actor.community_id, HABITS, local_day(now))
        terms = terms_of(new_id(), data, habits)
        await offering.draft_offer(session, actor=actor, terms=terms, now=now)
        return OfferMade(terms.offer_id)

    return await once(request, session, actor, now, work, status=201)


@put("/api/offers/{offer_id:uuid}", opt=allow(*WRITERS), status_code=204)
async def redraft(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    data: JSONBody[OfferIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Write a draft again. What is published is never edited."""
    await offer_of(session, actor.community_id, offer_id)

    async def work() -> None:
        habits = await settings_on(session, actor.community_id, HABITS, local_day(now))
        await offering.draft_offer(session, actor=actor, terms=terms_of(offer_id, data, habits), now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/offers/{offer_id:uuid}/publication", opt=allow(Role.STAFF, Role.APPROVER, Role.ADMIN), status_code=204)
async def publish(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Open a draft to residents, within the sponsor's budget."""

    async def work() -> None:
        await offering.publish_offer(session, actor=actor, offer_id=offer_id, key=key_of(request), now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/offers/{offer_id:uuid}/withdrawal", opt=allow(Role.STAFF, Role.APPROVER, Role.ADMIN), status_code=204)
async def withdraw(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Issue no more vouchers on an offer."""

    async def work() -> None:
        await offering.withdraw_offer(
            session, actor=actor, offer_id=offer_id, reason=data.reason, key=key_of(request), now=now
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/pledges", opt=allow(Role.FINANCE), status_code=204)
async def pledge(
    request: AnyRequest,
    data: JSONBody[PledgeIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Record what a sponsor promises."""

    async def work() -> None:
        await offering.pledge(
            session,
            actor=actor,
            sponsor_id=data.sponsor,
            unit=data.unit,
            amount=data.amount,
            key=key_of(request),
            now=now,
        )

    return await once(request, session, actor, now, work, status=204)
