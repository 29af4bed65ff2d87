"""A worker that hangs at one step of a transfer, for a test to kill.

Arguments: the database's address, the fact at which to hang, and whether `before` or `after` the step is committed.
"""

import asyncio
import sys
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.clearing.manifest import MANIFEST
from service.kit.db import make_engine, make_sessions
from service.kit.manifest import Manifest
from service.worker import Worker
from tests.cast import KEYRING, START


async def main(url: str, name: str, when: str) -> None:
    """Deliver up to that step, say so, and hang."""
    kind = getattr(facts, name)
    steps = MANIFEST.subscribers[kind]

    async def hang(session: AsyncSession, fact: Any, now: datetime) -> None:
        if when == "before":
            for step in steps:
                await step(session, fact, now)
            await session.flush()
        print("hanging", flush=True)  # noqa: T201 (it tells its parent)
        await asyncio.Event().wait()

    slowed = {**MANIFEST.subscribers, kind: [hang] if when == "before" else [*steps, hang]}
    engine = make_engine(url)
    await Worker(make_sessions(engine, KEYRING), lambda: START, [Manifest("clearing", subscribers=slowed)], url).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
