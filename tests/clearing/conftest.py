"""Two communities that have agreed, people with something to send, and a worker for the steps in between."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

import ledger
from service import chart, facts, identity
from service.chart import Reason
from service.clearing import verify_positions
from service.clearing.actions import agreements, netting, sending, steps, sweep
from service.clearing.queries.positions import positions
from service.clearing.queries.transfers import Receiver, receiver_of
from service.clearing.rules import Unit
from service.kit.access import Actor
from service.kit.outbox import Fact
from service.worker import Worker
from tests.cast import ELSEWHERE, HERE, PEOPLE
from tests.wallet.conftest import statements

__all__ = ["statements"]

STEPS: dict[type[Fact], Any] = {
    facts.ClearingProposed: agreements.note_proposal,
    facts.ClearingAccepted: agreements.note_acceptance,
    facts.ClearingEnded: agreements.note_end,
    facts.ClearingSent: steps.receive,
    facts.ClearingRecalled: steps.receive,
    facts.ClearingArrived: steps.acknowledge,
    facts.ClearingRefused: steps.give_back,
    facts.NettingProposed: netting.note_netting,
    facts.NettingConfirmed: netting.complete_netting,
    facts.NettingRefused: netting.drop_netting,
}


@dataclass
class Pair:
    """Both sides, driven by hand: facts are told when a test says so, as often as it says, or never."""

    app: Any
    clock: Any
    town: Any
    told: int = 0
    """The last line of the outbox that was looked at."""
    seen: list[Fact] = field(default_factory=list)

    @property
    def worker(self) -> Worker:
        worker: Worker = self.app.state.worker
        return worker

    async def do(self, work: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """One transaction, as a request has."""
        async with self.app.state.sessions.begin() as session:
            return await work(session, *args, **kwargs, now=self.clock())

    async def tell(self, fact: Fact) -> None:
        """Tell one fact to the one step that listens, in a transaction of its own."""
        async with self.app.state.sessions.begin() as session:
            await STEPS[type(fact)](session, fact, self.clock())

    async def recorded(self) -> Sequence[Fact]:
        """What was put into the outbox since the last time, and what a step of ours listens to."""
        async with self.app.state.sessions() as session:
            rows = await session.execute(
                sa.text("SELECT outbox_id, fact, payload FROM outbox WHERE outbox_id > :told ORDER BY 1"),
                {"told": self.told},
            )
            found = [(number, as_told(name, payload)) for number, name, payload in rows]
        if found:
            self.told = found[-1][0]
        self.seen += [fact for _number, fact in found]
        return [fact for _number, fact in found if type(fact) in STEPS]

    async def settle(self) -> None:
        """Tell everything to the end."""
        while waiting := await self.recorded():
            for fact in waiting:
                await self.tell(fact)

    async def sweep(self) -> int:
        """What the worker does each minute."""
        async with self.app.state.sessions.begin() as session:
            return await sweep.tell_again(session, self.clock())

    async def balance(self, name: str, unit: Unit = Unit.MINUTE) -> int:
        """What one of the cast has."""
        home = PEOPLE[name][0]
        async with self.app.state.sessions() as session:
            return await ledger.balance(session, home, chart.member(self.town.actors[name].member_id), unit)

    async def owed(self, unit: Unit = Unit.MINUTE) -> tuple[int, int]:
        """What the one side owes the other, and the other the one."""
        async with self.app.state.sessions() as session:
            one = await ledger.balance(session, HERE, chart.clearing(ELSEWHERE), unit)
            other = await ledger.balance(session, ELSEWHERE, chart.clearing(HERE), unit)
            return one, other

    async def send(self, name: str, to: str, amount: int, unit: Unit = Unit.MINUTE, **more: Any) -> UUID:
        """One of the cast sends to another; by the action, as page and API do."""
        actor: Actor = self.town.actors[name]
        there, card, person, *_ = PEOPLE[to]
        async with self.app.state.sessions.begin() as session:
            receiver: Receiver = await receiver_of(session, there, card, person)
            return await sending.send(
                session,
                actor=more.pop("actor", actor),
                partner_id=there,
                receiver=receiver,
                unit=unit,
                amount=amount,
                now=self.clock(),
                **more,
            )

    async def states(self, transfer_id: UUID) -> tuple[str | None, str | None]:
        """How the sending and the receiving side tell it."""
        async with self.app.state.sessions() as session:
            rows = await session.execute(
                sa.text("SELECT direction, state FROM clearing_transfer WHERE transfer_id = :id"), {"id": transfer_id}
            )
            told = dict(rows.all())
        return told.get("out"), told.get("in")

    async def faults(self) -> list[str]:
        """Everything that is wrong in either book or between them."""
        found = []
        async with self.app.state.sessions() as session:
            for home in (HERE, ELSEWHERE):
                found += [str(fault) for fault in await ledger.verify(session, home)]
                found += [str(fault) for fault in await verify_positions(session, home)]
        return found

    async def mirrors(self) -> bool:
        """Whether the two sides' figures are each other's opposite, but for what is under way."""
        async with self.app.state.sessions() as session:
            seen = [*await positions(session, HERE), *await positions(session, ELSEWHERE)]
        return all(one.mirrors for one in seen)


def as_told(name: str, payload: dict[str, Any]) -> Fact:
    """A line of the outbox as the worker tells it."""
    told: Fact = msgspec.convert(payload, getattr(facts, name))
    return told


@pytest.fixture
def apart(app, clock, town) -> Pair:
    """Two communities that have agreed on nothing."""
    return Pair(app, clock, town)


@pytest.fixture
async def pair(apart: Pair) -> Pair:
    """They have agreed, Chen has ten hours and a hundred points, and so has the stranger there."""
    await apart.do(
        agreements.propose, actor=apart.town.actors["jiang"], partner_id=ELSEWHERE, minutes_max=6000, points_max=100
    )
    await apart.settle()
    await apart.do(agreements.accept, actor=apart.town.actors["stranger_staff"], partner_id=HERE)
    await apart.settle()
    for name in ("chen", "sun", "stranger"):
        await give(apart, name, 600, 10_000)
    return apart


async def give(pair: Pair, name: str, minutes: int, hundredths: int) -> None:
    """Opening balances."""
    account = chart.member(pair.town.actors[name].member_id)
    async with pair.app.state.sessions.begin() as session:
        legs = (
            ledger.Leg(chart.ISSUED, account, chart.MINUTE, minutes),
            ledger.Leg(chart.ISSUED, account, chart.POINT, hundredths),
        )
        journal = ledger.Journal(f"opening:{uuid4()}", Reason.OPENING_BALANCE, legs, actor_id=None)
        await ledger.post(session, PEOPLE[name][0], journal, now=pair.clock())


async def close_person(pair: Pair, name: str) -> None:
    """Somebody leaves their community."""
    home = PEOPLE[name][0]
    async with pair.app.state.sessions.begin() as session:
        member_id = pair.town.actors[name].member_id
        (await identity.lock_people(session, home, [member_id]))[member_id].closed_at = pair.clock()


async def empty_and_close(pair: Pair, name: str) -> None:
    """Somebody's accounts are emptied and closed for good."""
    home, account = PEOPLE[name][0], chart.member(pair.town.actors[name].member_id)
    async with pair.app.state.sessions.begin() as session:
        for unit in Unit:
            held = await ledger.balance(session, home, account, unit)
            if held:
                legs = (ledger.Leg(account, chart.WRITEOFF, unit, held),)
                journal = ledger.Journal(f"left:{uuid4()}", Reason.CORRECTION, legs, actor_id=None)
                await ledger.post(session, home, journal, now=pair.clock())
            await ledger.close_account(session, home, account, unit, now=pair.clock())
