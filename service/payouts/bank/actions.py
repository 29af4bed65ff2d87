"""Check the bank's list, book what is certain of it, decide the rest by hand, choose the columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import SettlementPaid
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.ids import new_id
from service.payouts.bank import queries
from service.payouts.bank.cells import Line, read_lines
from service.payouts.bank.matching import Match, judge
from service.payouts.bank.queries import SealedLine, opened_line, place_of
from service.payouts.bank.rules import (
    CERTAIN,
    Column,
    ColumnsChanged,
    Direction,
    HeadingTwice,
    LineDecided,
    LineUnread,
    ListBooked,
    ListState,
    Outcome,
    Verdict,
)
from service.payouts.bank.tables import BankColumns, BankLine, BankList
from service.payouts.rules import TAIL, key_for

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('payouts.bank_list', :community_id))")
"""Everybody who books lines of a community's bank comes one after the other, so that what counts is read before it is added to.
It is taken before every other lock. The unique index `uq_bank_line_counts` is the wall behind."""


async def choose_columns(
    session: AsyncSession, *, actor: Actor, headings: Mapping[Column, str], revision: int, now: datetime
) -> None:
    """Keep the headings of this community's bank. Of two who change them at once the second is told."""
    kept = {column.value: heading for column, heading in headings.items() if heading}
    twice = next((heading for heading in kept.values() if list(kept.values()).count(heading) > 1), None)
    if twice is not None:
        raise HeadingTwice(twice)
    values = {"headings": kept, "revision": revision + 1, "chosen_by": actor.member_id, "chosen_at": now}
    done = await session.execute(
        insert(BankColumns)
        .values(community_id=actor.community_id, **values)
        .on_conflict_do_update(
            index_elements=["community_id"], set_=values, where=col(BankColumns.revision) == revision
        )
        .returning(col(BankColumns.revision))
    )
    if done.scalar_one_or_none() is None:
        raise ColumnsChanged
    audit.record(session, actor, "payouts.columns_chosen", kind="bank_list", id="columns", now=now)


async def check_list(session: AsyncSession, *, actor: Actor, file_name: str, content: bytes, now: datetime) -> UUID:
    """Read a list of the bank and judge every line. Nothing is booked by this."""
    columns = await queries.columns_of(session, actor.community_id)
    lines = await anyio.to_thread.run_sync(read_lines, content, columns.headings)
    matches = await _matches(session, actor.community_id, lines, now)
    made = BankList(
        community_id=actor.community_id,
        list_id=new_id(),
        state=ListState.CHECKED,
        file_name=file_name[-120:],
        line_count=len(lines),
        uploaded_by=actor.member_id,
        uploaded_at=now,
    )
    session.add(made)
    await session.flush()
    ring = keyring(session)
    rows = [_row(ring, made, line, match) for line, match in zip(lines, matches, strict=True)]
    await session.execute(sa.insert(BankLine), rows)
    audit.record(
        session, actor, "payouts.list_checked", kind="bank_list", id=made.list_id, now=now, detail={"lines": len(lines)}
    )
    return made.list_id


async def book_list(session: AsyncSession, *, actor: Actor, list_id: UUID, now: datetime) -> None:
    """Book what is certain, each line of the bank once for ever; the rest waits for a decision.

    Every line is judged again: what was certain when it was checked and is not any more waits too, and so does a payment
    that the books refuse, with the reason beside it.
    """
    await session.execute(_LOCK, {"community_id": actor.community_id})
    batch = await queries.lock_list(session, actor.community_id, list_id)
    if batch.state == ListState.BOOKED:
        if batch.booked_by == actor.member_id:
            return
        raise ListBooked
    rows = await queries.lock_lines(session, actor.community_id, list_id)
    lines = [_line(session, row) for row in rows]
    matches = await _matches(session, actor.community_id, lines, now)
    batch.state, batch.booked_by, batch.booked_at = ListState.BOOKED, actor.member_id, now
    certain = [
        (row, line, match) for row, line, match in zip(rows, lines, matches, strict=True) if _settled(row, match)
    ]
    due = [each for each in certain if each[2].verdict is not Verdict.NOTED]
    audit.record(
        session, actor, "payouts.list_booked", kind="bank_list", id=list_id, now=now, detail={"certain": len(due)}
    )
    await session.flush()
    bookings = [_booking(row, line, match) for row, line, match in due]
    booked = await redemption.book_bank_lines(session, actor.community_id, bookings, actor_id=actor.member_id, now=now)
    for (row, _, match), done in zip(due, booked, strict=True):
        row.settlement_id, row.payment_number = match.settlement_id, done.payment
        row.outcome = Outcome.OPEN if done.refusal else Outcome.BOOKED
        row.refused_code = done.refusal.code if done.refusal else None
    made = {row.line_no: row.payment_number for row, _, _ in due}
    for row, _, match in certain:
        if match.verdict is Verdict.NOTED:
            _tie(row, match.payment if match.made_by is None else made.get(match.made_by))
    await _tell(session, actor, [row for row, _, _ in due], now)


async def book_line(
    session: AsyncSession,
    *,
    actor: Actor,
    list_id: UUID,
    line_no: int,
    settlement_id: UUID,
    payment: int | None,
    now: datetime,
) -> None:
    """Decide by hand that a line is about this statement; the books may refuse it. `payment` names the one that came back."""
    row = await _waiting(session, actor, list_id, line_no)
    if row.outcome == Outcome.BOOKED and (row.decided_by, row.settlement_id) == (actor.member_id, settlement_id):
        return
    if row.outcome != Outcome.OPEN:
        raise LineDecided
    if row.fingerprint is None:
        raise LineUnread
    row.decided_by, row.decided_at = actor.member_id, now
    audit.record(
        session,
        actor,
        "payouts.line_booked",
        kind="bank_list",
        id=list_id,
        now=now,
        detail={"line": line_no, "settlement": str(settlement_id)},
    )
    await session.flush()
    match = Match(Verdict.UNCLEAR, settlement_id, payment)
    booking = _booking(row, _line(session, row), match)
    [done] = await redemption.book_bank_lines(session, actor.community_id, [booking], actor_id=actor.member_id, now=now)
    if done.refusal is not None:
        raise done.refusal
    row.settlement_id, row.payment_number, row.outcome = settlement_id, done.payment, Outcome.BOOKED
    row.refused_code = None
    await _tell(session, actor, [row], now)


async def set_aside(
    session: AsyncSession, *, actor: Actor, list_id: UUID, line_no: int, reason: str, now: datetime
) -> None:
    """Decide by hand that a line concerns no statement, and why."""
    row = await _waiting(session, actor, list_id, line_no)
    if row.outcome == Outcome.ASIDE and (row.decided_by, row.reason) == (actor.member_id, reason):
        return
    if row.outcome != Outcome.OPEN:
        raise LineDecided
    row.outcome, row.reason, row.decided_by, row.decided_at = Outcome.ASIDE, reason, actor.member_id, now
    audit.record(
        session, actor, "payouts.line_set_aside", kind="bank_list", id=list_id, now=now, detail={"line": line_no}
    )


async def _waiting(session: AsyncSession, actor: Actor, list_id: UUID, line_no: int) -> BankLine:
    await session.execute(_LOCK, {"community_id": actor.community_id})
    return await queries.lock_line(session, actor.community_id, list_id, line_no)


async def _matches(session: AsyncSession, community_id: int, lines: Sequence[Line], now: datetime) -> Sequence[Match]:
    ring = keyring(session)
    prints = {_print(ring, community_id, line): line.identity() for line in lines if line.problem is None}
    known = await queries.known_prints(session, community_id, list(prints))
    targets = await queries.targets_of(session, community_id, lines, now)
    return judge(lines, targets, {prints[each] for each in known})


def _print(ring: Keyring, community_id: int, line: Line) -> bytes:
    return ring.blind("bank line", f"{community_id}\x1f{line.identity()}")


def _row(ring: Keyring, batch: BankList, line: Line, match: Match) -> dict[str, object]:
    is_read = line.problem is None
    sealed = SealedLine(line.mark, line.account, line.holder, line.reason, line.place, line.problem, line.says_returned)
    return {
        "community_id": batch.community_id,
        "list_id": batch.list_id,
        "line_no": line.line_no,
        "fingerprint": _print(ring, batch.community_id, line) if is_read else None,
        "direction": line.direction.value if is_read else None,
        "fen": line.fen,
        "reference": line.reference,
        "tail": line.account[-TAIL:],
        "paid_on": line.paid_on,
        "verdict": match.verdict.value,
        "settlement_id": match.settlement_id,
        "reason": "",
        "sealed": ring.seal(
            msgspec.json.encode(sealed).decode(), place_of(batch.community_id, batch.list_id, line.line_no)
        ),
    }


def _line(session: AsyncSession, row: BankLine) -> Line:
    sealed = opened_line(session, row)
    return Line(
        row.line_no,
        Direction(row.direction) if row.direction else Direction.PAID,
        row.fen,
        sealed.mark,
        sealed.account,
        sealed.holder,
        row.reference,
        row.paid_on,
        sealed.reason,
        sealed.place,
        sealed.says_returned,
        sealed.problem,
    )


def _settled(row: BankLine, match: Match) -> bool:
    """Set what becomes of a line that is not booked in the ledger; True for one that is certain, as it was when it was checked."""
    if match.verdict is Verdict.KNOWN:
        row.verdict, row.outcome, row.settlement_id = match.verdict, Outcome.SKIPPED, None
        return False
    was = (row.verdict, row.settlement_id)
    row.verdict, row.settlement_id = match.verdict, match.settlement_id
    if match.verdict not in CERTAIN or was != (match.verdict, match.settlement_id):
        row.outcome = Outcome.OPEN
        return False
    return True


def _tie(row: BankLine, payment: int | None) -> None:
    """A line whose payment is recorded: before, or by another line of the same list, which the books may have refused."""
    row.payment_number = payment
    row.outcome = Outcome.OPEN if payment is None else Outcome.BOOKED


def _booking(row: BankLine, line: Line, match: Match) -> redemption.BankBooking:
    assert row.fingerprint is not None, "a line that was read has one"
    assert match.settlement_id is not None, "what is booked is booked to a statement"
    return redemption.BankBooking(
        key=key_for(UUID(bytes=bytes(row.fingerprint)), "booked"),
        settlement_id=match.settlement_id,
        fen=line.fen,
        bank_reference=line.reference or match.mark or f"{row.list_id.hex[-8:]}-{line.line_no}",
        is_return=line.direction is Direction.RETURNED,
        payment=match.payment,
        reason=line.reason or line.mark or line.reference or "-",
    )


async def _tell(session: AsyncSession, actor: Actor, rows: Sequence[BankLine], now: datetime) -> None:
    """The shops that were paid hear of it. After the ledger's head, where only new lines are written and nothing is waited for."""
    paid = {
        row.settlement_id
        for row in rows
        if row.outcome == Outcome.BOOKED and row.direction == Direction.PAID and row.settlement_id
    }
    for settlement_id, merchant_id in (await redemption.merchants_of(session, actor.community_id, paid)).items():
        outbox.record(
            session,
            SettlementPaid(community_id=actor.community_id, settlement_id=settlement_id, merchant_id=merchant_id),
            now=now,
        )
