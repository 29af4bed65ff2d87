"""The public account: what came into the fund in a month or a year, from whom, and what the ledger says of the same time.

Money counts in the month in which it was entered in the books: the ledger's past is told by the time of posting, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from service import chart
from service.communities import organisations_by_ids
from service.fund.queries.income import views
from service.fund.rules import IncomeKind, IncomeState
from service.fund.tables import FundIncome
from service.kit.clock import day_begins

DONATIONS_SHOWN = 500


@dataclass(frozen=True, slots=True)
class FromShop:
    """What one shop paid in."""

    name: str
    payments: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Donation:
    """One donation; without a name when the donor asked for none."""

    received_on: date
    name: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Account:
    """The fund from one day until another, half open. All sums are fen."""

    since: date
    until: date
    before_fen: int
    """What the ledger says of the fund just before the first day."""
    shops: Sequence[FromShop]
    shops_fen: int
    donations: Sequence[Donation]
    donations_count: int
    donations_fen: int
    lost: redemption.ConflictCosts
    """What conflicts of scans without a network took in this time: from the fund, and from nobody but the account of losses."""
    after_fen: int
    """What the ledger says of the fund at the end."""
    promised_fen: int
    """Promised by merchants and not paid, now."""

    @property
    def in_fen(self) -> int:
        """Everything that came in."""
        return self.shops_fen + self.donations_fen

    @property
    def is_whole(self) -> bool:
        """True when the ledger says the same to the fen."""
        return self.before_fen + self.in_fen - self.lost.fund_fen == self.after_fen


async def account(session: AsyncSession, community_id: int, since: date, until: date) -> Account:
    """The public account from a day until another one, and the ledger's own figures beside it."""
    shops = await _by_shop(session, community_id, since, until)
    names = await organisations_by_ids(session, community_id, {shop for shop, _, _ in shops})
    count, total = await _donated(session, community_id, since, until)
    promised = await ledger.balances(session, community_id, [(chart.PROMISED, chart.FEN)])
    return Account(
        since,
        until,
        await ledger.balance_before(session, community_id, chart.FUND, chart.FEN, day_begins(since)),
        sorted(
            (FromShop(names[shop].name, payments, fen) for shop, payments, fen in shops), key=lambda each: each.name
        ),
        sum(fen for _, _, fen in shops),
        await _donations(session, community_id, since, until),
        count,
        total,
        await redemption.conflict_costs(session, community_id, since=day_begins(since), until=day_begins(until)),
        await ledger.balance_before(session, community_id, chart.FUND, chart.FEN, day_begins(until)),
        promised.get((chart.PROMISED, chart.FEN), 0),
    )


def _within(community_id: int, kind: IncomeKind, since: date, until: date) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        col(FundIncome.community_id) == community_id,
        col(FundIncome.kind) == kind,
        col(FundIncome.state) == IncomeState.POSTED,
        col(FundIncome.decided_at) >= day_begins(since),
        col(FundIncome.decided_at) < day_begins(until),
    )


def _sum() -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(col(FundIncome.amount_fen)), 0), sa.BigInteger)


async def _by_shop(
    session: AsyncSession, community_id: int, since: date, until: date
) -> Sequence[tuple[UUID, int, int]]:
    rows = await session.execute(
        sa.select(col(FundIncome.organisation_id), sa.func.count(), _sum())
        .where(*_within(community_id, IncomeKind.SHOP, since, until))
        .group_by(col(FundIncome.organisation_id))
    )
    return [(shop, int(count), int(fen)) for shop, count, fen in rows]


async def _donated(session: AsyncSession, community_id: int, since: date, until: date) -> tuple[int, int]:
    found = await session.execute(
        sa.select(sa.func.count(), _sum()).where(*_within(community_id, IncomeKind.DONATION, since, until))
    )
    count, total = found.one()
    return int(count), int(total)


async def _donations(session: AsyncSession, community_id: int, since: date, until: date) -> Sequence[Donation]:
    found = await session.exec(
        select(FundIncome)
        .where(*_within(community_id, IncomeKind.DONATION, since, until))
        .order_by(col(FundIncome.decided_at), col(FundIncome.income_id))
        .limit(DONATIONS_SHOWN)
    )
    return [
        Donation(view.received_on, view.source if view.is_named else "", view.amount_fen)
        for view in await views(session, community_id, list(found))
    ]
