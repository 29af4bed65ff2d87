"""The tables of redemption, in PostgreSQL schema "redemption".

Every key starts with community_id. The service's role may only read them; the functions in sql/ are the only writers.
No table names a person: members, clerks and organisations are opaque UUIDs, a household is an opaque owner_group.
"""

from redemption.tables.columns import metadata
from redemption.tables.departures import departure, departure_offer, departure_voucher
from redemption.tables.files import bank_file, bank_file_line
from redemption.tables.offers import merchant, offer, offer_merchant, offer_period
from redemption.tables.offline import (
    device_floor,
    device_ticket,
    lease,
    lease_cover,
    lease_offer,
    loss_month,
    offline_record,
    offline_review,
    strike,
)
from redemption.tables.papers import paper, paper_batch
from redemption.tables.payouts import invoice, payee, payment, rhythm
from redemption.tables.settlement import adjustment, command, dispute, settlement, settlement_line
from redemption.tables.vouchers import change_answer, change_order, device, use, voucher, voucher_event, voucher_request
from redemption.tables.watch import alarm, opening

__all__ = [
    "adjustment",
    "alarm",
    "bank_file",
    "bank_file_line",
    "change_answer",
    "change_order",
    "command",
    "departure",
    "departure_offer",
    "departure_voucher",
    "device",
    "device_floor",
    "device_ticket",
    "dispute",
    "invoice",
    "lease",
    "lease_cover",
    "lease_offer",
    "loss_month",
    "merchant",
    "metadata",
    "offer",
    "offer_merchant",
    "offer_period",
    "offline_record",
    "offline_review",
    "opening",
    "paper",
    "paper_batch",
    "payee",
    "payment",
    "rhythm",
    "settlement",
    "settlement_line",
    "strike",
    "use",
    "voucher",
    "voucher_event",
    "voucher_request",
]
