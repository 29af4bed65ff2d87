"""Reads: who is in debt since when, who may go into debt, and what was decided about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.debts.rules import DebtStep, RequestNotFound, RequestState
from service.debts.tables import DebtCollection, DebtNotice, DebtRequest
from service.identity import account_names
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of

HEX_LENGTH = 32


@dataclass(frozen=True, slots=True)
class DebtView:
    """One account below zero. Amounts are in the unit's smallest."""

    account: str
    name: str
    member_id: UUID | None
    unit: str
    owed: int
    limit: int
    since: datetime
    journal_id: int
    """The entry that took it below zero."""


@dataclass(frozen=True, slots=True)
class RequestView:
    """One proposal."""

    request_id: UUID
    step: DebtStep
    state: RequestState
    member_id: UUID
    hundredths: int
    done_hundredths: int | None
    note: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoticeView:
    """What somebody was told they owe, and what was collected of it, in hundredths."""

    notice_id: UUID
    member_id: UUID
    told_at: datetime
    due_at: datetime
    hundredths: int
    collected: int
    ended_at: datetime | None
    objected_at: datetime | None
    objection: str | None


@dataclass(frozen=True, slots=True)
class CollectionView:
    """What was paid from somebody's points by itself."""

    collection_id: UUID
    member_id: UUID
    hundredths: int
    journal_id: int
    collected_at: datetime


@dataclass(frozen=True, slots=True)
class Allowance:
    """What an account may owe, and what it owes, in hundredths of a point."""

    limit: int
    owed: int


# An account in debt only receives, so the way back to where it fell below is short. Every step is one look-up by key.
_SINCE = sa.text("""
WITH RECURSIVE walk AS (
    SELECT a.account_id, a.code, a.unit, a.floor, a.last_seq AS seq
      FROM ledger.account a WHERE a.community_id = :community_id AND a.balance < a.floor
    UNION ALL
    SELECT w.account_id, w.code, w.unit, w.floor,
           CASE t.debit WHEN w.account_id THEN t.debit_prev ELSE t.credit_prev END
      FROM walk w JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = w.seq
     WHERE CASE t.debit WHEN w.account_id THEN t.debit_balance ELSE t.credit_balance END < w.floor
), fell AS (
    SELECT w.code, w.unit, min(w.seq) AS seq
      FROM walk w JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = w.seq
     WHERE CASE t.debit WHEN w.account_id THEN t.debit_balance ELSE t.credit_balance END < w.floor
     GROUP BY w.code, w.unit
)
SELECT f.code, f.unit, j.posted_at, j.journal_id
  FROM fell f
  JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = f.seq
  JOIN ledger.journal j ON j.community_id = :community_id AND j.journal_id = t.journal_id
""")
# The same for what is owed for vouchers used twice: such an account has no floor and is in debt below zero.
_OWED = sa.text("""
WITH RECURSIVE walk AS (
    SELECT a.account_id, a.code, -a.balance AS owed, a.last_seq AS seq
      FROM ledger.account a
     WHERE a.community_id = :community_id AND a.code LIKE 'owed:%' AND a.unit = 'point' AND a.balance < 0
    UNION ALL
    SELECT w.account_id, w.code, w.owed, CASE t.debit WHEN w.account_id THEN t.debit_prev ELSE t.credit_prev END
      FROM walk w JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = w.seq
     WHERE CASE t.debit WHEN w.account_id THEN t.debit_balance ELSE t.credit_balance END < 0
), fell AS (
    SELECT w.code, w.owed, min(w.seq) AS seq
      FROM walk w JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = w.seq
     WHERE CASE t.debit WHEN w.account_id THEN t.debit_balance ELSE t.credit_balance END < 0
     GROUP BY w.code, w.owed
)
SELECT f.code, f.owed, j.posted_at, j.journal_id
  FROM fell f
  JOIN ledger.transfer t ON t.community_id = :community_id AND t.seq = f.seq
  JOIN ledger.journal j ON j.community_id = :community_id AND j.journal_id = t.journal_id
 ORDER BY f.owed DESC, f.code COLLATE "C"
""")
_ALLOWED = sa.text("""
SELECT coalesce(a.debt_limit, 0), greatest(coalesce(a.floor, 0) - a.balance, 0) FROM ledger.account a
 WHERE a.community_id = :community_id AND a.code = :code AND a.unit = 'point'
""")
_ALLOWANCES = sa.text("""
SELECT a.code, a.debt_limit FROM ledger.account a
 WHERE a.community_id = :community_id AND a.debt_limit IS NOT NULL AND a.balance >= a.floor ORDER BY a.code COLLATE "C" LIMIT 200
""")


async def debts(session: AsyncSession, community_id: int) -> Sequence[DebtView]:
    """Who is in debt, the deepest first, with the moment and the entry that took them there."""
    found = await ledger.debts(session, community_id)
    if not found:
        return []
    rows = await session.execute(_SINCE, {"community_id": community_id})
    since = {(code, unit): (posted_at, journal_id) for code, unit, posted_at, journal_id in rows}
    names = await account_names(session, community_id, [debt.account for debt in found])
    return [
        DebtView(
            debt.account,
            names[debt.account],
            member_of(debt.account),
            debt.unit,
            debt.owed,
            debt.limit,
            *since[debt.account, debt.unit],
        )
        for debt in found
        if (debt.account, debt.unit) in since  # made good between the two queries
    ]


async def conflict_debts(session: AsyncSession, community_id: int) -> Sequence[DebtView]:
    """Who owes for vouchers used twice, the most first, with the moment and the entry since when."""
    rows = (await session.execute(_OWED, {"community_id": community_id})).all()
    owners = {code: UUID(hex=code.removeprefix("owed:")) for code, *_ in rows}
    names = await account_names(session, community_id, [chart.member(owner) for owner in owners.values()])
    return [
        DebtView(code, names[chart.member(owners[code])], owners[code], chart.POINT, owed, 0, since, journal_id)
        for code, owed, since, journal_id in rows
    ]


async def conflict_debt(session: AsyncSession, community_id: int, member_id: UUID) -> tuple[int, int]:
    """What a person owes for vouchers used twice, and the points they have, in hundredths."""
    codes = [(chart.owed(member_id), chart.POINT), (chart.member(member_id), chart.POINT)]
    found = await ledger.balances(session, community_id, codes)
    return max(0, -found.get(codes[0], 0)), max(0, found.get(codes[1], 0))


async def allowances(session: AsyncSession, community_id: int) -> Sequence[tuple[str, int]]:
    """Whose account may go below zero and has not: name and hundredths of a point."""
    rows = (await session.execute(_ALLOWANCES, {"community_id": community_id})).all()
    names = await account_names(session, community_id, [code for code, _ in rows])
    return [(names[code], limit) for code, limit in rows]


def member_of(code: str) -> UUID | None:
    """The person behind an account."""
    kind, _, owner = code.partition(":")
    return UUID(hex=owner) if kind == "member" and len(owner) == HEX_LENGTH else None


async def allowance(session: AsyncSession, community_id: int, member_id: UUID) -> Allowance:
    """What a person's points may owe, and do."""
    asked: Mapping[str, object] = {"community_id": community_id, "code": chart.member(member_id)}
    row = (await session.execute(_ALLOWED, asked)).one_or_none()
    return Allowance(*row) if row is not None else Allowance(0, 0)


def _view(row: DebtRequest) -> RequestView:
    return RequestView(
        row.request_id,
        DebtStep(row.step),
        RequestState(row.state),
        row.member_id,
        row.hundredths,
        row.done_hundredths,
        row.note,
        row.proposed_by,
        row.proposed_at,
        row.decided_by,
        row.decided_at,
    )


async def requests(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[RequestView]:
    """What was decided about debts, the newest first."""
    query = sa.select(DebtRequest).where(
        col(DebtRequest.community_id) == community_id, col(DebtRequest.state) != RequestState.PROPOSED
    )
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(DebtRequest.request_id) < UUID(str(cursor[0])))
    rows = await session.execute(query.order_by(col(DebtRequest.request_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(row) for row in rows.scalars()], lambda last: encode_cursor(last.request_id.hex))


async def waiting(session: AsyncSession, community_id: int) -> Sequence[RequestView]:
    """What waits for a second person, the oldest first."""
    rows = await session.exec(
        select(DebtRequest)
        .where(col(DebtRequest.community_id) == community_id, col(DebtRequest.state) == RequestState.PROPOSED)
        .order_by(col(DebtRequest.request_id))
        .limit(200)
    )
    return [_view(row) for row in rows]


async def request_for(session: AsyncSession, community_id: int, request_id: UUID) -> RequestView:
    """One proposal of this community."""
    row = await session.get(DebtRequest, (community_id, request_id), populate_existing=True)
    if row is None:
        raise RequestNotFound
    return _view(row)


async def lock_request(session: AsyncSession, community_id: int, request_id: UUID) -> DebtRequest:
    """The proposal itself, locked with all others about that person, in order.

    Of two who decide at once the second finds it decided, and what is owed is paid and forgiven one after the other.
    """
    about = select(col(DebtRequest.member_id)).where(
        col(DebtRequest.community_id) == community_id, col(DebtRequest.request_id) == request_id
    )
    rows = await session.exec(
        select(DebtRequest)
        .where(col(DebtRequest.community_id) == community_id, col(DebtRequest.member_id) == about.scalar_subquery())
        .where(sa.or_(col(DebtRequest.state) == RequestState.PROPOSED, col(DebtRequest.request_id) == request_id))
        .order_by(col(DebtRequest.request_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for row in rows:
        if row.request_id == request_id:
            return row
    raise RequestNotFound


def _notice(row: DebtNotice) -> NoticeView:
    return NoticeView(
        row.notice_id,
        row.member_id,
        row.told_at,
        row.due_at,
        row.hundredths,
        row.collected,
        row.ended_at,
        row.objected_at,
        row.objection,
    )


async def open_notices(session: AsyncSession, community_id: int) -> Mapping[UUID, NoticeView]:
    """Who was told that it is collected and has not paid it all, by person."""
    rows = await session.exec(
        select(DebtNotice).where(col(DebtNotice.community_id) == community_id, col(DebtNotice.ended_at).is_(None))
    )
    return {row.member_id: _notice(row) for row in rows}


async def notice_of(session: AsyncSession, community_id: int, member_id: UUID) -> NoticeView | None:
    """The last that somebody was told, if ever."""
    rows = await session.exec(
        select(DebtNotice)
        .where(col(DebtNotice.community_id) == community_id, col(DebtNotice.member_id) == member_id)
        .order_by(col(DebtNotice.told_at).desc(), col(DebtNotice.notice_id).desc())
        .limit(1)
    )
    row = rows.first()
    return _notice(row) if row is not None else None


async def lock_notice(session: AsyncSession, community_id: int, member_id: UUID) -> DebtNotice | None:
    """The open notice of somebody, locked: whoever collects has done so before, or looks again afterwards."""
    rows = await session.exec(
        select(DebtNotice)
        .where(
            col(DebtNotice.community_id) == community_id,
            col(DebtNotice.member_id) == member_id,
            col(DebtNotice.ended_at).is_(None),
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return rows.one_or_none()


async def collections(
    session: AsyncSession, community_id: int, *, member_id: UUID | None = None, limit: int = 50
) -> Sequence[CollectionView]:
    """What was collected by itself, of everybody or of one person, the newest first."""
    query = (
        select(DebtCollection, DebtNotice)
        .join(
            DebtNotice,
            sa.and_(
                col(DebtNotice.community_id) == col(DebtCollection.community_id),
                col(DebtNotice.notice_id) == col(DebtCollection.notice_id),
            ),
        )
        .where(col(DebtCollection.community_id) == community_id)
    )
    if member_id is not None:
        query = query.where(col(DebtNotice.member_id) == member_id)
    rows = await session.exec(query.order_by(col(DebtCollection.collection_id).desc()).limit(limit))
    return [
        CollectionView(row.collection_id, notice.member_id, row.hundredths, row.journal_id, row.collected_at)
        for row, notice in rows
    ]
