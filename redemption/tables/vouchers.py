"""Vouchers, their history, and their uses at devices."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from redemption.rules import Bearer, DeviceKind, RequestState, StaffStep, UseState, VoucherState
from redemption.tables.columns import (
    amount,
    check,
    community,
    count,
    identifier,
    instant,
    metadata,
    one_of,
    primary,
    refers,
    words,
)

_OPEN = "state IN ('RESERVED', 'ISSUED', 'LOCKED', 'PART_USED', 'CANCEL_PENDING')"

voucher = Table(
    "voucher",
    metadata,
    community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    identifier("offer_id"),
    identifier("sponsor_id"),
    identifier("member_id"),
    identifier("payer_id", nullable=True),
    identifier("owner_group", nullable=True),
    words("short_code"),
    words("state"),
    words("frozen_state", nullable=True),
    count("quantity_total"),
    count("quantity_used", default=0),
    count("quantity_returned", default=0),
    count("points_each"),
    count("subsidy_points_each"),
    amount("payable_fen_each"),
    amount("cash_fen_each"),
    words("price_list_version", nullable=True),
    words("discount_class", nullable=True),
    Column("offline_class", SmallInteger, nullable=False),
    count("code_seq", default=1),
    count("use_seq", default=0),
    count("event_seq", default=0),
    identifier("points_hold", nullable=True),
    identifier("subsidy_hold", nullable=True),
    identifier("payable_hold", nullable=True),
    instant("issued_at"),
    instant("expires_at"),
    instant("due_at"),
    instant("changed_at"),
    identifier("lock_token", nullable=True),
    instant("lock_until", nullable=True),
    identifier("lock_device_id", nullable=True),
    primary("voucher", "voucher_id"),
    UniqueConstraint("community_id", "short_code", name="uq_voucher_short_code"),
    refers("voucher", "offer", ("offer_id",), "offer"),
    one_of("voucher", "state", VoucherState),
    check("voucher", "voucher_id", "voucher_id > 0"),
    check("voucher", "payer", "payer_id <> member_id"),
    check("voucher", "short_code", "short_code ~ '^[2-9A-HJKMNP-Z]{9}$'"),
    check(
        "voucher",
        "quantity",
        "quantity_total > 0 AND quantity_used >= 0 AND quantity_returned >= 0"
        " AND quantity_used + quantity_returned <= quantity_total",
    ),
    check(
        "voucher",
        "closed",
        "(state IN ('USED', 'CANCELLED', 'EXPIRED', 'VOID')) = (quantity_used + quantity_returned = quantity_total)",
    ),
    check("voucher", "used", "state <> 'USED' OR quantity_used > 0"),
    check("voucher", "part_used", "state <> 'PART_USED' OR quantity_used > 0"),
    check("voucher", "frozen", "(state = 'FROZEN') = (frozen_state IS NOT NULL)"),
    check(
        "voucher",
        "locked",
        "(state = 'LOCKED' OR frozen_state IS NOT DISTINCT FROM 'LOCKED') = (lock_token IS NOT NULL)"
        " AND (lock_token IS NULL) = (lock_until IS NULL)",
    ),
    check("voucher", "lock_device", "lock_device_id IS NULL OR lock_token IS NOT NULL"),
    check(
        "voucher",
        "price",
        "points_each >= 0 AND subsidy_points_each >= 0 AND payable_fen_each >= 0 AND cash_fen_each >= 0",
    ),
    check("voucher", "offline_class", "offline_class BETWEEN 0 AND 2"),
    check("voucher", "sequence", "code_seq BETWEEN 1 AND 65535 AND use_seq >= 0 AND event_seq >= 0"),
    check("voucher", "time", "issued_at < expires_at AND expires_at <= due_at"),
    Index("ix_voucher_member", "community_id", "member_id", "issued_at", "voucher_id"),
    Index("ix_voucher_offer_member", "community_id", "offer_id", "member_id", "issued_at"),
    Index(
        "ix_voucher_offer_payer",
        "community_id",
        "offer_id",
        "payer_id",
        "issued_at",
        postgresql_where=text("payer_id IS NOT NULL"),
    ),
    Index("ix_voucher_lock", "community_id", "lock_until", postgresql_where=text("state = 'LOCKED'")),
    Index("ix_voucher_due", "community_id", "due_at", postgresql_where=text(_OPEN)),
    Index(
        "ix_voucher_revoked",
        "community_id",
        "changed_at",
        postgresql_where=text("offline_class = 2 AND (state NOT IN ('ISSUED', 'PART_USED') OR code_seq > 1)"),
    ),
    Index("ix_voucher_cancelling", "community_id", "changed_at", postgresql_where=text("state = 'CANCEL_PENDING'")),
    Index(
        "ix_voucher_leased",
        "community_id",
        "offer_id",
        postgresql_where=text("offline_class = 1 AND state IN ('ISSUED', 'PART_USED', 'LOCKED')"),
    ),
)
"""A promise held in escrow. The split of its price is frozen here.

What is open is the total without what was used or returned, and escrow holds exactly that many times each part.
payer_id is who took it and gave it away: their points lie in escrow and go back to them. Without one the holder paid.
due_at is when what is left goes back: the expiry, and for the offline classes a grace for late uploads, which is the
community's to say and frozen at issue. While it is locked, only whoever has the token redeems it or changes its price, and the
phone that keeps it, under its own lease, without a network; a job's lock has no phone.
"""

voucher_event = Table(
    "voucher_event",
    metadata,
    community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("number", Integer, nullable=False, autoincrement=False),
    words("action"),
    words("from_state", nullable=True),
    words("to_state"),
    identifier("actor_id", nullable=True),
    identifier("second_id", nullable=True),
    identifier("on_behalf_of", nullable=True),
    words("reason"),
    count("quantity", nullable=True),
    instant("at"),
    primary("voucher_event", "voucher_id", "number"),
    refers("voucher_event", "voucher", ("voucher_id",), "voucher"),
    check("voucher_event", "number", "number > 0"),
    check("voucher_event", "quantity", "(action = 'cancel_part') = (quantity IS NOT NULL) AND quantity > 0"),
)
"""Append-only: no voucher changes its state without an actor (none means the system) and a reason.

The quantity is how many pieces were given back while the voucher went on."""

voucher_request = Table(
    "voucher_request",
    metadata,
    community(),
    identifier("request_id"),
    Column("voucher_id", BigInteger, nullable=False),
    words("step"),
    words("state"),
    instant("extend_until", nullable=True),
    words("reason"),
    identifier("proposed_by"),
    instant("proposed_at"),
    identifier("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    primary("voucher_request", "request_id"),
    refers("voucher_request", "voucher", ("voucher_id",), "voucher"),
    one_of("voucher_request", "step", StaffStep),
    one_of("voucher_request", "state", RequestState),
    check("voucher_request", "extend_until", "(step = 'extend') = (extend_until IS NOT NULL)"),
    check("voucher_request", "reason", "length(reason) > 0"),
    check(
        "voucher_request",
        "decided",
        "(state = 'proposed') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
    ),
    check("voucher_request", "two_people", "state <> 'done' OR decided_by <> proposed_by"),
    Index(
        "uq_voucher_request_waiting",
        "community_id",
        "voucher_id",
        "step",
        unique=True,
        postgresql_where=text("state = 'proposed'"),
    ),
    Index("ix_voucher_request_voucher", "community_id", "voucher_id", "proposed_at"),
)
"""A step that takes two of staff: proposed by one, done by another."""

change_order = Table(
    "change_order",
    metadata,
    community(),
    identifier("change_id"),
    Column("voucher_id", BigInteger, nullable=False),
    identifier("lock_token"),
    Column("is_dearer", Boolean, nullable=False),
    count("old_points_each"),
    count("old_subsidy_points_each"),
    amount("old_payable_fen_each"),
    amount("old_cash_fen_each"),
    count("points_each"),
    count("subsidy_points_each"),
    amount("payable_fen_each"),
    amount("cash_fen_each"),
    words("price_list_version", nullable=True),
    words("reason"),
    identifier("proposed_by"),
    identifier("on_behalf_of", nullable=True),
    instant("proposed_at"),
    primary("change_order", "change_id"),
    refers("change_order", "voucher", ("voucher_id",), "voucher"),
    check("change_order", "reason", "length(reason) > 0"),
    check(
        "change_order",
        "price",
        "points_each >= 0 AND subsidy_points_each >= 0 AND payable_fen_each >= 0 AND cash_fen_each >= 0",
    ),
    check(
        "change_order",
        "is_dearer",
        "is_dearer = (points_each > old_points_each OR subsidy_points_each > old_subsidy_points_each"
        " OR payable_fen_each > old_payable_fen_each OR cash_fen_each > old_cash_fen_each)",
    ),
    Index("ix_change_order_voucher", "community_id", "voucher_id", "proposed_at"),
)
"""Append-only: another price for one piece of a locked voucher, beside the one it had. What is dearer waits for the member."""

change_answer = Table(
    "change_answer",
    metadata,
    community(),
    identifier("change_id"),
    Column("is_agreed", Boolean, nullable=False),
    identifier("answered_by"),
    identifier("on_behalf_of", nullable=True),
    instant("answered_at"),
    primary("change_answer", "change_id"),
    refers("change_answer", "change_order", ("change_id",), "change_order"),
)
"""Append-only, one for a proposal: agreed, and then the voucher has the new price; or not. What is cheaper, its proposer
agrees to."""

device = Table(
    "device",
    metadata,
    community(),
    identifier("device_id"),
    words("kind"),
    identifier("merchant_id", nullable=True),
    Column("public_key", LargeBinary, nullable=True),
    identifier("registered_by", nullable=True),
    instant("registered_at"),
    identifier("revoked_by", nullable=True),
    instant("revoked_at", nullable=True),
    words("label", nullable=True),
    instant("seen_at", nullable=True),
    Column("log_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("log_hash", LargeBinary, nullable=True),
    instant("log_at", nullable=True),
    Column("log_skipped", LargeBinary, nullable=True),
    Column("said_seq", BigInteger, nullable=True),
    instant("said_at", nullable=True),
    primary("device", "device_id"),
    refers("device", "merchant", ("merchant_id",), "merchant"),
    one_of("device", "kind", DeviceKind),
    check("device", "log_seq", "log_seq >= 0"),
    check("device", "said", "(said_seq IS NULL) = (said_at IS NULL)"),
    check("device", "enrolled", "kind <> 'enrolled' OR (merchant_id IS NOT NULL AND public_key IS NOT NULL)"),
)

use = Table(
    "use",
    metadata,
    community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("seq", Integer, nullable=False, autoincrement=False),
    identifier("device_id"),
    identifier("nonce"),
    identifier("merchant_id"),
    identifier("clerk_id"),
    identifier("on_behalf_of", nullable=True),
    count("quantity"),
    amount("points"),
    amount("subsidy_points"),
    amount("payable_fen"),
    amount("cash_fen"),
    count("code_seq", nullable=True),
    words("state"),
    instant("scanned_at"),
    instant("received_at"),
    Column("journal_id", BigInteger, nullable=True),
    instant("reversed_at", nullable=True),
    identifier("reversed_by", nullable=True),
    words("reversal_reason", nullable=True),
    Column("reversal_journal_id", BigInteger, nullable=True),
    words("bearer", nullable=True),
    primary("use", "voucher_id", "seq"),
    UniqueConstraint("community_id", "device_id", "nonce", name="uq_use_nonce"),
    refers("use", "voucher", ("voucher_id",), "voucher"),
    refers("use", "device", ("device_id",), "device"),
    one_of("use", "state", UseState),
    check("use", "seq", "seq > 0"),
    check("use", "quantity", "quantity > 0"),
    check("use", "amounts", "points >= 0 AND subsidy_points >= 0 AND payable_fen >= 0 AND cash_fen >= 0"),
    check("use", "reversed", "(state = 'REVERSED') = (reversed_at IS NOT NULL)"),
    one_of("use", "bearer", Bearer),
    check("use", "conflict", "state <> 'CONFLICT' OR bearer IS NOT NULL"),
    Index("ix_use_takings", "community_id", "merchant_id", "received_at", "voucher_id", "seq"),
    Index(
        "ix_use_unsettled", "community_id", "merchant_id", "received_at", postgresql_where=text("state = 'ACCEPTED'")
    ),
    Index("ix_use_borne", "community_id", "received_at", postgresql_where=text("bearer IS NOT NULL")),
    Index("ix_use_conflict", "community_id", "merchant_id", "received_at", postgresql_where=text("state = 'CONFLICT'")),
    Index(
        "ix_use_reversed", "community_id", "device_id", "reversed_at", postgresql_where=text("reversed_at IS NOT NULL")
    ),
)
"""One accepted scan. Points are whole and already multiplied by the quantity.

scanned_at is what the device claims, received_at is ours. One with a bearer is a conflict that the shop is paid for: it
takes nothing from the voucher.
"""
