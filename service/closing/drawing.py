"""A year drawn up from the ledger, by the days on which things took effect; and held against it again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.closing.rules import year_begins

_MOVED = """
WITH moved AS (
    SELECT t.debit AS account_id, t.unit, j.journal_id, j.reason, j.effective_at >= :since AS inside,
           0::bigint AS received, t.amount AS given
      FROM ledger.journal j
      JOIN ledger.transfer t ON t.community_id = j.community_id AND t.journal_id = j.journal_id
     WHERE j.community_id = :community_id AND j.effective_at < :until
    UNION ALL
    SELECT t.credit, t.unit, j.journal_id, j.reason, j.effective_at >= :since, t.amount, 0::bigint
      FROM ledger.journal j
      JOIN ledger.transfer t ON t.community_id = j.community_id AND t.journal_id = j.journal_id
     WHERE j.community_id = :community_id AND j.effective_at < :until
)"""
_LINES = """
SELECT m.unit, a.code,
       coalesce(sum(m.received - m.given) FILTER (WHERE NOT m.inside), 0)::bigint AS opening,
       coalesce(sum(m.received) FILTER (WHERE m.inside), 0)::bigint AS received,
       coalesce(sum(m.given) FILTER (WHERE m.inside), 0)::bigint AS given,
       sum(m.received - m.given)::bigint AS closing
  FROM moved m JOIN ledger.account a ON a.community_id = :community_id AND a.account_id = m.account_id
 GROUP BY m.unit, a.code"""
_MOVEMENTS = """
SELECT m.unit, split_part(a.code, ':', 1) AS kind, m.reason, count(DISTINCT m.journal_id) AS journals,
       sum(m.received)::bigint AS received, sum(m.given)::bigint AS given
  FROM moved m JOIN ledger.account a ON a.community_id = :community_id AND a.account_id = m.account_id
 WHERE m.inside GROUP BY 1, 2, 3"""
_TOTALS = """
SELECT l.unit, split_part(l.code, ':', 1) AS kind, count(*) AS accounts, sum(l.opening)::bigint AS opening,
       sum(l.received)::bigint AS received, sum(l.given)::bigint AS given, sum(l.closing)::bigint AS closing
  FROM year_line l WHERE l.community_id = :community_id AND l.year = :year GROUP BY 1, 2"""

_WRITE = (
    # Whose account it is, is read here once and kept: the printed list goes by the card numbers of then.
    f"""{_MOVED}, line AS ({_LINES})
INSERT INTO year_line (community_id, year, unit, code, card_no, opening, received, given, closing)
SELECT :community_id, :year, l.unit, l.code, coalesce(p.card_no, ''), l.opening, l.received, l.given, l.closing
  FROM line l LEFT JOIN member p ON p.community_id = :community_id AND l.code = 'member:' || replace(p.member_id::text, '-', '')""",  # noqa: S608 (our own queries)
    f"""INSERT INTO year_total (community_id, year, unit, kind, accounts, opening, received, given, closing)
SELECT :community_id, :year, t.* FROM ({_TOTALS}) t""",  # noqa: S608 (likewise)
    f"""{_MOVED}
INSERT INTO year_movement (community_id, year, unit, kind, reason, journals, received, given)
SELECT :community_id, :year, t.* FROM ({_MOVEMENTS}) t""",  # noqa: S608 (likewise)
)
_COUNTS = """
SELECT (SELECT b.seq FROM ledger.book b WHERE b.community_id = :community_id),
       (SELECT count(*) FROM ledger.journal j
         WHERE j.community_id = :community_id AND j.effective_at >= :since AND j.effective_at < :until)"""

_STORED_LINES = """SELECT s.unit, s.code, s.opening, s.received, s.given, s.closing FROM year_line s
 WHERE s.community_id = :community_id AND s.year = :year"""
_STORED_MOVEMENTS = """SELECT s.unit, s.kind, s.reason, s.journals, s.received, s.given FROM year_movement s
 WHERE s.community_id = :community_id AND s.year = :year"""
_STORED_TOTALS = """SELECT s.unit, s.kind, s.accounts, s.opening, s.received, s.given, s.closing FROM year_total s
 WHERE s.community_id = :community_id AND s.year = :year"""
_CARRIED = """
SELECT DISTINCT coalesce(n.code, p.code)
  FROM (SELECT * FROM year_line l WHERE l.community_id = :community_id AND l.year = :year) n
  FULL JOIN (SELECT * FROM year_line l WHERE l.community_id = :community_id AND l.year = :year - 1) p USING (unit, code)
 WHERE coalesce(n.opening, 0) <> coalesce(p.closing, 0)
   AND EXISTS (SELECT FROM year_close y WHERE y.community_id = :community_id AND y.year = :year - 1)"""


def _differ(drawn: str, stored: str, place: str) -> str:
    return (
        f"{_MOVED}, drawn AS ({drawn}), stored AS ({stored})"  # noqa: S608 (our own queries)
        f" SELECT DISTINCT d.{place} FROM ((TABLE drawn EXCEPT TABLE stored)"
        f" UNION ALL (TABLE stored EXCEPT TABLE drawn)) d"
    )


_COMPARE = (
    _differ(_LINES, _STORED_LINES, "code"),
    _differ(_MOVEMENTS, _STORED_MOVEMENTS, "kind"),
    _differ(_TOTALS, _STORED_TOTALS, "kind"),
    _CARRIED,
)


def _asked(community_id: int, year: int) -> dict[str, int | datetime]:
    since, until = year_begins(year), year_begins(year + 1)
    return {"community_id": community_id, "year": year, "since": since, "until": until}


_LOOPS = sa.text("SELECT set_config('enable_nestloop', :value, true)")


@asynccontextmanager
async def _over_the_whole_book(session: AsyncSession) -> AsyncIterator[None]:
    """Queries that read a book from end to end never go looking row by row, as they would in a book that grew a minute ago."""
    await session.execute(_LOOPS, {"value": "off"})
    yield
    await session.execute(_LOOPS, {"value": "on"})


async def counts(session: AsyncSession, community_id: int, year: int) -> tuple[int, int]:
    """The book's number now, and how many journals took effect in the year."""
    seq, journals = (await session.execute(sa.text(_COUNTS), _asked(community_id, year))).one()
    return seq, journals


async def write_figures(session: AsyncSession, community_id: int, year: int) -> None:
    """Write lines, totals and movements of a year, within the database: no account passes through here."""
    async with _over_the_whole_book(session):
        for statement in _WRITE:
            await session.execute(sa.text(statement), _asked(community_id, year))


async def differences(session: AsyncSession, community_id: int, year: int) -> list[str]:
    """The accounts and kinds whose stored figures are not what the ledger says, or did not open as the year before closed."""
    found: set[str] = set()
    async with _over_the_whole_book(session):
        for statement in _COMPARE:
            found |= set((await session.execute(sa.text(statement), _asked(community_id, year))).scalars())
    return sorted(found)
