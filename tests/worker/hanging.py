"""A worker that hangs in the middle of a delivery, for a test to kill.

Arguments: the database's address, and whether to hang `before` or `after` the message is committed.
"""

import asyncio
import sys
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.kit.db import make_engine, make_sessions
from service.kit.manifest import Manifest
from service.notifications.actions import send
from service.worker import Worker
from tests.cast import KEYRING, START


async def main(url: str, when: str) -> None:
    """Deliver, say so, and hang."""

    async def tell(session: AsyncSession, fact: facts.WishApproved, now: datetime) -> None:
        await send(session, [fact], now)

    async def hang(session: AsyncSession, fact: facts.WishApproved, now: datetime) -> None:
        if when == "before":
            await tell(session, fact, now)
        print("delivering", flush=True)  # noqa: T201 (it tells its parent)
        await asyncio.Event().wait()

    listeners = [hang] if when == "before" else [tell, hang]
    slices = [Manifest(name="hanging", subscribers={facts.WishApproved: listeners})]
    engine = make_engine(url)
    await Worker(make_sessions(engine, KEYRING), lambda: START, slices, url).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
