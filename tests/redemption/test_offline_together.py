"""Records of a phone that are plainly accepted go together: what comes of an upload is the same as if each went by itself."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

import ledger
from redemption import OfferTerms, OfflineClass
from tests.redemption.market import Market, account, some_id
from tests.redemption.phones import Phone, Record
from tests.redemption.test_offline_table import clean

pytestmark = pytest.mark.anyio

LEASED, ROAMING = OfflineClass.LEASED, OfflineClass.ROAMING

# Rows by what they say, people and devices by who they are in the story: two books made by the same story hold the same.
_KEPT = """
SELECT o.seq, o.quantity, o.offline_class, o.scanned_at, o.claimed_at, o.flags, o.verdict, o.reason, o.bearer, o.use_seq,
       o.value_fen, o.undoes IS NOT NULL AS is_undo, o.lease_id IS NOT NULL AS is_leased,
       o.hash = sha256(convert_to(o.text, 'UTF8')) AS is_whole, r.state AS review
  FROM redemption.offline_record o
  LEFT JOIN redemption.offline_review r ON r.community_id = o.community_id AND r.device_id = o.device_id AND r.nonce = o.nonce
 WHERE o.community_id = :book ORDER BY o.seq, o.received_at, o.scanned_at, o.reason, o.text
"""
_TRANSFERS = """
SELECT t.seq, t.journal_id, t.kind, t.unit, t.amount, t.debit_balance, t.credit_balance, split_part(d.code, ':', 1) AS debit,
       split_part(c.code, ':', 1) AS credit, j.reason, split_part(j.reference, ':', 1) AS about,
       j.actor_id IS NOT NULL AS is_of_somebody, j.effective_at, j.posted_at
  FROM ledger.transfer t
  JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id
  JOIN ledger.account d ON d.community_id = t.community_id AND d.account_id = t.debit
  JOIN ledger.account c ON c.community_id = t.community_id AND c.account_id = t.credit
 WHERE t.community_id = :book ORDER BY t.seq
"""
_USES = """
SELECT u.seq, u.quantity, u.points, u.subsidy_points, u.payable_fen, u.cash_fen, u.code_seq, u.state, u.bearer, u.scanned_at,
       u.received_at, u.journal_id
  FROM redemption.use u WHERE u.community_id = :book AND u.voucher_id = :voucher ORDER BY u.seq
"""
_VOUCHER = """
SELECT v.state, v.quantity_used, v.quantity_returned, v.code_seq, v.use_seq, v.event_seq, v.changed_at,
       (SELECT array_agg(ROW(e.action, e.from_state, e.to_state, e.reason, e.actor_id IS NOT NULL, e.at)::text ORDER BY e.number)
          FROM redemption.voucher_event e WHERE e.community_id = v.community_id AND e.voucher_id = v.voucher_id) AS history
  FROM redemption.voucher v WHERE v.community_id = :book AND v.voucher_id = :voucher
"""
_PHONE = """
SELECT d.log_seq, d.log_at, d.seen_at, l.state, l.frozen_reason,
       (SELECT array_agg(ROW(m.lost_fen, m.allowed_fen, m.alarmed_at)::text)
          FROM redemption.loss_month m WHERE m.community_id = d.community_id) AS losses,
       (SELECT count(*) FROM redemption.strike s WHERE s.community_id = d.community_id) AS strikes
  FROM redemption.device d LEFT JOIN redemption.lease l ON l.community_id = d.community_id AND l.device_id = d.device_id
 WHERE d.community_id = :book AND d.device_id = :phone
"""
_WRITES = "SELECT count(DISTINCT xmin::text) FROM redemption.offline_record WHERE community_id = :book"


async def rows(market: Market, query: str, **values: object) -> list[dict[str, Any]]:
    async with market.sessions.begin() as session:
        found = await session.execute(sa.text(query), {"book": market.book, **values})
        return [dict(row) for row in found.mappings()]


@dataclass
class Queue:
    """What a phone scanned in a day, drawn: mostly plain, and now and then one of everything else."""

    market: Market
    chance: random.Random
    phone: Phone = field(init=False)
    offers: list[OfferTerms] = field(default_factory=list)
    vouchers: list[int] = field(default_factory=list)
    minute: int = 0

    async def begin(self) -> "Queue":
        market = self.market
        shops = (market.barber, market.bakery)
        kinds: list[dict[str, Any]] = [
            {"offline_class": LEASED, "price_points": 3, "payable_fen": 200},
            {"offline_class": LEASED, "price_points": 0, "payable_fen": 0},
            {"offline_class": ROAMING, "merchant_ids": shops, "price_points": 2, "payable_fen": 100, "cash_fen": 50},
            {"offline_class": ROAMING, "merchant_ids": shops, "price_points": 4, "payable_fen": 0},
        ]
        self.offers = [await market.publish(stock_total=500, **kind) for kind in kinds]
        self.phone = await Phone(market).enrol()
        await self.phone.take_lease()
        return self

    async def voucher(self, **changed: Any) -> int:
        found = await self.market.issue(self.chance.choice(self.offers), **changed)
        self.vouchers.append(found)
        return found

    def later(self) -> Market:
        self.minute += self.chance.randrange(1, 4)
        return self.market.at(hours=1, minutes=self.minute)

    async def plain(self) -> None:
        pieces = self.chance.choice((1, 1, 1, 3))
        voucher_id = await self.voucher(quantity=pieces)
        flags = self.chance.choice(([], [], ["clock_jump"]))
        self.phone.scan(voucher_id, self.later(), quantity=self.chance.randint(1, pieces), flags=flags)

    async def twice(self) -> None:
        voucher_id = await self.voucher(quantity=2)
        for _ in range(self.chance.randint(2, 3)):
            self.phone.scan(voucher_id, self.later())

    async def undone(self) -> None:
        self.phone.undo(self.phone.scan(await self.voucher(), self.later()), self.later())

    async def undone_first(self) -> None:
        record = self.phone.scan(await self.voucher(), self.later())
        back = self.phone.undo(record, self.later())
        self.phone.queue.remove(back)
        self.phone.queue.insert(max(0, len(self.phone.queue) - self.chance.randrange(1, 4)), back)

    async def used_online(self) -> None:
        voucher_id = await self.voucher()
        self.phone.scan(voucher_id, self.later())
        await self.market.scan(voucher_id, device=self.phone.device_id)

    async def known(self) -> None:
        voucher_id = await self.voucher()
        record = self.phone.scan(voucher_id, self.later())
        await self.market.scan(voucher_id, device=self.phone.device_id, nonce=record["nonce"])

    async def frozen(self) -> None:
        voucher_id = await self.voucher()
        await self.market.freeze(voucher_id)
        self.phone.scan(voucher_id, self.later())

    async def cancelled(self) -> None:
        voucher_id = await self.market.issue(self.offers[2])
        self.vouchers.append(voucher_id)
        await self.market.cancel(voucher_id)
        self.phone.scan(voucher_id, self.later())

    async def odd(self) -> None:
        market = self.market
        day = int(market.at(days=40).now.timestamp() * 1000)
        changed: Record = self.chance.choice(
            [
                {"fault": "forged"},
                {"is_clerk": False},
                {"group": str(market.household)},
                {"clerk": str(market.li)},
                {"lease": str(some_id())},
                {"code_seq": 2},
                {"trusted_at": day},
                {"trusted_at": int(market.now.timestamp() * 1000)},
                {"quantity": 9},
                {"flags": ["clock_back"]},
            ]
        )
        self.phone.scan(await self.voucher(), self.later(), **changed)

    async def strange(self) -> None:
        self.phone.scan(self.chance.choice((None, 4711)), self.later())

    async def lost(self) -> None:
        """A record that never arrives, a number used twice, or one that nobody can read."""
        record = self.phone.scan(await self.voucher(), self.later())
        if (kind := self.chance.randrange(3)) == 0:
            self.phone.queue.pop()
        elif kind == 1:
            self.phone.seq -= 1
        else:
            self.phone.queue[-1] = {"is_unread": True, "nonce": None, "hash": record["hash"]}

    async def again(self) -> None:
        if self.phone.queue:
            self.phone.queue.append(self.chance.choice(self.phone.queue))

    async def fill(self, count: int) -> None:
        steps: list[Callable[[], Awaitable[None]]] = [
            self.twice,
            self.undone,
            self.undone_first,
            self.used_online,
            self.known,
            self.frozen,
            self.cancelled,
            self.odd,
            self.odd,
            self.strange,
            self.lost,
            self.again,
        ]
        for _ in range(count):
            await (self.plain() if self.chance.random() < 0.8 else self.chance.choice(steps)())

    async def upload(self, *, is_together: bool) -> list[Mapping[str, Any]]:
        """Everything at once. A last record that is no record keeps the others from going together; it gets no answer."""
        sent = list(self.phone.queue)
        if not is_together:
            sent.append({**sent[0], "nonce": str(some_id()), "quantity": "none", "undoes": None})
        answers = await self.phone.sync(self.market.at(days=1), sent)
        names = {self.market.li: "li", self.market.clerk: "clerk", self.market.barber: "barber"}
        ids = {str(who): name for who, name in names.items()} | {str(each): n for n, each in enumerate(self.vouchers)}
        ids |= {str(each.offer_id): f"offer {n}" for n, each in enumerate(self.offers)}
        ids |= {each["nonce"]: f"record {n}" for n, each in reversed(list(enumerate(sent))) if each["nonce"]}
        return [{key: ids.get(str(value), value) for key, value in each.items()} for each in answers]

    async def everything(self) -> dict[str, Any]:
        """All that the books and the tables hold of it."""
        return {
            "kept": await rows(self.market, _KEPT),
            "transfers": await rows(self.market, _TRANSFERS),
            "uses": [await rows(self.market, _USES, voucher=each) for each in self.vouchers],
            "vouchers": [await rows(self.market, _VOUCHER, voucher=each) for each in self.vouchers],
            "phone": await rows(self.market, _PHONE, phone=self.phone.device_id),
        }


async def drawn(market: Market, seed: int, book: int, count: int, *, is_expiring: bool = False) -> Queue:
    opened = await Market(market.sessions, book=book).open(points=5_000, budget_fen=1_000_000, budget_points=0)
    if is_expiring:
        rule = ledger.ExpiryPolicy("member:", ledger.ExpiryRule.MONTHS, months=6)
        async with opened.sessions.begin() as session:
            await ledger.set_expiry(session, book, "point", rule, actor_id=opened.staff, now=opened.now)
    queue = await Queue(opened, random.Random(seed)).begin()
    await queue.fill(count)
    return queue


@pytest.mark.parametrize("seed", range(1, 6))
async def test_a_queue_comes_to_the_same_together_and_one_by_one(market: Market, seed: int):
    is_expiring = seed == 5  # points in lots, which the ledger posts one after the other
    together = await drawn(market, seed, 1000 + seed, 60, is_expiring=is_expiring)
    alone = await drawn(market, seed, 2000 + seed, 60, is_expiring=is_expiring)

    said = await together.upload(is_together=True)
    assert said == await alone.upload(is_together=False)

    assert await together.everything() == await alone.everything()
    assert {each["verdict"] for each in said} > {"accepted", "conflict"}
    # They did go together here and alone there: a subtransaction writes each, and most of them had one for many.
    [here], [there] = await rows(together.market, _WRITES), await rows(alone.market, _WRITES)
    kept = len((await together.everything())["kept"])
    assert here["count"] < kept * 2 / 3 < kept == there["count"]
    assert await clean(together.market)
    assert await clean(alone.market)


async def test_plain_records_are_written_by_one_step(market: Market):
    queue = await drawn(market, 1, 3000, 0)
    for _ in range(30):
        await queue.plain()

    said = await queue.upload(is_together=True)

    assert [each["verdict"] for each in said] == ["accepted"] * 30
    assert await rows(queue.market, _WRITES) == [{"count": 1}]
    assert await clean(queue.market)


async def test_what_the_books_refuse_is_held_and_the_others_are_used(market: Market):
    queue = await drawn(market, 1, 3001, 0)
    for number in range(12):
        terms = queue.offers[0 if number % 4 == 0 else 3]
        queue.vouchers.append(await queue.market.issue(terms))
        queue.phone.scan(queue.vouchers[-1], queue.later())
    async with market.sessions.begin() as session:
        shop = account("merchant", queue.market.barber)
        await ledger.close_account(session, queue.market.book, shop, "fen", now=queue.market.now)

    said = await queue.upload(is_together=True)

    expected = ["ledger_refused" if number % 4 == 0 else "accepted" for number in range(12)]
    assert [each["reason"] for each in said] == expected
    assert await clean(queue.market)


async def test_what_breaks_one_record_breaks_no_other(market: Market):
    queue = await drawn(market, 1, 3002, 0)
    for number in range(6):
        await queue.plain()
        if number == 3:
            # What it says is missing, which nothing notices before it is written.
            queue.phone.queue[-1]["text"] = None

    said = await queue.upload(is_together=True)

    assert [each["nonce"] for each in said] == [f"record {n}" for n in (0, 1, 2, 4, 5)]
    assert {each["verdict"] for each in said} == {"accepted"}
    assert await clean(queue.market)


async def test_a_clock_behind_a_record_that_was_not_kept_counts_as_it_would_alone(market: Market):
    """The moment of a plain record hangs on those before it; where one of them falls out, the others are looked at again."""
    queue = await drawn(market, 1, 3003, 0)
    far = int(market.at(hours=20).now.timestamp() * 1000)
    for number in range(5):
        await queue.plain()
        if number == 1:
            queue.phone.queue[-1] |= {"trusted_at": far, "text": None}

    said = await queue.upload(is_together=True)

    own = [timedelta(milliseconds=each["trusted_at"]) for n, each in enumerate(queue.phone.queue) if n != 1]
    kept = await rows(queue.market, _KEPT)
    assert len(said) == len(kept) == 4
    assert [each["claimed_at"] for each in kept] == [each["scanned_at"] for each in kept]
    assert own == sorted(own)
    assert await clean(queue.market)
