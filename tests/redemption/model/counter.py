"""The model of what is done with a network: taking, locking, scanning, giving back, and what time and staff do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from tests.redemption.model.things import (
    DAY,
    GRACE,
    OVER,
    REFUSED_AS,
    Offer,
    Use,
    Voucher,
    World,
    budget,
    member,
    merchant,
    owed,
)

Said = str
"""`done`, or the code of the refusal."""
CLOSED = ("USED", *OVER)
NO_PHONE = UUID(int=0)


@dataclass
class Counter:
    """Each verb answers what the library has to answer, and does it when that is yes."""

    world: World = field(default_factory=World)

    def issue_refusal(self, offer: Offer, who: UUID, pieces: int) -> Said:
        """Why a member cannot have so many pieces; `done` when they can."""
        world = self.world
        taken = sum(v.total - v.returned for v in world.vouchers.values() if v.offer is offer and v.pays == who)
        if pieces < 1:
            return "quantity_wrong"
        if world.stock_taken[offer.id] + pieces > offer.stock:
            return "out_of_stock"
        if offer.cap is not None and taken + pieces > offer.cap:
            return "member_cap"
        if world.purses[member(who)] < 100 * pieces * offer.points:
            return "points_short"
        short = [
            world.purses[budget(offer.sponsor, unit)] < pieces * each
            for unit, each in (("point", 100 * offer.subsidy), ("fen", offer.payable_fen))
        ]
        return "budget_short" if any(short) else "done"

    def issued(
        self, number: int, offer: Offer, who: UUID, group: UUID, pieces: int, minutes: int | None, now: datetime
    ) -> None:
        """They have it."""
        world = self.world
        is_online = world.strikes[who] >= 2 or world.purses[owed(who)] < 0
        expires = now + (7 * DAY if minutes is None else timedelta(minutes=minutes))
        grace = GRACE if offer.offline_class > 0 and minutes is None else timedelta(0)
        voucher = Voucher(
            number,
            offer,
            who,
            group,
            "ISSUED" if minutes is None else "RESERVED",
            pieces,
            0 if is_online else offer.offline_class,
            expires,
            expires + grace,
            now,
        )
        world.vouchers[number] = voucher
        world.stock_taken[offer.id] += pieces
        world.hold(voucher, pieces)

    def confirm(self, voucher: Voucher, now: datetime) -> Said:
        if voucher.state != "RESERVED":
            return REFUSED_AS.get(voucher.state, "state_wrong")
        if now >= voucher.expires_at:
            return "expired"
        voucher.moved("ISSUED", now)
        voucher.expires_at = now + 7 * DAY
        voucher.due_at = voucher.expires_at + (GRACE if voucher.offer.offline_class > 0 else timedelta(0))
        return "done"

    def scan_refusal(
        self,
        voucher: Voucher,
        shop: UUID,
        clerk: UUID,
        group: UUID | None,
        code_seq: int | None,
        pieces: int,
        now: datetime,
        device: UUID | None,
    ) -> Said:
        """The first reason why it is not redeemed here and now."""
        if shop not in voucher.offer.shops:
            return "wrong_merchant"
        if clerk in (voucher.member, voucher.payer) or voucher.group == group:
            return "own_voucher"
        if voucher.state in REFUSED_AS:
            return REFUSED_AS[voucher.state]
        if now >= voucher.expires_at:
            return "expired"
        if code_seq is not None and code_seq != voucher.code_seq:
            return "code_outdated"
        lease = self.world.lease_on(voucher.offer, now)
        if voucher.offline_class == 1 and device is not None and lease is not None and lease.phone != device:
            return "leased"
        return "done" if 1 <= pieces <= voucher.open else "quantity_wrong"

    def scan(
        self,
        voucher: Voucher,
        device: UUID,
        nonce: str,
        shop: UUID,
        clerk: UUID,
        group: UUID | None,
        code_seq: int | None,
        pieces: int,
        now: datetime,
    ) -> Said:
        before = self.world.scans.get((device, nonce))
        if before is not None:
            same = before[0] is voucher and before[1].merchant == shop and before[1].quantity == pieces
            return "replayed" if same else "nonce_differs"
        known = self.world.devices.get(device)
        if known is not None and (known.is_revoked or known.shop != shop):
            return "device_refused"
        if known is not None and nonce in known.records:
            return "nonce_differs"
        said = self.scan_refusal(voucher, shop, clerk, group, code_seq, pieces, now, device)
        if said != "done":
            return said
        self.take(voucher, device, nonce, shop, clerk, pieces, now)
        return "redeemed"

    def take(
        self,
        voucher: Voucher,
        device: UUID,
        nonce: str,
        shop: UUID,
        clerk: UUID,
        pieces: int,
        now: datetime,
        *,
        is_offline: bool = False,
    ) -> None:
        """Escrow becomes what the shop is owed."""
        is_all = voucher.open == pieces
        voucher.used += pieces
        if is_all:
            voucher.state = "USED"
        elif voucher.state != "CANCEL_PENDING":
            voucher.state = "PART_USED"
        voucher.changed_at = now
        self.world.pay_shop(voucher, shop, pieces)
        seq = len(voucher.uses) + 1
        self.world.add_use(
            voucher, Use(seq, device, nonce, shop, clerk, pieces, "ACCEPTED", None, now, is_offline=is_offline)
        )

    def scan_locked(
        self,
        voucher: Voucher,
        token: UUID,
        device: UUID,
        nonce: str,
        shop: UUID,
        clerk: UUID,
        pieces: int,
        now: datetime,
    ) -> Said:
        if voucher.state != "LOCKED" or voucher.token != token:
            return self.scan(voucher, device, nonce, shop, clerk, None, None, pieces, now)
        assert voucher.lock_until is not None
        before = (voucher.state, voucher.token, voucher.lock_until, voucher.expires_at, voucher.due_at)
        voucher.state, voucher.token, voucher.lock_until = ("PART_USED" if voucher.used else "ISSUED"), None, None
        voucher.expires_at = max(voucher.expires_at, before[2])
        said = self.scan(voucher, device, nonce, shop, clerk, None, None, pieces, now)
        if said == "leased" and 1 <= pieces <= voucher.open:
            # Whoever got the lease after the lock was not given this voucher.
            self.take(voucher, device, nonce, shop, clerk, pieces, now)
            said = "redeemed"
        if said != "redeemed":
            voucher.state, voucher.token, voucher.lock_until = before[:3]
        voucher.expires_at, voucher.due_at = before[3:]
        return said

    def lock_refusal(self, voucher: Voucher, shop: UUID, clerk: UUID, now: datetime) -> Said:
        """For a job, which has no phone: while a phone has the lease, nobody else locks."""
        return self.scan_refusal(voucher, shop, clerk, None, None, 1, now, NO_PHONE)

    def locked(self, voucher: Voucher, token: UUID, until: datetime, now: datetime) -> None:
        voucher.state, voucher.token, voucher.lock_until, voucher.changed_at = "LOCKED", token, until, now

    def unlock(self, voucher: Voucher, token: UUID | None, now: datetime) -> Said:
        if voucher.state != "LOCKED":
            return REFUSED_AS.get(voucher.state, "not_locked")
        if token is not None and token != voucher.token:
            return "locked"
        self._let_go(voucher, now)
        return "done"

    def _let_go(self, voucher: Voucher, now: datetime) -> None:
        voucher.moved("PART_USED" if voucher.used else "ISSUED", now)
        if now >= voucher.due_at:
            self._end(voucher, "EXPIRED", now)

    def _end(self, voucher: Voucher, state: str, now: datetime) -> None:
        rest = voucher.open
        self.world.hold(voucher, rest, +1)
        self.world.stock_taken[voucher.offer.id] -= rest
        voucher.returned += rest
        voucher.frozen_state = None
        voucher.moved(state, now)

    def cancel(self, voucher: Voucher, pieces: int | None, now: datetime) -> Said:
        if voucher.state != "RESERVED" and voucher.state in REFUSED_AS:
            return REFUSED_AS[voucher.state]
        if now >= voucher.expires_at:
            return "expired"
        if pieces is not None and not 1 <= pieces <= voucher.open:
            return "quantity_wrong"
        is_part = pieces is not None and pieces < voucher.open
        is_leased = (
            voucher.offline_class == 1
            and voucher.state != "RESERVED"
            and self.world.lease_on(voucher.offer, now) is not None
        )
        if is_part and is_leased:
            return "leased"
        if is_part:
            assert pieces is not None
            self.world.hold(voucher, pieces, +1)
            self.world.stock_taken[voucher.offer.id] -= pieces
            voucher.returned += pieces
            voucher.changed_at = now
        elif is_leased:
            voucher.moved("CANCEL_PENDING", now)
        else:
            self._end(voucher, "CANCELLED", now)
        return "done"

    def time_passes(self, now: datetime) -> tuple[int, int, int]:
        """The timed jobs: locks that are over, what expired, cancellations that waited. How many of each."""
        unlocked = [
            v for v in self.world.vouchers.values() if v.state == "LOCKED" and v.lock_until and v.lock_until <= now
        ]
        for voucher in unlocked:
            self._let_go(voucher, now)
        due = [
            v
            for v in self.world.vouchers.values()
            if v.due_at <= now and v.state in ("RESERVED", "ISSUED", "PART_USED")
        ]
        for voucher in due:
            self._end(voucher, "EXPIRED", now)
        waiting = [v for v in self.world.vouchers.values() if v.state == "CANCEL_PENDING" and self._is_answered(v, now)]
        for voucher in waiting:
            self._end(voucher, "CANCELLED", now)
        return len(unlocked), len(due), len(waiting)

    def _is_answered(self, voucher: Voucher, now: datetime) -> bool:
        lease = self.world.lease_on(voucher.offer, now)
        return lease is None or lease.renewed_at > voucher.changed_at

    def freeze(self, voucher: Voucher, now: datetime) -> Said:
        if voucher.state in (*CLOSED, "FROZEN"):
            return REFUSED_AS[voucher.state]
        voucher.frozen_state = voucher.state
        voucher.moved("FROZEN", now)
        return "done"

    def unfreeze(self, voucher: Voucher, now: datetime) -> Said:
        if voucher.state != "FROZEN":
            return "not_frozen"
        assert voucher.frozen_state is not None
        state, voucher.frozen_state = voucher.frozen_state, None
        voucher.moved(state, now)
        return "done"

    def void(self, voucher: Voucher, now: datetime) -> Said:
        if voucher.state in CLOSED:
            return REFUSED_AS[voucher.state]
        self._end(voucher, "VOID", now)
        return "done"

    def extend(self, voucher: Voucher, until: datetime, now: datetime) -> Said:
        if voucher.state in CLOSED:
            return REFUSED_AS[voucher.state]
        if until <= voucher.expires_at:
            return "extension_wrong"
        voucher.due_at = until + (voucher.due_at - voucher.expires_at)
        voucher.expires_at, voucher.changed_at = until, now
        return "done"

    def renew_code(self, voucher: Voucher, now: datetime) -> Said:
        if voucher.state in REFUSED_AS:
            return REFUSED_AS[voucher.state]
        voucher.code_seq += 1
        voucher.changed_at = voucher.renewed_at = now
        return "done"

    def give(self, voucher: Voucher, to: UUID, group: UUID, now: datetime) -> Said:
        if voucher.state in REFUSED_AS:
            return REFUSED_AS[voucher.state]
        if now >= voucher.expires_at:
            return "expired"
        if to == voucher.member:
            return "gift_to_oneself"
        if voucher.payer is not None:
            return "given_before"
        if not voucher.offer.is_giftable:
            return "not_giftable"
        voucher.payer, voucher.member, voucher.group = voucher.member, to, group
        voucher.code_seq += 1
        voucher.changed_at = voucher.renewed_at = now
        return "done"

    def reverse(
        self, voucher: Voucher, seq: int, actor: UUID, now: datetime, *, as_owner: bool, hours: int = 1, most: int = 3
    ) -> Said:
        use = voucher.uses[seq - 1] if 0 < seq <= len(voucher.uses) else None
        if use is None:
            return "use_unknown"
        if not as_owner and use.clerk != actor:
            return "not_your_use"
        if use.state == "REVERSED":
            return "already_reversed"
        if use.state != "ACCEPTED":
            return "use_settled"
        if now >= use.received_at + timedelta(hours=hours):
            return "reversal_too_late"
        if voucher.state not in ("USED", "PART_USED"):
            return REFUSED_AS.get(voucher.state, "state_wrong")
        if self.taken_back_today(use.device, now) >= most:
            return "too_many_reversals"
        use.state, use.reversed_at = "REVERSED", now
        voucher.used -= use.quantity
        voucher.state = "PART_USED" if voucher.used else "ISSUED"
        voucher.code_seq += 1
        voucher.changed_at = voucher.renewed_at = now
        self.world.pay_shop(voucher, use.merchant, use.quantity, -1)
        return "done"

    def taken_back_today(self, device: UUID, now: datetime) -> int:
        """How many uses of a device were taken back in the last day."""
        back = [use.reversed_at for (where, _), (_, use) in self.world.scans.items() if where == device]
        return sum(at is not None and at >= now - DAY for at in back)

    def correct(self, voucher: Voucher, use: Use, now: datetime) -> Said:
        """Two people take back a use that its shop has confirmed; the pieces are not used again."""
        if use.state == "ADJUSTED":
            return "already_adjusted"
        if use.bearer is not None:
            return "not_adjustable"
        if voucher.state in ("FROZEN", "LOCKED", "CANCEL_PENDING", "RESERVED"):
            return REFUSED_AS[voucher.state]
        use.state = "ADJUSTED"
        voucher.used, voucher.returned = voucher.used - use.quantity, voucher.returned + use.quantity
        if voucher.state not in OVER and not voucher.used:
            voucher.state = "ISSUED" if voucher.open else "CANCELLED"
        voucher.changed_at = now
        self.world.stock_taken[voucher.offer.id] -= use.quantity
        self.world.hold(voucher, use.quantity, +1)
        self.world.pay_shop(voucher, use.merchant, use.quantity, -1)
        self.world.corrected.append((voucher, use))
        return "done"

    def settle(self, shop: UUID, now: datetime) -> Said:
        """Close until now, confirm, approve and pay."""
        world = self.world
        if shop in world.settled_until and now <= world.settled_until[shop]:
            return "period_wrong"
        lines = [
            (voucher, use)
            for voucher, use in world.scans.values()
            if use.merchant == shop and use.state in ("ACCEPTED", "CONFLICT") and use.received_at < now
        ]
        borne = [each for each in world.corrected if each[1].merchant == shop]
        if not lines and not borne:
            return "nothing_to_settle"
        for value in (lambda offer: offer.points + offer.subsidy, lambda offer: offer.payable_fen):
            if sum(value(v.offer) * u.quantity for v, u in lines) < sum(value(v.offer) * u.quantity for v, u in borne):
                return "correction_waits"
        for each in borne:
            world.corrected.remove(each)
            world.pay_shop(each[0], shop, each[1].quantity)
        for voucher, use in lines:
            use.state = "SETTLED"
            world.pay_shop(voucher, shop, use.quantity, -1)
        world.settled_until[shop] = now
        assert world.purses[merchant(shop, "fen")] >= 0
        return "done"
