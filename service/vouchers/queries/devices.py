"""Shops' phones and what they uploaded, as the office sees them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.kit.paging import PAGE_SIZE, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class Phones:
    """Phones, the names of their shops, and what the fund has borne this month."""

    devices: Sequence[redemption.ShopDevice]
    shops: dict[UUID, str]
    losses: redemption.LossMonth | None


@dataclass(frozen=True, slots=True)
class Held:
    """A page of records that wait for people, and the names of their shops; and which reasons and shops there are."""

    reviews: Sequence[redemption.Review]
    shops: dict[UUID, str]
    next: str | None
    reasons: Sequence[str]


async def phones_seen(
    session: AsyncSession, community_id: int, shops: Collection[UUID] | None, now: datetime
) -> Phones:
    """The phones of these shops, or of all, those in use first."""
    found = await redemption.devices(session, community_id, merchants=None if shops is None else tuple(shops), now=now)
    named = await organisations_by_ids(session, community_id, {each.merchant_id for each in found})
    months = await redemption.losses(session, community_id, limit=1)
    return Phones(found, {each.organisation_id: each.name for each in named.values()}, next(iter(months), None))


async def held_records(
    session: AsyncSession,
    community_id: int,
    *,
    is_open: bool = True,
    shop_id: UUID | None = None,
    reason: str | None = None,
    after: str | None = None,
    size: int = PAGE_SIZE,
) -> Held:
    """Records that wait for people, the one that is due first at the top; or those that were decided, the newest first."""
    cursor = decode_cursor(after, str, str, str)
    mark = cursor and redemption.ReviewMark(
        datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])), UUID(str(cursor[2]))
    )
    found = await redemption.reviews(
        session,
        community_id,
        is_open=is_open,
        merchant_id=shop_id,
        reason=reason,
        after=mark or None,
        limit=size + 1,
    )

    def cursor_of(last: redemption.Review) -> str:
        at = last.due_at if is_open else last.decided_at
        assert at is not None, "what is decided was decided at some time"
        return encode_cursor(at.isoformat(), last.device_id.hex, last.nonce.hex)

    shown = page_of(found, cursor_of, size)
    kinds = await redemption.review_reasons(session, community_id, is_open=is_open)
    named = await organisations_by_ids(session, community_id, {shop for _reason, shop, _count in kinds})
    return Held(
        shown.rows,
        {each.organisation_id: each.name for each in named.values()},
        shown.next,
        sorted({why for why, _shop, _count in kinds}),
    )
