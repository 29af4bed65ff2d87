"""Random stories: every step is asked of the library and of the model, and both must say the same and have the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text

import ledger
import redemption
from redemption import OfflineClass, Terms
from tests.redemption.market import Market, account, some_id
from tests.redemption.model.conflicts import month_of
from tests.redemption.model.offline import Phones
from tests.redemption.model.things import Offer, Voucher, member
from tests.redemption.phones import Phone, Record

PRICES = (
    # class, points, of them the sponsor's, owed fen, cash fen, stock, cap, giftable, shops
    (0, 20, 0, 1500, 0, 900, None, True, 2),
    (1, 5, 2, 800, 0, 900, None, False, 1),
    (2, 10, 3, 1000, 0, 900, None, False, 2),
    (2, 0, 0, 3001, 0, 900, None, False, 2),
    (1, 4, 0, 0, 0, 900, 40, False, 2),
    (2, 3, 2, 100, 50, 12, None, False, 1),
)
Asked = Callable[[], Awaitable[object]]


@dataclass
class Story:
    """One book, its people, and the model of it."""

    market: Market
    lot: random.Random
    model: Phones = field(default_factory=Phones)
    people: dict[UUID, UUID] = field(default_factory=dict)
    phones: list[Phone] = field(default_factory=list)
    history: list[tuple[Phone, Record]] = field(default_factory=list)
    scans: list[dict[str, Any]] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    gifts: int = 0

    async def begin(self) -> Story:
        """Three members, six offers, two phones at the barber's and one at the bakery, and a fund with a little money."""
        market = await self.market.open(points=300, budget_fen=10_000_000, budget_points=100_000)
        self.people = {market.li: market.household, **{await market.join(points=300): some_id() for _ in range(2)}}
        async with market.sessions.begin() as session:
            for code in ("fund:charity",):
                await ledger.open_account(session, market.book, code, "fen", now=market.now)
            legs = (ledger.Leg("bank", "fund:charity", "fen", 4_000),)
            await ledger.post(session, market.book, ledger.Journal("gift", "opening", legs, None), now=market.now)
        world = self.model.world
        world.purses["fund:charity", "fen"] = 4_000
        for who in self.people:
            world.purses[member(who)] = 30_000
        world.purses[account("budget", market.sponsor), "fen"] = 10_000_000
        world.purses[account("budget", market.sponsor), "point"] = 10_000_000
        for price in PRICES:
            await self._publish(*price)
        for shop in (market.barber, market.barber, market.bakery):
            await self._enrol(shop)
        return self

    async def _publish(
        self,
        offline_class: int,
        points: int,
        subsidy: int,
        payable: int,
        cash: int,
        stock: int,
        cap: int | None,
        is_giftable: bool,
        shops: int,
    ) -> None:
        market = self.market
        where = (market.barber, market.bakery)[:shops]
        terms = await market.publish(
            merchant_ids=where,
            price_points=points,
            subsidy_points=subsidy,
            payable_fen=payable,
            cash_fen=cash,
            stock_total=stock,
            per_member_cap=cap,
            cap_period=redemption.CapPeriod.EVER,
            offline_class=OfflineClass(offline_class),
            is_giftable=is_giftable,
            valid_until=market.now + timedelta(days=3650),
        )
        self.model.world.offers.append(
            Offer(
                terms.offer_id,
                frozenset(where),
                offline_class,
                points - subsidy,
                subsidy,
                payable,
                cash,
                stock,
                cap,
                is_giftable,
                market.sponsor,
            )
        )

    async def _enrol(self, shop: UUID) -> None:
        phone = await Phone(self.market, merchant_id=shop).enrol()
        self.phones.append(phone)
        self.model.add_device(phone.device_id, shop, self.market.now)

    def time_goes_on(self) -> None:
        """Seconds, mostly; now and then hours."""
        seconds = self.lot.choice((1, 1, 7, 40, 40, 120, 120, 600, 600, 3_000, 9_000, 40_000))
        self.market = replace(self.market, now=self.market.now + timedelta(seconds=seconds))

    @property
    def now(self) -> Any:
        """The moment of this step."""
        return self.market.now

    @property
    def terms(self) -> Terms:
        """What phones may do this month."""
        month = month_of(self.now)
        began = self.now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return Terms(month_on=month, month_began=began)

    def voucher(self) -> Voucher | None:
        """One of the last, as most are; now and then an old one."""
        known = list(self.model.world.vouchers.values())
        if not known:
            return None
        return self.lot.choice(known if self.lot.random() < 0.1 else known[-12:])

    def voucher_for(self, phone: Phone) -> Voucher | None:
        """One that a phone of this shop may take without a network, mostly."""
        shop = self.model.world.devices[phone.device_id].shop
        good = [
            v
            for v in list(self.model.world.vouchers.values())[-25:]
            if v.offline_class > 0 and shop in v.offer.shops and v.expires_at > self.now
        ]
        return self.lot.choice(good) if good and self.lot.random() < 0.8 else self.voucher()

    async def ask(self, name: str, expected: str, asked: Asked, *, again: bool = True) -> bool:
        """Ask the library and compare with what the model says. What was done is asked once more now and then: nothing happens."""
        said = await told(asked)
        self.met[f"{name} {said}"] += 1
        assert said == expected, (name, said, expected, self.now)
        if said == "done" and again and self.lot.random() < 0.2:
            assert await told(asked) == "done", name
        return said in ("done", "redeemed")

    async def compare(self) -> None:
        """What the database says against the model."""
        world, book = self.model.world, self.market.book
        async with self.market.sessions.begin() as session:

            async def rows(query: str) -> list[tuple[Any, ...]]:
                return [tuple(row) for row in await session.execute(text(query), {"book": book})]

            vouchers = await rows(
                """SELECT voucher_id, state, quantity_used, quantity_returned, offline_class, code_seq, member_id, payer_id,
                          expires_at, due_at, lock_until, frozen_state, use_seq
                     FROM redemption.voucher WHERE community_id = :book"""
            )
            purses = await rows(
                """SELECT code, unit, balance FROM ledger.account WHERE community_id = :book
                      AND (code ~ '^(member|merchant|budget|owed):' OR code IN ('fund:charity', 'loss:offline'))"""
            )
            stock = await rows("SELECT offer_id, stock_taken FROM redemption.offer WHERE community_id = :book")
            uses = await rows("SELECT voucher_id, seq, state, bearer FROM redemption.use WHERE community_id = :book")
            lost = await rows(
                "SELECT began_on, lost_fen, allowed_fen FROM redemption.loss_month WHERE community_id = :book"
            )
            leases = await rows(
                "SELECT lease_id, state, frozen_at IS NOT NULL FROM redemption.lease WHERE community_id = :book"
            )
        differ({row[0]: row[1:] for row in vouchers}, {v.id: _row(v) for v in world.vouchers.values()})
        differ(
            {(code, unit): balance for code, unit, balance in purses if balance},
            {purse: amount for purse, amount in world.purses.items() if amount},
        )
        differ(dict(stock), {offer.id: world.stock_taken[offer.id] for offer in world.offers})
        expected_uses = {(v.id, u.seq): (u.state, u.bearer) for v in world.vouchers.values() for u in v.uses}
        differ({row[:2]: row[2:] for row in uses}, expected_uses)
        differ({row[0]: list(row[1:]) for row in lost}, world.lost)
        differ({row[0]: row[1:] for row in leases}, {x.id: (x.state, x.is_frozen) for x in world.leases.values()})


def _row(v: Voucher) -> tuple[Any, ...]:
    return (
        v.state,
        v.used,
        v.returned,
        v.offline_class,
        v.code_seq,
        v.member,
        v.payer,
        v.expires_at,
        v.due_at,
        v.lock_until,
        v.frozen_state,
        len(v.uses),
    )


def differ(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    """Fail with what is not the same, and nothing else."""
    wrong = {key: (found.get(key), expected.get(key)) for key in found.keys() | expected.keys()}
    wrong = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
    assert wrong == {}, dict(list(wrong.items())[:3])


async def told(asked: Asked) -> str:
    """`done`, the verdict of a scan, or the code of the refusal."""
    try:
        answer = await asked()
    except redemption.RedemptionRefusal as refusal:
        return refusal.code.removeprefix("redemption.")
    return answer.verdict if isinstance(answer, redemption.Scan) else "done"
