"""Scanning without a network: what a phone may decide, and what the server makes of it afterwards."""

from redemption.offline.costs import ConflictCosts, conflict_costs
from redemption.offline.devices import (
    TICKET_MINUTES,
    Lease,
    LeasedVoucher,
    RoamingOffer,
    ShopDevice,
    break_lease,
    device,
    devices,
    enrol_device,
    leased_vouchers,
    make_ticket,
    return_lease,
    revoked_since,
    roaming_offers,
    take_lease,
    tell_floor,
)
from redemption.offline.reviews import (
    Review,
    ReviewMark,
    UndoneUse,
    decide_review,
    propose_review,
    review,
    review_reasons,
    reviews,
)
from redemption.offline.rules import ORDER as OFFLINE_REASONS
from redemption.offline.rules import RECORD_KEYS, record_hash
from redemption.offline.rules import UNDO_ORDER as UNDO_REASONS
from redemption.offline.sync import LossMonth, Terms, losses, sync_records
from redemption.offline.tickets import new_ticket, read_ticket

__all__ = [
    "OFFLINE_REASONS",
    "RECORD_KEYS",
    "TICKET_MINUTES",
    "UNDO_REASONS",
    "ConflictCosts",
    "Lease",
    "LeasedVoucher",
    "LossMonth",
    "Review",
    "ReviewMark",
    "RoamingOffer",
    "ShopDevice",
    "Terms",
    "UndoneUse",
    "break_lease",
    "conflict_costs",
    "decide_review",
    "device",
    "devices",
    "enrol_device",
    "leased_vouchers",
    "losses",
    "make_ticket",
    "new_ticket",
    "propose_review",
    "read_ticket",
    "record_hash",
    "return_lease",
    "review",
    "review_reasons",
    "reviews",
    "revoked_since",
    "roaming_offers",
    "sync_records",
    "take_lease",
    "tell_floor",
]
