"""What the office does about uses that are settled."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text

import redemption
from tests.redemption.model.story import Story

_LINE = text(
    "SELECT settlement_id, line_no FROM redemption.settlement_line"
    " WHERE community_id = :book AND voucher_id = :voucher_id AND use_seq = :seq AND part = 0"
)


async def correct(story: Story) -> None:
    """One proposes to take back a use that its shop has confirmed, another agrees; what is refused is withdrawn."""
    settled = [pair for pair in story.model.world.scans.values() if pair[1].state in ("SETTLED", "ADJUSTED")]
    if not settled:
        return
    (voucher, use), market = story.lot.choice(settled), story.market
    async with market.sessions.begin() as session:
        asked = {"book": market.book, "voucher_id": voucher.id, "seq": use.seq}
        settlement_id, line_no = (await session.execute(_LINE, asked)).one()
    expected = story.model.correct(voucher, use, story.now)

    async def by_two() -> None:
        proposed: UUID = await market.propose_adjustment(settlement_id, line_no)
        try:
            await market.decide_adjustment(proposed)
        except redemption.RedemptionRefusal:
            await market.decide_adjustment(proposed, is_agreed=False)
            raise

    await story.ask("correct", expected, by_two, again=False)
