"""The model of what is done without a network: leases, records of phones, the table of who pays, and held records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.redemption.model.conflicts import FLOOR_FEN, Conflicts, month_of
from tests.redemption.model.counter import Said
from tests.redemption.model.things import DAY, REFUSED_AS, Device, Lease, Record, Use, Voucher

Concluded = tuple[str, str, str | None]
"""Verdict, reason and who pays."""
HOUR, EVER = timedelta(hours=1), 10**6
FLOOR_VOUCHERS, FLOOR_VOUCHER_FEN = 20, 3_000


@dataclass
class Phones(Conflicts):
    """The whole model."""

    def add_device(self, device_id: UUID, shop: UUID, now: datetime) -> None:
        """A phone is enrolled."""
        self.world.devices[device_id] = Device(device_id, shop, now)

    def take_lease(self, device: Device, lease_id: UUID, now: datetime) -> Said:
        if device.is_revoked:
            return "device_refused"
        world = self.world
        lapsed = [x for x in world.leases.values() if x.shop == device.shop and x.state == "out" and x.ends_at <= now]
        own = self.lease_out(device)
        own = None if own in lapsed else own
        offers = [o for o in world.offers if o.offline_class == 1 and device.shop in o.shops]
        held = [world.lease_on(offer, now) for offer in offers]
        is_elsewhere = all(lease is not None and lease.phone != device.id for lease in held)
        if is_elsewhere and (own is None or not own.is_frozen):
            return "leased"
        for lease in lapsed:
            lease.state, lease.ended_at = "over", lease.ends_at
        if own is not None and own.is_frozen:
            return "done"
        if own is None:
            own = Lease(lease_id, device.id, device.shop, now, now, now + 3 * DAY)
            world.leases[lease_id] = own
        else:
            own.renewed_at, own.ends_at = now, now + 3 * DAY
        for offer in offers:
            if world.lease_on(offer, now) is None:
                world.leased[offer.id] = own
            if world.leased[offer.id] is own:
                own.covers.setdefault(offer.id, now)
        return "done"

    def lease_out(self, device: Device) -> Lease | None:
        """The lease a phone has not given back."""
        return next((x for x in self.world.leases.values() if x.phone == device.id and x.state == "out"), None)

    def listed(self, device: Device, now: datetime) -> list[int]:
        """What a phone may redeem by itself."""
        return sorted(
            v.id
            for v in self.world.vouchers.values()
            if v.state in ("ISSUED", "PART_USED") and v.offline_class == 1 and v.expires_at > now
            if (lease := self.world.lease_on(v.offer, now)) is not None and lease.phone == device.id
        )

    def return_lease(self, device: Device, seq: int, now: datetime) -> Said:
        if device.is_revoked:
            return "device_refused"
        if seq > device.log_seq:
            return "records_waiting"
        self._end_lease(self.lease_out(device), "returned", now)
        return "done"

    def break_lease(self, lease: Lease, now: datetime) -> Said:
        if lease.state != "out":
            return "lease_over"
        self._end_lease(lease, "broken", now)
        return "done"

    def _end_lease(self, lease: Lease | None, state: str, now: datetime) -> None:
        if lease is not None:
            lease.state, lease.ended_at = state, now
            self.world.leased = {offer: held for offer, held in self.world.leased.items() if held is not lease}

    def sync(self, device: Device, records: list[dict[str, Any]], written: int, now: datetime) -> list[Concluded]:
        """The answer to each record, in order, from a phone that has written so many."""
        self.world.lost.setdefault(month_of(now), [0, FLOOR_FEN])
        seen_at, answers = device.seen_at or device.registered_at, []
        undone = {(each["undoes"], each["voucher"]) for each in records if "undoes" in each}
        undone |= {each.undoes for each in device.records.values() if each.undoes and each.reason == "undone"}
        for record in records:
            before = device.records.get(record["nonce"])
            if before is not None:
                answers.append(("already", before.reason, before.bearer))
                continue
            flags = [*record["flags"], *self._chain_flags(device, record)]
            is_undone = (record["nonce"], record["voucher"]) in undone
            kept = self._merge(device, record, seen_at, now, is_undone=is_undone)
            device.records[kept.nonce] = kept
            answers.append((kept.verdict, kept.reason, kept.bearer))
            if {"gap", "fork", "clock_back"} & set(flags) or kept.reason == "lease_unknown":
                lease = self.lease_out(device)
                if lease is not None:
                    lease.is_frozen = True
            if record["seq"] > device.log_seq:
                device.log_seq, device.log_hash = record["seq"], record["hash"]
            device.log_at = max(device.log_at or kept.scanned_at, kept.scanned_at)
        device.seen_at = device.said_at = now
        device.said_seq = max(written, device.log_seq)
        return answers

    def _chain_flags(self, device: Device, record: dict[str, Any]) -> list[str]:
        if record["seq"] <= device.log_seq:
            return ["fork"]
        if record["seq"] > device.log_seq + 1:
            return ["gap"]
        return [] if record["prev"] == device.log_hash else ["fork"]

    def _merge(
        self, device: Device, record: dict[str, Any], seen_at: datetime, now: datetime, *, is_undone: bool
    ) -> Record:
        voucher = self.world.vouchers.get(record["voucher"])
        claimed = datetime.fromtimestamp(record["trusted_at"] / 1000, now.tzinfo)
        said_at = device.said_at if device.said_at and record["seq"] > device.said_seq else claimed
        scanned = min(now, max(claimed, device.log_at or claimed, said_at))
        heard = min(seen_at, scanned) if record["mono"] is None else scanned - timedelta(milliseconds=record["mono"])
        said: Concluded
        known = self.world.scans.get((device.id, record["nonce"]))
        if known is not None:
            is_same = (known[0].id, known[1].quantity) == (record["voucher"], record["quantity"])
            is_same = is_same and "undoes" not in record
            said = ("already", "accepted", None) if is_same else ("review", "use_differs", None)
        elif "undoes" in record:
            said = self._undo(device, record, scanned, now)
        elif is_undone:
            said = ("accepted", "undone", None)
        else:
            said = self._fault(device, record, voucher, scanned, now)
            if voucher is not None:
                said = said if said[0] != "none" else self._judge(device, record, voucher, scanned, heard)
                said = self._apply(device, record, voucher, said, now)
        if said[1] in ("used_elsewhere", "used_online"):
            assert voucher is not None
            self._strike(voucher, device.id, record["nonce"])
        is_undo, is_undone = "undoes" in record, said[1] == "undone"
        is_worth_nothing = is_undone or said[1] == "undo_late"
        return Record(
            record["nonce"],
            record["seq"],
            record["voucher"],
            voucher,
            record["quantity"],
            device.shop,
            UUID(record["clerk"]),
            voucher.offline_class if voucher and not is_undo and not is_undone else None,
            voucher.offer.value_fen * record["quantity"] if voucher and not is_worth_nothing else 0,
            scanned,
            now,
            heard,
            *said,
            review="open" if said[0] == "review" else None,
            undoes=(record["undoes"], record["voucher"]) if "undoes" in record else None,
        )

    def _undo(self, device: Device, record: dict[str, Any], at: datetime, now: datetime) -> Concluded:
        """A phone takes a scan of its own back: what was not used never is, what was is taken back as a clerk would."""
        undone: Concluded = ("accepted", "undone", None)
        late: Concluded = ("conflict", "undo_late", "merchant")
        voucher, use = self.world.scans.get((device.id, record["undoes"]), (None, None))
        earlier = device.records.get(record["undoes"])
        if voucher is None or use is None:
            if earlier is None or earlier.reason == "undone":
                return undone
            is_same = earlier.voucher_id == record["voucher"]
            return undone if is_same and self._undo_held(device, earlier) else late
        if voucher.id != record["voucher"] or use.clerk != UUID(record["clerk"]):
            return late
        if use.state in ("REVERSED", "ADJUSTED"):
            return undone
        if at >= use.received_at + HOUR:
            return late
        if not device.is_revoked and use.state == "CONFLICT":
            if self.taken_back_today(device.id, now) < 3:
                self._reverse_conflict(voucher, use, "REVERSED", now)
                return undone
        elif not device.is_revoked:
            said = self.reverse(voucher, use.seq, UUID(record["clerk"]), now, as_owner=False, hours=EVER)
            if said == "done":
                return undone
        return ("review", "undo_waits", None)

    def _undo_held(self, device: Device, held: Record) -> bool:
        """Nobody decides what its phone took back, unless the phone is lost."""
        if held.review in ("open", "proposed") and not device.is_revoked:
            held.review, held.is_paid = "decided", False
        return held.review == "decided" and held.is_paid is False

    def _fault(
        self, device: Device, record: dict[str, Any], voucher: Voucher | None, scanned: datetime, now: datetime
    ) -> Concluded:
        """What is wrong before anything is asked of the voucher's state."""
        if device.is_revoked:
            return ("review", "device_revoked", None)
        if record["fault"] is not None:
            return ("review", record["fault"], None)
        if voucher is None:
            return ("review", "unknown", None)
        if not record["is_clerk"]:
            return ("review", "clerk_unknown", None)
        if now > scanned + 30 * DAY:
            return ("review", "too_late", None)
        if device.shop not in voucher.offer.shops:
            return ("conflict", "wrong_merchant", "merchant")
        if voucher.group.hex == (record["group"] or "").replace("-", ""):
            return ("conflict", "own_voucher", "merchant")
        if voucher.offline_class == 0:
            return ("conflict", "online_only", "merchant")
        if voucher.offline_class == 1 and (said := self._lease_fault(device, record, voucher, scanned)):
            return said
        return ("conflict", "expired", "merchant") if scanned >= voucher.expires_at else ("none", "", None)

    def _lease_fault(
        self, device: Device, record: dict[str, Any], voucher: Voucher, scanned: datetime
    ) -> Concluded | None:
        """Whether the phone had the lease of this very offer then."""
        lease = self.world.leases.get(UUID(record["lease"])) if record["lease"] else None
        if lease is None or lease.phone != device.id:
            return ("conflict", "lease_unknown", "merchant")
        if lease.state == "broken":
            return ("review", "lease_broken", None)
        covered_at = lease.covers.get(voucher.offer.id)
        if covered_at is None or scanned < covered_at:
            return ("conflict", "lease_unknown", "merchant")
        if not lease.granted_at <= scanned < min(lease.ends_at, lease.ended_at or lease.ends_at):
            return ("conflict", "lease_over", "merchant")
        return None

    def _judge(
        self, device: Device, record: dict[str, Any], voucher: Voucher, scanned: datetime, heard: datetime
    ) -> Concluded:
        """The table of who pays."""
        state, pieces = voucher.state, record["quantity"]
        if state in ("FROZEN", "VOID", "CANCELLED") and is_stale(voucher.changed_at, scanned, heard):
            return ("conflict", "revoked", "merchant")
        if state in ("FROZEN", "LOCKED", "RESERVED"):
            return ("review", state.lower(), None)
        if state in ("CANCELLED", "EXPIRED"):
            return ("conflict", state.lower() + "_before", "member")
        is_inside = self._is_inside_floor(device, record, voucher, scanned)
        if state == "VOID":
            return ("conflict", "void", "fund") if is_inside else ("conflict", "above_floor", "merchant")
        if voucher.open < pieces:
            here = [
                use.quantity
                for use in voucher.uses
                if use.device == device.id and use.state not in ("REVERSED", "ADJUSTED")
            ]
            stood = [
                use
                for use in voucher.uses
                if use.device != device.id and use.state not in ("REVERSED", "ADJUSTED") and use.bearer is None
            ]
            if here and sum(here) + pieces > voucher.total:
                return ("conflict", "used_here", "merchant")
            if pieces > voucher.total or not is_inside:
                return ("conflict", "above_floor", "merchant")
            if not stood:
                return ("conflict", "cancelled_before", "member")
            was_offline = any(use.is_offline for use in stood)
            return ("conflict", "used_elsewhere" if was_offline else "used_online", "fund")
        renewed = voucher.renewed_at if record["code_seq"] != voucher.code_seq else None
        if renewed is not None and is_stale(renewed, scanned, heard):
            return ("conflict", "code_outdated", "merchant")
        return ("accepted", "accepted", None)

    def _is_inside_floor(self, device: Device, record: dict[str, Any], voucher: Voucher, scanned: datetime) -> bool:
        value = voucher.offer.value_fen * record["quantity"]
        earlier = [
            each.value_fen
            for each in device.records.values()
            if each.offline_class == 2 and each.seq < record["seq"] and each.received_at >= scanned
        ]
        return value <= FLOOR_VOUCHER_FEN and len(earlier) < FLOOR_VOUCHERS and sum(earlier) + value <= FLOOR_FEN

    def _apply(
        self, device: Device, record: dict[str, Any], voucher: Voucher, said: Concluded, now: datetime
    ) -> Concluded:
        pieces, clerk = record["quantity"], UUID(record["clerk"])
        if said[0] == "accepted":
            self.take(voucher, device.id, record["nonce"], device.shop, clerk, pieces, now, is_offline=True)
        elif said[2] in ("fund", "member"):
            if said[2] == "fund" and not self._take_loss(voucher.offer.value_fen * pieces, now):
                return ("review", "fund_budget", None)
            by_member = said[2] == "member" or said[1] in ("used_elsewhere", "used_online")
            self._pay_conflict(voucher, device.id, record["nonce"], device.shop, clerk, pieces, said[2], now, by_member)
        return said

    def decide(self, device: Device, record: Record, now: datetime, *, is_paid: bool) -> Said:
        """Two people look at a held record and agree."""
        if record.review is None:
            return "review_unknown"
        if record.review == "decided":
            return "review_decided"
        if is_paid and record.voucher is None:
            return "review_unpayable"
        nonce = record.undoes[0] if record.undoes else record.nonce
        used, use = self.world.scans.get((device.id, nonce), (None, None))
        if used and use:
            is_over = is_paid or not record.undoes or use.state in ("REVERSED", "ADJUSTED")
            said = "done" if is_over else self._undo_by_two(used, use, now)
        elif is_paid and record.voucher is not None:
            said = self._pay_held(device, record, record.voucher, now)
        else:
            said = "done"
        if said == "done":
            record.review, record.is_paid = "decided", is_paid
        return said

    def _undo_by_two(self, voucher: Voucher, use: Use, now: datetime) -> Said:
        """What a phone took back and could not be taken back by itself."""
        if use.state == "ACCEPTED":
            return self.reverse(voucher, use.seq, use.clerk, now, as_owner=True, hours=EVER, most=EVER)
        if use.state == "CONFLICT":
            self._reverse_conflict(voucher, use, "REVERSED", now)
            return "done"
        if use.bearer is not None:
            self._reverse_conflict(voucher, use, "ADJUSTED", now)
            return "done"
        return self.correct(voucher, use, now)

    def _pay_held(self, device: Device, record: Record, voucher: Voucher, now: datetime) -> Said:
        """Two people believe the shop: out of the voucher, or by the table of who pays."""
        stale = is_stale(voucher.changed_at, record.scanned_at, record.heard_at)
        if voucher.state in ("FROZEN", "VOID", "CANCELLED") and stale:
            return "review_shops_own"
        if voucher.state in ("FROZEN", "LOCKED", "RESERVED"):
            return REFUSED_AS[voucher.state]
        shop, clerk, pieces = record.shop, record.clerk, record.quantity
        if voucher.open >= pieces:
            self.take(voucher, device.id, record.nonce, shop, clerk, pieces, now)
            return "done"
        stood = [use for use in voucher.uses if use.state not in ("REVERSED", "ADJUSTED")]
        here = sum(use.quantity for use in stood if use.device == device.id)
        bearer, is_strike = "member", False
        if voucher.state == "VOID":
            bearer = "fund"
        elif voucher.state not in ("CANCELLED", "EXPIRED"):
            if here and here + pieces > voucher.total:
                return "review_shops_own"
            is_strike = any(use.device != device.id and use.bearer is None for use in stood)
            bearer = "fund" if is_strike else "member"
        if bearer == "fund":
            month = self.world.lost.setdefault(month_of(now), [0, 0])
            month[0] += record.value_fen
            month[1] = max(month[1], month[0])
        by_member = voucher.state != "VOID"
        self._pay_conflict(voucher, device.id, record.nonce, shop, clerk, pieces, bearer, now, by_member)
        if is_strike:
            self._strike(voucher, device.id, record.nonce)
        return "done"


def is_stale(happened: datetime, scanned: datetime, heard: datetime) -> bool:
    """Whether the phone should have known: a day before, and it had heard from us since."""
    return happened + DAY <= scanned and heard >= happened
