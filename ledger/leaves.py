"""Transfers as the leaves of the tree: read in the order of the book, and turned into the bytes of `check.Leaf`."""

import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.check import Leaf
from ledger.driver import fetch

BATCH = 4096
"""How many transfers are read at a time."""

_INSTANT = "CASE WHEN isfinite({0}) THEN (extract(epoch FROM {0}) * 1000000)::bigint END"
# In the order of check.Leaf. A hold's expiry belongs to the transfer that opened it.
_COLUMNS = f"""
    t.community_id, t.seq, t.journal_id, j.transfers, t.kind, t.amount, {_INSTANT.format("j.posted_at")},
    {_INSTANT.format("j.effective_at")}, j.reverses, uuid_send(j.actor_id), uuid_send(j.on_behalf_of),
    uuid_send(t.hold_id), {_INSTANT.format("h.expires_at")}, t.unit, d.code, c.code, j.reference, j.reason
"""
# Look-ups and not joins where a table grows with the book: a piece of the book costs the same wherever it lies.
_LEAVES = f"""
    SELECT {_COLUMNS}
      FROM ledger.transfer t
      LEFT JOIN LATERAL (SELECT x.* FROM ledger.journal x
                          WHERE x.community_id = $1 AND x.journal_id = t.journal_id LIMIT 1) j ON true
      LEFT JOIN ledger.account d ON d.community_id = $1 AND d.account_id = t.debit
      LEFT JOIN ledger.account c ON c.community_id = $1 AND c.account_id = t.credit
      LEFT JOIN LATERAL (SELECT x.expires_at FROM ledger.hold x
                          WHERE t.kind = 'hold' AND x.community_id = $1 AND x.hold_id = t.hold_id LIMIT 1) h ON true
     WHERE t.community_id = $1 AND t.seq > $2 AND t.seq <= $3
     ORDER BY t.seq
"""  # noqa: S608  (all of it stands in this file)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first transfer that does not make a leaf, and why."""

    seq: int
    why: str


async def read(
    session: AsyncSession, book: int, first: int, after: int
) -> tuple[list[bytes], list[Leaf], Broken | None]:
    """The leaves from `first` (counted from 0) up to but without `after`, as bytes and as they read.

    Stops at the first that is missing or cannot be one: a row without its journal, or its account.
    """
    rows = await fetch(session, _LEAVES, book, first, after)
    return pack(rows, first, after)


def pack(rows: Sequence[tuple[Any, ...]], first: int, after: int) -> tuple[list[bytes], list[Leaf], Broken | None]:
    """Rows of the query as leaves, without a gap."""
    packed: list[bytes] = []
    leaves: list[Leaf] = []
    for due, row in enumerate(rows, first + 1):
        leaf = Leaf(*row)
        if leaf.seq != due:
            return packed, leaves, Broken(due, "is missing")
        try:
            packed.append(leaf.encode())
        except (struct.error, AttributeError, KeyError, TypeError):
            return packed, leaves, Broken(due, "has no journal, account or time that could be sealed")
        leaves.append(leaf)
    due = first + len(packed) + 1
    return packed, leaves, Broken(due, "is missing") if due <= after else None


async def batches(
    session: AsyncSession, book: int, first: int, after: int
) -> AsyncIterator[tuple[list[bytes], list[Leaf], Broken | None]]:
    """The same in pieces, so that a long book does not have to fit into memory."""
    while first < after:
        until = min(after, first + BATCH)
        yield await read(session, book, first, until)
        first = until
