"""Everything at once: two workers, two taps, a recall that meets its arrival; and a thousand odd orders of it all."""

import asyncio
import random
from uuid import UUID

import pytest
import sqlalchemy as sa

from service.clearing.actions import netting, sending
from service.clearing.rules import OverMonth, OverPosition, ReceiverNotFound, TransferDecided, TransferState, Unit
from service.kit.outbox import Fact
from service.worker import Worker
from tests.cast import ELSEWHERE, HERE
from tests.clearing.conftest import STEPS, Pair, close_person

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_four_who_tell_the_same_at_once_do_it_once(pair: Pair) -> None:
    taken = await pair.send("chen", "stranger", 120)
    back = await pair.send("sun", "stranger_shop", 60)
    await close_person(pair, "stranger_shop")

    while waiting := await pair.recorded():
        once = {(type(fact), fact.transfer_id): fact for fact in waiting}  # type: ignore[attr-defined] # all are of transfers
        await asyncio.gather(*(pair.tell(fact) for fact in once.values() for _ in range(4)))

    assert await pair.states(taken) == (TransferState.ARRIVED, TransferState.ARRIVED)
    assert await pair.states(back) == (TransferState.RETURNED, TransferState.REFUSED)
    assert (await pair.balance("chen"), await pair.balance("sun"), await pair.balance("stranger")) == (480, 600, 720)
    assert await pair.faults() == []


async def test_two_workers_share_the_work(pair: Pair, town_database) -> None:
    own = pair.worker
    other = Worker(own.sessions, own.clock, own.slices, town_database.app_url)
    for _ in range(10):
        await pair.send("chen", "stranger", 10)
        await pair.send("stranger", "sun", 5)

    for _ in range(4):
        await asyncio.gather(own.drain(), other.drain())

    assert await pair.owed() == (50, -50)
    assert (await pair.balance("chen"), await pair.balance("sun"), await pair.balance("stranger")) == (500, 650, 650)
    assert await pair.faults() == []


async def test_a_recall_that_meets_the_arrival_is_decided_once(pair: Pair) -> None:
    chen = pair.town.actors["chen"]
    ends = set()
    for _ in range(12):
        transfer_id = await pair.send("chen", "stranger", 10)
        (sent,) = await pair.recorded()

        async def recall(number: UUID = transfer_id) -> None:
            await pair.do(sending.recall, actor=chen, transfer_id=number)
            (recalled,) = [fact for fact in await pair.recorded() if type(fact).__name__ == "ClearingRecalled"]
            await pair.tell(recalled)

        await asyncio.gather(pair.tell(sent), recall())
        pair.told = 0
        await pair.settle()
        states = await pair.states(transfer_id)
        assert states in {
            (TransferState.ARRIVED, TransferState.ARRIVED),
            (TransferState.RETURNED, TransferState.REFUSED),
        }
        ends.add(states[0])

    assert await pair.balance("chen") + await pair.balance("stranger") == 1200
    assert await pair.faults() == []


class Weather:
    """Sends, tells, loses, doubles, rolls back, recalls, nets and sweeps in any order that a seed says."""

    def __init__(self, pair: Pair, seed: int) -> None:
        self.pair, self.random = pair, random.Random(seed)
        self.waiting: list[Fact] = []
        self.sent: list[tuple[str, UUID]] = []

    async def step(self) -> None:
        """One thing happens."""
        deed = self.random.choice((self.send, self.tell, self.tell, self.tell, self.crash, self.lose, self.rest))
        await deed()
        self.waiting += await self.pair.recorded()

    async def send(self) -> None:
        name, to = self.random.choice((("chen", "stranger"), ("stranger", "sun"), ("sun", "stranger_shop")))
        unit = self.random.choice(list(Unit))
        try:
            number = await self.pair.send(name, to, self.random.randint(1, 40), unit)
        except (OverMonth, OverPosition, ReceiverNotFound):
            return
        self.sent.append((name, number))

    async def tell(self) -> None:
        if not self.waiting:
            return
        fact = self.random.choice(self.waiting)
        if self.random.random() < 0.7:  # else it is told again later
            self.waiting.remove(fact)
        await self.pair.tell(fact)

    async def crash(self) -> None:
        """A step that does all its work and dies before its commit."""
        if not self.waiting:
            return
        fact = self.random.choice(self.waiting)
        async with self.pair.app.state.sessions() as session:
            await STEPS[type(fact)](session, fact, self.pair.clock())
            await session.flush()
            await session.rollback()

    async def lose(self) -> None:
        if self.waiting:
            self.waiting.remove(self.random.choice(self.waiting))

    async def rest(self) -> None:
        """Time passes; somebody calls something back, or finance nets."""
        self.pair.clock.move(hours=self.random.choice((0.1, 2, 400)))
        await self.pair.sweep()
        if self.sent and self.random.random() < 0.5:
            name, number = self.random.choice(self.sent)
            try:
                await self.pair.do(sending.recall, actor=self.pair.town.actors[name], transfer_id=number)
            except TransferDecided:
                return
        elif self.random.random() < 0.7:
            await self.net()

    async def net(self) -> None:
        """Finance of one side proposes, and of the other decides about whatever lies before them."""
        home, name, partner = self.random.choice(((HERE, "qian", ELSEWHERE), (ELSEWHERE, "stranger_staff", HERE)))
        actor = self.pair.town.actors[name]
        async with self.pair.app.state.sessions() as session:
            rows = await session.execute(
                sa.text("SELECT netting_id FROM clearing_netting WHERE community_id = :h AND state = 'proposed'"),
                {"h": home},
            )
            found = rows.scalars().first()
        try:
            if found is None:
                await self.pair.do(netting.propose_netting, actor=actor, partner_id=partner)
            else:
                decide = self.random.choice((netting.confirm_netting, netting.refuse_netting))
                await self.pair.do(decide, actor=actor, netting_id=found)
        except Exception as no:
            if not type(no).__module__.startswith("service.clearing"):
                raise


@pytest.mark.parametrize("seed", range(8))
async def test_in_whatever_order_nothing_is_lost_and_nothing_made(pair: Pair, seed: int) -> None:
    weather = Weather(pair, seed)

    for step in range(70):
        if step == 20 and seed % 2:
            await close_person(pair, "stranger_shop")  # what is on its way to them comes back
        await weather.step()
        assert await pair.mirrors(), f"seed {seed}, step {step}"

    weather.waiting.clear()  # everything that was on its way is lost; only the rows are left
    for _ in range(6):
        pair.clock.move(hours=2)
        while await pair.sweep():
            pass
        await pair.settle()

    async with pair.app.state.sessions() as session:
        left = await session.execute(sa.text("SELECT count(*) FROM clearing_transfer WHERE due_at IS NOT NULL"))
        assert left.scalar_one() == 0
    names = ("chen", "sun", "stranger", "stranger_shop")
    for unit, had in ((Unit.MINUTE, 1800), (Unit.POINT, 30_000)):
        assert sum([await pair.balance(name, unit) for name in names]) == had
    assert await pair.faults() == []
