"""Finding journals in a book of any size, newest first.

Every search is bounded: it reads at most so many zones, or so many lines of an account, and says where it stopped so
that the next call goes on from there. What holds no answer is left out by the zones (`sql/zones.sql`), an account is
walked by its own back-pointers, and a reference has its unique key; nothing here is indexed at the cost of a posting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.driver import fetch

ZONE = 256
ZONES_READ_MAX = 64
"""So many zones one search reads: 16,384 numbers of the book."""
ZONES_ASKED_MAX = 4_096
"""So many zones one search asks what they hold: a million numbers."""
LINES_WALKED_MAX = 2_000
"""So many lines of each of an account's units one search walks."""
PREFIX_FOUND_MAX = 2_000
"""A beginning that more references share is not narrow enough to be looked up."""
JOURNALS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What is asked for; whatever is None is not asked. Times are half-open, amounts inclusive and in their unit."""

    reference: str | None = None
    prefix: str | None = None
    reason: str | None = None
    account: str | None = None
    actor_id: UUID | None = None
    unit: str | None = None
    amount_min: int | None = None
    amount_max: int | None = None
    posted_from: datetime | None = None
    posted_until: datetime | None = None
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    only_reversals: bool = False


@dataclass(frozen=True, slots=True)
class FoundJournal:
    """One journal in a list."""

    journal_id: int
    reference: str
    reason: str
    transfers: int
    actor_id: UUID | None
    on_behalf_of: UUID | None
    effective_at: datetime
    posted_at: datetime
    reverses: int | None
    reversed_by: int | None


@dataclass(frozen=True, slots=True)
class FoundJournals:
    """Some journals, newest first. `next` goes into `before` and is None when the whole book was searched.

    Fewer than asked for, or none, together with a `next` means that the search stopped at its bound, at `searched_to`.
    """

    journals: tuple[FoundJournal, ...]
    next: int | None
    searched_to: datetime | None


async def search(
    session: AsyncSession, book: int, wanted: JournalFilter, *, before: int | None = None, limit: int = 50
) -> FoundJournals:
    """A page of the journals that are wanted, newest first. An account that is not open has none."""
    if not 1 <= limit <= JOURNALS_MAX:
        message = f"A page has 1 to {JOURNALS_MAX} journals."
        raise ValueError(message)
    low, high = await _bounds(session, book, wanted, before)
    if wanted.reference is not None:
        return await _among(session, book, wanted, None, low, high, limit, through=True)
    if wanted.account is not None:
        return await _along_the_account(session, book, wanted, low, high, limit)
    if wanted.prefix:
        named = await _by_prefix(session, book, wanted.prefix)
        if named is not None:
            return await _among(session, book, wanted, named, low, high, limit, through=True)
    return await _through_the_zones(session, book, wanted, low, high, limit)


async def map_zones(session: AsyncSession, zones: int = ZONES_READ_MAX) -> int:
    """Map what was posted since the last time, in every book, so many zones of each; says how many numbers were read."""
    rows = await fetch(
        session,
        "SELECT coalesce(sum(ledger.map_zones(b.community_id, $1)), 0)::bigint"
        "  FROM ledger.book b LEFT JOIN ledger.zoned z USING (community_id)"
        " WHERE b.seq / $2 > coalesce(z.zones, 0)",
        zones,
        ZONE,
    )
    count: int = rows[0][0]
    return count


async def _bounds(session: AsyncSession, book: int, wanted: JournalFilter, before: int | None) -> tuple[int, int]:
    """Journals above the first number and below the second can be wanted. What took effect later was posted later."""
    first = max((at for at in (wanted.posted_from, wanted.effective_from) if at is not None), default=None)
    [(head, low, high)] = await fetch(
        session,
        "SELECT b.seq, CASE WHEN $2::timestamptz IS NULL THEN 0 ELSE ledger.seq_before($1, $2) END,"
        "       CASE WHEN $3::timestamptz IS NULL THEN b.seq ELSE ledger.seq_before($1, $3) END"
        "  FROM (SELECT coalesce((SELECT b.seq FROM ledger.book b WHERE b.community_id = $1), 0) AS seq) b",
        book,
        first,
        wanted.posted_until,
    )
    return low, min(head, high) + 1 if before is None else min(head, high, before - 1) + 1


_COLUMNS = (
    "SELECT j.journal_id, j.reference, j.reason, j.transfers, j.actor_id, j.on_behalf_of, j.effective_at, j.posted_at,"
    "       j.reverses, (SELECT u.journal_id FROM ledger.journal u"
    "                     WHERE u.community_id = j.community_id AND u.reverses = j.journal_id) AS reversed_by"
)
_WANTED = (
    "   AND ($2::text IS NULL OR j.reference = $2)"
    "   AND ($3::text IS NULL OR starts_with(j.reference, $3))"
    "   AND ($4::text IS NULL OR j.reason = $4)"
    "   AND ($5::uuid IS NULL OR j.actor_id = $5)"
    "   AND (NOT $6::boolean OR j.reverses IS NOT NULL)"
    "   AND ($7::timestamptz IS NULL OR j.effective_at >= $7)"
    "   AND ($8::timestamptz IS NULL OR j.effective_at < $8)"
    "   AND ($9::text IS NULL OR EXISTS (SELECT FROM ledger.transfer t"
    "        WHERE t.community_id = j.community_id AND t.seq >= j.journal_id AND t.seq < j.journal_id + j.transfers"
    "          AND t.unit = $9 AND t.amount BETWEEN coalesce($10::bigint, 0) AND coalesce($11::bigint, 9223372036854775807)))"
)


def _values(book: int, wanted: JournalFilter) -> tuple[object, ...]:
    return (
        book,
        wanted.reference,
        wanted.prefix or None,
        wanted.reason,
        wanted.actor_id,
        wanted.only_reversals,
        wanted.effective_from,
        wanted.effective_until,
        wanted.unit,
        wanted.amount_min,
        wanted.amount_max,
    )


_BY_REFERENCE = (
    _COLUMNS
    + "  FROM ledger.journal j WHERE j.community_id = $1 AND j.reference = $2"
    + _WANTED
    + " AND j.journal_id > $12 AND j.journal_id < $13 AND $14::bigint[] IS NULL LIMIT $15"
)
_BY_NUMBERS = (
    "SELECT j.* FROM unnest($14::bigint[]) n(journal_id) CROSS JOIN LATERAL ("  # noqa: S608 (our own pieces)
    + _COLUMNS
    + "  FROM ledger.journal j WHERE j.community_id = $1 AND j.journal_id = n.journal_id"
    + _WANTED
    + " OFFSET 0) j WHERE j.journal_id > $12 AND j.journal_id < $13 ORDER BY j.journal_id DESC LIMIT $15"
)
"""One look-up for each number, however many there are: a planner left free reads the whole book for a few thousand."""
_BY_ZONES = (
    "SELECT j.* FROM unnest($14::bigint[]) WITH ORDINALITY z(zone, place)"  # noqa: S608 (our own pieces)
    " CROSS JOIN LATERAL ("
    + _COLUMNS
    + "  FROM ledger.journal j WHERE j.community_id = $1"
    + f"   AND j.journal_id > greatest($12::bigint, z.zone * {ZONE})"
    + f"   AND j.journal_id <= least($13::bigint - 1, (z.zone + 1) * {ZONE})"
    + _WANTED
    + f" ORDER BY j.journal_id DESC LIMIT {ZONE}) j ORDER BY z.place, j.journal_id DESC LIMIT $15"
)


async def _among(
    session: AsyncSession,
    book: int,
    wanted: JournalFilter,
    numbers: Sequence[int] | None,
    low: int,
    high: int,
    limit: int,
    *,
    through: bool,
    query: str | None = None,
    stopped: int = 0,
) -> FoundJournals:
    """Those of these journals that are wanted; `stopped` is the number above which the search is complete."""
    query = query or (_BY_REFERENCE if numbers is None else _BY_NUMBERS)
    rows = await fetch(session, query, *_values(book, wanted), low, high, numbers, limit + 1)
    found = tuple(FoundJournal(*row) for row in rows)
    if len(found) > limit:
        return FoundJournals(found[:limit], found[limit - 1].journal_id, found[limit - 1].posted_at)
    if through:
        return FoundJournals(found, None, None)
    return FoundJournals(found, stopped + 1, await _posted_at(session, book, stopped + 1))


async def _posted_at(session: AsyncSession, book: int, number: int) -> datetime | None:
    rows = await fetch(
        session,
        "SELECT j.posted_at FROM ledger.journal j WHERE j.community_id = $1 AND j.journal_id <= $2"
        " ORDER BY j.journal_id DESC LIMIT 1",
        book,
        number,
    )
    return rows[0][0] if rows else None


async def _by_prefix(session: AsyncSession, book: int, prefix: str) -> Sequence[int] | None:
    """The journals whose reference begins so; None when they are too many, or the database sorts texts by a language."""
    rows = await fetch(
        session,
        "SELECT j.journal_id FROM ledger.journal j"
        " WHERE j.community_id = $1 AND j.reference >= $2 AND j.reference < $2 || chr(1114111) AND 'B' < 'a'"
        " ORDER BY j.reference LIMIT $3",
        book,
        prefix,
        PREFIX_FOUND_MAX + 1,
    )
    if len(rows) > PREFIX_FOUND_MAX or (not rows and not await _sorts_by_letters(session)):
        return None
    return [row[0] for row in rows]


async def _sorts_by_letters(session: AsyncSession) -> bool:
    [(does,)] = await fetch(session, "SELECT 'B' < 'a' AND 'a-b' < 'a0'")
    return bool(does)


async def _through_the_zones(
    session: AsyncSession, book: int, wanted: JournalFilter, low: int, high: int, limit: int
) -> FoundJournals:
    if high - 1 <= low:
        return FoundJournals((), None, None)
    zones, asked_to = await _zones(session, book, wanted, low // ZONE, (high - 2) // ZONE)
    through = asked_to is None and len(zones) <= ZONES_READ_MAX
    read = zones[:ZONES_READ_MAX]
    lowest = read[-1] if len(zones) > ZONES_READ_MAX else asked_to or 0
    return await _among(
        session, book, wanted, read, low, high, limit, through=through, query=_BY_ZONES, stopped=lowest * ZONE
    )


_ZONES = """
WITH asked AS MATERIALIZED (
    SELECT z.zone, z.least, z.most, z.is_mapped
      FROM ((SELECT s.zone, NULL::bigint AS least, NULL::bigint AS most, false AS is_mapped
               FROM generate_series($3::bigint, greatest($2, coalesce(
                        (SELECT m.zones FROM ledger.zoned m WHERE m.community_id = $1), 0)), -1) s(zone)
              LIMIT $9)
            UNION ALL
            (SELECT w.zone, w.least, w.most, true FROM ledger.zone_word w
              WHERE $4::text IS NOT NULL AND w.community_id = $1 AND w.word = $4 AND w.zone BETWEEN $2 AND $3
              ORDER BY w.zone DESC LIMIT $9)
            UNION ALL
            (SELECT w.zone, NULL, NULL, true FROM ledger.zone w
              WHERE $4::text IS NULL AND w.community_id = $1 AND w.zone BETWEEN $2 AND $3
              ORDER BY w.zone DESC LIMIT $9)) z
     ORDER BY z.zone DESC LIMIT $9
), matching AS (
    SELECT a.zone FROM asked a
     WHERE NOT a.is_mapped
        OR ((SELECT count(*) FROM unnest($5::text[]) o(word)
              JOIN ledger.zone_word w ON w.community_id = $1 AND w.word = o.word AND w.zone = a.zone
               AND (w.least IS NULL OR $6::bigint IS NULL OR w.most >= $6)
               AND (w.least IS NULL OR $7::bigint IS NULL OR w.least <= $7)) = cardinality($5::text[])
            AND ($10::timestamptz IS NULL AND $11::timestamptz IS NULL OR EXISTS (
                SELECT FROM ledger.zone e WHERE e.community_id = $1 AND e.zone = a.zone
                   AND ($10 IS NULL OR e.effective_until >= $10) AND ($11 IS NULL OR e.effective_from < $11))))
     ORDER BY a.zone DESC LIMIT $8
)
SELECT (SELECT coalesce(array_agg(m.zone ORDER BY m.zone DESC), '{}') FROM matching m),
       (SELECT count(*) FROM asked), (SELECT min(a.zone) FROM asked a)
"""


async def _zones(
    session: AsyncSession, book: int, wanted: JournalFilter, first: int, last: int
) -> tuple[Sequence[int], int | None]:
    """The newest zones that can hold an answer, and the zone down to which was asked if older ones were not asked at all."""
    words = [
        *(["reversal"] if wanted.only_reversals else []),
        *([f"actor {wanted.actor_id}"] if wanted.actor_id is not None else []),
        *([f"reason {wanted.reason}"] if wanted.reason is not None else []),
        *([f"unit {wanted.unit}"] if wanted.unit is not None else []),
    ]
    is_plain = len(words) <= 1 and wanted.amount_min is wanted.amount_max is None and not _asks_effect(wanted)
    most = ZONES_READ_MAX + 1 if is_plain else ZONES_ASKED_MAX
    [(zones, asked, lowest)] = await fetch(
        session,
        _ZONES,
        book,
        first,
        last,
        words[0] if words else None,
        words,
        wanted.amount_min,
        wanted.amount_max,
        ZONES_READ_MAX + 1,
        most,
        wanted.effective_from,
        wanted.effective_until,
    )
    return zones, lowest if asked == most and lowest > first else None


def _asks_effect(wanted: JournalFilter) -> bool:
    return wanted.effective_from is not None or wanted.effective_until is not None


_START = """
SELECT a.account_id, s.seq
  FROM ledger.account a
 CROSS JOIN LATERAL (SELECT m.seq FROM ledger.mark m
                      WHERE m.community_id = $1 AND m.account_id = a.account_id AND m.seq >= $4 ORDER BY m.seq LIMIT 1) s
 WHERE a.community_id = $1 AND a.code = $2 AND ($3::text IS NULL OR a.unit = $3)
 UNION ALL
SELECT a.account_id, a.last_seq FROM ledger.account a
 WHERE a.community_id = $1 AND a.code = $2 AND ($3::text IS NULL OR a.unit = $3)
   AND NOT EXISTS (SELECT FROM ledger.mark m
                    WHERE m.community_id = $1 AND m.account_id = a.account_id AND m.seq >= $4)
"""
"""For each unit of an account a line at or above a number, from which its lines below that number are found by walking."""
_WALK = """
WITH RECURSIVE line AS (
    SELECT s.account_id, s.seq, 0 AS step FROM unnest($2::bigint[], $3::bigint[]) s(account_id, seq) WHERE s.seq > $4
    UNION ALL
    SELECT l.account_id, CASE t.debit WHEN l.account_id THEN t.debit_prev ELSE t.credit_prev END,
           l.step + CASE WHEN l.seq < $6 THEN 1 ELSE 0 END
      FROM line l JOIN ledger.transfer t ON t.community_id = $1 AND t.seq = l.seq
     WHERE l.seq > $4 AND l.step < $5
)
SELECT l.account_id, min(l.seq), array_agg(t.journal_id)
  FROM line l
  LEFT JOIN LATERAL (SELECT t.journal_id FROM ledger.transfer t
                      WHERE t.community_id = $1 AND t.seq = l.seq AND l.step < $5 OFFSET 0) t ON true
 GROUP BY 1
"""
"""The journals of an account's newest lines below a number, and the last place that was reached; 0 is the end.

Lines above the number that no mark leaps over are walked too and do not count, as in `ledger.account_before`.
"""


async def _along_the_account(
    session: AsyncSession, book: int, wanted: JournalFilter, low: int, high: int, limit: int
) -> FoundJournals:
    starts = await fetch(session, _START, book, wanted.account, wanted.unit, high)
    accounts, seqs = [row[0] for row in starts], [row[1] for row in starts]
    rows = await fetch(session, _WALK, book, accounts, seqs, low, LINES_WALKED_MAX, high)
    # Complete down to where the shortest walk stopped: below it another unit of the account may have lines not seen yet.
    stopped = max((row[1] for row in rows), default=0)
    through = stopped <= low
    seen = {number for row in rows for number in row[2] if number is not None}
    numbers = sorted(seen if through else {number for number in seen if number > stopped})
    return await _among(session, book, wanted, numbers, low, high, limit, through=through, stopped=stopped)
