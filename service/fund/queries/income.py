"""Reads of money that came in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import organisations_by_ids
from service.fund.rules import IncomeKind, IncomeNotFound, IncomeState
from service.fund.tables import FundIncome
from service.kit.db import keyring
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class IncomeView:
    """One payment or donation, with whose it is for those at the desk."""

    income_id: UUID
    kind: IncomeKind
    source: str
    """The shop's name, or the donor's; empty when nobody knows."""
    is_named: bool
    amount_fen: int
    document: str
    received_on: date
    state: IncomeState
    recorded_by: UUID
    recorded_at: datetime
    decided_by: UUID | None
    organisation_id: UUID | None


def donor_place(community_id: int, income_id: UUID) -> str:
    """Where a donor's name is sealed."""
    return f"fund_income:{community_id}:{income_id.hex}:donor"


async def lock_income(session: AsyncSession, community_id: int, income_id: UUID) -> FundIncome:
    """A row, locked and as it stands now; raises IncomeNotFound."""
    found = await session.exec(
        select(FundIncome)
        .where(col(FundIncome.community_id) == community_id, col(FundIncome.income_id) == income_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise IncomeNotFound
    return row


async def waiting_income(session: AsyncSession, community_id: int) -> Sequence[IncomeView]:
    """What waits for a second person, the oldest first."""
    found = await session.exec(
        select(FundIncome)
        .where(col(FundIncome.community_id) == community_id, col(FundIncome.state) == IncomeState.PROPOSED)
        .order_by(col(FundIncome.recorded_at))
        .limit(200)
    )
    return await views(session, community_id, list(found))


async def income(session: AsyncSession, community_id: int, *, after: str | None) -> Page[IncomeView]:
    """Everything that came in, the newest day first."""
    mark = decode_cursor(after, str, str)
    query = select(FundIncome).where(col(FundIncome.community_id) == community_id)
    if mark is not None:
        query = query.where(
            sa.tuple_(col(FundIncome.received_on), col(FundIncome.income_id))
            < sa.tuple_(sa.literal(date.fromisoformat(str(mark[0]))), sa.literal(UUID(str(mark[1]))))
        )
    found = await session.exec(
        query.order_by(col(FundIncome.received_on).desc(), col(FundIncome.income_id).desc()).limit(PAGE_SIZE + 1)
    )
    rows = await views(session, community_id, list(found))
    return page_of(rows, lambda row: encode_cursor(row.received_on.isoformat(), str(row.income_id)))


async def views(session: AsyncSession, community_id: int, rows: Sequence[FundIncome]) -> Sequence[IncomeView]:
    """The same with names."""
    keys = keyring(session)
    shops = await organisations_by_ids(
        session, community_id, {row.organisation_id for row in rows if row.organisation_id is not None}
    )
    return [
        IncomeView(
            row.income_id,
            IncomeKind(row.kind),
            shops[row.organisation_id].name
            if row.organisation_id is not None
            else keys.open(row.donor_sealed, donor_place(community_id, row.income_id))
            if row.donor_sealed is not None
            else "",
            row.is_named,
            row.amount_fen,
            row.document,
            row.received_on,
            IncomeState(row.state),
            row.recorded_by,
            row.recorded_at,
            row.decided_by,
            row.organisation_id,
        )
        for row in rows
    ]
