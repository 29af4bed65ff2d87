"""Reads of sales."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.fund.rules import Line, Way
from service.fund.tables import FundCorrection, FundDelivery, FundSale
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of


@dataclass(frozen=True, slots=True)
class Kept:
    """A line that is there, and what it gave."""

    line: Line
    gift_fen: int


@dataclass(frozen=True, slots=True)
class SaleView:
    """One line with how it came and whether it was taken back."""

    number: str
    sold_on: date
    sales: int
    amount_fen: int
    gift_fen: int
    way: Way
    entered_by: UUID
    received_at: datetime
    corrected_at: datetime | None
    corrected_by: UUID | None
    corrected_reason: str | None


@dataclass(frozen=True, slots=True)
class Month:
    """What a shop sold and gave by the day of the sale, without what was taken back."""

    month: date
    sales: int
    amount_fen: int
    gift_fen: int


async def kept_lines(
    session: AsyncSession, community_id: int, organisation_id: UUID, numbers: Collection[str]
) -> Mapping[str, Kept]:
    """The lines of these numbers that are there, corrected or not."""
    if not numbers:
        return {}
    rows = await session.execute(
        sa.select(
            col(FundSale.number),
            col(FundSale.sold_on),
            col(FundSale.sales),
            col(FundSale.amount_fen),
            col(FundSale.gift_fen),
        ).where(
            col(FundSale.community_id) == community_id,
            col(FundSale.organisation_id) == organisation_id,
            col(FundSale.number).in_(list(numbers)),
        )
    )
    return {number: Kept(Line(number, day, sales, amount), gift) for number, day, sales, amount, gift in rows}


async def taken_back_on(session: AsyncSession, community_id: int, organisation_id: UUID, day: date) -> int:
    """How many typed lines of a day were taken back."""
    begin = f"day:{day.isoformat()}"
    found = await session.execute(
        sa.select(sa.func.count()).where(
            col(FundCorrection.community_id) == community_id,
            col(FundCorrection.organisation_id) == organisation_id,
            sa.or_(
                col(FundCorrection.number) == begin, col(FundCorrection.number).startswith(f"{begin}:", autoescape=True)
            ),
        )
    )
    return int(found.scalar_one())


async def received_at(session: AsyncSession, community_id: int, organisation_id: UUID, number: str) -> datetime | None:
    """When a line came, or None when there is no such line."""
    found = await session.execute(
        sa.select(col(FundSale.received_at)).where(
            col(FundSale.community_id) == community_id,
            col(FundSale.organisation_id) == organisation_id,
            col(FundSale.number) == number,
        )
    )
    at: datetime | None = found.scalar_one_or_none()
    return at


async def correction_reason(session: AsyncSession, community_id: int, organisation_id: UUID, number: str) -> str:
    """Why a line was taken back."""
    found = await session.execute(
        sa.select(col(FundCorrection.reason)).where(
            col(FundCorrection.community_id) == community_id,
            col(FundCorrection.organisation_id) == organisation_id,
            col(FundCorrection.number) == number,
        )
    )
    return str(found.scalar_one())


async def sales(
    session: AsyncSession, community_id: int, organisation_id: UUID, *, after: str | None, size: int = PAGE_SIZE
) -> Page[SaleView]:
    """The lines of a shop, the newest day first."""
    mark = decode_cursor(after, str, str)
    query = (
        sa.select(
            FundSale,
            col(FundDelivery.way),
            col(FundDelivery.entered_by),
            col(FundCorrection.corrected_at),
            col(FundCorrection.corrected_by),
            col(FundCorrection.reason),
        )
        .join(
            FundDelivery,
            sa.and_(
                col(FundDelivery.community_id) == col(FundSale.community_id),
                col(FundDelivery.organisation_id) == col(FundSale.organisation_id),
                col(FundDelivery.delivery_id) == col(FundSale.delivery_id),
            ),
        )
        .outerjoin(
            FundCorrection,
            sa.and_(
                col(FundCorrection.community_id) == col(FundSale.community_id),
                col(FundCorrection.organisation_id) == col(FundSale.organisation_id),
                col(FundCorrection.number) == col(FundSale.number),
            ),
        )
        .where(col(FundSale.community_id) == community_id, col(FundSale.organisation_id) == organisation_id)
        .order_by(col(FundSale.sold_on).desc(), col(FundSale.number).desc())
        .limit(size + 1)
    )
    if mark is not None:
        query = query.where(
            sa.tuple_(col(FundSale.sold_on), col(FundSale.number))
            < sa.tuple_(sa.literal(date.fromisoformat(str(mark[0]))), sa.literal(str(mark[1])))
        )
    rows = [_view(*row) for row in await session.execute(query)]
    return page_of(rows, lambda row: encode_cursor(row.sold_on.isoformat(), row.number), size)


def _view(
    sale: FundSale, way: str, entered_by: UUID, at: datetime | None, by: UUID | None, reason: str | None
) -> SaleView:
    return SaleView(
        sale.number,
        sale.sold_on,
        sale.sales,
        sale.amount_fen,
        sale.gift_fen,
        Way(way),
        entered_by,
        sale.received_at,
        at,
        by,
        reason,
    )


async def months(session: AsyncSession, community_id: int, organisation_id: UUID) -> Sequence[Month]:
    """What a shop gave month by month, the last two years, newest first."""
    month = sa.cast(sa.func.date_trunc("month", col(FundSale.sold_on)), sa.Date)
    rows = await session.execute(
        sa.select(
            month,
            sa.cast(sa.func.sum(col(FundSale.sales)), sa.BigInteger),
            sa.cast(sa.func.sum(col(FundSale.amount_fen)), sa.BigInteger),
            sa.cast(sa.func.sum(col(FundSale.gift_fen)), sa.BigInteger),
        )
        .outerjoin(
            FundCorrection,
            sa.and_(
                col(FundCorrection.community_id) == col(FundSale.community_id),
                col(FundCorrection.organisation_id) == col(FundSale.organisation_id),
                col(FundCorrection.number) == col(FundSale.number),
            ),
        )
        .where(
            col(FundSale.community_id) == community_id,
            col(FundSale.organisation_id) == organisation_id,
            col(FundCorrection.number).is_(None),
        )
        .group_by(month)
        .order_by(month.desc())
        .limit(24)
    )
    return [Month(day, int(count), int(amount), int(gift)) for day, count, amount, gift in rows]
