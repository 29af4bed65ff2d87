"""The group poster as its tests build it, and what can go wrong around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import GroupPoster, Journal, Leg, Limits, Posted
from service.kit.db import autocommit, is_connection_trouble
from tests.db import Sessions
from tests.ledger.cast import BOOK, NOW, journal

HURRIED = Limits(pauses=(0.01, 0.02, 0.05, 0.1, 0.2))


def door(sessions: Sessions, limits: Limits = HURRIED, **options: Any) -> GroupPoster:
    options.setdefault("session", partial(autocommit, sessions))
    return GroupPoster(comes_again=is_connection_trouble, limits=limits, **options)


def spend(number: int, amount: int = 1) -> Journal:
    return journal(f"spend {number}", Leg("li", "chen", "point", amount))


def asked(poster: GroupPoster, *journals: Journal, book: int = BOOK) -> list[asyncio.Task[Posted]]:
    return [asyncio.create_task(poster.post(book, each, now=NOW)) for each in journals]


async def answers(*tasks: asyncio.Task[Posted]) -> list[Posted | BaseException]:
    return await asyncio.gather(*tasks, return_exceptions=True)


async def books(sessions: Sessions) -> tuple[int, int]:
    """What Li and Chen have, after the books were proved."""
    async with sessions.begin() as session:
        assert await ledger.verify(session) == []
        found = await ledger.balances(session, BOOK, [("li", "point"), ("chen", "point")])
        return found["li", "point"], found["chen", "point"]


class Lossy:
    """Commits, and then the answer does not arrive, so many times."""

    def __init__(self, sessions: Sessions, losses: int) -> None:
        self.sessions, self.losses = sessions, losses

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncSession]:
        async with autocommit(self.sessions) as session:
            yield session
        if self.losses:
            self.losses -= 1
            raise ConnectionResetError
