"""What time alone moves on: answers that nobody took up, work that was never done or never confirmed."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.exchange.actions.door import settling
from service.exchange.actions.steps import move
from service.exchange.queries.exchanges import lock_due_answers, sides
from service.exchange.rules import State, Verb
from service.exchange.tables import Exchange
from service.facts import ExchangeDeclined

BATCH = 100
LOOK_AGAIN = timedelta(days=1)


async def expire_answers(session: AsyncSession, now: datetime) -> int:
    """Nobody said yes or no in time: the answer is over, and nothing was set aside for it."""
    rows = await lock_due_answers(session, now, BATCH)
    for row, listing in rows:
        asker = sides(row, listing).asker_id
        fact = ExchangeDeclined(community_id=row.community_id, exchange_id=row.exchange_id, member_id=asker)
        move(session, row, Verb.EXPIRE, State.EXPIRED, actor=None, facts=(fact,), now=now)
    return len(rows)


async def settle_due(session: AsyncSession, now: datetime) -> int:
    """Done and not confirmed in time is paid; accepted and not done in time returns. One community at a time.

    Nothing is locked before the database's own functions do, in the order of the door.
    """
    is_due = (col(Exchange.due_at) <= now, col(Exchange.state).in_([State.DONE.value, State.ACCEPTED.value]))
    first = await session.execute(
        sa.select(col(Exchange.community_id)).where(*is_due).order_by(col(Exchange.due_at)).limit(1)
    )
    home = first.scalar_one_or_none()
    if home is None:
        return 0
    found = await session.execute(
        sa.select(Exchange)
        .where(col(Exchange.community_id) == home, *is_due)
        .order_by(col(Exchange.due_at), col(Exchange.exchange_id))
        .limit(BATCH)
    )
    rows = found.scalars().all()
    if not rows:
        return 0  # settled by somebody else between the two looks
    asked = [settling(row, Verb.LAPSE if row.state == State.DONE else Verb.EXPIRE, None) for row in rows]
    verdicts = await ledger.post_many_with(
        session, home, [one.journal for one in asked], [one.effect for one in asked], now=now
    )
    stuck = [
        row.exchange_id
        for row, verdict in zip(rows, verdicts, strict=True)
        if isinstance(verdict, ledger.LedgerRefusal)
    ]
    if stuck:
        # For example into an account that was closed: looked at again tomorrow, and in nobody's way today. Ours already.
        await session.execute(
            sa.update(Exchange)
            .where(col(Exchange.community_id) == home, col(Exchange.exchange_id).in_(stuck))
            .values(due_at=now + LOOK_AGAIN)
            .execution_options(synchronize_session=False)
        )
    return sum(isinstance(verdict, ledger.Posted) for verdict in verdicts)
