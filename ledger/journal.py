"""Calls the functions of `sql/` in the caller's transaction and turns their verdicts into values and refusals."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from ledger import arrays
from ledger.arrays import storable
from ledger.driver import fetch
from ledger.refusals import (
    BY_CODE,
    AccountClosed,
    AccountNotEmpty,
    AccountNotFound,
    AmountOutOfBounds,
    BatchTooLarge,
    BookNotFound,
    LedgerRefusal,
)
from ledger.rules import (
    AMOUNT_MAX,
    BATCH_MAX,
    AccountSpec,
    Capture,
    Effect,
    EffectRefused,
    Hold,
    Journal,
    Leg,
    Posted,
    Refund,
    Release,
    Reversal,
    Step,
)

BIGINT_MAX = 2**63 - 1
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
Row = tuple[str, str | None, str | None, str | None, int | None, UUID | None, datetime | None]
Draft = tuple[Journal, str | None]
"""A journal, and the reference of the one that it reverses."""
Verdict = tuple[str, int | None, str | None]
"""Code, journal id, the refusal's fields as JSON."""

_POST = """
SELECT codes, journal_ids, details::text[]
  FROM ledger.post_batch($1, $2,
       $3::text::text[], $4::text::text[], $5::text::uuid[], $6::text::uuid[], $7::text::timestamptz[], $8::text::text[],
       $9::text::int[], $10::text::text[], $11::text::text[], $12::text::text[], $13::text::text[], $14::text::bigint[],
       $15::text::uuid[], $16::text::timestamptz[])
"""
_POST_WITH = _POST.replace("post_batch(", "post_with($17, $18::text::jsonb, ")
_OPEN = "SELECT codes, account_ids FROM ledger.open_accounts($1, $2, $3, $4, $5, $6)"


async def open_book(session: AsyncSession, book: int, *, now: datetime) -> None:
    """Open a community's book. Opening it again changes nothing."""
    await fetch(session, "SELECT ledger.open_book($1, $2)", book, aware(now))


async def open_account(
    session: AsyncSession,
    book: int,
    code: str,
    unit: str,
    *,
    floor: int | None = 0,
    ceiling: int | None = None,
    now: datetime,
) -> int:
    """Open an account and return its number; the same again returns the same, another floor or ceiling is refused."""
    opened = await open_accounts(session, book, [AccountSpec(code, unit, floor, ceiling)], now=now)
    return opened[0]


async def open_accounts(session: AsyncSession, book: int, specs: Sequence[AccountSpec], *, now: datetime) -> list[int]:
    """Open many accounts in one round trip and return their numbers. If one is refused, the first refusal is raised.

    Does not lock the book's head, so it may stand anywhere in a transaction. After a refusal roll back: the others
    were opened.
    """
    if not specs:
        return []
    ((codes, numbers),) = await fetch(
        session,
        _OPEN,
        book,
        [storable(spec.code) for spec in specs],
        [storable(spec.unit) for spec in specs],
        [_bound(spec.floor) for spec in specs],
        [_bound(spec.ceiling) for spec in specs],
        aware(now),
    )
    for spec, code in zip(specs, codes, strict=True):
        if code == BookNotFound.code:
            raise BookNotFound(book=book)
        if code in BY_CODE:
            raise _refusal(code, None, {"account": spec.code, "unit": spec.unit})
    return list(numbers)


async def close_account(session: AsyncSession, book: int, code: str, unit: str, *, now: datetime) -> None:
    """Close an empty account for good; closing it again changes nothing. What it had on hold can still come back.

    Locks the book's head, so it comes last in a transaction, as posting does.
    """
    query = "SELECT ledger.close_account($1, $2, $3, $4)"
    ((verdict,),) = await fetch(session, query, book, storable(code), storable(unit), aware(now))
    if verdict == BookNotFound.code:
        raise BookNotFound(book=book)
    if verdict in {AccountNotFound.code, AccountNotEmpty.code, AccountClosed.code}:
        raise _refusal(verdict, None, {"account": code, "unit": unit})


async def post(session: AsyncSession, book: int, journal: Journal, *, now: datetime) -> Posted:
    """Post one journal, all of it or nothing, or raise the refusal. Call it last: it locks the book's head."""
    return _granted(await _post_batch(session, book, [(journal, None)], now=now))


async def post_many(
    session: AsyncSession, book: int, journals: Sequence[Journal], *, now: datetime
) -> list[Posted | LedgerRefusal]:
    """Post independent journals in one round trip; each is posted or refused as if they came one by one."""
    return await _post_batch(session, book, [(journal, None) for journal in journals], now=now)


async def post_many_with(
    session: AsyncSession, book: int, journals: Sequence[Journal], effects: Sequence[Effect], *, now: datetime
) -> list[Posted | LedgerRefusal | EffectRefused]:
    """The same with business rows of one kind, one effect for each journal, none about the same row. Locks the rows first."""
    (kind,) = {effect.kind for effect in effects}
    values = json.dumps([effect.values for effect in effects], separators=(",", ":"))
    verdicts = await _ask(session, book, [(each, None) for each in journals], now=now, effects=(kind, values))
    return [
        judged(book, journal.reference, *verdict, journal)
        if verdict[1] is not None or verdict[0] in BY_CODE
        else EffectRefused(journal.reference, verdict[0])
        for journal, verdict in zip(journals, verdicts, strict=True)
    ]


async def hold(
    session: AsyncSession,
    book: int,
    *,
    reference: str,
    reason: str,
    hold_id: UUID,
    account: str,
    unit: str,
    amount: int,
    expires_at: datetime | None = None,
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    effective_at: datetime | None = None,
    now: datetime,
) -> Posted:
    """Put an amount aside, to be captured or released later."""
    step = Hold(hold_id, account, unit, amount, expires_at)
    return await post(session, book, Journal(reference, reason, (step,), actor_id, on_behalf_of, effective_at), now=now)


async def capture(
    session: AsyncSession,
    book: int,
    *,
    reference: str,
    reason: str,
    hold_id: UUID,
    credit: str,
    amount: int,
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    effective_at: datetime | None = None,
    now: datetime,
) -> Posted:
    """Pay a part of a hold to an account; the rest stays on hold."""
    step = Capture(hold_id, credit, amount)
    return await post(session, book, Journal(reference, reason, (step,), actor_id, on_behalf_of, effective_at), now=now)


async def capture_shares(
    session: AsyncSession,
    book: int,
    *,
    reference: str,
    reason: str,
    hold_id: UUID,
    shares: Sequence[tuple[str, int]],
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    effective_at: datetime | None = None,
    now: datetime,
) -> Posted:
    """Pay parts of a hold to several accounts, all or none; the rest stays on hold."""
    steps = tuple(Capture(hold_id, credit, amount) for credit, amount in shares)
    return await post(session, book, Journal(reference, reason, steps, actor_id, on_behalf_of, effective_at), now=now)


async def release(
    session: AsyncSession,
    book: int,
    *,
    reference: str,
    reason: str,
    hold_id: UUID,
    amount: int | None = None,
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    effective_at: datetime | None = None,
    now: datetime,
) -> Posted:
    """Give a part of a hold back, or all that is left of it; expired holds too."""
    step = Release(hold_id, amount)
    return await post(session, book, Journal(reference, reason, (step,), actor_id, on_behalf_of, effective_at), now=now)


async def reverse(
    session: AsyncSession,
    book: int,
    *,
    reference: str,
    original: str,
    reason: str,
    actor_id: UUID | None,
    on_behalf_of: UUID | None = None,
    legs: Sequence[Leg] | None = None,
    effective_at: datetime | None = None,
    now: datetime,
) -> Posted:
    """Undo the journal with the reference `original`, once: wholly, or by legs that lead back along its own."""
    if legs is not None and not legs:
        message = "A partial reversal names at least one leg; None reverses the whole journal."
        raise ValueError(message)
    journal = Journal(reference, reason, tuple(legs or ()), actor_id, on_behalf_of, effective_at)
    return _granted(await _post_batch(session, book, [(journal, original)], now=now))


async def reverse_many(
    session: AsyncSession, book: int, reversals: Sequence[Reversal], *, now: datetime
) -> list[Posted | LedgerRefusal]:
    """Undo whole journals in one round trip; each is undone or refused as if they came one by one."""
    drafts = [(Journal(each.reference, each.reason, (), each.actor_id), each.original) for each in reversals]
    return await _post_batch(session, book, drafts, now=now)


async def _post_batch(
    session: AsyncSession, book: int, drafts: Sequence[Draft], *, now: datetime
) -> list[Posted | LedgerRefusal]:
    verdicts = zip((journal for journal, _ in drafts), await _ask(session, book, drafts, now=now), strict=True)
    return [judged(book, journal.reference, *verdict, journal) for journal, verdict in verdicts]


async def _ask(
    session: AsyncSession,
    book: int,
    drafts: Sequence[Draft],
    *,
    now: datetime,
    effects: tuple[str, str] | tuple[()] = (),
) -> Sequence[Verdict]:
    if not drafts:
        return []
    journals = [journal for journal, _ in drafts]
    if max(len(drafts), sum(len(journal.legs) for journal in journals)) > BATCH_MAX:
        return [(BatchTooLarge.code, None, None)] * len(drafts)
    if not -BIGINT_MAX <= book <= BIGINT_MAX:
        return [(BookNotFound.code, None, None)] * len(drafts)
    steps = [_row(step) for journal in journals for step in journal.legs]
    kinds, debits, creditors, units, amounts, holds, expiries = zip(*steps, strict=True) if steps else ((),) * 7
    (columns,) = await fetch(
        session,
        _POST_WITH if effects else _POST,
        book,
        aware(now),
        arrays.of_texts([journal.reference for journal in journals]),
        arrays.of_texts([journal.reason for journal in journals]),
        arrays.of_values([journal.actor_id for journal in journals]),
        arrays.of_values([journal.on_behalf_of for journal in journals]),
        arrays.of_times([in_range(journal.effective_at) for journal in journals]),
        arrays.of_texts([original for _, original in drafts]),
        arrays.of_values([len(journal.legs) for journal in journals]),
        arrays.of_texts(kinds),
        arrays.of_texts(debits),
        arrays.of_texts(creditors),
        arrays.of_texts(units),
        arrays.of_values(amounts),
        arrays.of_values(holds),
        arrays.of_times(expiries),
        *effects,
    )
    return list(zip(*columns, strict=True))


def _row(step: Step) -> Row:
    """A step as the columns of `ledger.step`."""
    match step:
        case Leg():
            return ("post", step.debit, step.credit, step.unit, _bounded(step.amount), None, None)
        case Hold():
            amount, expires_at = _bounded(step.amount), in_range(step.expires_at)
            return ("hold", step.account, None, step.unit, amount, step.hold_id, expires_at)
        case Capture():
            return ("capture", None, step.credit, None, _bounded(step.amount), step.hold_id, None)
        case Release():
            given_back = None if step.amount is None else _bounded(step.amount)
            return ("release", None, None, None, given_back, step.hold_id, None)
        case Refund():
            return ("refund", step.debit, None, None, _bounded(step.amount), step.hold_id, None)


def _bounded(amount: int) -> int:
    """The amount, or one that is refused just as surely and fits the wire."""
    return amount if 0 < amount <= AMOUNT_MAX else max(-1, min(amount, AMOUNT_MAX + 1))


def _bound(bound: int | None) -> int | None:
    """A floor or ceiling, or one that is refused just as surely and fits the wire."""
    return None if bound is None else max(-BIGINT_MAX, min(bound, BIGINT_MAX))


def in_range(at: datetime | None) -> datetime | None:
    """The time in UTC, or the nearest that the wire can carry; the driver takes the very first and last for infinite."""
    if at is None:
        return None
    try:
        return max(_FIRST, min(aware(at).astimezone(UTC), _LAST))
    except OverflowError:
        return _FIRST if at.year == 1 else _LAST


def judged(
    book: int, reference: str, code: str, journal_id: int | None, detail: str | None, journal: Journal | None = None
) -> Posted | LedgerRefusal:
    """A verdict of the functions as a value of ours."""
    if journal_id is not None:
        return Posted(journal_id, replayed=code == "replayed")
    known: dict[str, object] = json.loads(detail) if detail else {}
    if code == BookNotFound.code:
        known["book"] = book
    if journal and code == AmountOutOfBounds.code and isinstance(place := known["step"], int):
        known["amount"] = journal.legs[place - 1].amount
    if "hold_id" in known:
        known["hold_id"] = UUID(str(known["hold_id"]))
    if "closed_until" in known:
        known["closed_until"] = datetime.fromisoformat(str(known["closed_until"]))
    return _refusal(code, reference, known)


def _refusal(code: str, reference: str | None, known: dict[str, object]) -> LedgerRefusal:
    # A dataclass's fields cannot be typed by name; a test builds every refusal through here.
    return BY_CODE[code](reference=reference, **known)  # type: ignore[arg-type]


def _granted(verdicts: list[Posted | LedgerRefusal]) -> Posted:
    (verdict,) = verdicts
    if isinstance(verdict, LedgerRefusal):
        raise verdict
    return verdict


def aware(now: datetime) -> datetime:
    """The time, which must say where it is."""
    if now.tzinfo is None:
        message = "The ledger's times are aware."
        raise ValueError(message)
    return now
