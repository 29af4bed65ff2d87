"""The accounts between two communities: opened when they agree, bounded by what they agreed."""

from collections.abc import Mapping
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.clearing.rules import Unit
from service.clearing.tables import ClearingAgreement


def agreed_max(agreement: ClearingAgreement, unit: Unit) -> int:
    """The most that either side may owe the other, in minutes or hundredths of a point."""
    return agreement.minutes_max if unit is Unit.MINUTE else agreement.points_hundredths_max


async def owed(session: AsyncSession, agreement: ClearingAgreement) -> Mapping[Unit, int]:
    """What this community owes its partner, by unit. Stands still while the agreement's row is locked."""
    code = chart.clearing(agreement.partner_id)
    found = await ledger.balances(session, agreement.community_id, [(code, unit) for unit in Unit])
    return {unit: found.get((code, unit), 0) for unit in Unit}


async def open_accounts(session: AsyncSession, agreement: ClearingAgreement, *, now: datetime) -> None:
    """Open the accounts, or give those of an earlier agreement the new bounds. Takes the head where they were open."""
    code, book = chart.clearing(agreement.partner_id), agreement.community_id
    known = await ledger.balances(session, book, [(code, unit) for unit in Unit])
    fresh = [
        ledger.AccountSpec(code, unit, -agreed_max(agreement, unit), agreed_max(agreement, unit))
        for unit in Unit
        if (code, unit) not in known
    ]
    await ledger.open_accounts(session, book, fresh, now=now)
    await bound(session, agreement, {unit: known[code, unit] for unit in Unit if (code, unit) in known}, now=now)


async def bound(
    session: AsyncSession,
    agreement: ClearingAgreement,
    *positions: Mapping[Unit, int],
    now: datetime,
) -> None:
    """Let the accounts hold what was agreed, and these positions where they lie beyond it.

    What comes back and what is netted must be posted whatever the position: for that the bounds give way, and only by as
    much as it takes.
    """
    for unit in {unit for held in positions for unit in held}:
        most = agreed_max(agreement, unit)
        held = [position[unit] for position in positions if unit in position]
        await ledger.bound_account(
            session,
            agreement.community_id,
            chart.clearing(agreement.partner_id),
            unit,
            floor=min(-most, *held),
            ceiling=max(most, *held),
            now=now,
        )
