"""A street that exchanges: listings and answers by the API, minutes to pay with, and a look at the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from tests.cast import HERE, KEYRING, Client, client_of
from tests.wallet.conftest import statements

__all__ = ["statements"]

SOUP = {"kind": "offer", "category": "chores", "title": "缝裤边", "text": "自己有缝纫机", "minutes": 30}
WALK = {"kind": "request", "category": "pets", "title": "周六遛狗", "text": "", "minutes": 60}


@dataclass
class Street:
    """The exchange as its people see it."""

    app: Any
    town: Any
    clock: Any

    def member(self, name: str) -> UUID:
        """Whose account."""
        member_id: UUID = self.town.actors[name].member_id
        return member_id

    def client(self, name: str) -> Client:
        """Another browser of one of the cast."""
        return client_of(self.app, self.town.cookies[name], self.town.actors[name])

    async def give(self, name: str, minutes: int) -> None:
        """Opening balances."""
        leg = ledger.Leg(chart.ISSUED, chart.member(self.member(name)), chart.MINUTE, minutes)
        journal = ledger.Journal(f"opening:{uuid4()}", Reason.OPENING_BALANCE, (leg,), actor_id=None)
        async with self.app.state.sessions.begin() as session:
            await ledger.post(session, HERE, journal, now=self.clock())

    async def has(self, name: str) -> int:
        """Minutes on somebody's account."""
        async with self.app.state.sessions() as session:
            return await ledger.balance(session, HERE, chart.member(self.member(name)), chart.MINUTE)

    async def aside(self) -> int:
        """Minutes that lie in escrow."""
        async with self.app.state.sessions() as session:
            return await ledger.balance(session, HERE, chart.ESCROW, chart.MINUTE)

    async def one_household(self, *names: str) -> None:
        """Some of the cast live behind one door."""
        async with self.app.state.sessions.begin() as session:
            await one_household(session, [self.member(name) for name in names])

    async def let(self, name: str, value: int) -> None:
        """A setting from today on."""
        async with self.app.state.sessions.begin() as session:
            await session.execute(
                sa.text(
                    "INSERT INTO setting (community_id, name, effective_from, revision, value, set_at)"
                    " VALUES (:c, :n, DATE '2026-01-01', 1, :v, now())"
                ),
                {"c": HERE, "n": name, "v": value},
            )

    async def asked(self, owner: Client, asker: Client, listing: dict[str, Any] = WALK) -> str:
        """A listing and an answer to it: the exchange's id."""
        put_up = await owner.post("/api/exchange/listings", json=listing)
        assert put_up.status_code == 201, put_up.text
        return await self.answered(put_up.json()["listing_id"], asker)

    async def answered(self, listing_id: str, asker: Client) -> str:
        """Somebody's answer to a listing: the exchange's id."""
        answered = await asker.post(f"/api/exchange/listings/{listing_id}/answers", json={"note": "我来"})
        assert answered.status_code == 201, answered.text
        exchange_id: str = answered.json()["exchange_id"]
        return exchange_id

    async def accepted(self, owner: Client, asker: Client, listing: dict[str, Any] = WALK) -> str:
        """The same, and the owner has said yes."""
        exchange_id = await self.asked(owner, asker, listing)
        await done(owner.post(f"/api/exchange/{exchange_id}/accept"))
        return exchange_id

    async def state(self, exchange_id: str) -> str:
        """How far it has come, by the row."""
        async with self.app.state.sessions() as session:
            found = await session.execute(
                sa.text("SELECT state FROM exchange WHERE exchange_id = :id"), {"id": exchange_id}
            )
            return str(found.scalar_one())

    async def is_whole(self) -> bool:
        """The books prove themselves, and what lies aside is what the exchanges say."""
        async with self.app.state.sessions() as session:
            held = await session.execute(
                sa.text(
                    "SELECT coalesce(sum(minutes), 0) FROM exchange WHERE state IN ('accepted', 'done', 'disputed')"
                )
            )
            return await ledger.verify(session, HERE) == [] and held.scalar_one() == await self.aside()


async def one_household(session: AsyncSession, members: Sequence[UUID]) -> None:
    """These people live behind one door."""
    grid, building, home = uuid4(), uuid4(), uuid4()
    await session.execute(sa.text("INSERT INTO grid VALUES (:c, :g, '网格')"), {"c": HERE, "g": grid})
    await session.execute(
        sa.text("INSERT INTO building (community_id, building_id, grid_id, name) VALUES (:c, :b, :g, '9号楼')"),
        {"c": HERE, "b": building, "g": grid},
    )
    door = KEYRING.seal("1-101", f"household:{HERE}:{home.hex}:door")
    await session.execute(
        sa.text(
            "INSERT INTO household (community_id, household_id, building_id, door_sealed, door_index)"
            " VALUES (:c, :h, :b, :d, :d)"
        ),
        {"c": HERE, "h": home, "b": building, "d": door},
    )
    await session.execute(
        sa.text("UPDATE member SET household_id = :h WHERE community_id = :c AND member_id = ANY(:m)"),
        {"c": HERE, "h": home, "m": list(members)},
    )


async def done(asked: Any) -> httpx.Response:
    """An answer that must be a yes."""
    answer: httpx.Response = await asked
    assert answer.status_code in (200, 201), answer.text
    return answer


def code(answer: httpx.Response) -> str:
    """Why not."""
    found: str = answer.json().get("code", "") if answer.status_code >= 400 else "ok"
    return found


@pytest.fixture
def street(app: Any, town: Any, clock: Any) -> Street:
    """Nobody has anything yet."""
    return Street(app, town, clock)
