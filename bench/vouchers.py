"""The redemption library beside its model for as long as wanted: random stories of vouchers, phones and settlement.

    ./dev bench vouchers [--steps N] [--seed S] [--length L]

Every story has a book of its own; each step is asked of the library and of the model (tests/redemption/model), which must
answer and have the same, and at its end the book is proved. Ends with one line of JSON: how many steps, how long, and how often
each answer was given. A disagreement ends it with the seed of its story. The server is not durable, in a temporary folder.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from migrations import runner
from service.kit.embedded_pg import server
from tests.db import open_engine, sessions_of
from tests.redemption.market import Market
from tests.redemption.model.steps import live
from tests.redemption.model.story import Story


async def tell(url: str, steps: int, seed: int, length: int) -> Counter[str]:
    """So many steps, in stories of so many."""
    met: Counter[str] = Counter()
    async with open_engine(url) as engine:
        for number in range(-(-steps // length)):
            story = await Story(Market(sessions_of(engine), book=1 + number), random.Random(seed + number)).begin()
            try:
                await live(story, min(length, steps - number * length))
            except AssertionError as problem:
                problem.add_note(f"in the story of seed {seed + number}")
                raise
            met += story.met
    return met


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--steps", type=int, default=100_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--length", type=int, default=500, help="steps of one story")
    chosen = words.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="linli-bench-") as folder,
        server(Path(folder) / "postgres", durable=False) as cluster,
    ):
        asyncio.run(runner.upgrade(cluster.owner_url))
        started = time.monotonic()
        met = asyncio.run(tell(cluster.app_url, chosen.steps, chosen.seed, chosen.length))
        seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"steps": chosen.steps, "seconds": seconds, "answers": dict(met.most_common())}))


if __name__ == "__main__":
    main()
