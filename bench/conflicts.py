"""What conflicts cost the fund, by lot: `python -m bench.conflicts`. A simulation of the rules, without a database.

A city's month: members use roaming vouchers at shops of which some are offline; a part of the members copy a voucher and use
it at a second shop, be the first with a network or without. A phone knows what it was told when it last had a network; after
the second strike a member's vouchers are good online only.
"""

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
            second = lot.randrange(city.shops)
            if second not in offline or floors[second] >= FLOOR_COUNT or (floors[second] + 1) * VOUCHER_FEN > FLOOR_FEN:
                continue
            floors[second] += 1
            loss = int(VOUCHER_FEN * funds_part)
            budget = max(FLOOR_FEN, city.redeemed // 1000)
            if city.lost + loss > budget:
                continue
            city.lost += loss
            city.owed += VOUCHER_FEN - loss
            city.strikes[member] = city.strikes.get(member, 0) + 1
    return city


if __name__ == "__main__":
    for part in (1.0, 0.0):
        cities = [month(City(), random.Random(seed), part) for seed in range(20)]
        lost, redeemed = sum(each.lost for each in cities), sum(each.redeemed for each in cities)
        print(f"the fund bears {part:.0%} of a conflict: {lost / redeemed:.4%} of {redeemed / 100:,.0f} yuan")
