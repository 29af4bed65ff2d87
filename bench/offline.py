"""The shop's phone without a network: many scans while the line is cut, restored, silent and deaf at random.

    ./dev bench offline [--scans N] [--seed S] [--throttle T]

A real Chromium whose phone is a device of the shop, a second phone of the shop beside it, and a real service. At the end the
books are compared with what the phones showed, and one line of JSON says what was found; exit code 1 when goods left the shop
for nothing, twice, or unsaid. With --throttle 6 the phone's processor is six times slower.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

JOURNEY = "tests/browser/test_journey_offline.py::test_many_scans_while_the_network_goes_and_comes"


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--scans", type=int, default=500)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--throttle", type=int, default=1)
    chosen = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        outcome = Path(folder) / "outcome.json"
        env = os.environ | {
            "LINLI_ROUNDS": f"{chosen.scans},{chosen.seed},{chosen.throttle}",
            "LINLI_ROUNDS_OUTCOME": str(outcome),
        }
        run = subprocess.run([sys.executable, "-m", "pytest", "-q", JOURNEY], env=env, stdout=sys.stderr, check=False)
        if outcome.exists():
            print(outcome.read_text())
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
