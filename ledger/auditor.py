"""Looks over the sealer's shoulder: does the arithmetic of each transfer again while it is read into the tree.

Every leg must follow from the account's leg before it: where its back-pointer leads, one version on, by exactly the
amount. An account that may be in debt is held to the largest debt it was ever allowed; the proof of the books is exact
there. What has been read before is looked up where the back-pointers lead, so the cost does not grow with the book.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.verify.kinds import Fault

_LEGS = """
    SELECT t.seq, t.unit, t.amount, t.debit, t.debit_balance, t.debit_version, t.debit_prev, d.unit,
           d.floor - coalesce((SELECT max(x.debt_limit) FROM ledger.debt_allowance x
                                WHERE x.community_id = $1 AND x.account_id = t.debit), 0),
           t.credit, t.credit_balance, t.credit_version, t.credit_prev, c.unit, c.ceiling
      FROM ledger.transfer t
      LEFT JOIN ledger.account d ON d.community_id = $1 AND d.account_id = t.debit
      LEFT JOIN ledger.account c ON c.community_id = $1 AND c.account_id = t.credit
     WHERE t.community_id = $1 AND t.seq > $2 AND t.seq <= $3
     ORDER BY t.seq
"""
_BEFORE = """
    SELECT t.seq, t.debit, t.debit_version, t.debit_balance, t.credit, t.credit_version, t.credit_balance
      FROM ledger.transfer t WHERE t.community_id = $1 AND t.seq = ANY($2::bigint[])
"""
# One statement, one moment: the accounts are compared only while the book stands where the reading stopped.
_ACCOUNTS = """
    SELECT a.account_id, a.last_seq, a.version, a.balance
      FROM ledger.book b JOIN ledger.account a ON a.community_id = $1 AND a.account_id = ANY($3::bigint[])
     WHERE b.community_id = $1 AND b.seq = $2
"""


class State(NamedTuple):
    """An account after one of its legs."""

    seq: int
    version: int
    balance: int


class Leg(NamedTuple):
    """One side of a transfer. `delta` is what it changes; `limit` is the floor or ceiling on its side."""

    seq: int
    account: int
    unit: str
    account_unit: str | None
    delta: int
    limit: int | None
    prev: int
    after: State


async def audit(session: AsyncSession, book: int, first: int, after: int) -> Fault | None:
    """The first thing that is wrong with the transfers after `first`, up to and with `after`; None when nothing is."""
    legs: list[Leg] = []
    for row in await fetch(session, _LEGS, book, first, after):
        seq, unit, amount, debit, d_bal, d_ver, d_prev, d_unit, floor, credit, c_bal, c_ver, c_prev, c_unit, top = row
        legs.append(Leg(seq, debit, unit, d_unit, -amount, floor, d_prev, State(seq, d_ver, d_bal)))
        legs.append(Leg(seq, credit, unit, c_unit, amount, top, c_prev, State(seq, c_ver, c_bal)))
    known = await _before(session, book, legs)
    for leg in legs:
        for kind, detail in _wrong(leg, known.get(leg.account)):
            return Fault(kind, book, f"transfer {leg.seq}", detail)
        known[leg.account] = leg.after
    for number, *has in await fetch(session, _ACCOUNTS, book, after, list(known)):
        if State(*has) != known[number]:
            return Fault("account_balance", book, f"account {number}", f"has {State(*has)}, read was {known[number]}")
    return None


async def _before(session: AsyncSession, book: int, legs: list[Leg]) -> dict[int, State]:
    """Each account as the back-pointer of its first leg finds it."""
    leads: dict[int, int] = {}
    for leg in legs:
        leads.setdefault(leg.account, leg.prev)
    rows = await fetch(session, _BEFORE, book, sorted({prev for prev in leads.values() if prev}))
    found = {row[0]: row[1:] for row in rows}
    known: dict[int, State] = {}
    for account, prev in leads.items():
        debit, d_version, d_balance, credit, c_version, c_balance = found.get(prev, (None,) * 6)
        if prev == 0:
            known[account] = State(0, 0, 0)
        elif account == debit:
            known[account] = State(prev, d_version, d_balance)
        elif account == credit:
            known[account] = State(prev, c_version, c_balance)
    return known


def _wrong(leg: Leg, before: State | None) -> Iterator[tuple[str, str]]:
    if leg.account_unit != leg.unit:
        yield "transfer_account", f"moves {leg.unit} of account {leg.account} ({leg.account_unit})"
    if before is None or leg.prev != before.seq:
        yield "prev", f"points to {leg.prev} for account {leg.account}, where it is not"
        return
    if leg.after.version != before.version + 1:
        yield "version", f"says version {leg.after.version} for account {leg.account}, before it was {before.version}"
    if leg.after.balance != before.balance + leg.delta:
        yield (
            "running_balance",
            f"says {leg.after.balance} for account {leg.account}, {before.balance} and {leg.delta} were to give it",
        )
    if leg.limit is not None and (leg.after.balance < leg.limit if leg.delta < 0 else leg.after.balance > leg.limit):
        yield "limit", f"leaves {leg.after.balance} on account {leg.account}, whose limit is {leg.limit}"
