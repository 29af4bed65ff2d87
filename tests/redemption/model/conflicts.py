"""The model of conflicts: who pays the shop, and how everybody has it back."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from tests.redemption.model.counter import Counter
from tests.redemption.model.things import Purse, Use, Voucher, member, owed

FLOOR_FEN = 30_000
FUND = ("fund:charity", "fen")


class Conflicts(Counter):
    """What a conflict takes of whom."""

    def _take_loss(self, fen: int, now: datetime) -> bool:
        began = datetime(now.year, now.month, 1, tzinfo=now.tzinfo)
        redeemed = sum(
            voucher.offer.value_fen * use.quantity
            for voucher, use in self.world.scans.values()
            if use.received_at >= began and use.state not in ("REVERSED", "ADJUSTED") and use.bearer is None
        )
        month = self.world.lost[month_of(now)]
        month[1] = max(month[1], FLOOR_FEN, redeemed // 1000)
        if month[0] + fen > month[1]:
            return False
        month[0] += fen
        return True

    def _pay_conflict(
        self,
        voucher: Voucher,
        device: UUID,
        nonce: str,
        shop: UUID,
        clerk: UUID,
        pieces: int,
        bearer: str,
        now: datetime,
        by_member: bool,
    ) -> None:
        """The shop is paid all the same: by the member's points and what they owe, the fund's fen, the account of losses."""
        purses, offer, payer = self.world.purses, voucher.offer, voucher.pays
        points, fen = 100 * pieces * offer.points, pieces * offer.payable_fen
        has = min(points, max(0, purses[member(payer)])) if by_member else 0
        of_fund = min(fen, max(0, purses[FUND]))
        paid_by: dict[Purse, int] = {member(payer): has}
        rest = owed(payer) if by_member else ("loss:offline", "point")
        for purse, amount in (
            (rest, points - has),
            (("loss:offline", "point"), 100 * pieces * offer.subsidy),
            (FUND, of_fund),
            (("loss:offline", "fen"), fen - of_fund),
        ):
            paid_by[purse] = paid_by.get(purse, 0) + amount
        for purse, amount in paid_by.items():
            purses[purse] -= amount
        self.world.pay_shop(voucher, shop, pieces)
        use = Use(len(voucher.uses) + 1, device, nonce, shop, clerk, pieces, "CONFLICT", bearer, now, is_offline=True)
        use.paid_by = paid_by
        self.world.add_use(voucher, use)

    def _strike(self, voucher: Voucher, device: UUID, nonce: str) -> None:
        self.world.strikes[voucher.pays] += 1
        self.world.scans[device, nonce][1].is_strike = True

    def _reverse_conflict(self, voucher: Voucher, use: Use, state: str, now: datetime) -> None:
        """Everybody has again what the conflict took of them, the member's strike is gone, the month has its loss back."""
        purses, world = self.world.purses, self.world
        record = world.devices[use.device].records[use.nonce]
        for purse, amount in use.paid_by.items():
            purses[purse] += amount
        debt = owed(voucher.pays)
        purses[member(voucher.pays)] += max(0, purses[debt])
        purses[debt] = min(0, purses[debt])
        world.pay_shop(voucher, use.merchant, use.quantity, -1)
        if use.bearer == "fund":
            world.lost[month_of(use.received_at)][0] -= record.value_fen
        if use.is_strike:
            world.strikes[voucher.pays] -= 1
        use.state = state
        if state == "REVERSED":
            use.reversed_at = now
        else:
            world.corrected.append((voucher, use))


def month_of(now: datetime) -> date:
    """The month whose losses count."""
    return date(now.year, now.month, 1)
