"""What can be had for points: drafted, published within the sponsor's budget, withdrawn; and what sponsors pledge."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from service import chart
from service.chart import Reason
from service.communities import organisation
from service.kit import audit
from service.kit.access import Actor
from service.vouchers.rules import NothingToPledge, Pledge, key_for


async def draft_offer(session: AsyncSession, *, actor: Actor, terms: redemption.OfferTerms, now: datetime) -> None:
    """Write a draft down, or write it again. Sponsor and shops must be this community's."""
    for organisation_id in {terms.sponsor_id, *terms.merchant_ids}:
        await organisation(session, actor.community_id, organisation_id)
    audit.record(session, actor, "vouchers.offer_drafted", kind="offer", id=terms.offer_id, now=now)
    await redemption.draft_offer(session, actor.community_id, terms, actor_id=actor.member_id, now=now)


async def publish_offer(session: AsyncSession, *, actor: Actor, offer_id: UUID, key: str, now: datetime) -> None:
    """Open a draft to residents, if the sponsor's budget can pay for all of its stock beside all other promises."""
    audit.record(session, actor, "vouchers.offer_published", kind="offer", id=offer_id, now=now)
    await redemption.publish_offer(
        session,
        actor.community_id,
        offer_id,
        key=key_for(actor.member_id, f"publish:{offer_id}:{key}"),
        actor_id=actor.member_id,
        now=now,
    )


async def withdraw_offer(
    session: AsyncSession, *, actor: Actor, offer_id: UUID, reason: str, key: str, now: datetime
) -> None:
    """Issue no more vouchers on it; those already out stay good."""
    audit.record(session, actor, "vouchers.offer_withdrawn", kind="offer", id=offer_id, now=now)
    await redemption.withdraw_offer(
        session,
        actor.community_id,
        offer_id,
        key=key_for(actor.member_id, f"withdraw:{offer_id}:{key}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def pledge(
    session: AsyncSession, *, actor: Actor, sponsor_id: UUID, unit: Pledge, amount: int, key: str, now: datetime
) -> None:
    """Record what a sponsor promised: fen that the bank holds for it, or points it may give away. In smallest units."""
    if amount <= 0:
        raise NothingToPledge({"amount": "positive"})
    await organisation(session, actor.community_id, sponsor_id)
    source = chart.BANK if unit is Pledge.FEN else chart.ISSUED
    leg = ledger.Leg(source, chart.budget(sponsor_id), unit.value, amount)
    audit.record(
        session,
        actor,
        "vouchers.budget_pledged",
        kind="organisation",
        id=sponsor_id,
        now=now,
        detail={"unit": unit.value, "amount": amount},
    )
    await session.flush()
    await ledger.post(
        session,
        actor.community_id,
        ledger.Journal(
            reference=f"pledge:{key_for(actor.member_id, f'pledge:{sponsor_id}:{key}')}",
            reason=Reason.BUDGET_PLEDGED,
            legs=(leg,),
            actor_id=actor.member_id,
        ),
        now=now,
    )
