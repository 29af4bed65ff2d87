"""What falls due: look at the running batches, draw yesterday's calls."""

from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.alarms.rules import CallState, Receipt, drawn, unread_rows
from service.alarms.tables import CallDraw, UseCall
from service.communities import communities, setting, watch_on
from service.identity import opened_since
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id
from service.notifications.queries import receipts

_USES = sa.text("""
SELECT u.voucher_id, u.seq, u.merchant_id, u.clerk_id, u.received_at, v.member_id, o.title
  FROM redemption.use u
  JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE u.community_id = :community_id AND u.state <> 'REVERSED' AND u.received_at >= :since AND u.received_at < :until
 ORDER BY u.voucher_id, u.seq
""")


_LAST = sa.text("""
SELECT x.* FROM (
    SELECT u.voucher_id, u.seq, v.member_id, u.received_at, u.state = 'ACCEPTED' AS is_open
      FROM redemption.use u
      JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
     WHERE u.community_id = :community_id AND u.merchant_id = :shop_id AND u.state IN ('ACCEPTED', 'SETTLED')
       AND u.received_at < :until
     ORDER BY u.received_at DESC, u.voucher_id DESC, u.seq DESC LIMIT :most) x
 ORDER BY x.received_at, x.voucher_id, x.seq
""")
READ_WITHIN, OPENED_WITHIN = timedelta(hours=12), timedelta(days=30)
"""A receipt is unread only after hours in which it could be read, and only of somebody who opens Linli at all."""
LOOKED_BACK = 500
"""So many of a shop's uses are looked at: more than any row may be long."""


async def watch(session: AsyncSession, now: datetime) -> int:
    """Look at every shop's running batch, once an hour: it never says that it did any, or it would be asked again at once.

    A shop whose batch is being closed is waited for.
    """
    for place in await communities(session):
        today = local_day(now)
        rules = await watch_on(session, place.community_id, today)
        most = await setting(session, place.community_id, "watch_unread_in_a_row", today)
        for shop in sorted(await redemption.open_batches(session, place.community_id, received_until=now)):
            await redemption.watch_uses(session, place.community_id, shop, until=now, watch=rules, now=now)
            await _watch_receipts(session, place.community_id, shop, most, now)
    return 0


async def _watch_receipts(session: AsyncSession, community_id: int, shop: UUID, most: int, now: datetime) -> None:
    """Flag what stands in a row of receipts that nobody read, in four statements.

    Of members without a phone nobody knows: they neither count nor end a row.
    """
    if most == 0:
        return
    asked = {"community_id": community_id, "shop_id": shop, "until": now - READ_WITHIN, "most": LOOKED_BACK}
    uses = (await session.execute(_LAST, asked)).all()
    able = await opened_since(session, community_id, {use.member_id for use in uses}, now - OPENED_WITHIN)
    known = await receipts(
        session, community_id, [(use.voucher_id, use.seq, use.member_id) for use in uses if use.member_id in able]
    )
    rows = [Receipt(key, known[key]) for use in uses if (key := (use.voucher_id, use.seq)) in known]
    still_open = {(use.voucher_id, use.seq) for use in uses if use.is_open}
    odd = {use: place for use, place in unread_rows(rows, most).items() if use in still_open}
    if odd:
        await redemption.flag_unread(session, community_id, shop, odd, allowed=most, now=now)


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
