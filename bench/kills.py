"""kill -9 of PostgreSQL and of the posting process, at random and under load, with callers who never give up.

    ./dev bench kills [--kills N] [--seed S]

Killed are the posting process, one backend, the first process of the server, all of its processes at once, or everything.
Twelve callers ask with a reference until they are told, and write down what they were told (tests/crash/ledger_load.py); a
sealer works beside them. Then every acknowledgement is looked up, the books and the seals are proved, and one line of JSON
says what was found. Exit code 1 when anything was lost or doubled. A kill takes about a second.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.crash.siege import Siege


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--kills", type=int, default=60)
    words.add_argument("--seed", type=int, default=1)
    chosen = words.parse_args()
    load = [round(value, 1) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        outcome = Siege(Path(folder), chosen.seed).run(chosen.kills)
    print(json.dumps({**outcome.as_json(), "sound": outcome.is_sound, "load_before": load}))
    sys.exit(0 if outcome.is_sound else 1)


if __name__ == "__main__":
    main()
