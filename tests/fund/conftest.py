"""What the tests of the fund share: shops with a rate, and a batch."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

import ledger
from service import chart
from service.communities import OrganisationKind, open_organisation
from service.fund.actions.rates import agree_to_rate, propose_rate
from service.fund.rules import Basis
from service.kit.clock import local_day
from tests.cast import HERE, START, Town, TownClock
from tests.wallet.conftest import statements

__all__ = ["statements"]

Rated = Callable[..., Awaitable[UUID]]


@pytest.fixture
def rated(app: Litestar, town: Town, clock: TownClock) -> Rated:
    """Agrees to a rate for a shop, some days ago; answers the shop."""

    async def make(shop: UUID, value: int = 10, basis: Basis = Basis.PER_SALE, *, days_ago: int = 60) -> UUID:
        then = clock.now - timedelta(days=days_ago)
        async with app.state.sessions.begin() as session:
            rate = await propose_rate(
                session,
                actor=town.actors["wu"],
                organisation_id=shop,
                basis=basis,
                value=value,
                effective_from=local_day(then) + timedelta(days=1),
                now=then,
            )
        async with app.state.sessions.begin() as session:
            await agree_to_rate(session, actor=town.actors["qian"], organisation_id=shop, rate_id=rate, now=then)
        return shop

    return make


@pytest.fixture
async def bakery(rated: Rated, town: Town) -> UUID:
    """The bakery gives ten fen of each sale."""
    return await rated(town.organisations["bakery"])


@pytest.fixture
def more_shops(app: Litestar, rated: Rated) -> Callable[[int], Awaitable[Sequence[UUID]]]:
    """Opens so many shops that give one fen of each sale."""

    async def make(count: int) -> Sequence[UUID]:
        async with app.state.sessions.begin() as session:
            made = [
                await open_organisation(
                    session,
                    community_id=HERE,
                    kind=OrganisationKind.MERCHANT,
                    name=f"爱心商户 {number}",
                    address="",
                    phone="",
                    actor=None,
                    now=START,
                )
                for number in range(count)
            ]
        for shop in made:
            await rated(shop, 1)
        return made

    return make


def line(number: object, amount_fen: int = 1250, *, day: date | None = None, **more: Any) -> dict[str, Any]:
    """A line as a till sends it."""
    return {"number": str(number), "sold_on": (day or local_day(START)).isoformat(), "amount_fen": amount_fen, **more}


def sent(shop: UUID) -> str:
    """Where a shop's lines are sent."""
    return f"/api/fund/shops/{shop}/sales"


async def owed(app: Litestar, *shops: UUID) -> list[int]:
    """What the ledger says that shops owe; and the other side always says the same."""
    async with app.state.sessions() as session:
        codes = [(chart.giver(shop), chart.FEN) for shop in shops]
        found = await ledger.balances(session, HERE, [*codes, (chart.PROMISED, chart.FEN)])
    return [-found[code] for code in codes]


async def rows(app: Litestar, query: str, *values: object) -> list[Any]:
    """What a query finds."""
    async with app.state.sessions() as session:
        connection = await session.connection()
        found = await connection.exec_driver_sql(query, values)
        return list(found)
