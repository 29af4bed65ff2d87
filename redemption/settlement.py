"""What each merchant is owed: close a batch, confirm, approve by a second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.refusals import SettlementUnknown
from redemption.rules import DisputeState, LineKind, RequestState, SettlementState, Watch
from redemption.statements import Sums
from redemption.watch import asked_for

NOBODY = UUID(int=0)
"""Who closed a batch that the calendar closed. No member has this id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A closed batch. Its sums never change; disputed_* is the part that is not paid with it."""

    settlement_id: UUID
    merchant_id: UUID
    number: int
    received_from: datetime
    received_until: datetime
    state: SettlementState
    line_count: int
    points: int
    """The members' part; with subsidy_points it is what the shop took in."""
    subsidy_points: int
    payable_fen: int
    cash_fen: int
    previous_hash: bytes
    hash: bytes
    closed_by: UUID
    closed_at: datetime
    confirmed_by: UUID | None
    confirmed_at: datetime | None
    approved_by: UUID | None
    approved_at: datetime | None
    paid_by: UUID | None
    paid_at: datetime | None
    bank_reference: str | None
    paid_points: int
    paid_fen: int
    """What stays paid: in parts perhaps, and without what came back."""
    disputed_lines: int
    open_disputes: int
    """Disputed lines that nobody has decided yet."""
    disputed_points: int
    disputed_fen: int

    @property
    def due_points(self) -> int:
        """The points that are burnt when it is paid."""
        return self.points + self.subsidy_points - self.disputed_points

    @property
    def due_fen(self) -> int:
        """The money that the shop gets."""
        return self.payable_fen - self.disputed_fen

    @property
    def open_fen(self) -> int:
        """What of it is not paid."""
        return self.due_fen - self.paid_fen


@dataclass(frozen=True, slots=True)
class SettlementMark:
    """Where the next page of settlements begins."""

    closed_at: datetime
    settlement_id: UUID


@dataclass(frozen=True, slots=True)
class SettlementPage:
    """Newest first."""

    settlements: tuple[Settlement, ...]
    next: SettlementMark | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One use, priced when its voucher was issued."""

    line_no: int
    kind: LineKind
    voucher_id: int
    use_seq: int
    part: int
    title: str
    quantity: int
    points: int
    subsidy_points: int
    payable_fen: int
    cash_fen: int
    received_at: datetime
    journal_id: int | None
    dispute_state: DisputeState | None
    disputed_reason: str | None
    disputed_by: UUID | None
    disputed_at: datetime | None
    resolution: str | None
    resolved_by: UUID | None
    resolved_at: datetime | None
    carried_number: int | None
    """The number of the shop's later batch that carries a line decided for it."""
    adjustment_state: RequestState | None
    """Whether its use is corrected, or somebody has proposed it; on the line of the correction itself nothing."""
    adjusted_number: int | None
    """The number of the shop's later batch that has the correction."""


@dataclass(frozen=True, slots=True)
class LinePage:
    """In order of line_no; `next` is the `after` of the following page."""

    lines: tuple[SettlementLine, ...]
    next: int | None


async def close_settlement(
    session: AsyncSession,
    book: int,
    *,
    settlement_id: UUID,
    merchant_id: UUID,
    received_until: datetime,
    actor_id: UUID,
    watch: Watch | None = None,
    now: datetime,
) -> Settlement:
    """Close a merchant's running batch over what the server received before `received_until`.

    What looks odd by the community's watch, or did before and nobody has looked yet, stays out until somebody has. Refuses with
    the figures unless uses, frozen prices and ledger agree, and while the rest does not bear the corrections that wait.
    settlement_id is the caller's key: the same again returns the same batch.
    """
    await act(
        session,
        "close_settlement",
        book,
        settlement_id,
        merchant_id,
        aware(received_until),
        actor_id,
        aware(now),
        asked_for(watch),
    )
    return await settlement(session, book, settlement_id)


async def confirm_settlement(
    session: AsyncSession,
    book: int,
    settlement_id: UUID,
    *,
    key: UUID,
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> None:
    """The merchant agrees; actor_id None says that the time to object has passed, which the caller has counted."""
    await act(session, "confirm_settlement", book, key, settlement_id, actor_id, on_behalf_of, aware(now))


async def approve_settlement(
    session: AsyncSession, book: int, settlement_id: UUID, *, key: UUID, actor_id: UUID, now: datetime
) -> bool:
    """A second person, never the one who closed it, lets the batch be paid; false when the same key had done it before."""
    replayed, _ = await act(session, "approve_settlement", book, key, settlement_id, actor_id, aware(now))
    return not replayed


_SETTLEMENT = """
SELECT s.settlement_id, s.merchant_id, s.number, s.received_from, s.received_until, s.state, s.line_count,
       s.points, s.subsidy_points, s.payable_fen, s.cash_fen, s.previous_hash, s.hash, s.closed_by, s.closed_at,
       s.confirmed_by, s.confirmed_at, s.approved_by, s.approved_at,
       s.paid_by, s.paid_at, s.bank_reference, s.paid_points, s.paid_fen,
       d.disputed_lines, d.open_disputes, d.disputed_points, d.disputed_fen
  FROM redemption.settlement s
 CROSS JOIN LATERAL (
       SELECT count(*) AS disputed_lines, count(*) FILTER (WHERE x.state = 'DISPUTED') AS open_disputes,
              coalesce(sum(l.points + l.subsidy_points), 0)::bigint AS disputed_points,
              coalesce(sum(l.payable_fen), 0)::bigint AS disputed_fen
         FROM redemption.dispute x
         JOIN redemption.settlement_line l
           ON l.community_id = x.community_id AND l.settlement_id = x.settlement_id AND l.line_no = x.line_no
        WHERE x.community_id = s.community_id AND x.settlement_id = s.settlement_id) d
 WHERE s.community_id = :book
"""


async def settlement(session: AsyncSession, book: int, settlement_id: UUID) -> Settlement:
    """One batch, or the refusal SettlementUnknown."""
    found = await rows(
        session, _SETTLEMENT + "AND s.settlement_id = :settlement_id", book=book, settlement_id=settlement_id
    )
    if not found:
        raise SettlementUnknown
    return _settlement(found[0])


async def settlements(
    session: AsyncSession,
    book: int,
    *,
    merchant_id: UUID | None = None,
    state: SettlementState | None = None,
    before: SettlementMark | None = None,
    limit: int = 50,
) -> SettlementPage:
    """A page of batches, the last closed first."""
    found = await rows(
        session,
        _SETTLEMENT
        + """
           AND (CAST(:merchant_id AS uuid) IS NULL OR s.merchant_id = :merchant_id)
           AND (CAST(:state AS text) IS NULL OR s.state = :state)
           AND (CAST(:closed_at AS timestamptz) IS NULL OR (s.closed_at, s.settlement_id) < (:closed_at, CAST(:mark AS uuid)))
         ORDER BY s.closed_at DESC, s.settlement_id DESC LIMIT :limit + 1
        """,
        book=book,
        merchant_id=merchant_id,
        state=state.value if state else None,
        closed_at=before.closed_at if before else None,
        mark=before.settlement_id if before else None,
        limit=limit,
    )
    page = tuple(_settlement(row) for row in found[:limit])
    return SettlementPage(
        page, SettlementMark(page[-1].closed_at, page[-1].settlement_id) if len(found) > limit else None
    )


async def settlement_lines(
    session: AsyncSession, book: int, settlement_id: UUID, *, after: int = 0, limit: int = 100
) -> LinePage:
    """A page of a statement's lines."""
    found = await rows(
        session,
        """
        SELECT l.line_no, l.kind, l.voucher_id, l.use_seq, l.part, o.title, l.quantity, l.points, l.subsidy_points, l.payable_fen,
               l.cash_fen, l.received_at, l.journal_id,
               d.state AS dispute_state, d.reason AS disputed_reason, d.raised_by AS disputed_by,
               d.raised_at AS disputed_at, d.resolution, d.resolved_by, d.resolved_at, c.number AS carried_number,
               a.state AS adjustment_state, b.number AS adjusted_number
          FROM redemption.settlement_line l
          JOIN redemption.voucher v ON v.community_id = l.community_id AND v.voucher_id = l.voucher_id
          JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
          LEFT JOIN redemption.dispute d
            ON d.community_id = l.community_id AND d.settlement_id = l.settlement_id AND d.line_no = l.line_no
          LEFT JOIN redemption.settlement c ON c.community_id = d.community_id AND c.settlement_id = d.carried_settlement
          LEFT JOIN redemption.adjustment a
            ON a.community_id = l.community_id AND a.settlement_id = l.settlement_id AND a.line_no = l.line_no
           AND a.state <> 'refused'
          LEFT JOIN redemption.settlement b ON b.community_id = a.community_id AND b.settlement_id = a.carried_settlement
         WHERE l.community_id = :book AND l.settlement_id = :settlement_id AND l.line_no > :after
         ORDER BY l.line_no LIMIT :limit + 1
        """,
        book=book,
        settlement_id=settlement_id,
        after=after,
        limit=limit,
    )
    page = tuple(_line(row) for row in found[:limit])
    return LinePage(page, page[-1].line_no if len(found) > limit else None)


async def open_batches(session: AsyncSession, book: int, *, received_until: datetime) -> dict[UUID, Sums]:
    """By merchant, what closing now would settle: uses, lines decided for the shop, and every correction, which is negative.

    What waits for a look is not in it, and neither is a merchant with nothing open.
    """
    found = await rows(
        session,
        """
        SELECT merchant_id, count(*) AS count, sum(points + subsidy_points)::bigint AS points,
               sum(payable_fen)::bigint AS payable_fen, sum(cash_fen)::bigint AS cash_fen
          FROM (SELECT merchant_id, points, subsidy_points, payable_fen, cash_fen
                  FROM redemption.use u
                 WHERE community_id = :book AND state IN ('ACCEPTED', 'CONFLICT') AND received_at < :received_until
                   AND NOT EXISTS (SELECT FROM redemption.alarm a
                                    WHERE a.community_id = u.community_id AND a.voucher_id = u.voucher_id AND a.use_seq = u.seq
                                      AND a.state = 'OPEN')
                 UNION ALL
                SELECT s.merchant_id, l.points, l.subsidy_points, l.payable_fen, l.cash_fen
                  FROM redemption.dispute d
                  JOIN redemption.settlement s ON s.community_id = d.community_id AND s.settlement_id = d.settlement_id
                  JOIN redemption.settlement_line l
                    ON l.community_id = d.community_id AND l.settlement_id = d.settlement_id AND l.line_no = d.line_no
                 WHERE d.community_id = :book AND d.state = 'UPHELD' AND d.carried_settlement IS NULL
                   AND d.resolved_at < :received_until
                 UNION ALL
                SELECT a.merchant_id, -l.points, -l.subsidy_points, -l.payable_fen, -l.cash_fen
                  FROM redemption.adjustment a
                  JOIN redemption.settlement_line l
                    ON l.community_id = a.community_id AND l.settlement_id = a.settlement_id AND l.line_no = a.line_no
                 WHERE a.community_id = :book AND a.state = 'done' AND a.carried_settlement IS NULL) t
         GROUP BY merchant_id
        """,
        book=book,
        received_until=received_until,
    )
    return {row["merchant_id"]: Sums(row["count"], row["points"], row["payable_fen"], row["cash_fen"]) for row in found}


def _settlement(row: RowMapping) -> Settlement:
    values = dict(row)
    values["state"] = SettlementState(values["state"])
    return Settlement(**values)


def _line(row: RowMapping) -> SettlementLine:
    values = dict(row)
    values["kind"] = LineKind(values["kind"])
    if values["dispute_state"] is not None:
        values["dispute_state"] = DisputeState(values["dispute_state"])
    if values["adjustment_state"] is not None:
        values["adjustment_state"] = RequestState(values["adjustment_state"])
    return SettlementLine(**values)
