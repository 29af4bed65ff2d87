"""A book of ten thousand accounts with something to spend, and journals to post in it."""

import random
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import AccountSpec, Journal, Leg, Posted

BOOK, ACCOUNTS, IMPORT = 1, 10_000, 1000
ACTOR = UUID("0195d000-0000-7000-8000-00000000a001")


class Filler:
    """Fills a book, and makes journals of one gift."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.random, self.numbers = random.Random(1), count()

    async def fill(self) -> None:
        """Open the accounts and give each something to spend."""
        now = datetime.now(UTC)
        async with AsyncSession(self.engine) as session:
            await ledger.open_book(session, BOOK, now=now)
            specs = [AccountSpec("issued", "point", floor=None), AccountSpec("hot", "point", floor=None)]
            specs += [AccountSpec(f"member:{n:032x}", "point") for n in range(ACCOUNTS)]
            await ledger.open_accounts(session, BOOK, specs, now=now)
            await session.commit()
        for start in range(0, ACCOUNTS, IMPORT):
            await self.post(
                [self.journal("issued", self.member(n), 1_000_000_000) for n in range(start, start + IMPORT)]
            )

    def member(self, number: int) -> str:
        return f"member:{number:032x}"

    def journal(self, debit: str, credit: str, amount: int) -> Journal:
        return Journal(f"bench:{next(self.numbers):012}", "bench", (Leg(debit, credit, "point", amount),), ACTOR)

    async def post(self, journals: list[Journal]) -> None:
        async with AsyncSession(self.engine) as session:
            verdicts = await ledger.post_many(session, BOOK, journals, now=datetime.now(UTC))
            await session.commit()
        assert all(isinstance(verdict, Posted) for verdict in verdicts)

    def uniform(self, size: int) -> list[Journal]:
        pairs = [self.random.sample(range(ACCOUNTS), 2) for _ in range(size)]
        return [self.journal(self.member(debit), self.member(credit), 1) for debit, credit in pairs]

    def hot(self, size: int) -> list[Journal]:
        return [self.journal("hot", self.member(self.random.randrange(ACCOUNTS)), 1) for _ in range(size)]
