"""Money that comes in: recorded, agreed to, posted."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.communities import settings_on
from service.fund.queries.income import donor_place, lock_income
from service.fund.queries.shops import agreed_rates, shop_for
from service.fund.rules import (
    DocumentReused,
    IncomeDecided,
    IncomeKind,
    IncomeState,
    NameNeeded,
    NeverGave,
    ReceivedAhead,
    check_income_decision,
    income_reference,
)
from service.fund.tables import FundIncome
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.db import broken_constraint, keyring
from service.kit.ids import new_id


async def record_payment(
    session: AsyncSession,
    *,
    actor: Actor,
    organisation_id: UUID,
    amount_fen: int,
    document: str,
    received_on: date,
    now: datetime,
) -> UUID:
    """Record what a merchant paid, with the bank's reference; it counts when a second person of finance has agreed."""
    await shop_for(session, actor, organisation_id, local_day(now))
    if not await agreed_rates(session, actor.community_id, organisation_id):
        raise NeverGave
    row = _row(actor, IncomeKind.SHOP, amount_fen, document, received_on, needs_second=True, now=now)
    row.organisation_id = organisation_id
    await _keep(session, actor, row, now)
    return row.income_id


async def record_donation(
    session: AsyncSession,
    *,
    actor: Actor,
    donor: str,
    is_named: bool,
    amount_fen: int,
    document: str,
    received_on: date,
    now: datetime,
) -> UUID:
    """Take a donation in under the number of its receipt; above the community's limit it waits for a second person."""
    donor = donor.strip()
    if is_named and not donor:
        raise NameNeeded
    held = await settings_on(session, actor.community_id, ["fund_donation_one_person_fen_max"], local_day(now))
    needs_second = amount_fen > held["fund_donation_one_person_fen_max"]
    row = _row(actor, IncomeKind.DONATION, amount_fen, document, received_on, needs_second=needs_second, now=now)
    row.is_named = is_named
    if donor:
        row.donor_sealed = keyring(session).seal(donor, donor_place(row.community_id, row.income_id))
    if not needs_second:
        row.state, row.decided_by, row.decided_at = IncomeState.POSTED, actor.member_id, now
    await _keep(session, actor, row, now)
    if not needs_second:
        await _post(session, actor, row, now)
    return row.income_id


def _row(
    actor: Actor,
    kind: IncomeKind,
    amount_fen: int,
    document: str,
    received_on: date,
    *,
    needs_second: bool,
    now: datetime,
) -> FundIncome:
    if received_on > local_day(now):
        raise ReceivedAhead
    return FundIncome(
        community_id=actor.community_id,
        income_id=new_id(),
        kind=kind,
        is_named=False,
        amount_fen=amount_fen,
        document=document.strip(),
        received_on=received_on,
        needs_second=needs_second,
        state=IncomeState.PROPOSED,
        recorded_by=actor.member_id,
        recorded_at=now,
    )


async def _keep(session: AsyncSession, actor: Actor, row: FundIncome, now: datetime) -> None:
    """Two may record the same document at once: a unique index lets one wait and then hear of the other."""
    session.add(row)
    _record(session, actor, "fund.income_recorded", row, now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_fund_income_document":
            raise DocumentReused from error
        raise


async def agree_to_income(session: AsyncSession, *, actor: Actor, income_id: UUID, now: datetime) -> None:
    """Agree to what somebody else recorded: it is posted. Pressed twice it happens once."""
    row = await lock_income(session, actor.community_id, income_id)
    if row.state == IncomeState.POSTED and row.decided_by == actor.member_id:
        return
    check_income_decision(state=IncomeState(row.state), recorded_by=row.recorded_by, decider=actor.member_id)
    row.state, row.decided_by, row.decided_at = IncomeState.POSTED, actor.member_id, now
    _record(session, actor, "fund.income_agreed", row, now)
    await session.flush()
    await _post(session, actor, row, now)


async def refuse_income(session: AsyncSession, *, actor: Actor, income_id: UUID, now: datetime) -> None:
    """Say no to what was recorded, or take it back oneself; its document is free again."""
    row = await lock_income(session, actor.community_id, income_id)
    if row.state == IncomeState.REFUSED and row.decided_by == actor.member_id:
        return
    if row.state != IncomeState.PROPOSED:
        raise IncomeDecided
    row.state, row.decided_by, row.decided_at = IncomeState.REFUSED, actor.member_id, now
    _record(session, actor, "fund.income_refused", row, now)


async def _post(session: AsyncSession, actor: Actor, row: FundIncome, now: datetime) -> None:
    """A merchant's money settles what it promised, and the promise becomes the fund's; a donation is the fund's at once."""
    if row.organisation_id is not None:
        reason = Reason.FUND_PAID_IN
        legs: tuple[ledger.Leg, ...] = (
            ledger.Leg(chart.BANK, chart.giver(row.organisation_id), chart.FEN, row.amount_fen),
            ledger.Leg(chart.PROMISED, chart.FUND, chart.FEN, row.amount_fen),
        )
    else:
        reason = Reason.FUND_DONATION
        legs = (ledger.Leg(chart.BANK, chart.FUND, chart.FEN, row.amount_fen),)
    journal = ledger.Journal(
        reference=income_reference(row.income_id),
        reason=reason,
        legs=legs,
        actor_id=actor.member_id,
        effective_at=day_begins(row.received_on),
    )
    await ledger.post(session, actor.community_id, journal, now=now)


def _record(session: AsyncSession, actor: Actor, action: str, row: FundIncome, now: datetime) -> None:
    detail = {"kind": row.kind, "fen": row.amount_fen}
    audit.record(session, actor, action, kind="fund_income", id=row.income_id, now=now, detail=detail)
