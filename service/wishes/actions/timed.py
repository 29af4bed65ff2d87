"""What time alone does. Each call is one batch of one community; the worker calls again while it did any."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.facts import WishConfirmationDue, WishExpired
from service.kit import outbox
from service.wishes.actions.helping import put_back
from service.wishes.actions.rewards import post_rewards, settle_reward
from service.wishes.actions.steps import take_step
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish

BATCH = 100


async def _due(session: AsyncSession, condition: sa.ColumnElement[bool]) -> Sequence[Wish]:
    """Some due wishes of one community, locked. What somebody is working on right now is left for the next call."""
    community_id = (await session.exec(select(col(Wish.community_id)).where(condition).limit(1))).first()
    if community_id is None:
        return []
    rows = await session.exec(
        select(Wish)
        .where(col(Wish.community_id) == community_id, condition)
        .order_by(col(Wish.wish_id))
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return rows.all()


async def release_overdue_claims(session: AsyncSession, now: datetime) -> int:
    """A volunteer who let the deadline pass makes room for the next. No blame: the history says "time", no more."""
    rows = await _due(session, sa.and_(col(Wish.state) == WishState.CLAIMED, col(Wish.claim_due_at) <= now))
    for wish in rows:
        await put_back(session, wish, actor=None, now=now)
    return len(rows)


async def expire_old_wishes(session: AsyncSession, now: datetime) -> int:
    """Close what nobody took on, and what its asker never changed after it came back."""
    waiting = col(Wish.state).in_([str(WishState.APPROVED), str(WishState.RETURNED)])
    rows = await _due(session, sa.and_(waiting, col(Wish.expires_at) <= now))
    freed: list[ledger.Journal | None] = []
    for wish in rows:
        take_step(session, wish, Verb.EXPIRE, after=WishState.EXPIRED, actor=None, now=now)
        freed.append(settle_reward(wish, None))
        outbox.record(
            session, WishExpired(community_id=wish.community_id, wish_id=wish.wish_id, asked_by=wish.asked_by), now=now
        )
    if rows:
        await post_rewards(session, rows[0].community_id, freed, now)
    return len(rows)


async def remind_of_confirmation(session: AsyncSession, now: datetime) -> int:
    """Tell the asker once that a served wish waits for them; staff find it in their inbox from the same moment."""
    rows = await _due(
        session,
        sa.and_(col(Wish.state) == WishState.SERVED, col(Wish.confirm_due_at) <= now, col(Wish.reminded_at).is_(None)),
    )
    for wish in rows:
        assert wish.volunteer_id is not None, "ck_wish_taken"
        wish.reminded_at = now
        outbox.record(
            session,
            WishConfirmationDue(
                community_id=wish.community_id,
                wish_id=wish.wish_id,
                asked_by=wish.asked_by,
                volunteer_id=wish.volunteer_id,
            ),
            now=now,
        )
    return len(rows)
