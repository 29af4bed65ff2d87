"""What a person has, and the words beside each line of a passbook. Balances and lines come from the ledger itself."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.identity import people_by_ids
from service.kit.clock import HOME_ZONE, day_begins
from service.kit.words import masked_name
from service.records import record_minutes
from service.wallet.queries.sources import Source, sources
from service.wallet.rules import LineNotFound, Unit

LINES_ON_A_PAGE = 50
LINES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """The three named figures of a person. They are never added and never share a column."""

    service_minutes: int
    coin_minutes: int
    points_hundredths: int


@dataclass(frozen=True, slots=True)
class PointsLot:
    """A part of somebody's points, and the last day on which it can be used; None is for ever."""

    hundredths: int
    last_day: date | None


async def points_lots(session: AsyncSession, community_id: int, member_id: UUID) -> Sequence[PointsLot]:
    """What one's points consist of, what expires first in front. Empty where the community's points do not expire."""
    lots = await ledger.lots(session, community_id, chart.member(member_id), chart.POINT)
    if all(lot.expires_at is None for lot in lots):
        return []
    return [
        # It expires as the next day begins.
        PointsLot(lot.amount, lot.expires_at and (lot.expires_at - timedelta(seconds=1)).astimezone(HOME_ZONE).date())
        for lot in lots
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a passbook, ready to be shown."""

    seq: int
    journal_id: int
    reference: str
    reason: str
    amount: int
    balance: int
    posted_at: datetime
    source: Source | None
    reversed_by: str | None
    reverses: str | None

    @property
    def day(self) -> date:
        """The community's day on which it was posted."""
        return self.posted_at.astimezone(HOME_ZONE).date()


@dataclass(frozen=True, slots=True)
class Month:
    """Lines of one month. `sums` are money in and out, or None when the month goes on over the page's edge."""

    first: date
    lines: Sequence[Line]
    sums: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class PassbookPage:
    """Months, newest first, and the seq to go on from."""

    months: Sequence[Month]
    next: int | None


@dataclass(frozen=True, slots=True)
class LineDetail:
    """One line with everything that may be told about it."""

    line: Line
    effective_at: datetime
    actor: str | None
    on_behalf_of: str | None
    reverses: int | None
    reversed_by: int | None


async def figures(session: AsyncSession, community_id: int, member_id: UUID) -> Figures:
    """The three figures of one person, in two queries."""
    account = chart.member(member_id)
    found = await ledger.balances(session, community_id, [(account, chart.MINUTE), (account, chart.POINT)])
    return Figures(
        service_minutes=await record_minutes(session, community_id, member_id),
        coin_minutes=found.get((account, chart.MINUTE), 0),
        points_hundredths=found.get((account, chart.POINT), 0),
    )


async def passbook(
    session: AsyncSession,
    community_id: int,
    member_id: UUID,
    unit: Unit,
    *,
    month: date | None = None,
    before: int | None = None,
) -> PassbookPage:
    """A page of one passbook, newest first; or one whole month of it."""
    if month is None:
        page = await ledger.statement(
            session, community_id, chart.member(member_id), unit, before=before, limit=LINES_ON_A_PAGE
        )
        lines: Sequence[ledger.StatementLine] = page.lines
        following = page.next
    else:
        lines, following = await _lines_of(session, community_id, member_id, unit, month), None
    told = await sources(session, community_id, [line.reference for line in lines])
    shown = [_line(line, told) for line in lines]
    return PassbookPage(_months(shown, starts_inside=before is not None, goes_on=following is not None), following)


_CHANGES = sa.text("""
WITH RECURSIVE first AS MATERIALIZED (
    SELECT ledger.seq_before(:community_id, :since) AS seq
), line AS (
    SELECT a.account_id, a.unit, a.last_seq AS seq
      FROM ledger.account a
     WHERE a.community_id = :community_id AND a.code = :code
    UNION ALL
    SELECT l.account_id, l.unit, CASE t.debit WHEN l.account_id THEN t.debit_prev ELSE t.credit_prev END
      FROM line l
      JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = l.seq
     WHERE l.seq > (SELECT seq FROM first)
)
SELECT l.unit, sum(CASE t.debit WHEN l.account_id THEN -t.amount ELSE t.amount END)::bigint
  FROM line l
  JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = l.seq
  JOIN ledger.journal j ON j.community_id = :community_id AND j.journal_id = t.journal_id
 WHERE l.seq > (SELECT seq FROM first)
   AND j.reason <> ALL(CAST(:returns AS text[]))
   AND (t.debit <> l.account_id) = (j.reverses IS NULL)
 GROUP BY l.unit
""")
"""The rule of `_in_and_out`, added up where the lines are: somebody may have thousands in a month."""


async def came_in_since(session: AsyncSession, community_id: int, member_id: UUID, first: date) -> tuple[int, int]:
    """Coin minutes and hundredths of points that came in from a day on: the passbook's own sums, in one query."""
    asked = {"community_id": community_id, "code": chart.member(member_id), "since": day_begins(first)}
    rows = await session.execute(_CHANGES, asked | {"returns": sorted(RETURNS)})
    sums = {unit: int(amount) for unit, amount in rows}
    return sums.get(chart.MINUTE, 0), sums.get(chart.POINT, 0)


async def whole_passbook(session: AsyncSession, community_id: int, member_id: UUID, unit: Unit) -> Sequence[Line]:
    """Every line, oldest first, for paper."""
    lines: list[ledger.StatementLine] = []
    before: int | None = None
    while True:
        page = await ledger.statement(
            session, community_id, chart.member(member_id), unit, before=before, limit=LINES_AT_ONCE
        )
        lines += page.lines
        before = page.next
        if before is None:
            break
    told = await sources(session, community_id, [line.reference for line in lines])
    return [_line(line, told) for line in reversed(lines)]


async def line_of(session: AsyncSession, community_id: int, member_id: UUID, unit: Unit, seq: int) -> LineDetail:
    """One line of this person's own passbook; anybody else's looks as if it were not there."""
    account = chart.member(member_id)
    row = (
        await session.execute(
            sa.text(
                "SELECT j.journal_id, j.reference, j.reason, j.effective_at, j.posted_at, j.actor_id, j.on_behalf_of,"
                "       CASE WHEN t.debit = a.account_id THEN -t.amount ELSE t.amount END AS amount,"
                "       CASE WHEN t.debit = a.account_id THEN t.debit_balance ELSE t.credit_balance END AS balance,"
                "       j.reverses, (SELECT u.journal_id FROM ledger.journal u"
                "                     WHERE u.community_id = j.community_id AND u.reverses = j.journal_id) AS undone"
                "  FROM ledger.account a"
                "  JOIN ledger.transfer t ON t.community_id = a.community_id AND t.seq = :seq"
                "   AND a.account_id IN (t.debit, t.credit)"
                "  JOIN ledger.journal j ON j.community_id = t.community_id AND j.journal_id = t.journal_id"
                " WHERE a.community_id = :community_id AND a.code = :code AND a.unit = :unit"
            ),
            {"community_id": community_id, "code": account, "unit": unit.value, "seq": seq},
        )
    ).one_or_none()
    if row is None:
        raise LineNotFound
    told = await sources(session, community_id, [row.reference])
    people = await people_by_ids(session, community_id, {row.actor_id, row.on_behalf_of})
    names = {
        person_id: person.name if person_id == member_id else masked_name(person.name)
        for person_id, person in people.items()
    }
    links = await _seqs_of(session, community_id, account, unit, [row.reverses, row.undone])
    line = Line(
        seq,
        row.journal_id,
        row.reference,
        row.reason,
        row.amount,
        row.balance,
        row.posted_at,
        told.get(row.reference),
        None,
        None,
    )
    return LineDetail(
        line,
        row.effective_at,
        names.get(row.actor_id),
        names.get(row.on_behalf_of),
        links.get(row.reverses),
        links.get(row.undone),
    )


async def _seqs_of(
    session: AsyncSession, community_id: int, account: str, unit: Unit, journals: Sequence[int | None]
) -> Mapping[int, int]:
    """The line of this account in each of these journals: a correction and what it corrects lead to each other."""
    wanted = [journal_id for journal_id in journals if journal_id is not None]
    if not wanted:
        return {}
    rows = await session.execute(
        sa.text(
            "SELECT DISTINCT ON (j.journal_id) j.journal_id, t.seq FROM ledger.journal j"
            "  JOIN ledger.transfer t ON t.community_id = j.community_id"
            "   AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers"
            "  JOIN ledger.account a ON a.community_id = j.community_id AND a.account_id IN (t.debit, t.credit)"
            " WHERE j.community_id = :community_id AND j.journal_id = ANY(:journals)"
            "   AND a.code = :code AND a.unit = :unit"
            " ORDER BY j.journal_id, t.seq"
        ),
        {"community_id": community_id, "journals": wanted, "code": account, "unit": unit.value},
    )
    return dict(rows.all())


async def _lines_of(
    session: AsyncSession, community_id: int, member_id: UUID, unit: Unit, month: date
) -> Sequence[ledger.StatementLine]:
    """All lines of a month, however long ago it was."""
    since, until = day_begins(month), day_begins((month + timedelta(days=31)).replace(day=1))
    found: list[ledger.StatementLine] = []
    before: int | None = None
    while True:
        page = await ledger.period(
            session,
            community_id,
            chart.member(member_id),
            unit,
            since=since,
            until=until,
            before=before,
            limit=LINES_AT_ONCE,
        )
        found += page.lines
        before = page.next
        if before is None:
            return found


def _line(line: ledger.StatementLine, told: Mapping[str, Source]) -> Line:
    return Line(
        line.seq,
        line.journal_id,
        line.reference,
        line.reason,
        line.amount,
        line.balance,
        line.posted_at,
        told.get(line.reference),
        line.reversed_by,
        line.reverses,
    )


def _months(lines: Sequence[Line], *, starts_inside: bool, goes_on: bool) -> Sequence[Month]:
    grouped: dict[date, list[Line]] = {}
    for line in lines:
        grouped.setdefault(line.day.replace(day=1), []).append(line)
    months = []
    for place, (first, own) in enumerate(grouped.items()):
        is_cut = (place == 0 and starts_inside) or (place == len(grouped) - 1 and goes_on)
        months.append(Month(first, own, None if is_cut else _in_and_out(own)))
    return months


RETURNS = frozenset(
    {
        chart.Reason.VOUCHER_CANCELLED,
        chart.Reason.VOUCHER_CHANGED,
        chart.Reason.VOUCHER_EXPIRED,
        chart.Reason.VOUCHER_VOIDED,
        chart.Reason.VOUCHER_USE_REVERSED,
        chart.Reason.HOLD_EXPIRED,
        chart.Reason.EXCHANGE_RETURNED,
    }
)
"""What comes back by these was had before: it lowers what went out and was not earned."""


def _in_and_out(lines: Iterable[Line]) -> tuple[int, int]:
    """What came in and what went out; in minus out is the change of the balance.

    A correction takes away from the side of the line it corrects: whoever was credited twice and corrected once earned
    it once. A return takes away from what went out.
    """
    came_in = change = 0
    for line in lines:
        change += line.amount
        if line.reason not in RETURNS and (line.amount > 0) is (line.reverses is None):
            came_in += line.amount
    return came_in, came_in - change
