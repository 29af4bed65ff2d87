"""Reads: lists, their lines, the headings of the community's bank, and what a line may be about."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.kit.db import keyring
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.payouts.bank.cells import Line
from service.payouts.bank.matching import Payment, Statement, Target, marks_of
from service.payouts.bank.rules import (
    COUNTS,
    LOOK_BACK_DAYS,
    Column,
    Direction,
    LineNotFound,
    ListNotFound,
    ListState,
    Outcome,
    Verdict,
)
from service.payouts.bank.tables import BankColumns, BankLine, BankList
from service.payouts.rules import account_context

LINE_NUMBERS = range(1, 1_000_000)
"""No sheet that is read has others."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings that this community chose, by column, and how often they were changed."""

    headings: Mapping[str, str]
    revision: int


@dataclass(frozen=True, slots=True)
class ListView:
    """A list, with how many lines it has of each kind: by verdict before it is confirmed, by outcome afterwards."""

    list_id: UUID
    state: ListState
    file_name: str
    line_count: int
    uploaded_by: UUID
    uploaded_at: datetime
    booked_by: UUID | None
    booked_at: datetime | None
    verdicts: Mapping[Verdict, int]
    outcomes: Mapping[Outcome, int]


class SealedLine(msgspec.Struct, frozen=True):
    """What is sealed of one line."""

    mark: str
    account: str
    holder: str
    reason: str
    place: int
    problem: tuple[Column, str] | None = None
    says_returned: bool = False


@dataclass(frozen=True, slots=True)
class LineView:
    """One line. Of the account the end alone."""

    line_no: int
    verdict: Verdict
    direction: Direction | None
    fen: int
    mark: str
    holder: str
    tail: str
    reference: str
    paid_on: date | None
    bank_reason: str
    problem: tuple[Column, str] | None
    settlement_id: UUID | None
    payment: int | None
    outcome: Outcome | None
    refused_code: str | None
    reason: str
    decided_by: UUID | None
    decided_at: datetime | None

    @property
    def is_to_book(self) -> bool:
        """Whether it waits for a statement to be named. One that could not be read waits to be set aside."""
        return self.outcome is Outcome.OPEN and self.verdict is not Verdict.ERROR


@dataclass(frozen=True, slots=True)
class Choice:
    """A statement that a line may be booked to by hand: open, or with a payment that may have come back."""

    settlement_id: UUID
    number: int
    shop: str
    fen: int
    payment: int | None


def place_of(community_id: int, list_id: UUID, line_no: int) -> str:
    """Where a sealed line lives, so that it opens nowhere else."""
    return f"bank_line/{community_id}/{list_id.hex}/{line_no}"


async def columns_of(session: AsyncSession, community_id: int) -> Columns:
    """What the community chose; nothing, until it has."""
    row = await session.get(BankColumns, community_id, populate_existing=True)
    return Columns(dict(row.headings), row.revision) if row else Columns({}, 0)


async def lists(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[ListView]:
    """Lists, the newest first."""
    query = sa.select(BankList).where(col(BankList.community_id) == community_id)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(BankList.list_id) < UUID(str(cursor[0])))
    rows = (await session.execute(query.order_by(col(BankList.list_id).desc()).limit(PAGE_SIZE + 1))).scalars().all()
    counts = await _counts(session, community_id, [row.list_id for row in rows])
    return page_of([_view(row, counts) for row in rows], lambda last: encode_cursor(last.list_id.hex))


async def list_for(session: AsyncSession, community_id: int, list_id: UUID) -> ListView:
    """One list of this community."""
    row = await session.get(BankList, (community_id, list_id), populate_existing=True)
    if row is None:
        raise ListNotFound
    return _view(row, await _counts(session, community_id, [list_id]))


async def lock_list(session: AsyncSession, community_id: int, list_id: UUID) -> BankList:
    """The list itself, locked."""
    row = await session.get(BankList, (community_id, list_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise ListNotFound
    return row


async def lock_line(session: AsyncSession, community_id: int, list_id: UUID, line_no: int) -> BankLine:
    """The line itself, locked."""
    if line_no not in LINE_NUMBERS:
        raise LineNotFound
    row = await session.get(BankLine, (community_id, list_id, line_no), with_for_update=True, populate_existing=True)
    if row is None:
        raise LineNotFound
    return row


async def lock_lines(session: AsyncSession, community_id: int, list_id: UUID) -> Sequence[BankLine]:
    """Every line of a list, locked, in its order."""
    found = await session.execute(
        sa.select(BankLine)
        .where(col(BankLine.community_id) == community_id, col(BankLine.list_id) == list_id)
        .order_by(col(BankLine.line_no))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.scalars().all()


async def lines_of(
    session: AsyncSession,
    community_id: int,
    list_id: UUID,
    *,
    verdict: Verdict | None = None,
    outcome: Outcome | None = None,
    after: str | None = None,
) -> Page[LineView]:
    """The lines of a list, in its order."""
    cursor = decode_cursor(after, int)
    query = sa.select(BankLine).where(col(BankLine.community_id) == community_id, col(BankLine.list_id) == list_id)
    if verdict is not None:
        query = query.where(col(BankLine.verdict) == verdict)
    if outcome is not None:
        query = query.where(col(BankLine.outcome) == outcome)
    if cursor is not None:
        query = query.where(col(BankLine.line_no) > int(cursor[0]))
    rows = (await session.execute(query.order_by(col(BankLine.line_no)).limit(PAGE_SIZE + 1))).scalars().all()
    return page_of([_line_view(session, row) for row in rows], lambda line: encode_cursor(line.line_no))


async def known_prints(session: AsyncSession, community_id: int, prints: Collection[bytes]) -> Collection[bytes]:
    """Which of these lines count already, from whatever list."""
    found = await session.execute(
        sa.select(col(BankLine.fingerprint)).where(
            col(BankLine.community_id) == community_id,
            col(BankLine.fingerprint) == sa.any_(sa.literal(sorted(prints), sa.ARRAY(sa.LargeBinary()))),
            col(BankLine.outcome).in_(COUNTS),
        )
    )
    return {each for each in found.scalars() if each is not None}


async def targets_of(
    session: AsyncSession, community_id: int, lines: Sequence[Line], now: datetime
) -> Sequence[Target]:
    """What these lines may be about, as it stands in this moment, with whole account numbers."""
    marks = {mark for line in lines for mark in marks_of(line.mark)}
    found = await redemption.bank_targets(
        session, community_id, marks=sorted(marks), since=now - timedelta(days=LOOK_BACK_DAYS)
    )
    tied = await _tied(session, community_id, {target.settlement_id for target in found})
    ring = keyring(session)
    accounts = {
        target.payee_id: ring.open(target.sealed, account_context(community_id, target.payee_id)) for target in found
    }
    statements: dict[UUID, Statement] = {}
    for target in found:
        statements.setdefault(target.settlement_id, Statement([_payment(each, tied) for each in target.payments]))
    return [
        Target(
            target.file_number,
            target.line_no,
            target.settlement_id,
            accounts[target.payee_id],
            target.fen,
            target.made_at,
            target.until,
            target.is_void,
            target.is_live,
            statements[target.settlement_id],
        )
        for target in found
    ]


def _payment(each: redemption.TargetPayment, tied: Collection[tuple[UUID, int, str]]) -> Payment:
    return Payment(
        each.number,
        each.fen,
        each.paid_at,
        is_returned=each.is_returned,
        has_paid_line=(each.settlement_id, each.number, Direction.PAID.value) in tied,
        has_return_line=(each.settlement_id, each.number, Direction.RETURNED.value) in tied,
    )


async def choices(session: AsyncSession, community_id: int, lines: Sequence[LineView]) -> Sequence[Choice]:
    """The statements that lines waiting for a decision may be booked to."""
    fen = {line.fen for line in lines if line.direction is Direction.RETURNED}
    found = await redemption.open_statements(session, community_id, fen=fen)
    shops = await organisations_by_ids(session, community_id, {each.merchant_id for each in found})
    return [
        Choice(each.settlement_id, each.settlement_number, shops[each.merchant_id].name, each.fen, each.payment)
        for each in found
    ]


async def waiting(session: AsyncSession, community_id: int) -> Sequence[tuple[UUID, int, UUID, datetime]]:
    """Lists with lines that wait for a decision, the oldest first: which, how many lines, who confirmed it and when."""
    rows = await session.execute(
        sa.select(col(BankList.list_id), sa.func.count(), col(BankList.booked_by), col(BankList.booked_at))
        .join(
            BankLine,
            sa.and_(
                col(BankLine.community_id) == col(BankList.community_id),
                col(BankLine.list_id) == col(BankList.list_id),
            ),
        )
        .where(col(BankList.community_id) == community_id, col(BankLine.outcome) == Outcome.OPEN)
        .group_by(col(BankList.list_id), col(BankList.booked_by), col(BankList.booked_at))
        .order_by(col(BankList.list_id))
        .limit(PAGE_SIZE)
    )
    return [(list_id, count, who, at) for list_id, count, who, at in rows]


async def _tied(
    session: AsyncSession, community_id: int, settlements: Collection[UUID]
) -> Collection[tuple[UUID, int, str]]:
    rows = await session.execute(
        sa.select(col(BankLine.settlement_id), col(BankLine.payment_number), col(BankLine.direction)).where(
            col(BankLine.community_id) == community_id,
            col(BankLine.settlement_id) == sa.any_(sa.literal(sorted(settlements), sa.ARRAY(sa.Uuid()))),
            col(BankLine.outcome) == Outcome.BOOKED,
        )
    )
    return {(settlement_id, number, direction) for settlement_id, number, direction in rows}


async def _counts(
    session: AsyncSession, community_id: int, ids: Collection[UUID]
) -> Mapping[UUID, Sequence[tuple[str, str | None, int]]]:
    rows = await session.execute(
        sa.select(col(BankLine.list_id), col(BankLine.verdict), col(BankLine.outcome), sa.func.count())
        .where(
            col(BankLine.community_id) == community_id,
            col(BankLine.list_id) == sa.any_(sa.literal(sorted(ids), sa.ARRAY(sa.Uuid()))),
        )
        .group_by(col(BankLine.list_id), col(BankLine.verdict), col(BankLine.outcome))
    )
    found: dict[UUID, list[tuple[str, str | None, int]]] = {}
    for list_id, verdict, outcome, count in rows:
        found.setdefault(list_id, []).append((verdict, outcome, count))
    return found


def _view(row: BankList, counts: Mapping[UUID, Sequence[tuple[str, str | None, int]]]) -> ListView:
    own = counts.get(row.list_id, ())
    return ListView(
        row.list_id,
        ListState(row.state),
        row.file_name,
        row.line_count,
        row.uploaded_by,
        row.uploaded_at,
        row.booked_by,
        row.booked_at,
        {verdict: sum(count for word, _, count in own if word == verdict) for verdict in Verdict},
        {outcome: sum(count for _, word, count in own if word == outcome) for outcome in Outcome},
    )


def opened_line(session: AsyncSession, row: BankLine) -> SealedLine:
    """What is sealed of a line."""
    text = keyring(session).open(row.sealed, place_of(row.community_id, row.list_id, row.line_no))
    return msgspec.json.decode(text, type=SealedLine)


def _line_view(session: AsyncSession, row: BankLine) -> LineView:
    sealed = opened_line(session, row)
    return LineView(
        row.line_no,
        Verdict(row.verdict),
        Direction(row.direction) if row.direction else None,
        row.fen,
        sealed.mark,
        sealed.holder,
        row.tail,
        row.reference,
        row.paid_on,
        sealed.reason,
        sealed.problem,
        row.settlement_id,
        row.payment_number,
        Outcome(row.outcome) if row.outcome else None,
        row.refused_code,
        row.reason,
        row.decided_by,
        row.decided_at,
    )
