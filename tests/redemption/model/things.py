"""What the model keeps: offers, vouchers, uses, phones, leases and what everybody has. Plain values, no database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

DAY = timedelta(hours=24)
GRACE = timedelta(hours=72)
OVER = ("CANCELLED", "EXPIRED", "VOID")
REFUSED_AS = {
    "FROZEN": "frozen",
    "VOID": "void",
    "CANCELLED": "cancelled",
    "CANCEL_PENDING": "cancel_pending",
    "USED": "used",
    "EXPIRED": "expired",
    "RESERVED": "not_issued",
    "LOCKED": "locked",
}
Purse = tuple[str, str]
"""An account's code and its unit."""


@dataclass(frozen=True)
class Offer:
    """What can be taken. Prices are of one piece."""

    id: UUID
    shops: frozenset[UUID]
    offline_class: int
    points: int
    subsidy: int
    payable_fen: int
    cash_fen: int
    stock: int
    cap: int | None
    is_giftable: bool
    sponsor: UUID

    @property
    def value_fen(self) -> int:
        """For limits in money: fen, else a yuan for each point."""
        return self.payable_fen + self.cash_fen or 100 * (self.points + self.subsidy)


@dataclass
class Use:
    """One use; with a bearer it took nothing from the voucher."""

    seq: int
    device: UUID
    nonce: str
    merchant: UUID
    clerk: UUID
    quantity: int
    state: str
    bearer: str | None
    received_at: datetime
    is_offline: bool
    reversed_at: datetime | None = None
    paid_by: dict[Purse, int] = field(default_factory=dict)
    """A conflict: what it took of whom."""
    is_strike: bool = False


@dataclass
class Voucher:
    """A voucher and its history of uses."""

    id: int
    offer: Offer
    member: UUID
    group: UUID
    state: str
    total: int
    offline_class: int
    expires_at: datetime
    due_at: datetime
    changed_at: datetime
    payer: UUID | None = None
    used: int = 0
    returned: int = 0
    code_seq: int = 1
    renewed_at: datetime | None = None
    token: UUID | None = None
    lock_until: datetime | None = None
    frozen_state: str | None = None
    uses: list[Use] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Pieces that can still be used."""
        return self.total - self.used - self.returned

    @property
    def pays(self) -> UUID:
        """Whose points are in it."""
        return self.payer or self.member

    def moved(self, state: str, now: datetime) -> None:
        """It changes its state; a lock lasts only while it is locked or frozen as locked."""
        if "LOCKED" not in (state, self.frozen_state):
            self.token = self.lock_until = None
        self.state, self.changed_at = state, now


@dataclass
class Lease:
    """The right to redeem leased vouchers without a network."""

    id: UUID
    phone: UUID
    shop: UUID
    granted_at: datetime
    renewed_at: datetime
    ends_at: datetime
    state: str = "out"
    ended_at: datetime | None = None
    is_frozen: bool = False
    covers: dict[UUID, datetime] = field(default_factory=dict)
    """Since when it had which offers under it."""

    def is_out(self, now: datetime) -> bool:
        """Whether it keeps others away."""
        return self.state == "out" and self.ends_at > now


@dataclass
class Record:
    """What was made of an uploaded record."""

    nonce: str
    seq: int
    voucher_id: int
    """What the phone says, whether there is such a voucher or not."""
    voucher: Voucher | None
    quantity: int
    shop: UUID
    clerk: UUID
    offline_class: int | None
    value_fen: int
    scanned_at: datetime
    received_at: datetime
    heard_at: datetime
    verdict: str
    reason: str
    bearer: str | None
    review: str | None = None
    is_paid: bool | None = None
    undoes: tuple[str, int] | None = None


@dataclass
class Device:
    """A phone of a shop as the server knows it."""

    id: UUID
    shop: UUID
    registered_at: datetime
    seen_at: datetime | None = None
    log_seq: int = 0
    log_hash: str = "0" * 64
    log_at: datetime | None = None
    said_seq: int = 0
    said_at: datetime | None = None
    """How far its log went when it last said so."""
    is_revoked: bool = False
    records: dict[str, Record] = field(default_factory=dict)


@dataclass
class World:
    """Everything, and what everybody has in the ledger's smallest unit."""

    offers: list[Offer] = field(default_factory=list)
    vouchers: dict[int, Voucher] = field(default_factory=dict)
    devices: dict[UUID, Device] = field(default_factory=dict)
    leases: dict[UUID, Lease] = field(default_factory=dict)
    leased: dict[UUID, Lease] = field(default_factory=dict)
    """The lease that an offer was last given out with."""
    purses: Counter[Purse] = field(default_factory=Counter)
    stock_taken: Counter[UUID] = field(default_factory=Counter)
    strikes: Counter[UUID] = field(default_factory=Counter)
    settled_until: dict[UUID, datetime] = field(default_factory=dict)
    corrected: list[tuple[Voucher, Use]] = field(default_factory=list)
    """Corrections that no statement bears yet, and since when."""
    lost: dict[Any, list[int]] = field(default_factory=dict)
    """By month: what the fund has lost, and what it may."""
    scans: dict[tuple[UUID, str], tuple[Voucher, Use]] = field(default_factory=dict)

    def lease_on(self, offer: Offer, now: datetime) -> Lease | None:
        """The lease that keeps other devices from an offer."""
        lease = self.leased.get(offer.id)
        return lease if lease is not None and lease.is_out(now) else None

    def move(self, source: Purse | None, target: Purse | None, amount: int) -> None:
        """From one to another; None is escrow, which nobody has."""
        if source:
            self.purses[source] -= amount
        if target:
            self.purses[target] += amount

    def hold(self, voucher: Voucher, pieces: int, sign: int = -1) -> None:
        """Into escrow, or with +1 back out of it."""
        offer = voucher.offer
        self.purses[member(voucher.pays)] += sign * 100 * pieces * offer.points
        self.purses[budget(offer.sponsor, "point")] += sign * 100 * pieces * offer.subsidy
        self.purses[budget(offer.sponsor, "fen")] += sign * pieces * offer.payable_fen

    def pay_shop(self, voucher: Voucher, shop: UUID, pieces: int, sign: int = 1) -> None:
        """The shop's side of a use."""
        offer = voucher.offer
        self.purses[merchant(shop, "point")] += sign * 100 * pieces * (offer.points + offer.subsidy)
        self.purses[merchant(shop, "fen")] += sign * pieces * offer.payable_fen

    def add_use(self, voucher: Voucher, use: Use) -> None:
        """It stands in the voucher's history, and is found again by device and nonce."""
        voucher.uses.append(use)
        self.scans[use.device, use.nonce] = (voucher, use)


def member(who: UUID) -> Purse:
    """A member's points."""
    return f"member:{who.hex}", "point"


def owed(who: UUID) -> Purse:
    """What a member owes for conflicts."""
    return f"owed:{who.hex}", "point"


def merchant(who: UUID, unit: str) -> Purse:
    """What a shop is owed."""
    return f"merchant:{who.hex}", unit


def budget(who: UUID, unit: str) -> Purse:
    """What a sponsor has."""
    return f"budget:{who.hex}", unit
