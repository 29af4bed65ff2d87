"""Taking a line back."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.chart import Reason
from service.communities import settings_on
from service.fund.queries.sales import correction_reason, received_at
from service.fund.queries.shops import shop_to_send_for
from service.fund.rules import (
    KEEPERS,
    CorrectedBefore,
    SaleNotFound,
    check_correction,
    correction_reference,
    sale_reference,
)
from service.fund.tables import FundCorrection
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day


async def correct_sale(
    session: AsyncSession, *, actor: Actor, organisation_id: UUID, number: str, reason: str, now: datetime
) -> None:
    """Take a line back by its exact opposite; the right one is sent under a number of its own.

    Two may do so at once: the correction's key lets one in, and the other is told, or has asked for the very same.
    """
    today = local_day(now)
    await shop_to_send_for(session, actor, organisation_id, today)
    came = await received_at(session, actor.community_id, organisation_id, number)
    if came is None:
        raise SaleNotFound
    reason = reason.strip()
    made = await session.execute(
        insert(FundCorrection)
        .values(
            community_id=actor.community_id,
            organisation_id=organisation_id,
            number=number,
            reason=reason,
            corrected_by=actor.member_id,
            corrected_at=now,
        )
        .on_conflict_do_nothing()
        .returning(col(FundCorrection.number))
    )
    if made.scalar_one_or_none() is None:
        if await correction_reason(session, actor.community_id, organisation_id, number) != reason:
            raise CorrectedBefore
        return
    held = await settings_on(session, actor.community_id, ["fund_correction_days_max"], today)
    days = held["fund_correction_days_max"]
    check_correction(received_on=local_day(came), today=today, days=days, by_staff=actor.has(*KEEPERS))
    audit.record(session, actor, "fund.sale_corrected", kind="fund_sale", id=number, now=now)
    await session.flush()
    await ledger.reverse(
        session,
        actor.community_id,
        reference=correction_reference(organisation_id, number),
        original=sale_reference(organisation_id, number),
        reason=Reason.CORRECTION,
        actor_id=actor.member_id,
        now=now,
    )
