"""What staff and finance see: every offer, what sponsors have left, statements and their three sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
import redemption
from redemption import DisputeState, OfferState, SettlementState
from service import chart
from service.communities import OrganisationKind, OrganisationView, organisations
from service.vouchers.rules import OfferNotFound

LINES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Budget:
    """What one sponsor has left, and what of it published offers have promised but not yet put aside."""

    sponsor_id: UUID
    name: str
    points_hundredths: int
    fen: int
    promised_points: int
    promised_fen: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many statements are in each state that waits for somebody, and how many lines are in dispute or to be corrected."""

    closed: int
    confirmed: int
    approved: int
    part_paid: int
    disputed: int
    corrections: int


async def offer_of(session: AsyncSession, community_id: int, offer_id: UUID) -> redemption.Offer:
    """Any offer of the community, drafts too."""
    try:
        return await redemption.offer(session, community_id, offer_id)
    except redemption.OfferUnknown as unknown:
        raise OfferNotFound from unknown


async def offers_in(
    session: AsyncSession, community_id: int, state: OfferState, before: UUID | None
) -> redemption.OfferPage:
    """Offers of one state, newest first."""
    return await redemption.offers(session, community_id, state=state, before=before)


async def shops_and_sponsors(
    session: AsyncSession, community_id: int
) -> tuple[Sequence[OrganisationView], Sequence[OrganisationView]]:
    """Who can take vouchers, and who can pay for them. Any organisation may be a sponsor."""
    every = await organisations(session, community_id)
    shops = [each for each in every if each.kind in (OrganisationKind.MERCHANT, OrganisationKind.REPAIR_TEAM)]
    return shops, every


async def budgets(session: AsyncSession, community_id: int, now: datetime) -> Sequence[Budget]:
    """Every organisation's budget in three queries; those that never pledged stand there with nothing."""
    every = await organisations(session, community_id)
    accounts = [(chart.budget(each.organisation_id), unit) for each in every for unit in (chart.POINT, chart.FEN)]
    balances = await ledger.balances(session, community_id, accounts)
    rows = await session.execute(
        sa.text(
            "SELECT o.sponsor_id, sum((o.stock_total - o.stock_taken)::bigint * o.subsidy_points)::bigint,"
            "       sum((o.stock_total - o.stock_taken) * o.payable_fen)::bigint"
            "  FROM redemption.offer o"
            " WHERE o.community_id = :community_id AND o.state = 'published' AND o.valid_until > :now"
            " GROUP BY o.sponsor_id"
        ),
        {"community_id": community_id, "now": now},
    )
    promised = {sponsor: (points, fen) for sponsor, points, fen in rows}
    return [
        Budget(
            each.organisation_id,
            each.name,
            balances.get((chart.budget(each.organisation_id), chart.POINT), 0),
            balances.get((chart.budget(each.organisation_id), chart.FEN), 0),
            *promised.get(each.organisation_id, (0, 0)),
        )
        for each in every
    ]


async def all_lines(
    session: AsyncSession, community_id: int, settlement_id: UUID
) -> Sequence[redemption.SettlementLine]:
    """Every line of a statement, for paper and CSV."""
    lines: list[redemption.SettlementLine] = []
    after: int | None = 0
    while after is not None:
        page = await redemption.settlement_lines(session, community_id, settlement_id, after=after, limit=LINES_AT_ONCE)
        lines += page.lines
        after = page.next
    return lines


async def three_sums(session: AsyncSession, community_id: int, settlement_id: UUID) -> Mapping[str, Mapping[str, int]]:
    """The three sums as they agreed when the statement was closed: uses, frozen prices, ledger."""
    found = await session.execute(
        sa.text(
            "SELECT answer -> 'sums' FROM redemption.command"
            " WHERE community_id = :community_id AND key = :key AND verb = 'close'"
        ),
        {"community_id": community_id, "key": settlement_id},
    )
    sums = found.scalar_one_or_none()
    return cast("Mapping[str, Mapping[str, int]]", sums or {})


async def waiting(session: AsyncSession, community_id: int) -> Waiting:
    """Counts of statements that wait for the shop, the second person and the bank, and of lines that wait for a decision."""
    rows = await session.execute(
        sa.text(
            "SELECT s.state, count(*) FROM redemption.settlement s"
            " WHERE s.community_id = :community_id AND s.state <> 'PAID' GROUP BY 1"
            " UNION ALL SELECT d.state, count(*) FROM redemption.dispute d"
            " WHERE d.community_id = :community_id AND d.state = 'DISPUTED' GROUP BY 1"
            " UNION ALL SELECT 'correction', count(*) FROM redemption.adjustment a"
            " WHERE a.community_id = :community_id AND a.state = 'proposed'"
        ),
        {"community_id": community_id},
    )
    counts: dict[str, int] = {state: int(count) for state, count in rows}
    steps = (SettlementState.CLOSED, SettlementState.CONFIRMED, SettlementState.APPROVED, SettlementState.PART_PAID)
    return Waiting(*(counts.get(state, 0) for state in (*steps, DisputeState.DISPUTED, "correction")))


async def unsettled(session: AsyncSession, community_id: int, until: datetime) -> tuple[int, int]:
    """How many statements of uses before a moment are not paid, and how many of their lines wait for a decision."""
    found = await session.execute(
        sa.text(
            "SELECT count(*) FILTER (WHERE s.state <> 'PAID'),"
            "       coalesce(sum((SELECT count(*) FROM redemption.dispute d"
            "                      WHERE d.community_id = s.community_id AND d.settlement_id = s.settlement_id"
            "                        AND d.state = 'DISPUTED')), 0)::bigint"
            "  FROM redemption.settlement s WHERE s.community_id = :community_id AND s.received_from < :until"
        ),
        {"community_id": community_id, "until": until},
    )
    unpaid, disputed = found.one()
    return unpaid, disputed
