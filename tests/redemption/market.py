"""A small market: one sponsor with a budget, a barber and a bakery, Granny Li who has points, and the verbs short to say."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

import ledger
import redemption
from redemption import OfferKind, OfferTerms
from tests.db import Sessions
from tests.redemption.corrections import Corrections
from tests.redemption.jobs import Jobs

NOW = datetime(2025, 11, 22, 6, 0, tzinfo=UTC)
BOOK = 7


def some_id() -> UUID:
    return UUID(bytes=secrets.token_bytes(16), version=4)


@dataclass(frozen=True, slots=True)
class Market(Jobs, Corrections):
    """Everybody's ids. Each verb runs in a transaction of its own and commits."""

    sessions: Sessions
    book: int = BOOK
    now: datetime = NOW
    sponsor: UUID = field(default_factory=some_id)
    barber: UUID = field(default_factory=some_id)
    bakery: UUID = field(default_factory=some_id)
    li: UUID = field(default_factory=some_id)
    household: UUID = field(default_factory=some_id)
    clerk: UUID = field(default_factory=some_id)
    staff: UUID = field(default_factory=some_id)
    finance: UUID = field(default_factory=some_id)
    second: UUID = field(default_factory=some_id)
    device: UUID = field(default_factory=some_id)

    def at(self, **later: float) -> Market:
        """The same market later on."""
        return replace(self, now=self.now + timedelta(**later))

    async def open(self, *, points: int = 100, budget_fen: int = 100_000, budget_points: int = 1_000) -> Market:
        """Books, accounts, Granny Li's points and the sponsor's budget."""
        async with self.sessions.begin() as session:
            await ledger.open_book(session, self.book, now=self.now)
            await ledger.open_accounts(session, self.book, self._accounts(), now=self.now)
            await self._give(session, account("member", self.li), "point", "issued", points * 100)
            await self._give(session, account("budget", self.sponsor), "fen", "bank", budget_fen)
            await self._give(session, account("budget", self.sponsor), "point", "issued", budget_points * 100)
        return self

    def _accounts(self) -> list[ledger.AccountSpec]:
        spec = ledger.AccountSpec
        open_ended = [spec(code, unit, None, None) for code in ("issued", "paid", "bank") for unit in ("point", "fen")]
        shops = [
            spec(account("merchant", shop), unit, None, None)
            for shop in (self.barber, self.bakery)
            for unit in ("point", "fen")
        ]
        escrow = [spec("escrow", unit, 0, None) for unit in ("point", "fen")]
        own = [spec(account("budget", self.sponsor), unit, 0, None) for unit in ("point", "fen")]
        return [*open_ended, *shops, *escrow, *own, spec(account("member", self.li), "point", 0, None)]

    async def _give(self, session: AsyncSession, to: str, unit: str, source: str, amount: int) -> None:
        if amount:
            legs = (ledger.Leg(source, to, unit, amount),)
            await ledger.post(
                session, self.book, ledger.Journal(f"give:{to}:{unit}", "opening", legs, None), now=self.now
            )

    def nothing_much(self) -> ledger.Journal:
        """A posting whose only use is to wait for the book's head."""
        return ledger.Journal(f"nothing:{some_id()}", "nothing", (ledger.Leg("issued", "paid", "point", 1),), None)

    async def join(self, *, points: int = 100) -> UUID:
        """One more member with points."""
        member = some_id()
        async with self.sessions.begin() as session:
            await ledger.open_account(session, self.book, account("member", member), "point", now=self.now)
            await self._give(session, account("member", member), "point", "issued", points * 100)
        return member

    def terms(self, **changes: object) -> OfferTerms:
        """A haircut for 20 points, 15 yuan owed to the barber."""
        haircut = OfferTerms(
            offer_id=some_id(),
            sponsor_id=self.sponsor,
            merchant_ids=(self.barber,),
            title="理发一次",
            kind=OfferKind.SERVICE,
            price_points=20,
            payable_fen=1500,
            stock_total=10,
            per_member_cap=None,
            valid_from=self.now - timedelta(days=1),
            valid_until=self.now + timedelta(days=30),
            rules=("周一休息",),
        )
        return replace(haircut, **changes)  # type: ignore[arg-type]  # the changes are fields by name

    async def publish(self, **changes: object) -> OfferTerms:
        terms = self.terms(**changes)
        async with self.sessions.begin() as session:
            await redemption.draft_offer(session, self.book, terms, actor_id=self.staff, now=self.now)
            await redemption.publish_offer(
                session, self.book, terms.offer_id, key=some_id(), actor_id=self.staff, now=self.now
            )
        return terms

    async def issue(
        self,
        terms: OfferTerms,
        *,
        member: UUID | None = None,
        quantity: int | None = None,
        key: UUID | None = None,
        grace_hours: int = 72,
        tags: tuple[str, ...] = (),
        reserved_minutes: int | None = None,
    ) -> int:
        async with self.sessions.begin() as session:
            issued = await redemption.issue_voucher(
                session,
                self.book,
                key=key or some_id(),
                offer_id=terms.offer_id,
                member_id=member or self.li,
                owner_group=self.household,
                quantity=quantity,
                actor_id=member or self.li,
                grace_hours=grace_hours,
                tags=tags,
                reserved_minutes=reserved_minutes,
                now=self.now,
            )
        return issued.voucher_id

    async def scan(
        self,
        voucher_id: int,
        *,
        nonce: UUID | None = None,
        device: UUID | None = None,
        merchant: UUID | None = None,
        clerk: UUID | None = None,
        group: UUID | None = None,
        code_seq: int | None = None,
        quantity: int = 1,
    ) -> redemption.Scan:
        async with self.sessions.begin() as session:
            return await redemption.redeem(
                session,
                self.book,
                device_id=device or self.device,
                nonce=nonce or some_id(),
                voucher_id=voucher_id,
                code_seq=code_seq,
                merchant_id=merchant or self.barber,
                owner_group_of_clerk=group,
                clerk_id=clerk or self.clerk,
                quantity=quantity,
                scanned_at=self.now,
                now=self.now,
            )

    async def reverse(
        self,
        voucher_id: int,
        seq: int = 1,
        *,
        key: UUID | None = None,
        actor: UUID | None = None,
        as_owner: bool = False,
    ) -> redemption.Reversed:
        async with self.sessions.begin() as session:
            return await redemption.reverse_use(
                session,
                self.book,
                voucher_id,
                seq,
                key=key or some_id(),
                as_owner=as_owner,
                reason="wrong voucher",
                actor_id=actor or self.clerk,
                reversible_minutes=60,
                reversals_per_day=3,
                now=self.now,
            )

    async def cancel(
        self, voucher_id: int, *, key: UUID | None = None, quantity: int | None = None
    ) -> redemption.Ended:
        async with self.sessions.begin() as session:
            return await redemption.cancel_voucher(
                session,
                self.book,
                voucher_id,
                key=key or some_id(),
                reason="changed my mind",
                actor_id=self.li,
                quantity=quantity,
                now=self.now,
            )

    async def give(self, voucher_id: int, to: UUID, **asked: Any) -> bool:
        given: dict[str, Any] = {"key": some_id(), "actor_id": self.li, "owner_group": some_id(), "now": self.now}
        async with self.sessions.begin() as session:
            return await redemption.give_voucher(session, self.book, voucher_id, to_id=to, **given | asked)

    async def freeze(self, voucher_id: int, *, key: UUID | None = None) -> None:
        async with self.sessions.begin() as session:
            await redemption.freeze(
                session,
                self.book,
                voucher_id,
                key=key or some_id(),
                reason="looking",
                actor_id=self.staff,
                now=self.now,
            )

    async def unfreeze(self, voucher_id: int) -> None:
        async with self.sessions.begin() as session:
            await redemption.unfreeze(
                session, self.book, voucher_id, key=some_id(), reason="cleared", actor_id=self.staff, now=self.now
            )

    async def void(self, voucher_id: int, *, second: UUID | None = None) -> redemption.Ended:
        async with self.sessions.begin() as session:
            return await redemption.void(
                session,
                self.book,
                voucher_id,
                key=some_id(),
                reason="issued in error",
                actor_id=self.staff,
                second_id=second or self.second,
                now=self.now,
            )

    async def propose(
        self,
        voucher_id: int,
        step: redemption.StaffStep,
        *,
        until: datetime | None = None,
        actor: UUID | None = None,
        request_id: UUID | None = None,
    ) -> UUID:
        asked = request_id or some_id()
        async with self.sessions.begin() as session:
            await redemption.propose_step(
                session,
                self.book,
                voucher_id,
                step,
                request_id=asked,
                extend_until=until,
                reason="was in hospital",
                actor_id=actor or self.staff,
                now=self.now,
            )
        return asked

    async def decide(
        self, request_id: UUID, *, is_agreed: bool = True, actor: UUID | None = None, key: UUID | None = None
    ) -> redemption.Decided:
        async with self.sessions.begin() as session:
            return await redemption.decide_step(
                session,
                self.book,
                request_id,
                key=key or some_id(),
                is_agreed=is_agreed,
                actor_id=actor or self.second,
                now=self.now,
            )

    async def expire(self, *, limit: int = 200) -> redemption.Expiry:
        async with self.sessions.begin() as session:
            return await redemption.expire_due(session, self.book, now=self.now, limit=limit)

    async def close(self, merchant: UUID | None = None, *, settlement_id: UUID | None = None) -> redemption.Settlement:
        async with self.sessions.begin() as session:
            return await redemption.close_settlement(
                session,
                self.book,
                settlement_id=settlement_id or some_id(),
                merchant_id=merchant or self.barber,
                received_until=self.now,
                actor_id=self.finance,
                now=self.now,
            )

    async def confirm(self, settlement_id: UUID, *, key: UUID | None = None) -> None:
        async with self.sessions.begin() as session:
            await redemption.confirm_settlement(
                session, self.book, settlement_id, key=key or some_id(), actor_id=self.clerk, now=self.now
            )

    async def approve(self, settlement_id: UUID, *, actor: UUID | None = None, key: UUID | None = None) -> None:
        async with self.sessions.begin() as session:
            await redemption.approve_settlement(
                session, self.book, settlement_id, key=key or some_id(), actor_id=actor or self.second, now=self.now
            )

    async def pay(
        self,
        settlement_id: UUID,
        *,
        bank_reference: str = "B-1",
        key: UUID | None = None,
        fen: int | None = None,
        actor: UUID | None = None,
    ) -> None:
        async with self.sessions.begin() as session:
            await redemption.pay_settlement(
                session,
                self.book,
                settlement_id,
                key=key or some_id(),
                bank_reference=bank_reference,
                actor_id=actor or self.finance,
                fen=fen,
                now=self.now,
            )

    async def resolve(
        self,
        settlement_id: UUID,
        line_no: int = 1,
        *,
        for_shop: bool,
        actor: UUID | None = None,
        reason: str = "asked both",
        key: UUID | None = None,
    ) -> None:
        async with self.sessions.begin() as session:
            await redemption.resolve_dispute(
                session,
                self.book,
                settlement_id,
                line_no,
                key=key or some_id(),
                for_shop=for_shop,
                reason=reason,
                actor_id=actor or self.second,
                now=self.now,
            )

    async def dispute(self, settlement_id: UUID, line_no: int = 1, *, key: UUID | None = None) -> None:
        async with self.sessions.begin() as session:
            await redemption.dispute_line(
                session,
                self.book,
                settlement_id,
                line_no,
                key=key or some_id(),
                reason="never came",
                actor_id=self.clerk,
                now=self.now,
            )

    async def voucher(self, voucher_id: int) -> redemption.Voucher:
        async with self.sessions.begin() as session:
            return await redemption.voucher(session, self.book, voucher_id)

    async def offer(self, terms: OfferTerms) -> redemption.Offer:
        async with self.sessions.begin() as session:
            return await redemption.offer(session, self.book, terms.offer_id)

    async def settlement(self, settlement_id: UUID) -> redemption.Settlement:
        async with self.sessions.begin() as session:
            return await redemption.settlement(session, self.book, settlement_id)

    async def balance(self, code: str, unit: str = "point") -> int:
        async with self.sessions.begin() as session:
            return await ledger.balance(session, self.book, code, unit)

    async def points(self, member: UUID | None = None) -> int:
        """A member's whole points."""
        return await self.balance(account("member", member or self.li)) // 100

    async def faults(self) -> list[object]:
        """What the books and the vouchers have to say against each other."""
        async with self.sessions.begin() as session:
            return [*await ledger.verify(session, self.book), *await redemption.verify(session, self.book)]


def account(kind: str, whose: UUID) -> str:
    return f"{kind}:{whose.hex}"
