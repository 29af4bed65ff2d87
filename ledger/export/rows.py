"""What an export reads: the book's accounts once, its journals in batches."""

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch
from ledger.refusals import BookNotFound

BATCH = 5_000
"""Transfers read at a time: enough to forget the round trip, few enough to forget the memory."""
ROOT = "Equity"

_ODD = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Account:
    """An account as an export names it."""

    account_id: int
    code: str
    unit: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What is exported: a book up to a number of its sequence. The times are of effect, None in an empty book."""

    book: int
    seq: int
    first_at: datetime | None
    last_at: datetime | None
    accounts: Mapping[int, Account]
    scales: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One transfer."""

    seq: int
    kind: str
    unit: str
    amount: int
    debit: int
    debit_balance: int
    credit: int
    credit_balance: int
    hold_id: UUID | None


@dataclass(slots=True)
class Entry:
    """One journal with all its transfers."""

    journal_id: int
    reference: str
    reason: str
    count: int
    actor_id: UUID | None
    on_behalf_of: UUID | None
    effective_at: datetime
    posted_at: datetime
    reverses: int | None
    transfers: list[Step] = field(default_factory=list)


async def book_at(session: AsyncSession, book: int) -> Extent:
    """The book as it stands now. Raises BookNotFound."""
    head = await fetch(session, "SELECT b.seq FROM ledger.book b WHERE b.community_id = $1", book)
    if not head:
        raise BookNotFound(book=book)
    seq: int = head[0][0]
    [(first_at, last_at)] = await fetch(
        session,
        "SELECT min(j.effective_at), max(j.effective_at) FROM ledger.journal j"
        " WHERE j.community_id = $1 AND j.journal_id <= $2",
        book,
        seq,
    )
    accounts = await fetch(
        session,
        "SELECT a.account_id, a.code, a.unit FROM ledger.account a WHERE a.community_id = $1 ORDER BY a.account_id",
        book,
    )
    scales = await fetch(session, "SELECT u.code, u.scale FROM ledger.unit u")
    return Extent(book, seq, first_at, last_at, {row[0]: Account(*row) for row in accounts}, dict(map(_pair, scales)))


def _pair(row: tuple[str, int]) -> tuple[str, int]:
    return row[0], row[1]


async def entries(session: AsyncSession, extent: Extent) -> AsyncIterator[Sequence[Entry]]:
    """Whole journals in the order of posting, never an empty batch."""
    after = 0
    opened: Entry | None = None
    while after < extent.seq:
        upto = min(after + BATCH, extent.seq)
        rows = await fetch(session, _BATCH, extent.book, after, upto)
        after = upto
        whole: list[Entry] = []
        for row in rows:
            if opened is None or opened.journal_id != row[0]:
                opened = Entry(*row[:9])
            opened.transfers.append(Step(*row[9:]))
            if len(opened.transfers) == opened.count:
                whole.append(opened)
        if whole:
            yield whole


_BATCH = """
SELECT j.journal_id, j.reference, j.reason, j.transfers, j.actor_id, j.on_behalf_of, j.effective_at, j.posted_at,
       j.reverses, t.seq, t.kind, t.unit, t.amount, t.debit, t.debit_balance, t.credit, t.credit_balance, t.hold_id
  FROM ledger.transfer t
  JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id
 WHERE t.community_id = $1 AND t.seq > $2 AND t.seq <= $3
 ORDER BY t.seq
"""


class Names:
    """Names of accounts that both programs accept: `member:7c2e` in points becomes `Liabilities:Member:7c2e:Point-42`.

    The account's number at the end keeps two codes apart that differ only in letters no program would take.
    """

    def __init__(self, accounts: Mapping[int, Account], roots: Mapping[str, str]) -> None:
        self._names = {number: self._name(account, roots) for number, account in accounts.items()}

    def __getitem__(self, account_id: int) -> str:
        return self._names[account_id]

    @staticmethod
    def _name(account: Account, roots: Mapping[str, str]) -> str:
        words = account.code.split(":")
        parts = [_word(word) for word in (*words, account.unit)]
        return ":".join([roots.get(words[0], ROOT), *parts]) + f"-{account.account_id}"


def _word(word: str) -> str:
    plain = _ODD.sub("-", word).strip("-") or "X"
    return plain[0].upper() + plain[1:]


class Writer(ABC):
    """One form of export. Remembers the last balance that the book states for every account."""

    def __init__(self, extent: Extent, names: Names, zone: tzinfo) -> None:
        self.extent = extent
        self.names = names
        self.zone = zone
        self.stated: dict[int, int] = {}

    @abstractmethod
    def head(self) -> str:
        """What stands before the first journal."""

    @abstractmethod
    def entry(self, entry: Entry) -> str:
        """One journal."""

    @abstractmethod
    def foot(self) -> str:
        """What stands after the last."""

    def remember(self, step: Step) -> None:
        """Keep what this transfer says of its two accounts."""
        self.stated[step.debit] = step.debit_balance
        self.stated[step.credit] = step.credit_balance

    def day(self, at: datetime) -> date:
        """The day on which something took effect."""
        return at.astimezone(self.zone).date()

    def commodity(self, unit: str) -> str:
        """A unit as the programs write it."""
        return _word(unit).upper()

    def amount(self, unit: str, value: int) -> str:
        """An amount in its unit's own digits, and the unit: 1250 hundredths of a point are `12.50 POINT`."""
        scale = self.extent.scales[unit]
        if not scale:
            return f"{value} {self.commodity(unit)}"
        digits = f"{abs(value):0{scale + 1}d}"
        sign = "-" if value < 0 else ""
        return f"{sign}{digits[:-scale]}.{digits[-scale:]} {self.commodity(unit)}"
