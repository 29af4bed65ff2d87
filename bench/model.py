"""The ledger beside its model for as long as wanted: random examples, each of them shrunk when the two disagree.

    ./dev bench model [--seconds S] [--steps N]

Every example asks two books everything in any order (tests/ledger/machine.py), then proves them and compares them with the
model. Ends with one line of JSON: how many examples, and how often each verdict was given. A disagreement ends it with the
shortest way there. The server is not durable, in a temporary folder, and thrown away.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

from migrations import runner
from service.kit.embedded_pg import server
from tests.db import open_engine, sessions_of
from tests.ledger.machine import Ledgers, play

EXAMPLES = 50
"""Between two looks at the clock."""


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--seconds", type=float, default=60)
    words.add_argument("--steps", type=int, default=50)
    chosen = words.parse_args()
    started, examples = time.monotonic(), 0
    with (
        tempfile.TemporaryDirectory(prefix="linli-bench-") as folder,
        server(Path(folder) / "postgres", durable=False) as cluster,
        asyncio.Runner() as loop,
    ):
        loop.run(runner.upgrade(cluster.owner_url))
        opening = open_engine(cluster.app_url, pool_size=12)
        where = Ledgers(sessions_of(loop.run(opening.__aenter__())), cluster.superuser_url, loop.get_loop())
        while time.monotonic() - started < chosen.seconds:
            play(where, max_examples=EXAMPLES, stateful_step_count=chosen.steps, database=None)
            examples += EXAMPLES
        loop.run(opening.__aexit__(None, None, None))
    seconds = round(time.monotonic() - started, 1)
    print(json.dumps({"examples": examples, "seconds": seconds, "verdicts": dict(where.met.most_common())}))


if __name__ == "__main__":
    main()
