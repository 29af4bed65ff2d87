"""The ledger's tables as the service sees them: to read, never to write.

Core tables and not mapped classes, so that there is no object which somebody could add to a session.
"""

import sqlalchemy as sa

metadata = sa.MetaData(schema="ledger")


def _community() -> "sa.Column[int]":
    return sa.Column("community_id", sa.BigInteger, nullable=False, autoincrement=False)


def _number(name: str, *, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=nullable, autoincrement=False)


def _text(name: str) -> "sa.Column[str]":
    return sa.Column(name, sa.Text, nullable=False)


def _instant(name: str, *, nullable: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


unit = sa.Table(
    "unit",
    metadata,
    _text("code"),
    sa.Column("scale", sa.Integer, nullable=False),
    sa.PrimaryKeyConstraint("code", name="pk_unit"),
    sa.CheckConstraint("scale BETWEEN 0 AND 9", name="ck_unit_scale"),
)

book = sa.Table(
    "book",
    metadata,
    _community(),
    _number("seq"),
    _instant("at"),
    _instant("opened_at"),
    _instant("closed_until", nullable=True),
    sa.Column("has_lots", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.PrimaryKeyConstraint("community_id", name="pk_book"),
    sa.CheckConstraint("seq >= 0", name="ck_book_seq"),
    postgresql_with={"fillfactor": 10},
)

account = sa.Table(
    "account",
    metadata,
    _community(),
    sa.Column("account_id", sa.BigInteger, sa.Identity(always=True), nullable=False),
    _text("code"),
    _text("unit"),
    _number("floor", nullable=True),
    _number("ceiling", nullable=True),
    _number("balance"),
    _number("version"),
    _number("last_seq"),
    _instant("opened_at"),
    _instant("closed_at", nullable=True),
    sa.Column("debt_reason", sa.Text),
    _number("debt_limit", nullable=True),
    sa.PrimaryKeyConstraint("community_id", "account_id", name="pk_account"),
    sa.UniqueConstraint("community_id", "code", "unit", name="uq_account_code"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_account_book"),
    sa.ForeignKeyConstraint(["unit"], ["ledger.unit.code"], name="fk_account_unit"),
    sa.CheckConstraint(
        r"code <> '' AND char_length(code) <= 200 AND code !~ '[\x01-\x20\x7f]'", name="ck_account_code"
    ),
    sa.CheckConstraint("balance + coalesce(debt_limit, 0) >= floor", name="ck_account_floor"),
    sa.CheckConstraint(
        "(debt_reason IS NULL) = (debt_limit IS NULL) AND debt_limit BETWEEN 1 AND 1000000000000000",
        name="ck_account_debt",
    ),
    sa.CheckConstraint("balance <= ceiling", name="ck_account_ceiling"),
    sa.CheckConstraint("version >= 0 AND last_seq >= version", name="ck_account_version"),
    postgresql_with={"fillfactor": 50},
)

transfer = sa.Table(
    "transfer",
    metadata,
    _community(),
    _number("seq"),
    _number("journal_id"),
    _number("amount"),
    *map(_number, ("debit", "debit_balance", "debit_version", "debit_prev")),
    *map(_number, ("credit", "credit_balance", "credit_version", "credit_prev")),
    _instant("posted_at", nullable=True),
    _instant("effective_at", nullable=True),
    _number("reverses", nullable=True),
    sa.Column("transfers", sa.Integer),
    _text("kind"),
    _text("unit"),
    sa.Column("hold_id", sa.Uuid),
    sa.Column("actor_id", sa.Uuid),
    sa.Column("on_behalf_of", sa.Uuid),
    sa.Column("fingerprint", sa.LargeBinary),
    sa.Column("reference", sa.Text),
    sa.Column("reason", sa.Text),
    sa.PrimaryKeyConstraint("community_id", "seq", name="pk_transfer"),
    sa.CheckConstraint("kind IN ('post', 'hold', 'capture', 'release', 'refund')", name="ck_transfer_kind"),
    sa.CheckConstraint("(kind = 'post') = (hold_id IS NULL)", name="ck_transfer_hold"),
    sa.CheckConstraint("amount BETWEEN 1 AND 1000000000000000", name="ck_transfer_amount"),
    sa.CheckConstraint("debit <> credit", name="ck_transfer_accounts"),
    sa.CheckConstraint(
        "journal_id BETWEEN 1 AND seq AND debit_prev BETWEEN 0 AND seq - 1 AND credit_prev BETWEEN 0 AND seq - 1",
        name="ck_transfer_order",
    ),
    sa.CheckConstraint(
        "CASE WHEN seq = journal_id THEN num_nulls(reference, reason, transfers, fingerprint, posted_at) = 0"
        " ELSE num_nonnulls(reference, reason, transfers, fingerprint, posted_at, actor_id, on_behalf_of, effective_at,"
        " reverses) = 0 END",
        name="ck_transfer_journal",
    ),
    sa.CheckConstraint(
        r"reference <> '' AND char_length(reference) <= 200 AND reference !~ '[\x01-\x1f\x7f]'",
        name="ck_transfer_reference",
    ),
    sa.CheckConstraint(
        r"reason <> '' AND char_length(reason) <= 200 AND reason !~ '[\x01-\x1f\x7f]'", name="ck_transfer_reason"
    ),
    sa.CheckConstraint("transfers >= 1", name="ck_transfer_count"),
    sa.CheckConstraint("octet_length(fingerprint) = 8", name="ck_transfer_fingerprint"),
    sa.CheckConstraint("effective_at < posted_at", name="ck_transfer_times"),
    sa.CheckConstraint("reverses < journal_id", name="ck_transfer_reverses"),
    sa.Index(
        "uq_transfer_reference",
        "community_id",
        "reference",
        unique=True,
        postgresql_where=sa.text("reference IS NOT NULL"),
    ),
    sa.Index(
        "uq_transfer_reverses",
        "community_id",
        "reverses",
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    ),
)
"""One row a transfer. The first of a journal also carries what is said of the journal; `ledger.journal` is a view of those."""

hold = sa.Table(
    "hold",
    metadata,
    _community(),
    sa.Column("hold_id", sa.Uuid, nullable=False),
    _number("account_id"),
    _text("unit"),
    _number("amount"),
    _number("captured"),
    _number("released"),
    _instant("expires_at", nullable=True),
    _number("journal_id"),
    sa.Column("refunded", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.PrimaryKeyConstraint("community_id", "hold_id", name="pk_hold"),
    sa.CheckConstraint("amount BETWEEN 1 AND 1000000000000000", name="ck_hold_amount"),
    sa.CheckConstraint(
        "captured >= 0 AND released >= 0 AND captured + released <= amount AND refunded BETWEEN 0 AND captured",
        name="ck_hold_parts",
    ),
    postgresql_with={"fillfactor": 70},
)

tree = sa.Table(
    "tree",
    metadata,
    _community(),
    _number("size"),
    sa.Column("edge", sa.LargeBinary, nullable=False),
    _number("patrolled"),
    _instant("patrolled_at", nullable=True),
    sa.PrimaryKeyConstraint("community_id", name="pk_tree"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_tree_book"),
    sa.CheckConstraint("size >= 0 AND patrolled BETWEEN 0 AND size", name="ck_tree_size"),
    sa.CheckConstraint("octet_length(edge) % 32 = 0", name="ck_tree_edge"),
)
"""How far the book has been read into its tree. `edge` are the hashes of the tree's perfect subtrees, the largest first."""

tile = sa.Table(
    "tile",
    metadata,
    _community(),
    sa.Column("height", sa.SmallInteger, nullable=False),
    _number("place"),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.PrimaryKeyConstraint("community_id", "height", "place", name="pk_tile"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.tree.community_id"], name="fk_tile_tree"),
    sa.CheckConstraint("height BETWEEN 8 AND 56 AND height % 8 = 0 AND place >= 0", name="ck_tile_place"),
    sa.CheckConstraint("octet_length(hash) = 32", name="ck_tile_hash"),
)
"""A node of the tree that covers 2**height leaves, the place-th such from the left."""

seal = sa.Table(
    "seal",
    metadata,
    _community(),
    _number("number"),
    _number("size"),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("edge", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    _instant("sealed_at"),
    _text("key"),
    sa.Column("public_key", sa.LargeBinary, nullable=False),
    sa.Column("signature", sa.LargeBinary, nullable=False),
    sa.Column("totals", sa.ARRAY(sa.Text), nullable=False),
    sa.PrimaryKeyConstraint("community_id", "number", name="pk_seal"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.tree.community_id"], name="fk_seal_tree"),
    sa.CheckConstraint("number >= 1 AND size >= 1", name="ck_seal_number"),
    sa.CheckConstraint(
        "octet_length(root) = 32 AND octet_length(previous) = 32 AND octet_length(edge) % 32 = 0",
        name="ck_seal_hashes",
    ),
    sa.CheckConstraint("octet_length(public_key) = 32 AND octet_length(signature) = 64", name="ck_seal_signature"),
)
"""A signed statement of the book's first `size` transfers; `previous` is the hash of the seal before it."""

mark = sa.Table(
    "mark",
    metadata,
    _community(),
    _number("account_id"),
    _number("seq"),
    sa.PrimaryKeyConstraint("community_id", "account_id", "seq", name="pk_mark"),
)

marked = sa.Table(
    "marked",
    metadata,
    _community(),
    _number("seq"),
    sa.PrimaryKeyConstraint("community_id", name="pk_marked"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_marked_book"),
    sa.CheckConstraint("seq >= 0", name="ck_marked_seq"),
)

zone = sa.Table(
    "zone",
    metadata,
    _community(),
    _number("zone"),
    _instant("effective_from"),
    _instant("effective_until"),
    sa.PrimaryKeyConstraint("community_id", "zone", name="pk_zone"),
)
"""A run of 256 numbers of the book that the worker has read: from when to when its journals took effect."""

zone_word = sa.Table(
    "zone_word",
    metadata,
    _community(),
    _text("word"),
    _number("zone"),
    _number("least", nullable=True),
    _number("most", nullable=True),
    sa.PrimaryKeyConstraint("community_id", "word", "zone", name="pk_zone_word"),
)
"""What occurs in a zone: `reason …`, `actor …`, `reversal`, or `unit …` with its least and its greatest amount."""

zoned = sa.Table(
    "zoned",
    metadata,
    _community(),
    _number("zones"),
    sa.PrimaryKeyConstraint("community_id", name="pk_zoned"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_zoned_book"),
    sa.CheckConstraint("zones >= 0", name="ck_zoned_zones"),
)

period = sa.Table(
    "period",
    metadata,
    _community(),
    _instant("closed_until"),
    _number("seq"),
    sa.Column("actor_id", sa.Uuid, nullable=False),
    _instant("closed_at"),
    sa.PrimaryKeyConstraint("community_id", "closed_until", name="pk_period"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_period_book"),
    sa.CheckConstraint("closed_until <= closed_at", name="ck_period_times"),
)

debt_allowance = sa.Table(
    "debt_allowance",
    metadata,
    _community(),
    _number("account_id"),
    _number("number"),
    _text("reason"),
    _number("debt_limit"),
    _number("seq"),
    sa.Column("actor_id", sa.Uuid, nullable=False),
    _instant("allowed_at"),
    sa.PrimaryKeyConstraint("community_id", "account_id", "number", name="pk_debt_allowance"),
    sa.ForeignKeyConstraint(
        ["community_id", "account_id"],
        ["ledger.account.community_id", "ledger.account.account_id"],
        name="fk_debt_allowance_account",
    ),
    sa.CheckConstraint("debt_limit BETWEEN 0 AND 1000000000000000", name="ck_debt_allowance_limit"),
)

hold_expiry = sa.Table(
    "hold_expiry",
    metadata,
    _community(),
    _instant("expires_at"),
    sa.Column("hold_id", sa.Uuid, nullable=False),
    sa.PrimaryKeyConstraint("community_id", "expires_at", "hold_id", name="pk_hold_expiry"),
    sa.ForeignKeyConstraint(
        ["community_id", "hold_id"],
        ["ledger.hold.community_id", "ledger.hold.hold_id"],
        name="fk_hold_expiry_hold",
    ),
)

lot_policy = sa.Table(
    "lot_policy",
    metadata,
    _community(),
    _text("unit"),
    _number("number"),
    _text("prefix"),
    _text("rule"),
    sa.Column("months", sa.Integer, nullable=False),
    sa.Column("grace_days", sa.Integer, nullable=False),
    _text("zone"),
    _number("seq"),
    sa.Column("actor_id", sa.Uuid, nullable=False),
    _instant("set_at"),
    sa.PrimaryKeyConstraint("community_id", "unit", "number", name="pk_lot_policy"),
    sa.ForeignKeyConstraint(["community_id"], ["ledger.book.community_id"], name="fk_lot_policy_book"),
    sa.ForeignKeyConstraint(["unit"], ["ledger.unit.code"], name="fk_lot_policy_unit"),
    sa.CheckConstraint("rule IN ('never', 'year', 'months')", name="ck_lot_policy_rule"),
    sa.CheckConstraint("months BETWEEN 0 AND 1200 AND grace_days BETWEEN 0 AND 3660", name="ck_lot_policy_bounds"),
)
"""By which rule a unit has expired since when; `seq` is the last transfer under the rule before."""

lot = sa.Table(
    "lot",
    metadata,
    _community(),
    _number("account_id"),
    _instant("expires_at"),
    _number("amount"),
    sa.PrimaryKeyConstraint("community_id", "account_id", "expires_at", name="pk_lot"),
    sa.CheckConstraint("amount >= 1", name="ck_lot_amount"),
    sa.Index("ix_lot_expires", "community_id", "expires_at", "account_id"),
    postgresql_with={"fillfactor": 70},
)
"""What an account has that expires at one moment."""

lot_move = sa.Table(
    "lot_move",
    metadata,
    _community(),
    _number("seq"),
    _number("account_id"),
    _instant("expires_at"),
    _number("amount"),
    sa.PrimaryKeyConstraint("community_id", "seq", "account_id", "expires_at", name="pk_lot_move"),
    sa.CheckConstraint("amount <> 0", name="ck_lot_move_amount"),
)
"""What a transfer put into a lot, or took from it."""

lot_grace = sa.Table(
    "lot_grace",
    metadata,
    _community(),
    _instant("expires_at"),
    _number("seq"),
    sa.PrimaryKeyConstraint("community_id", "expires_at", name="pk_lot_grace"),
    sa.CheckConstraint("seq >= 1", name="ck_lot_grace_seq"),
)
"""When days of grace end, and the transfer that first gave them. What expires then has had them."""

hold_lot = sa.Table(
    "hold_lot",
    metadata,
    _community(),
    sa.Column("hold_id", sa.Uuid, nullable=False),
    _instant("expires_at"),
    _number("amount"),
    _number("captured"),
    _number("released"),
    _number("refunded"),
    sa.PrimaryKeyConstraint("community_id", "hold_id", "expires_at", name="pk_hold_lot"),
    sa.CheckConstraint("amount >= 1", name="ck_hold_lot_amount"),
    sa.CheckConstraint(
        "captured >= 0 AND released >= 0 AND captured + released <= amount AND refunded BETWEEN 0 AND captured",
        name="ck_hold_lot_parts",
    ),
    postgresql_with={"fillfactor": 70},
)
"""Which lots a hold was taken from, and what became of each part."""
