"""Proposing a shop's rate, agreeing to it, refusing it, taking the proposal back."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.fund.queries.shops import lock_rate, shop_for
from service.fund.rules import (
    Basis,
    RateDecided,
    RateState,
    RateTaken,
    RateWaits,
    check_begin,
    check_rate_decision,
)
from service.fund.tables import FundRate
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import broken_constraint
from service.kit.ids import new_id


async def propose_rate(
    session: AsyncSession,
    *,
    actor: Actor,
    organisation_id: UUID,
    basis: Basis,
    value: int,
    effective_from: date,
    now: datetime,
) -> UUID:
    """Ask a second person to agree to what a shop will give from a day on; 0 when it stops.

    Two may propose at once for the same shop: a unique index lets one wait, the other hears so.
    """
    today = local_day(now)
    await shop_for(session, actor, organisation_id, today)
    check_begin(effective_from, today=today)
    rate = FundRate(
        community_id=actor.community_id,
        organisation_id=organisation_id,
        rate_id=new_id(),
        effective_from=effective_from,
        basis=basis,
        value=value,
        state=RateState.PROPOSED,
        proposed_by=actor.member_id,
        proposed_at=now,
    )
    session.add(rate)
    _record(session, actor, "fund.rate_proposed", rate, now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_fund_rate_waiting":
            raise RateWaits from error
        raise
    return rate.rate_id


async def agree_to_rate(
    session: AsyncSession, *, actor: Actor, organisation_id: UUID, rate_id: UUID, now: datetime
) -> None:
    """Agree to somebody else's proposal; pressed twice it happens once. The shop's account is opened with its first rate."""
    rate = await lock_rate(session, actor.community_id, organisation_id, rate_id)
    if rate.state == RateState.AGREED and rate.decided_by == actor.member_id:
        return
    check_rate_decision(
        state=RateState(rate.state),
        proposed_by=rate.proposed_by,
        decider=actor.member_id,
        effective_from=rate.effective_from,
        today=local_day(now),
    )
    rate.state, rate.decided_by, rate.decided_at = RateState.AGREED, actor.member_id, now
    _record(session, actor, "fund.rate_agreed", rate, now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_fund_rate_agreed":
            raise RateTaken from error
        raise
    await ledger.open_accounts(session, actor.community_id, chart.accounts_of_giver(organisation_id), now=now)


async def refuse_rate(
    session: AsyncSession, *, actor: Actor, organisation_id: UUID, rate_id: UUID, now: datetime
) -> None:
    """Say no to a proposal, or take one's own back."""
    rate = await lock_rate(session, actor.community_id, organisation_id, rate_id)
    state = RateState.WITHDRAWN if rate.proposed_by == actor.member_id else RateState.REFUSED
    if rate.state == state and rate.decided_by == actor.member_id:
        return
    if rate.state != RateState.PROPOSED:
        raise RateDecided
    rate.state, rate.decided_by, rate.decided_at = state, actor.member_id, now
    _record(session, actor, "fund.rate_refused", rate, now)


def _record(session: AsyncSession, actor: Actor, action: str, rate: FundRate, now: datetime) -> None:
    detail = {"basis": rate.basis, "value": rate.value, "from": rate.effective_from.isoformat()}
    audit.record(session, actor, action, kind="fund_rate", id=rate.rate_id, now=now, detail=detail)
