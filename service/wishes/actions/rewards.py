"""A promised reward lies aside from the approval on: what is promised is there when the wish is confirmed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.kit.access import Actor
from service.kit.ids import new_id
from service.wishes.rules import KEEPS_REWARD, RewardBeyondBudget
from service.wishes.tables import Wish


def settle_reward(
    wish: Wish, actor: Actor | None, *, before: tuple[int, UUID | None] | None = None
) -> ledger.Journal | None:
    """Bring what is set aside in line with the terms and state that a locked wish has now; None when it is already.

    `before` are the terms that the hold was made for, where they can have stayed. The old hold is let go and a new one
    made in one journal, so that a raise needs only the difference. The journal is the caller's to post, last.
    """
    if wish.reward_hold is not None and before == (wish.reward_points, wish.reward_budget):
        return None
    steps: list[ledger.Step] = []
    if wish.reward_hold is not None:
        steps.append(ledger.Release(wish.reward_hold))
    wish.reward_hold = None
    if wish.reward_points and wish.reward_budget is not None and wish.state in KEEPS_REWARD:
        wish.reward_hold = new_id()
        account = chart.budget(wish.reward_budget)
        steps.append(ledger.Hold(wish.reward_hold, account, chart.POINT, wish.reward_points * 100))
    if not steps:
        return None
    by = actor.member_id if actor is not None else None
    return ledger.Journal(f"wish:{wish.wish_id}:reward:{wish.revision}", Reason.WISH_REWARD, tuple(steps), by)


async def post_rewards(
    session: AsyncSession, community_id: int, journals: Sequence[ledger.Journal | None], now: datetime
) -> None:
    """Flush what was written and post, as the last thing of an action. A budget that is short is refused in words."""
    due = [journal for journal in journals if journal is not None]
    await session.flush()
    for verdict in await ledger.post_many(session, community_id, due, now=now) if due else []:
        if isinstance(verdict, ledger.InsufficientBalance):
            raise RewardBeyondBudget(max(0, verdict.available) // 100)
        if isinstance(verdict, ledger.LedgerRefusal):
            raise verdict
