"""The community's books as an auditor reads them: the trial balance, accounts, journals with all their legs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.identity import members_by_card
from service.kit.clock import FIRST_DAY, LAST_DAY, day_begins
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.wallet.queries.sources import Source, sources
from service.wallet.rules import JournalNotFound


@dataclass(frozen=True, slots=True)
class TrialLine:
    """All accounts of one kind and unit. Over a whole unit, the balances come to zero."""

    kind: str
    unit: str
    accounts: int
    owed: int
    """Sum of the balances below zero: what was issued or came in from outside."""
    held: int
    """Sum of the balances above zero."""

    @property
    def balance(self) -> int:
        """What the kind has."""
        return self.held + self.owed


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account."""

    code: str
    unit: str
    balance: int
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class JournalView:
    """A journal with everything that is known of it."""

    posted: ledger.PostedJournal
    source: Source | None
    reverses: int | None
    reversed_by: int | None

    @property
    def has_holds(self) -> bool:
        """True when it put value aside or gave it back."""
        return any(transfer.kind != "post" for transfer in self.posted.transfers)


async def trial_balance(session: AsyncSession, community_id: int) -> Sequence[TrialLine]:
    """Every kind of account with its sums, by unit."""
    rows = await session.execute(
        sa.text(
            "SELECT split_part(a.code, ':', 1) AS kind, a.unit, count(*),"
            "       coalesce(sum(a.balance) FILTER (WHERE a.balance < 0), 0)::bigint,"
            "       coalesce(sum(a.balance) FILTER (WHERE a.balance > 0), 0)::bigint"
            "  FROM ledger.account a WHERE a.community_id = :community_id"
            ' GROUP BY 1, 2 ORDER BY a.unit COLLATE "C", 1'
        ),
        {"community_id": community_id},
    )
    return [TrialLine(*row) for row in rows]


async def accounts(
    session: AsyncSession, community_id: int, kind: str, unit: str, *, after: str | None = None
) -> Page[AccountLine]:
    """The accounts of one kind and unit, by code, a page at a time."""
    cursor = decode_cursor(after, str)
    rows = await session.execute(
        sa.text(
            "SELECT a.code, a.unit, a.balance, a.opened_at FROM ledger.account a"
            " WHERE a.community_id = :community_id AND a.unit = :unit AND split_part(a.code, ':', 1) = :kind"
            '   AND (CAST(:after AS text) IS NULL OR a.code COLLATE "C" > :after)'
            ' ORDER BY a.code COLLATE "C" LIMIT :limit'
        ),
        {
            "community_id": community_id,
            "unit": unit,
            "kind": kind,
            "after": cursor[0] if cursor else None,
            "limit": PAGE_SIZE + 1,
        },
    )
    lines = [AccountLine(*row) for row in rows]
    return page_of(lines, lambda last: encode_cursor(last.code))


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account from one day to another, or from its first line to its last. Lines are newest first."""

    code: str
    unit: str
    opening: int
    closing: int
    lines: Sequence[ledger.StatementLine]
    next: int | None


async def account_view(
    session: AsyncSession,
    community_id: int,
    code: str,
    unit: str,
    *,
    since: date | None = None,
    until: date | None = None,
    before: int | None = None,
) -> AccountView:
    """A page of an account with what it had before the first day and after the last; both are included, in either order."""
    first, last = sorted((since or FIRST_DAY, until or LAST_DAY))
    found = await ledger.period(
        session,
        community_id,
        code,
        unit,
        since=day_begins(first),
        until=day_begins(min(last, LAST_DAY) + timedelta(days=1)),
        before=before,
    )
    return AccountView(code, unit, found.opening, found.closing, found.lines, found.next)


async def journal_view(session: AsyncSession, community_id: int, journal_id: int) -> JournalView:
    """One journal by its number in this community's book."""
    found = await session.execute(
        sa.text(
            "SELECT j.reference, j.reverses, (SELECT u.journal_id FROM ledger.journal u"
            "    WHERE u.community_id = j.community_id AND u.reverses = j.journal_id)"
            "  FROM ledger.journal j WHERE j.community_id = :community_id AND j.journal_id = :journal_id"
        ),
        {"community_id": community_id, "journal_id": journal_id},
    )
    row = found.one_or_none()
    if row is None:
        raise JournalNotFound
    reference, reverses, reversed_by = row
    posted = await ledger.journal(session, community_id, reference)
    if posted is None:
        raise JournalNotFound
    told = await sources(session, community_id, [reference])
    return JournalView(posted, told.get(reference), reverses, reversed_by)


async def account_of_card(session: AsyncSession, community_id: int, card_no: str) -> str | None:
    """The account code of the person with this card number."""
    found = (await members_by_card(session, community_id, [card_no])).get(card_no)
    return chart.member(found.member_id) if found is not None else None
