"""The shop's phone without a network: many scans while the line is cut, restored, silent and deaf at random.

    ./dev bench offline [--scans N] [--seed S] [--throttle T]

A real Chromium whose phone is a device of the shop, a second phone of the shop beside it, and a real service. At the end the
books are compared with what the phones showed. Then the scanner is opened from the phone's own copy with the server dead, until
its camera films and has read a code, and once as a phone loads it for the first time. One line of JSON says all of it; exit code
1 when goods left the shop for nothing, twice, or unsaid. With --throttle 6 the phone's processor is six times slower.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

JOURNEY = "tests/browser/test_journey_offline.py::test_many_scans_while_the_network_goes_and_comes"
CAMERA = "tests/browser/test_journey_offline.py::test_the_camera_reads_on_with_the_server_dead"
WEIGHT = "tests/browser/test_scanner_app.py::test_the_scanner_weighs_little"


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--scans", type=int, default=500)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--throttle", type=int, default=1)
    chosen = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        told = {name: Path(folder) / name for name in ("ROUNDS", "CAMERA", "WEIGHT")}
        env = os.environ | {f"LINLI_{name}_OUTCOME": str(file) for name, file in told.items()}
        env["LINLI_ROUNDS"] = f"{chosen.scans},{chosen.seed},{chosen.throttle}"
        env["LINLI_CAMERA_THROTTLE"] = str(chosen.throttle)
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--show-capture=no", JOURNEY, CAMERA, WEIGHT],
            env=env,
            stdout=sys.stderr,
            check=False,
        )
        found = [json.loads(file.read_text()) for file in told.values() if file.exists()]
    if not found:
        sys.exit(run.returncode or "Nothing was measured: is there a Chromium here?")
    print(json.dumps({"throttle": chosen.throttle} | {name: value for each in found for name, value in each.items()}))
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
