"""Amounts that expire: the rule, what an account's balance consists of, and the sweep that takes away what is over."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger.arrays import storable
from ledger.driver import fetch
from ledger.journal import aware, judged
from ledger.refusals import BookNotFound, ExpiryMalformed, LedgerRefusal, UnitNotFound
from ledger.rules import ExpiryPolicy, ExpiryRule, Posted

_FAR = 10**6

_LOTS = """
    SELECT l.expires_at, isfinite(l.expires_at), l.amount
      FROM ledger.account a JOIN ledger.lot l USING (community_id, account_id)
     WHERE a.community_id = $1 AND a.code = $2 AND a.unit = $3
     ORDER BY l.expires_at
"""
_EXPIRING = """
    SELECT a.code, l.expires_at, l.amount, l.account_id
      FROM ledger.lot l JOIN ledger.account a USING (community_id, account_id)
     WHERE l.community_id = $1 AND l.expires_at < $2 AND a.unit = $3
       AND ($4::timestamptz IS NULL OR (l.expires_at, l.account_id) > ($4, $5))
     ORDER BY l.expires_at, l.account_id LIMIT $6
"""
_POLICY = """
    SELECT p.prefix, p.rule, p.months, p.grace_days, p.zone, p.set_at, p.actor_id FROM ledger.lot_policy p
     WHERE p.community_id = $1 AND p.unit = $2 ORDER BY p.number DESC
"""


@dataclass(frozen=True, slots=True)
class Lot:
    """A part of a balance, and when it expires; None is never."""

    expires_at: datetime | None
    amount: int


@dataclass(frozen=True, slots=True)
class Expiring:
    """A lot of somebody's that expires; `place` leads to the next page."""

    account: str
    expires_at: datetime
    amount: int
    place: tuple[datetime, int]


@dataclass(frozen=True, slots=True)
class Swept:
    """An account of which something was over, and what became of taking it away."""

    account: str
    unit: str
    amount: int
    place: int
    verdict: Posted | LedgerRefusal


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A rule, and who made it when."""

    policy: ExpiryPolicy
    set_at: datetime
    actor_id: UUID


async def set_expiry(
    session: AsyncSession, book: int, unit: str, policy: ExpiryPolicy, *, actor_id: UUID, now: datetime
) -> None:
    """Let what is credited from now on expire by this rule; the same again changes nothing.

    What the accounts have when the first rule of a unit comes counts as earned now. Takes the head, so it comes last.
    The first rule goes over all accounts and holds of the unit; the posters of the book wait as long.
    """
    query = "SELECT ledger.set_expiry($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    ((code,),) = await fetch(
        session,
        query,
        book,
        storable(unit),
        storable(policy.prefix),
        str(policy.rule),
        max(-1, min(policy.months, _FAR)),
        max(-1, min(policy.grace_days, _FAR)),
        storable(policy.zone),
        actor_id,
        aware(now),
    )
    if code == BookNotFound.code:
        raise BookNotFound(book=book)
    if code == UnitNotFound.code:
        raise UnitNotFound(account="", unit=unit)
    if code == ExpiryMalformed.code:
        raise ExpiryMalformed(unit=unit)


async def expiry_policies(session: AsyncSession, book: int, unit: str) -> list[PolicySet]:
    """The rules of a unit, the one that holds first. Empty: it has never had one and does not expire."""
    rows = await fetch(session, _POLICY, book, storable(unit))
    return [
        PolicySet(ExpiryPolicy(prefix, ExpiryRule(rule), months, grace_days, zone), set_at, UUID(str(actor)))
        for prefix, rule, months, grace_days, zone, set_at, actor in rows
    ]


async def lots(session: AsyncSession, book: int, account: str, unit: str) -> list[Lot]:
    """What an account's balance consists of, the first to expire first. Empty without a rule, and without a balance."""
    rows = await fetch(session, _LOTS, book, storable(account), storable(unit))
    return [Lot(at if finite else None, amount) for at, finite, amount in rows]


async def expiring(
    session: AsyncSession,
    book: int,
    unit: str,
    *,
    before: datetime,
    after: tuple[datetime, int] | None = None,
    limit: int = 500,
) -> list[Expiring]:
    """Whose lots expire before a moment, those that are over and not swept yet first; `after` is the last one's place."""
    place = (None, None) if after is None else after
    rows = await fetch(session, _EXPIRING, book, aware(before), storable(unit), *place, limit)
    return [Expiring(code, at, amount, (at, number)) for code, at, amount, number in rows]


async def sweep(
    session: AsyncSession,
    book: int,
    *,
    reason: str,
    actor_id: UUID | None = None,
    after: Swept | None = None,
    limit: int = 500,
    now: datetime,
) -> list[Swept]:
    """Take away what is over by the book's clock, each account in a journal of its own to the account `expired`.

    A full page says that there may be more: ask again with the last as `after`. Until it is swept, nobody can spend it.
    """
    query = (
        "SELECT account_ids, units, account_codes, amounts, codes, journal_ids, details::text[]"
        "  FROM ledger.expire_lots($1, $2, $3, $4, $5, $6)"
    )
    place = None if after is None else after.place
    (columns,) = await fetch(session, query, book, storable(reason), actor_id, place, limit, aware(now))
    return [
        Swept(account, unit, amount, number, judged(book, f"lots:{number}", code, journal_id, detail))
        for number, unit, account, amount, code, journal_id, detail in zip(*columns, strict=True)
    ]
