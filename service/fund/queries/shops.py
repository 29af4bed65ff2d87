"""Reads of shops that give: whose they are, their rates, what they owe."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.communities import OrganisationKind, OrganisationView, organisations, organisations_by_ids
from service.fund.rules import GIVERS, KEEPERS, READERS, Basis, Rate, RateNotFound, RateState, ShopNotFound, rate_on
from service.fund.tables import FundRate
from service.identity import roles_by_member
from service.kit.access import Actor


@dataclass(frozen=True, slots=True)
class RateView:
    """One rate that was ever proposed."""

    organisation_id: UUID
    rate_id: UUID
    effective_from: date
    basis: Basis
    value: int
    state: RateState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ShopView:
    """A shop as the desk lists it."""

    organisation_id: UUID
    name: str
    rate: Rate | None
    """What holds today."""
    coming: RateView | None
    """What waits for its second person, or for its first day."""
    open_fen: int
    """Promised and not paid; below zero, paid too much."""


async def shops_of(session: AsyncSession, actor: Actor, day: date) -> Sequence[OrganisationView]:
    """The open shops that this person serves at, by name."""
    roles = (await roles_by_member(session, actor.community_id, [actor.member_id], day)).get(actor.member_id, [])
    served = {place for role, place in roles if place is not None and role in GIVERS}
    found = await organisations_by_ids(session, actor.community_id, served)
    return sorted(
        (shop for shop in found.values() if shop.is_open and shop.kind is OrganisationKind.MERCHANT),
        key=lambda shop: shop.name,
    )


async def shop_for(session: AsyncSession, actor: Actor, organisation_id: UUID, day: date) -> OrganisationView:
    """A shop that this person serves at or looks after from the desk; raises ShopNotFound, also for any other."""
    found = await _shop_read_by(session, actor, organisation_id, day, at_desk=actor.has(*READERS))
    if not found.is_open:
        raise ShopNotFound
    return found


async def shop_to_send_for(session: AsyncSession, actor: Actor, organisation_id: UUID, day: date) -> OrganisationView:
    """A shop whose sales this person may enter: their own, or any from the desk."""
    found = await _shop_read_by(session, actor, organisation_id, day, at_desk=actor.has(*KEEPERS))
    if not found.is_open:
        raise ShopNotFound
    return found


async def _shop_read_by(
    session: AsyncSession, actor: Actor, organisation_id: UUID, day: date, *, at_desk: bool
) -> OrganisationView:
    if at_desk:
        found = (await organisations_by_ids(session, actor.community_id, [organisation_id])).get(organisation_id)
        if found is None or found.kind is not OrganisationKind.MERCHANT:
            raise ShopNotFound
        return found
    own = {shop.organisation_id: shop for shop in await shops_of(session, actor, day)}
    if organisation_id not in own:
        raise ShopNotFound
    return own[organisation_id]


async def agreed_rates(session: AsyncSession, community_id: int, organisation_id: UUID) -> Sequence[Rate]:
    """Every rate that was agreed for a shop, the newest day first."""
    found = await session.exec(
        select(FundRate)
        .where(
            col(FundRate.community_id) == community_id,
            col(FundRate.organisation_id) == organisation_id,
            col(FundRate.state) == RateState.AGREED,
        )
        .order_by(col(FundRate.effective_from).desc())
    )
    return [_rate(row) for row in found]


async def rates(session: AsyncSession, community_id: int, organisation_id: UUID) -> Sequence[RateView]:
    """Everything that was ever proposed for a shop, the newest first."""
    found = await session.exec(
        select(FundRate)
        .where(col(FundRate.community_id) == community_id, col(FundRate.organisation_id) == organisation_id)
        .order_by(col(FundRate.proposed_at).desc(), col(FundRate.rate_id).desc())
        .limit(50)
    )
    return [_rate_view(row) for row in found]


async def waiting_rates(session: AsyncSession, community_id: int) -> Sequence[RateView]:
    """Rates that wait for a second person, the oldest first."""
    found = await session.exec(
        select(FundRate)
        .where(col(FundRate.community_id) == community_id, col(FundRate.state) == RateState.PROPOSED)
        .order_by(col(FundRate.proposed_at))
        .limit(200)
    )
    return [_rate_view(row) for row in found]


async def lock_rate(session: AsyncSession, community_id: int, organisation_id: UUID, rate_id: UUID) -> FundRate:
    """A rate, locked and as it stands now; raises RateNotFound."""
    found = await session.exec(
        select(FundRate)
        .where(
            col(FundRate.community_id) == community_id,
            col(FundRate.organisation_id) == organisation_id,
            col(FundRate.rate_id) == rate_id,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise RateNotFound
    return row


async def shops(session: AsyncSession, community_id: int, today: date) -> Sequence[ShopView]:
    """Every open shop of the community with its rate and what it owes; those that give first. Four queries for any number."""
    every = await organisations(session, community_id, OrganisationKind.MERCHANT)
    live = await session.exec(
        select(FundRate).where(
            col(FundRate.community_id) == community_id,
            col(FundRate.state).in_([RateState.AGREED, RateState.PROPOSED]),
        )
    )
    by_shop: dict[UUID, list[FundRate]] = defaultdict(list)
    for row in live:
        by_shop[row.organisation_id].append(row)
    owed = await open_fen(session, community_id, [shop.organisation_id for shop in every])
    views = [
        ShopView(
            shop.organisation_id,
            shop.name,
            rate_on([_rate(row) for row in by_shop[shop.organisation_id] if row.state == RateState.AGREED], today),
            _coming(by_shop[shop.organisation_id], today),
            owed.get(shop.organisation_id, 0),
        )
        for shop in every
    ]
    return sorted(views, key=lambda view: (view.rate is None and view.coming is None, view.name))


def _coming(rows: Sequence[FundRate], today: date) -> RateView | None:
    ahead = [row for row in rows if row.state == RateState.PROPOSED or row.effective_from > today]
    ahead.sort(key=lambda row: (row.state != RateState.PROPOSED, row.effective_from))
    return _rate_view(ahead[0]) if ahead else None


async def open_fen(session: AsyncSession, community_id: int, shops: Sequence[UUID]) -> Mapping[UUID, int]:
    """What each shop has promised and not paid, as the ledger says it."""
    codes = {chart.giver(shop): shop for shop in shops}
    found = await ledger.balances(session, community_id, [(code, chart.FEN) for code in codes])
    return {codes[code]: -balance for (code, _unit), balance in found.items()}


async def giving_shops(session: AsyncSession, community_id: int) -> Sequence[UUID]:
    """Every shop that ever had an agreed rate."""
    found = await session.execute(
        sa.select(col(FundRate.organisation_id).distinct()).where(
            col(FundRate.community_id) == community_id, col(FundRate.state) == RateState.AGREED
        )
    )
    return list(found.scalars())


def _rate(row: FundRate) -> Rate:
    return Rate(row.rate_id, Basis(row.basis), row.value, row.effective_from)


def _rate_view(row: FundRate) -> RateView:
    return RateView(
        row.organisation_id,
        row.rate_id,
        row.effective_from,
        Basis(row.basis),
        row.value,
        RateState(row.state),
        row.proposed_by,
        row.proposed_at,
        row.decided_by,
        row.decided_at,
    )
