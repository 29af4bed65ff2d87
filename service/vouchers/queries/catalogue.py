"""What residents see: offers with what is still missing, and their own vouchers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from redemption import OfferState, VoucherState
from service import chart
from service.communities import organisations_by_ids
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.i18n import _
from service.vouchers.days import days_in, days_said
from service.vouchers.queries.standing import tags_by_member
from service.vouchers.rules import OfferNotFound, Tab, VoucherNotFound, points_missing

STATES: Mapping[Tab, Collection[VoucherState]] = {
    Tab.USABLE: redemption.USABLE,
    Tab.USED: redemption.USED_UP,
    Tab.OVER: redemption.OVER,
}


@dataclass(frozen=True, slots=True)
class OfferCard:
    """An offer as a resident sees it. The price is what they pay, in whole points."""

    offer_id: UUID
    title: str
    kind: str
    shops: str
    places: Sequence[str]
    pieces: int
    """How many one voucher is good for. Points are for all of them, what is paid at the shop is for each."""
    points: int
    cash_fen: int
    left: int
    valid_until: datetime
    days: Sequence[int]
    """On which days of the week it can be used, Monday is 1."""
    days_said: str
    """The same in words; nothing when it is every day."""
    usable_on: date | None
    """From which day on vouchers can be used, when not at once."""
    price_list_version: str | None
    last_day: date
    """The last day on which it can be taken."""
    voucher_days: int
    rules: Sequence[str]
    missing: int
    is_open: bool
    is_full: bool
    """All that the running period has for everybody is taken."""
    is_capped: bool
    """The member has had as many as one may in the running period."""
    again_on: date | None
    """From which day they may again, if ever."""


@dataclass(frozen=True, slots=True)
class VoucherCard:
    """A voucher as its holder sees it."""

    voucher_id: int
    offer_id: UUID
    title: str
    shops: str
    places: Sequence[str]
    points: int
    cash_fen: int
    short_code: str
    state: str
    is_usable: bool
    quantity_total: int
    quantity_used: int
    quantity_open: int
    subsidy_points: int
    """What the sponsor adds for all pieces; frozen when it was taken, as the points are."""
    points_open: int
    """What would come back for all that is left."""
    rules: Sequence[str]
    days: Sequence[int]
    days_said: str
    usable_on: date | None
    price_list_version: str | None
    issued_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_at_shop: str | None
    may_give: bool
    is_gift: bool
    """Somebody else paid for it, and gets back what is not used."""
    code_seq: int
    offline_class: redemption.OfflineClass
    changed_at: datetime


async def points_of(session: AsyncSession, community_id: int, member_id: UUID) -> int:
    """What somebody can spend, in hundredths of a point."""
    account = (chart.member(member_id), chart.POINT)
    return (await ledger.balances(session, community_id, [account])).get(account, 0)


async def offers_for(
    session: AsyncSession,
    community_id: int,
    member_id: UUID,
    *,
    now: datetime,
    kind: redemption.OfferKind | None = None,
    before: UUID | None = None,
) -> tuple[Sequence[OfferCard], UUID | None, int]:
    """Offers that this member can take now, newest first, the next page's mark, and what the member has."""
    balance = await points_of(session, community_id, member_id)
    tags = (await tags_by_member(session, community_id, [member_id], local_day(now)))[member_id]
    page = await redemption.offers(session, community_id, open_at=now, kind=kind, tags=tags, before=before)
    return await _offer_cards(session, community_id, member_id, page.offers, balance, now), page.next, balance


async def offer_for(
    session: AsyncSession, community_id: int, member_id: UUID, offer_id: UUID, *, now: datetime
) -> tuple[OfferCard, int]:
    """One offer that was published, and what the member has. One that is for others looks as if it were not there."""
    try:
        offer = await redemption.offer(session, community_id, offer_id)
    except redemption.OfferUnknown as unknown:
        raise OfferNotFound from unknown
    if offer.state is OfferState.DRAFT:
        raise OfferNotFound
    if offer.requires:
        tags = (await tags_by_member(session, community_id, [member_id], local_day(now)))[member_id]
        if tags.isdisjoint(offer.requires):
            raise OfferNotFound
    balance = await points_of(session, community_id, member_id)
    return (await _offer_cards(session, community_id, member_id, [offer], balance, now))[0], balance


async def _offer_cards(
    session: AsyncSession,
    community_id: int,
    member_id: UUID,
    offers: Sequence[redemption.Offer],
    balance: int,
    now: datetime,
) -> Sequence[OfferCard]:
    ids = [offer.offer_id for offer in offers]
    capped = await redemption.caps_reached(session, community_id, member_id, ids, now=now)
    full = await redemption.periods_full(session, community_id, ids, now=now)
    shops = await organisations_by_ids(session, community_id, {shop for offer in offers for shop in offer.merchant_ids})
    return [
        OfferCard(
            offer_id=offer.offer_id,
            title=offer.title,
            kind=offer.kind.value,
            shops=_("、").join(shops[shop].name for shop in offer.merchant_ids if shop in shops),
            places=[shops[shop].address for shop in offer.merchant_ids if shop in shops],
            pieces=offer.pieces,
            points=offer.member_points * offer.pieces,
            cash_fen=offer.cash_fen,
            left=offer.stock_left,
            valid_until=offer.valid_until,
            days=days_in(offer.weekdays),
            days_said=days_said(offer.weekdays),
            usable_on=local_day(offer.usable_from) if offer.usable_from and offer.usable_from > now else None,
            price_list_version=offer.price_list_version,
            last_day=last_day_of(offer),
            voucher_days=offer.voucher_days,
            rules=offer.rules,
            missing=points_missing(offer.member_points * offer.pieces, balance),
            is_open=offer.state is OfferState.PUBLISHED
            and offer.valid_from <= now < offer.valid_until
            and offer.stock_left >= offer.pieces,
            is_full=offer.offer_id in full,
            is_capped=offer.offer_id in capped,
            again_on=local_day(again) if (again := {**full, **capped}.get(offer.offer_id)) else None,
        )
        for offer in offers
    ]


def last_day_of(offer: redemption.Offer) -> date:
    """The last day on which an offer can be taken; it ends with that day."""
    return local_day(offer.valid_until - timedelta(microseconds=1))


async def vouchers_for(
    session: AsyncSession,
    community_id: int,
    member_id: UUID,
    tab: Tab,
    *,
    now: datetime,
    before: redemption.VoucherMark | None = None,
) -> tuple[Sequence[VoucherCard], redemption.VoucherMark | None]:
    """A member's vouchers of one tab, newest first, and the next page's mark."""
    page = await redemption.vouchers_of(session, community_id, member_id, states=STATES[tab], before=before)
    return await voucher_cards(session, community_id, page.vouchers, now), page.next


async def voucher_for(session: AsyncSession, actor: Actor, voucher_id: int, *, now: datetime) -> VoucherCard:
    """One's own voucher, or one that one gave away; anybody else's looks as if it were not there."""
    try:
        found = await redemption.voucher(session, actor.community_id, voucher_id)
    except redemption.VoucherUnknown as unknown:
        raise VoucherNotFound from unknown
    if actor.member_id not in (found.member_id, found.payer_id):
        raise VoucherNotFound
    card = (await voucher_cards(session, actor.community_id, [found], now))[0]
    if found.member_id == actor.member_id:
        return card
    # Whose points lie in it may see what became of it, and no code of it.
    state = "given" if card.is_usable else card.state
    return replace(card, state=state, is_usable=False, short_code="", may_give=False, is_gift=False)


async def voucher_cards(
    session: AsyncSession, community_id: int, vouchers: Sequence[redemption.Voucher], now: datetime
) -> Sequence[VoucherCard]:
    """Vouchers with the names of their shops, in one query more."""
    wanted = {shop for voucher in vouchers for shop in voucher.merchant_ids}
    wanted |= {voucher.last_merchant_id for voucher in vouchers if voucher.last_merchant_id is not None}
    shops = await organisations_by_ids(session, community_id, wanted)
    return [
        VoucherCard(
            voucher_id=voucher.voucher_id,
            offer_id=voucher.offer_id,
            title=voucher.title,
            shops=_("、").join(shops[shop].name for shop in voucher.merchant_ids if shop in shops),
            places=[shops[shop].address for shop in voucher.merchant_ids if shop in shops],
            points=voucher.points_each * voucher.quantity_total,
            cash_fen=voucher.cash_fen_each,
            short_code=voucher.short_code,
            state=shown_state(voucher, now),
            is_usable=shown_state(voucher, now) in ("issued", "part_used"),
            quantity_total=voucher.quantity_total,
            quantity_used=voucher.quantity_used,
            quantity_open=voucher.quantity_open,
            subsidy_points=voucher.subsidy_points_each * voucher.quantity_total,
            points_open=voucher.points_each * voucher.quantity_open,
            rules=voucher.rules,
            days=days_in(voucher.weekdays),
            days_said=days_said(voucher.weekdays),
            usable_on=local_day(voucher.usable_from) if voucher.usable_from and voucher.usable_from > now else None,
            price_list_version=voucher.price_list_version,
            issued_at=voucher.issued_at,
            expires_at=voucher.expires_at,
            used_at=voucher.last_used_at,
            used_at_shop=shops[voucher.last_merchant_id].name
            if voucher.last_merchant_id is not None and voucher.last_merchant_id in shops
            else None,
            may_give=voucher.is_giftable
            and voucher.payer_id is None
            and shown_state(voucher, now) in ("issued", "part_used"),
            is_gift=voucher.payer_id is not None,
            code_seq=voucher.code_seq,
            offline_class=voucher.offline_class,
            changed_at=voucher.changed_at,
        )
        for voucher in vouchers
    ]


def shown_state(voucher: redemption.Voucher, now: datetime) -> str:
    """The state in words' key. One whose time is over is shown so even before the timer has given its points back."""
    if voucher.state in (VoucherState.ISSUED, VoucherState.PART_USED) and now >= voucher.expires_at:
        return "expired"
    return voucher.state.value.lower()


_BY_IDS = sa.text("""
SELECT v.voucher_id, v.offer_id, v.member_id, v.payer_id, o.title, o.rules, o.weekdays, o.usable_from, v.price_list_version,
       v.points_each, v.subsidy_points_each, v.cash_fen_each,
       v.short_code, v.state, v.quantity_total, v.quantity_used,
       v.quantity_total - v.quantity_used - v.quantity_returned AS quantity_open,
       v.issued_at, v.expires_at, v.code_seq, v.offline_class, v.changed_at,
       ARRAY(SELECT m.merchant_id FROM redemption.offer_merchant m
              WHERE m.community_id = v.community_id AND m.offer_id = v.offer_id ORDER BY m.merchant_id) AS merchant_ids
  FROM redemption.voucher v
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE v.community_id = :community_id AND v.voucher_id = ANY(:ids) AND v.state IN ('ISSUED', 'PART_USED')
   AND v.expires_at > :now
 ORDER BY array_position(CAST(:ids AS bigint[]), v.voucher_id)
""")


async def usable_by_ids(
    session: AsyncSession, community_id: int, ids: Sequence[int], *, now: datetime
) -> Sequence[tuple[UUID, VoucherCard]]:
    """Vouchers that can be used now, in the order asked, each with its holder: two queries for a whole batch of paper."""
    rows = (await session.execute(_BY_IDS, {"community_id": community_id, "ids": list(ids), "now": now})).all()
    shops = await organisations_by_ids(session, community_id, {shop for row in rows for shop in row.merchant_ids})
    return [
        (
            row.member_id,
            VoucherCard(
                voucher_id=row.voucher_id,
                offer_id=row.offer_id,
                title=row.title,
                shops=_("、").join(shops[shop].name for shop in row.merchant_ids if shop in shops),
                places=[shops[shop].address for shop in row.merchant_ids if shop in shops],
                points=row.points_each * row.quantity_total,
                cash_fen=row.cash_fen_each,
                short_code=row.short_code,
                state=row.state.lower(),
                is_usable=True,
                quantity_total=row.quantity_total,
                quantity_used=row.quantity_used,
                quantity_open=row.quantity_open,
                subsidy_points=row.subsidy_points_each * row.quantity_total,
                points_open=row.points_each * row.quantity_open,
                rules=row.rules,
                days=days_in(row.weekdays),
                days_said=days_said(row.weekdays),
                usable_on=local_day(row.usable_from) if row.usable_from and row.usable_from > now else None,
                price_list_version=row.price_list_version,
                issued_at=row.issued_at,
                expires_at=row.expires_at,
                used_at=None,
                used_at_shop=None,
                may_give=False,
                is_gift=row.payer_id is not None,
                code_seq=row.code_seq,
                offline_class=redemption.OfflineClass(row.offline_class),
                changed_at=row.changed_at,
            ),
        )
        for row in rows
    ]
