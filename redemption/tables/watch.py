"""What looked odd about a use, and when shops are open."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Date, Index, Integer, SmallInteger, Table, text

from redemption.rules import AlarmRule, AlarmState
from redemption.tables.columns import (
    amount,
    check,
    community,
    identifier,
    instant,
    metadata,
    one_of,
    primary,
    refers,
    words,
)

alarm = Table(
    "alarm",
    metadata,
    community(),
    Column("voucher_id", BigInteger, nullable=False, autoincrement=False),
    Column("use_seq", Integer, nullable=False, autoincrement=False),
    words("rule"),
    identifier("merchant_id"),
    words("state"),
    amount("seen"),
    amount("allowed"),
    identifier("raised_by", nullable=True),
    instant("raised_at"),
    identifier("decided_by", nullable=True),
    instant("decided_at", nullable=True),
    words("reason", nullable=True),
    primary("alarm", "voucher_id", "use_seq", "rule"),
    refers("alarm", "use", ("voucher_id", "use_seq"), "use", ("voucher_id", "seq")),
    one_of("alarm", "rule", AlarmRule),
    one_of("alarm", "state", AlarmState),
    check(
        "alarm",
        "decided",
        "(state = 'OPEN') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)"
        " AND (decided_at IS NULL) = (coalesce(reason, '') = '')",
    ),
    check("alarm", "raised_by", "(rule = 'denied') = (raised_by IS NOT NULL)"),
    Index("ix_alarm_merchant", "community_id", "merchant_id", "state"),
    Index("ix_alarm_open", "community_id", "raised_at", postgresql_where=text("state = 'OPEN'")),
)
"""A rule of the watch pointed at a use: once for each rule, decided once. While one is open no batch takes the use. `seen` and
`allowed` are in the rule's own measure."""

opening = Table(
    "opening",
    metadata,
    community(),
    identifier("merchant_id"),
    Column("effective_from", Date, nullable=False),
    Column("weekday", SmallInteger, nullable=False, autoincrement=False),
    Column("opens", SmallInteger, nullable=False, autoincrement=False),
    Column("closes", SmallInteger, nullable=False),
    identifier("set_by"),
    instant("set_at"),
    primary("opening", "merchant_id", "effective_from", "weekday", "opens"),
    refers("opening", "merchant", ("merchant_id",), "merchant"),
    check("opening", "weekday", "weekday BETWEEN 1 AND 7"),
    check("opening", "hours", "opens >= 0 AND opens < closes AND closes <= 1440"),
)
"""When a shop is open, in minutes since midnight: all rows of the newest day hold together until the next. A weekday without one is
a day on which it is closed."""
