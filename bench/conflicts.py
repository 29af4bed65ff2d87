"""What conflicts cost the fund, by lot: `python -m bench.conflicts`. A simulation of the rules, without a database.

Two years of a community: members use roaming vouchers at shops of which some are offline; a part of the members copy each of
them and use it at a second shop, be the first with a network or without. The fund pays every conflict whole. Whoever has one
pays the second use from the points they have, owes the rest, and is good online only until that is paid, after the second
for ever. With collection it is paid from whatever they earn, days after they were told, beyond what is left to them; without,
by nobody. A tenth of the members move away in a year, with what they owe, and others come, of whom as many cheat.

What a cheat earns is not known, so it is varied: nothing after a first voucher, a tenth of what the others use, half, as much.
Whoever objects is left alone and owes for ever; how many do is varied as well. Nobody is forgiven, and cheats spend what they
have as soon as they can, so that least is left to collect.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

VOUCHER_FEN, VOUCHER_POINTS, FLOOR_COUNT = 1500, 20, 20
MEMBERS, SHOPS, MONTHS, DAYS = 4_000, 40, 24, 30
CHEATING, OFFLINE, USES_A_DAY, MOVING_A_MONTH = 0.01, 0.30, 0.15, 0.1 / 12
TOLD_DAYS, KEEP_POINTS = 7, 5
SEEDS = 8


@dataclass
class Cheat:
    """Somebody who copies vouchers, with the points of a first one."""

    objects: bool
    points: float = VOUCHER_POINTS
    strikes: int = 0
    owed: float = 0
    due: int = 0

    def wants(self, lot: random.Random) -> bool:
        """Take a voucher, as soon as there are points for one."""
        if self.points < VOUCHER_POINTS or lot.random() > USES_A_DAY:
            return False
        self.points -= VOUCHER_POINTS
        return True

    def caught(self, day: int) -> float:
        """The conflict: a strike, the points they have at once, the rest owed. What of it they paid."""
        paid = min(self.points, VOUCHER_POINTS)
        self.points -= paid
        self.strikes, self.owed, self.due = self.strikes + 1, VOUCHER_POINTS - paid, day + TOLD_DAYS
        return paid

    def collected(self, day: int) -> float:
        """What is due is paid as far as the points reach."""
        is_due = day >= self.due and not self.objects
        paid = min(self.owed, max(0.0, self.points - KEEP_POINTS)) if is_due else 0.0
        self.points, self.owed = self.points - paid, self.owed - paid
        return paid


@dataclass
class Sums:
    """What was redeemed, what the fund paid of it, and what points of that members have paid."""

    redeemed: int = 0
    lost: int = 0
    paid: float = 0

    def shares(self) -> tuple[float, float]:
        """What the fund paid of what was redeemed, and what of that no member has paid for in points."""
        left = self.lost - self.paid * VOUCHER_FEN / VOUCHER_POINTS
        return self.lost / self.redeemed, left / self.redeemed


def arrives(lot: random.Random, objecting: float) -> Cheat | None:
    """Somebody new, who cheats or does not."""
    return Cheat(lot.random() < objecting) if lot.random() < CHEATING else None


def years(seed: int, *, roaming: float, earns: float, objecting: float) -> Iterator[tuple[float, float]]:
    """What the fund has lost of what was redeemed, gross and after what members paid, after each month.

    A part `roaming` of the vouchers is of that class, a cheat earns `earns` of what the others use, and a part `objecting` of
    them objects; where all do it is as without collection.
    """
    lot = random.Random(seed)
    who = [arrives(lot, objecting) for _ in range(MEMBERS)]
    sums = Sums()
    for month in range(MONTHS):
        for day in range(month * DAYS, (month + 1) * DAYS):
            offline = {shop for shop in range(SHOPS) if lot.random() < OFFLINE}
            taken = dict.fromkeys(offline, 0)
            cheats = [each for each in who if each is not None]
            sums.redeemed += VOUCHER_FEN * sum(lot.random() < USES_A_DAY for _ in range(MEMBERS - len(cheats)))
            for cheat in cheats:
                cheat.points += earns * USES_A_DAY * VOUCHER_POINTS
                sums.paid += cheat.collected(day)
                if not cheat.wants(lot):
                    continue
                sums.redeemed += VOUCHER_FEN
                second = lot.randrange(SHOPS)
                if cheat.owed > 0 or cheat.strikes > 1 or lot.random() > roaming:
                    continue
                if taken.get(second, FLOOR_COUNT) < FLOOR_COUNT:
                    taken[second] += 1
                    sums.lost += VOUCHER_FEN
                    sums.paid += cheat.caught(day)
        for place in range(MEMBERS):
            if lot.random() < MOVING_A_MONTH:
                who[place] = arrives(lot, objecting)
        yield sums.shares()


def told(roaming: float, earns: float, objecting: float) -> str:
    """One line: the mean and the worst of the seeds, after a month, a year, two."""
    played = [list(years(seed, roaming=roaming, earns=earns, objecting=objecting)) for seed in range(SEEDS)]
    parts = []
    for month in (1, 12, 24):
        gross, left = zip(*(each[month - 1] for each in played), strict=True)
        parts.append(f"{sum(gross) / SEEDS:.4%}, {sum(left) / SEEDS:.4%} unpaid (worst {max(left):.4%})")
    return "; ".join(parts)


if __name__ == "__main__":
    for part in (0.10, 1 / 30):
        for earned in (0.0, 0.1, 0.5, 1.0):
            for objecting, way in ((1.0, "without collection"), (0.5, "half of them object"), (0.0, "with collection")):
                print(
                    f"{part:.1%} roaming, cheats earn {earned:.0%}, {way}: {told(part, earned, objecting)}", flush=True
                )
