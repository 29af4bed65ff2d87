"""What conflicts cost the fund, by lot: `python -m bench.conflicts`. A simulation of the rules, without a database.

Two years of a community: members use roaming vouchers at shops of which some are offline; a part of the members copy each of
them and use it at a second shop, be the first with a network or without. The fund bears every conflict whole. Whoever has one
owes it and is good online only until it is paid, after the second for ever. A tenth of the members move away in a year, and
others come, of whom as many cheat.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

VOUCHER_FEN, FLOOR_COUNT = 1500, 20
MEMBERS, SHOPS, MONTHS, DAYS = 4_000, 40, 24, 30
CHEATING, OFFLINE, USES_A_DAY, MOVING_A_MONTH = 0.01, 0.30, 0.15, 0.1 / 12


@dataclass
class Cheat:
    """Somebody who copies vouchers."""

    strikes: int = 0
    owes: bool = False


def years(seed: int, *, roaming: float, pays: float) -> Iterator[float]:
    """What the fund has lost of what was redeemed, after each month.

    A part `roaming` of the vouchers is of that class, and who owes pays within a month with the probability `pays`.
    """
    lot = random.Random(seed)
    who = [Cheat() if lot.random() < CHEATING else None for _ in range(MEMBERS)]
    redeemed = lost = 0
    for _month in range(MONTHS):
        for _day in range(DAYS):
            offline = {shop for shop in range(SHOPS) if lot.random() < OFFLINE}
            taken = dict.fromkeys(offline, 0)
            for cheat in who:
                if lot.random() > USES_A_DAY:
                    continue
                redeemed += VOUCHER_FEN
                second = lot.randrange(SHOPS)
                if cheat is None or cheat.owes or cheat.strikes >= 2 or lot.random() > roaming:
                    continue
                if taken.get(second, FLOOR_COUNT) < FLOOR_COUNT:
                    taken[second] += 1
                    cheat.strikes, cheat.owes = cheat.strikes + 1, True
                    lost += VOUCHER_FEN
        for place, cheat in enumerate(who):
            if cheat is not None and cheat.owes and lot.random() < pays:
                cheat.owes = False
            if lot.random() < MOVING_A_MONTH:
                who[place] = Cheat() if lot.random() < CHEATING else None
        yield lost / redeemed


if __name__ == "__main__":
    for part in (0.10, 1 / 30):
        for pays in (0.0, 1.0):
            played = [list(years(seed, roaming=part, pays=pays)) for seed in range(5)]
            after = {month: sum(each[month - 1] for each in played) / len(played) for month in (1, 12, 24)}
            shown = ", ".join(f"{loss:.4%} after {month} months" for month, loss in after.items())
            people = "everybody" if pays else "nobody"
            print(f"{part:.1%} of the value roaming, {people} pays what they owe: the fund loses {shown}")
