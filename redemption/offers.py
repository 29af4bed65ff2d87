"""Offers: what can be taken, where, for how much, and who pays the shop."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.refusals import OfferUnknown
from redemption.rules import CapPeriod, OfferKind, OfferState, OfflineClass

EVERY_DAY: Final = 127
"""Monday to Sunday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTerms:
    """Everything that is promised. The member pays price_points - subsidy_points; the sponsor the rest and payable_fen."""

    offer_id: UUID
    sponsor_id: UUID
    merchant_ids: tuple[UUID, ...]
    title: str
    kind: OfferKind
    pieces: int = 1
    """How many one voucher is good for; prices are of one piece, stock and caps count pieces."""
    price_points: int
    subsidy_points: int = 0
    payable_fen: int = 0
    """What the merchant is owed for each use, from the sponsor's budget."""
    cash_fen: int = 0
    """What the member pays at the counter; recorded, never moved."""
    price_list_version: str | None = None
    stock_total: int
    per_member_cap: int | None = 1
    cap_period: CapPeriod = CapPeriod.QUARTER
    period_cap: int | None = None
    """How many pieces everybody together may have in one period; with period_cap_per."""
    period_cap_per: CapPeriod | None = None
    weekdays: int = EVERY_DAY
    """On which days it can be used: a bit for each, Monday is 1, Sunday 64."""
    usable_from: datetime | None = None
    """Vouchers can be taken before, and used from then on; their days count from there."""
    requires: tuple[str, ...] = ()
    """Whoever has one of these tags may take it; none means everybody. Opaque here, and never kept with a voucher."""
    is_giftable: bool = False
    """Whether a member may give it to another; only what is used online alone."""
    time_zone: str = "Asia/Shanghai"
    """In which days and quarters of the cap begin."""
    valid_from: datetime
    valid_until: datetime
    """No vouchers are issued from here on; those issued live out their days."""
    voucher_days: int = 7
    offline_class: OfflineClass = OfflineClass.ONLINE_ONLY
    rules: tuple[str, ...] = ()
    """Lines of plain text for the member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(OfferTerms):
    """An offer as it stands."""

    state: OfferState
    stock_taken: int
    drafted_by: UUID
    drafted_at: datetime
    published_by: UUID | None
    published_at: datetime | None
    withdrawn_by: UUID | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None

    @property
    def stock_left(self) -> int:
        """How many can still be taken."""
        return self.stock_total - self.stock_taken

    @property
    def member_points(self) -> int:
        """What a member without a discount of their own pays for one piece."""
        return self.price_points - self.subsidy_points


@dataclass(frozen=True, slots=True)
class OfferPage:
    """Newest first; `next` is the `before` of the following page."""

    offers: tuple[Offer, ...]
    next: UUID | None


async def draft_offer(session: AsyncSession, book: int, terms: OfferTerms, *, actor_id: UUID, now: datetime) -> None:
    """Write a draft down; writing the same offer id again replaces the draft. What is published is never edited."""
    await act(
        session,
        "draft_offer",
        book,
        terms.offer_id,
        terms.sponsor_id,
        list(terms.merchant_ids),
        terms.title,
        terms.kind.value,
        terms.price_points,
        terms.subsidy_points,
        terms.payable_fen,
        terms.cash_fen,
        terms.price_list_version,
        terms.stock_total,
        terms.per_member_cap,
        terms.cap_period.value,
        terms.time_zone,
        aware(terms.valid_from),
        aware(terms.valid_until),
        terms.voucher_days,
        int(terms.offline_class),
        list(terms.rules),
        actor_id,
        aware(now),
        terms.pieces,
        terms.period_cap,
        terms.period_cap_per.value if terms.period_cap_per else None,
        terms.weekdays,
        aware(terms.usable_from) if terms.usable_from else None,
        list(terms.requires),
        terms.is_giftable,
    )


async def publish_offer(
    session: AsyncSession, book: int, offer_id: UUID, *, key: UUID, actor_id: UUID, now: datetime
) -> None:
    """Open a draft to members, if the sponsor's budget can pay for all of its stock beside all other promises."""
    await act(session, "publish_offer", book, key, offer_id, actor_id, aware(now))


async def withdraw_offer(
    session: AsyncSession, book: int, offer_id: UUID, *, key: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Issue no more vouchers on it. Those already out stay good."""
    await act(session, "withdraw_offer", book, key, offer_id, reason, actor_id, aware(now))


_OFFER = """
SELECT o.offer_id, o.sponsor_id, o.title, o.kind, o.pieces, o.period_cap, o.period_cap_per,
       o.weekdays, o.usable_from, o.requires, o.is_giftable,
       o.price_points, o.subsidy_points, o.payable_fen, o.cash_fen, o.price_list_version,
       o.stock_total, o.stock_taken, o.per_member_cap, o.cap_period, o.time_zone, o.valid_from, o.valid_until, o.voucher_days,
       o.offline_class, o.rules, o.state, o.drafted_by, o.drafted_at, o.published_by, o.published_at,
       o.withdrawn_by, o.withdrawn_at, o.withdrawn_reason,
       ARRAY(SELECT m.merchant_id FROM redemption.offer_merchant m
              WHERE m.community_id = o.community_id AND m.offer_id = o.offer_id ORDER BY m.merchant_id) AS merchant_ids
  FROM redemption.offer o
"""


async def offer(session: AsyncSession, book: int, offer_id: UUID) -> Offer:
    """One offer, or the refusal OfferUnknown."""
    found = await rows(
        session, _OFFER + "WHERE o.community_id = :book AND o.offer_id = :offer_id", book=book, offer_id=offer_id
    )
    if not found:
        raise OfferUnknown
    return _offer(found[0])


async def offers(
    session: AsyncSession,
    book: int,
    *,
    state: OfferState | None = None,
    open_at: datetime | None = None,
    merchant_id: UUID | None = None,
    sponsor_id: UUID | None = None,
    kind: OfferKind | None = None,
    tags: Iterable[str] | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> OfferPage:
    """A page of offers, newest first by id. `open_at` leaves only those a member could take then: published, in time, in stock.

    With `tags`, only those that somebody with these tags may take.
    """
    found = await rows(
        session,
        _OFFER
        + """
         WHERE o.community_id = :book
           AND (CAST(:state AS text) IS NULL OR o.state = :state)
           AND (CAST(:open_at AS timestamptz) IS NULL
                OR (o.state = 'published' AND o.valid_from <= :open_at AND :open_at < o.valid_until
                    AND o.stock_taken + o.pieces <= o.stock_total))
           AND (CAST(:kind AS text) IS NULL OR o.kind = :kind)
           AND (CAST(:tags AS text[]) IS NULL OR cardinality(o.requires) = 0 OR o.requires && CAST(:tags AS text[]))
           AND (CAST(:sponsor_id AS uuid) IS NULL OR o.sponsor_id = :sponsor_id)
           AND (CAST(:merchant_id AS uuid) IS NULL OR EXISTS (
                SELECT FROM redemption.offer_merchant m
                 WHERE m.community_id = o.community_id AND m.offer_id = o.offer_id AND m.merchant_id = :merchant_id))
           AND (CAST(:before AS uuid) IS NULL OR o.offer_id < :before)
         ORDER BY o.offer_id DESC LIMIT :limit + 1
        """,
        book=book,
        state=state.value if state else None,
        open_at=open_at,
        merchant_id=merchant_id,
        kind=kind.value if kind else None,
        tags=None if tags is None else list(tags),
        sponsor_id=sponsor_id,
        before=before,
        limit=limit,
    )
    page = tuple(_offer(row) for row in found[:limit])
    return OfferPage(page, page[-1].offer_id if len(found) > limit else None)


async def caps_reached(
    session: AsyncSession, book: int, member_id: UUID, offer_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, datetime | None]:
    """Which of these offers the member may take no more of in the running period, and when the next one begins.

    None for a cap that counts for ever. What was given back does not count. The rule is `redemption.taken_by_member`.
    """
    found = await rows(
        session,
        """
        SELECT o.offer_id,
               CASE WHEN o.cap_period <> 'ever' THEN
                   (date_trunc(o.cap_period, CAST(:now AS timestamptz) AT TIME ZONE o.time_zone)
                    + CASE o.cap_period WHEN 'quarter' THEN interval '3 months' ELSE CAST('1 ' || o.cap_period AS interval) END
                   ) AT TIME ZONE o.time_zone END AS again_at
          FROM redemption.offer o
         WHERE o.community_id = :book AND o.offer_id = ANY(:offer_ids) AND o.per_member_cap <= (
               SELECT coalesce(sum(v.quantity_total - v.quantity_returned), 0)
                 FROM redemption.voucher v
                WHERE v.community_id = o.community_id AND v.offer_id = o.offer_id
                  AND (v.payer_id = :member_id OR (v.member_id = :member_id AND v.payer_id IS NULL))
                  AND v.issued_at >= CASE o.cap_period WHEN 'ever' THEN '-infinity'
                                     ELSE date_trunc(o.cap_period, CAST(:now AS timestamptz), o.time_zone) END)
        """,
        book=book,
        member_id=member_id,
        offer_ids=list(offer_ids),
        now=aware(now),
    )
    return {row["offer_id"]: row["again_at"] for row in found}


async def periods_full(
    session: AsyncSession, book: int, offer_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, datetime | None]:
    """Of which of these offers the running period has no piece left for one voucher, and when the next period begins."""
    found = await rows(
        session,
        """
        SELECT o.offer_id,
               CASE WHEN o.period_cap_per <> 'ever' THEN
                   (date_trunc(o.period_cap_per, CAST(:now AS timestamptz) AT TIME ZONE o.time_zone)
                    + CASE o.period_cap_per WHEN 'quarter' THEN interval '3 months'
                                            ELSE CAST('1 ' || o.period_cap_per AS interval) END
                   ) AT TIME ZONE o.time_zone END AS again_at
          FROM redemption.offer o
          JOIN redemption.offer_period p ON p.community_id = o.community_id AND p.offer_id = o.offer_id
           AND p.began_at = CASE o.period_cap_per WHEN 'ever' THEN '-infinity'
                            ELSE date_trunc(o.period_cap_per, CAST(:now AS timestamptz), o.time_zone) END
         WHERE o.community_id = :book AND o.offer_id = ANY(:offer_ids) AND p.taken + o.pieces > o.period_cap
        """,
        book=book,
        offer_ids=list(offer_ids),
        now=aware(now),
    )
    return {row["offer_id"]: row["again_at"] for row in found}


def _offer(row: RowMapping) -> Offer:
    values = dict(row)
    values["kind"] = OfferKind(values["kind"])
    values["state"] = OfferState(values["state"])
    values["cap_period"] = CapPeriod(values["cap_period"])
    values["offline_class"] = OfflineClass(values["offline_class"])
    values["period_cap_per"] = CapPeriod(values["period_cap_per"]) if values["period_cap_per"] else None
    values["requires"] = tuple(values["requires"])
    values["rules"] = tuple(values["rules"])
    values["merchant_ids"] = tuple(values["merchant_ids"])
    return Offer(**values)
