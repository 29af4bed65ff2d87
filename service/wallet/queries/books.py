"""The community's books as an auditor reads them: the trial balance, accounts, journals with all their legs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.identity import members_by_card, normal_card
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


_NOW = """
WITH held AS (SELECT a.code, a.unit, a.balance FROM ledger.account a WHERE a.community_id = :community_id)
"""
_THEN = """
WITH held AS (
    SELECT a.code, a.unit, b.balance
      FROM ledger.balances_at(:community_id, ledger.seq_before(:community_id, :at)) b
      JOIN ledger.account a ON a.community_id = :community_id AND a.account_id = b.account_id
     WHERE a.opened_at < :at
)
"""
_TRIAL = """
SELECT split_part(h.code, ':', 1) AS kind, h.unit, count(*),
       coalesce(sum(h.balance) FILTER (WHERE h.balance < 0), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE h.balance > 0), 0)::bigint
  FROM held h GROUP BY 1, 2 ORDER BY h.unit COLLATE "C", 1
"""
_CIRCULATION = """
SELECT h.unit,
       coalesce(sum(h.balance) FILTER (WHERE split_part(h.code, ':', 1) IN ('member', 'group')), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE split_part(h.code, ':', 1) = 'pool'), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE h.code = 'escrow'), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE split_part(h.code, ':', 1) = 'merchant'), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE h.code = 'expired'), 0)::bigint,
       coalesce(sum(h.balance) FILTER (WHERE h.code = 'writeoff'), 0)::bigint,
       CASE h.unit WHEN 'point' THEN (
           SELECT coalesce(100 * sum(p.points), 0)::bigint FROM redemption.payment p
            WHERE p.community_id = :community_id
              AND CASE WHEN CAST(:at AS timestamptz) IS NULL THEN p.returned_at IS NULL
                       ELSE p.paid_at < :at AND (p.returned_at IS NULL OR p.returned_at >= :at) END
       ) ELSE 0 END
  FROM held h WHERE h.unit IN ('point', 'minute') GROUP BY 1 ORDER BY h.unit DESC
"""


@dataclass(frozen=True, slots=True)
class Circulation:
    """Where everything of one unit is. What is burnt was redeemed and settled; it is in no account any more."""

    unit: str
    people: int
    pools: int
    aside: int
    shops: int
    expired: int
    written_off: int
    burnt: int

    @property
    def in_circulation(self) -> int:
        """What somebody can still use: in people's hands, in pools, and set aside for them."""
        return self.people + self.pools + self.aside


def _moment(on: date | None) -> datetime | None:
    """The end of a day; None is now."""
    return day_begins(min(on, LAST_DAY) + timedelta(days=1)) if on else None


async def trial_balance(session: AsyncSession, community_id: int, on: date | None = None) -> Sequence[TrialLine]:
    """Every kind of account with its sums, by unit: now, or at the end of a day at the cost of the accounts alone."""
    at = _moment(on)
    query = sa.text((_THEN if at else _NOW) + _TRIAL)
    rows = await session.execute(query, {"community_id": community_id} | ({"at": at} if at else {}))
    return [TrialLine(*row) for row in rows]


async def circulation(session: AsyncSession, community_id: int, on: date | None = None) -> Sequence[Circulation]:
    """Points and coins by where they are: now, or at the end of a day."""
    at = _moment(on)
    query = sa.text((_THEN if at else _NOW) + _CIRCULATION)
    return [Circulation(*row) for row in await session.execute(query, {"community_id": community_id, "at": at})]


async def accounts(
    session: AsyncSession,
    community_id: int,
    *,
    kind: str | None = None,
    unit: str | None = None,
    beginning: str | None = None,
    after: str | None = None,
) -> Page[AccountLine]:
    """Accounts of a kind, a unit, or whose code begins so; by code and unit, a page at a time."""
    cursor = decode_cursor(after, str, str)
    rows = await session.execute(
        sa.text(
            "SELECT a.code, a.unit, a.balance, a.opened_at FROM ledger.account a"
            " WHERE a.community_id = :community_id AND (CAST(:unit AS text) IS NULL OR a.unit = :unit)"
            "   AND (CAST(:kind AS text) IS NULL OR split_part(a.code, ':', 1) = :kind)"
            "   AND (CAST(:beginning AS text) IS NULL OR starts_with(a.code, :beginning))"
            '   AND (CAST(:after AS text) IS NULL OR (a.code COLLATE "C", a.unit COLLATE "C") > (:after, :after_unit))'
            ' ORDER BY a.code COLLATE "C", a.unit COLLATE "C" LIMIT :limit'
        ),
        {
            "community_id": community_id,
            "unit": unit,
            "kind": kind,
            "beginning": beginning or None,
            "after": cursor[0] if cursor else None,
            "after_unit": cursor[1] if cursor else None,
            "limit": PAGE_SIZE + 1,
        },
    )
    lines = [AccountLine(*row) for row in rows]
    return page_of(lines, lambda last: encode_cursor(last.code, last.unit))


async def code_typed(session: AsyncSession, community_id: int, typed: str) -> str:
    """The beginning of a code that somebody means: a person's account by the card number, or what was typed."""
    card = normal_card(typed)
    member = (await members_by_card(session, community_id, [card])).get(card) if card else None
    return chart.member(member.member_id) if member is not None else typed


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
