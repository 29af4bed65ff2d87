"""A shop's phone in tests: it writes records into its chain and uploads them, and can be told to be late or to lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import redemption
from redemption import Terms
from redemption.offline.rules import FIRST, record_hash, record_text
from tests.redemption.market import Market, some_id

TERMS = Terms(month_on=date(2025, 11, 1), month_began=datetime.fromisoformat("2025-10-31T16:00:00+00:00"))
Record = dict[str, Any]


@dataclass
class Phone:
    """An enrolled device of a shop."""

    market: Market
    device_id: UUID = field(default_factory=some_id)
    merchant_id: UUID | None = None
    lease_id: UUID | None = None
    seq: int = 0
    prev: str = FIRST
    queue: list[Record] = field(default_factory=list)
    seen: datetime | None = None

    async def enrol(self) -> Phone:
        ticket = hashlib.sha256(self.device_id.bytes).digest()
        market = self.market
        async with market.sessions.begin() as session:
            await redemption.make_ticket(
                session,
                market.book,
                ticket,
                merchant_id=self.merchant_id or market.barber,
                actor_id=market.staff,
                now=market.now,
            )
            await redemption.enrol_device(
                session,
                market.book,
                ticket,
                device_id=self.device_id,
                public_key=self.device_id.bytes * 2,
                label="柜台",
                now=market.now,
            )
        return self.hears(market.now)

    def hears(self, at: datetime) -> Phone:
        """The phone had a network then."""
        self.seen = at
        return self

    async def take_lease(self, at: Market | None = None) -> redemption.Lease:
        market = at or self.market
        async with market.sessions.begin() as session:
            lease = await redemption.take_lease(
                session, market.book, self.device_id, lease_id=some_id(), now=market.now
            )
        self.lease_id = lease.lease_id
        self.hears(market.now)
        return lease

    async def return_lease(self, at: Market | None = None, *, seq: int | None = None) -> None:
        market = at or self.market
        async with market.sessions.begin() as session:
            await redemption.return_lease(
                session, market.book, self.device_id, seq=self.seq if seq is None else seq, now=market.now
            )

    async def listed(self, at: Market | None = None) -> list[int]:
        market = at or self.market
        async with market.sessions.begin() as session:
            found = await redemption.leased_vouchers(session, market.book, self.device_id, now=market.now)
        return [each.voucher_id for each in found]

    def scan(self, voucher_id: int | None, at: Market | None = None, **changed: Any) -> Record:
        """Accept a voucher without a network, at the time of `at`."""
        market = at or self.market
        ms = int(market.now.timestamp() * 1000)
        mono = None if self.seen is None else int((market.now - self.seen).total_seconds() * 1000)
        self.seq += 1
        written: Record = {
            "v": 1,
            "seq": self.seq,
            "prev": self.prev,
            "nonce": str(some_id()),
            "voucher": str(voucher_id),
            "quantity": 1,
            "code": "R",
            "step": None,
            "device_at": ms,
            "mono": mono,
            "trusted_at": ms,
            "lease": str(self.lease_id) if self.lease_id else None,
            "clerk": str(market.clerk),
            "class": 1,
            "flags": [],
        }
        return self._write(written, changed, voucher_id)

    def undo(self, record: Record, at: Market | None = None, **changed: Any) -> Record:
        """Take back a scan of this phone, at the time of `at`."""
        market = at or self.market
        ms = int(market.now.timestamp() * 1000)
        self.seq += 1
        written: Record = {
            "v": 2,
            "seq": self.seq,
            "prev": self.prev,
            "nonce": str(some_id()),
            "undoes": record["nonce"],
            "voucher": str(record["voucher"]),
            "quantity": record["quantity"],
            "device_at": ms,
            "mono": None,
            "trusted_at": ms,
            "clerk": str(market.clerk),
            "flags": [],
        }
        made = self._write(written, changed, record["voucher"])
        made |= {"minutes": 60, "per_day": 3}
        return made

    def _write(self, written: Record, changed: Record, voucher_id: int | None) -> Record:
        found: Record = {"fault": None, "code_seq": 1, "is_clerk": True, "group": None}
        for key, value in changed.items():
            (found if key in found else written)[key] = value
        text = record_text(written)
        record = {**written, **found, "voucher": voucher_id, "text": text, "hash": record_hash(text)}
        self.prev, self.seq = record["hash"], written["seq"]
        self.queue.append(record)
        return record

    async def sync(
        self, at: Market | None = None, records: Sequence[Record] | None = None, terms: Terms = TERMS
    ) -> list[Mapping[str, Any]]:
        """Upload the queue, or these records; what was answered leaves the queue."""
        market = at or self.market
        async with market.sessions.begin() as session:
            answers = await redemption.sync_records(
                session,
                market.book,
                self.device_id,
                self.queue if records is None else records,
                terms=terms,
                written=self.seq,
                now=market.now,
            )
        answered = {each["nonce"] for each in answers}
        self.queue = [each for each in self.queue if each["nonce"] not in answered]
        return list(answers)

    async def upload(
        self, voucher_id: int | None, at: Market | None = None, **changed: Any
    ) -> tuple[str, str, str | None]:
        """Scan and upload an hour later: verdict, reason and who pays."""
        here = at or self.market
        later = changed.pop("later", timedelta(hours=1))
        self.scan(voucher_id, here, **changed)
        answer = (await self.sync(here.at(seconds=later.total_seconds())))[-1]
        return answer["verdict"], answer["reason"], answer["bearer"]
