"""Posts approved sheets of balances in a process of its own, which a test kills: `python -m tests.imports.post_openings URL`."""

import asyncio
import sys

from service.imports.openings import posting
from service.kit.db import make_engine, make_sessions
from tests.cast import KEYRING, START


async def main(url: str) -> None:
    """Small pieces, so that a kill finds many of them done and many not."""
    posting.PIECE = 7
    engine = make_engine(url)
    sessions = make_sessions(engine, KEYRING)
    while True:
        async with sessions.begin() as session:
            if not await posting.post_piece(session, START):
                break
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
