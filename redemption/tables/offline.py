"""Phones that scan without a network: tickets, leases, what they uploaded, and what that cost."""

from __future__ import annotations

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Date, Index, LargeBinary, SmallInteger, Table, Text, text

from redemption.rules import Bearer, LeaseState, RecordVerdict, ReviewState
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

device_ticket = Table(
    "device_ticket",
    metadata,
    community(),
    Column("ticket", LargeBinary, nullable=False),
    identifier("merchant_id"),
    identifier("made_by"),
    instant("made_at"),
    instant("ends_at"),
    identifier("device_id", nullable=True),
    instant("used_at", nullable=True),
    primary("device_ticket", "ticket"),
    refers("device_ticket", "merchant", ("merchant_id",), "merchant"),
    refers("device_ticket", "device", ("device_id",), "device"),
    check("device_ticket", "ticket", "length(ticket) = 32"),
    check("device_ticket", "time", "ends_at > made_at AND ends_at <= made_at + interval '1 hour'"),
    check("device_ticket", "used", "(device_id IS NULL) = (used_at IS NULL)"),
)
"""Lets one phone become a device of a shop, once. The ticket itself is a digest."""

lease = Table(
    "lease",
    metadata,
    community(),
    identifier("lease_id"),
    identifier("merchant_id"),
    identifier("device_id"),
    words("state"),
    instant("granted_at"),
    instant("renewed_at"),
    instant("ends_at"),
    instant("frozen_at", nullable=True),
    words("frozen_reason", nullable=True),
    instant("ended_at", nullable=True),
    identifier("ended_by", nullable=True),
    words("reason", nullable=True),
    primary("lease", "lease_id"),
    refers("lease", "device", ("device_id",), "device"),
    one_of("lease", "state", LeaseState),
    check("lease", "time", "ends_at > renewed_at AND ends_at <= renewed_at + interval '72 hours'"),
    check("lease", "ended", "(state = 'out') = (ended_at IS NULL)"),
    check("lease", "broken", "state <> 'broken' OR (ended_by IS NOT NULL AND length(reason) > 0)"),
    check("lease", "frozen", "(frozen_at IS NULL) = (frozen_reason IS NULL)"),
    Index("uq_lease_out", "community_id", "device_id", unique=True, postgresql_where=text("state = 'out'")),
    Index("ix_lease_merchant", "community_id", "merchant_id", "granted_at"),
)
"""One phone's right to redeem vouchers of the leased class without a network. A device holds one at a time."""

lease_offer = Table(
    "lease_offer",
    metadata,
    community(),
    identifier("offer_id"),
    identifier("lease_id"),
    primary("lease_offer", "offer_id"),
    refers("lease_offer", "offer", ("offer_id",), "offer"),
    refers("lease_offer", "lease", ("lease_id",), "lease"),
    Index("ix_lease_offer_lease", "community_id", "lease_id"),
)
"""Which lease an offer is under: one at most, however many shops there are. One whose time is over counts as none."""

lease_cover = Table(
    "lease_cover",
    metadata,
    community(),
    identifier("lease_id"),
    identifier("offer_id"),
    instant("covered_at"),
    primary("lease_cover", "lease_id", "offer_id"),
    refers("lease_cover", "lease", ("lease_id",), "lease"),
    refers("lease_cover", "offer", ("offer_id",), "offer"),
)
"""Append-only: since when a lease had an offer under it. Kept beyond its end, for records that come late are judged by it."""

offline_record = Table(
    "offline_record",
    metadata,
    community(),
    identifier("device_id"),
    identifier("nonce"),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    words("text"),
    Column("voucher_id", BigInteger, nullable=True),
    count("quantity"),
    identifier("merchant_id"),
    identifier("clerk_id", nullable=True),
    identifier("lease_id", nullable=True),
    Column("offline_class", SmallInteger, nullable=True),
    instant("scanned_at"),
    instant("claimed_at"),
    instant("received_at"),
    Column("flags", ARRAY(Text), nullable=False),
    words("verdict"),
    words("reason"),
    words("bearer", nullable=True),
    count("use_seq", nullable=True),
    amount("value_fen"),
    identifier("undoes", nullable=True),
    instant("heard_at", nullable=True),
    primary("offline_record", "device_id", "nonce"),
    refers("offline_record", "device", ("device_id",), "device"),
    one_of("offline_record", "verdict", RecordVerdict),
    one_of("offline_record", "bearer", Bearer),
    check("offline_record", "bearer_known", "(verdict = 'conflict') = (bearer IS NOT NULL)"),
    check("offline_record", "quantity", "quantity > 0"),
    check("offline_record", "value_fen", "value_fen >= 0"),
    check("offline_record", "scanned_at", "scanned_at <= received_at"),
    check("offline_record", "undoes", "undoes <> nonce"),
    Index("ix_offline_record_seq", "community_id", "device_id", "seq"),
    Index(
        "ix_offline_record_undoes",
        "community_id",
        "device_id",
        "undoes",
        postgresql_where=text("undoes IS NOT NULL"),
    ),
    Index("ix_offline_record_merchant", "community_id", "merchant_id", "received_at"),
)
"""One scan without a network, as the phone wrote it, and what was made of it: kept for ever, so that the same gets
the same answer.

claimed_at is the phone's own word, scanned_at what we take for the time of the scan, heard_at when it had last heard of us.
The reason is a word of sql/sync.sql.
A record with `undoes` annuls the earlier one of that nonce: both stay."""

offline_review = Table(
    "offline_review",
    metadata,
    community(),
    identifier("device_id"),
    identifier("nonce"),
    identifier("merchant_id"),
    words("state"),
    instant("opened_at"),
    instant("due_at"),
    Column("is_paid", Boolean, nullable=True),
    words("note", nullable=True),
    identifier("proposed_by", nullable=True),
    instant("proposed_at", nullable=True),
    identifier("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    count("use_seq", nullable=True),
    primary("offline_review", "device_id", "nonce"),
    refers("offline_review", "record", ("device_id", "nonce"), "offline_record"),
    one_of("offline_review", "state", ReviewState),
    check(
        "offline_review",
        "proposed",
        "(proposed_by IS NOT NULL) = (state = 'proposed' OR decided_by IS NOT NULL) AND (state = 'open') = (is_paid IS NULL)",
    ),
    check(
        "offline_review",
        "decided",
        "(decided_by IS NULL OR state = 'decided') AND (state <> 'decided' OR decided_by IS NOT NULL OR NOT is_paid)",
    ),
    check("offline_review", "two_people", "decided_by <> proposed_by"),
    check("offline_review", "note", "state = 'open' OR length(note) > 0"),
    Index("ix_offline_review_open", "community_id", "due_at", postgresql_where=text("state <> 'decided'")),
)
"""A record that people look at: at the shop's risk until one proposes and another decides whether the shop is paid.

Decided by nobody, and not paid, is one that its phone took back.
"""

device_floor = Table(
    "device_floor",
    metadata,
    community(),
    identifier("device_id"),
    instant("given_at"),
    count("vouchers"),
    amount("fen"),
    amount("voucher_fen"),
    primary("device_floor", "device_id", "given_at"),
    refers("device_floor", "device", ("device_id",), "device"),
    check("device_floor", "limits", "vouchers >= 0 AND fen >= 0 AND voucher_fen >= 0"),
)
"""What a phone was told that it may take of the roaming class without us, from that moment on: what its records are judged by."""

strike = Table(
    "strike",
    metadata,
    community(),
    identifier("device_id"),
    identifier("nonce"),
    identifier("member_id"),
    instant("at"),
    instant("withdrawn_at", nullable=True),
    primary("strike", "device_id", "nonce"),
    refers("strike", "record", ("device_id", "nonce"), "offline_record"),
    Index("ix_strike_member", "community_id", "member_id"),
)
"""A member's voucher was used at two shops without a network. After the second, theirs are good online only.

One whose use was taken back is withdrawn and counts no more."""

loss_month = Table(
    "loss_month",
    metadata,
    community(),
    Column("began_on", Date, nullable=False),
    amount("lost_fen"),
    amount("allowed_fen"),
    instant("alarmed_at", nullable=True),
    primary("loss_month", "began_on"),
    check("loss_month", "budget", "lost_fen BETWEEN 0 AND allowed_fen"),
)
"""What the fund has borne of conflicts in a month, and what it may at most. alarmed_at is when half was gone."""
