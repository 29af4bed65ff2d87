"""Members' cards: what the holder of one can use at a shop."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.vouchers.queries.catalogue import VoucherCard, voucher_cards


async def usable_here(
    session: AsyncSession, community_id: int, member_id: UUID, shop_id: UUID, now: datetime
) -> Sequence[VoucherCard]:
    """What somebody can use at this shop now. What is good elsewhere is not this shop's business."""
    held = await redemption.vouchers_of(session, community_id, member_id, states=redemption.USABLE)
    here = [voucher for voucher in held.vouchers if shop_id in voucher.merchant_ids]
    return [card for card in await voucher_cards(session, community_id, here, now) if card.is_usable]
