"""What falls due: look at the running batches, draw yesterday's calls."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.alarms.rules import CallState, drawn
from service.alarms.tables import CallDraw, UseCall
from service.communities import communities, setting, watch_on
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id

_USES = sa.text("""
SELECT u.voucher_id, u.seq, u.merchant_id, u.clerk_id, u.received_at, v.member_id, o.title
  FROM redemption.use u
  JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE u.community_id = :community_id AND u.state <> 'REVERSED' AND u.received_at >= :since AND u.received_at < :until
 ORDER BY u.voucher_id, u.seq
""")


async def watch(session: AsyncSession, now: datetime) -> int:
    """Look at every shop's running batch, once an hour: it never says that it did any, or it would be asked again at once.

    A shop whose batch is being closed is waited for.
    """
    for place in await communities(session):
        today = local_day(now)
        rules = await watch_on(session, place.community_id, today)
        for shop in sorted(await redemption.open_batches(session, place.community_id, received_until=now)):
            await redemption.watch_uses(session, place.community_id, shop, until=now, watch=rules, now=now)
    return 0


async def draw_calls(session: AsyncSession, now: datetime) -> int:
    """Draw whom to call about yesterday, once for each community and day: the key of the draw says which came first."""
    for place in await communities(session):
        community_id, day = place.community_id, local_day(now) - timedelta(days=1)
        if await session.get(CallDraw, (community_id, day)) is not None:
            continue
        per_mille = await setting(session, community_id, "watch_calls_per_mille", day)
        rows = {
            (row.voucher_id, row.seq): row
            for row in await session.execute(
                _USES,
                {
                    "community_id": community_id,
                    "since": day_begins(day),
                    "until": day_begins(day + timedelta(days=1)),
                },
            )
        }
        seed = new_id()
        picked = drawn(seed, rows, per_mille)
        session.add(
            CallDraw(community_id=community_id, used_on=day, seed=seed, uses=len(rows), drawn=len(picked), drawn_at=now)
        )
        await session.flush()
        session.add_all(
            UseCall(
                community_id=community_id,
                voucher_id=use[0],
                use_seq=use[1],
                used_on=day,
                member_id=rows[use].member_id,
                merchant_id=rows[use].merchant_id,
                clerk_id=rows[use].clerk_id,
                title=rows[use].title,
                received_at=rows[use].received_at,
                state=CallState.WAITING,
                note="",
                called_by=None,
                called_at=None,
            )
            for use in picked
        )
        return 1
    return 0
