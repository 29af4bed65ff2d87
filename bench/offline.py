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
"""What conflicts cost the fund, by lot: `python -m bench.offline`. A simulation of the rules, without a database.
A city's month: members use roaming vouchers at shops of which some are offline; a part of the members copy a voucher and use
it at a second shop. A phone knows what it was told when it last had a network; after the second strike a member's vouchers
are good online only.
from __future__ import annotations
import random
from dataclasses import dataclass, field
VOUCHER_FEN, FLOOR_COUNT, FLOOR_FEN = 1500, 20, 30_000
@dataclass
class City:
    """A month of one community. Probabilities are of one use."""
    members: int = 4_000
    shops: int = 40
    days: int = 30
    cheating: float = 0.01
    offline: float = 0.30
    roaming: float = 0.10
    """The part of redeemed value that is of the roaming class; the others are accepted once by construction."""
    strikes: dict[int, int] = field(default_factory=dict)
    redeemed: int = 0
    lost: int = 0
    owed: int = 0
def month(city: City, lot: random.Random, funds_part: float) -> City:
    """Play a month. The fund bears its part of each conflict until the month's budget is gone, the member owes the rest."""
    cheats = set(lot.sample(range(city.members), int(city.members * city.cheating)))
    for _ in range(city.days):
        floors = [0] * city.shops
        offline = {shop for shop in range(city.shops) if lot.random() < city.offline}
        for member in range(city.members):
            if lot.random() > 0.15:
                continue
            city.redeemed += VOUCHER_FEN
            if lot.random() > city.roaming or member not in cheats or city.strikes.get(member, 0) >= 2:
                continue
            first, second = lot.sample(range(city.shops), 2)
            if second not in offline or floors[second] >= FLOOR_COUNT or (floors[second] + 1) * VOUCHER_FEN > FLOOR_FEN:
                continue
            floors[second] += 1
            loss = int(VOUCHER_FEN * funds_part)
            budget = max(FLOOR_FEN, city.redeemed // 1000)
            if city.lost + loss > budget:
                continue
            city.lost += loss
            city.owed += VOUCHER_FEN - loss
            if first in offline:
                city.strikes[member] = city.strikes.get(member, 0) + 1
    return city
    for part in (1.0, 0.0):
        cities = [month(City(), random.Random(seed), part) for seed in range(20)]
        lost, redeemed = sum(each.lost for each in cities), sum(each.redeemed for each in cities)
        print(f"the fund bears {part:.0%} of a conflict: {lost / redeemed:.4%} of {redeemed / 100:,.0f} yuan")
