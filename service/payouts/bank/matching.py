"""Which payment a line of the bank's list is about; pure.

Lines are judged in their order, each as if those before it had been booked: a payment and its return may stand in one list.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from service.payouts.bank.cells import Line
from service.payouts.bank.rules import CERTAIN, Direction, Verdict
from service.payouts.rules import TAIL, payment_mark

MARK = re.compile(r"(?<![0-9A-Z])LL([0-9]{6,9})-([0-9]{3,6})(?![0-9])")
_WHOLE = re.compile(r"[0-9]{8,30}")


@dataclass(slots=True)
class Payment:
    """A payment as it stands after the lines before."""

    number: int | None
    """None before it is booked."""
    fen: int
    paid_at: datetime
    is_returned: bool
    has_paid_line: bool
    has_return_line: bool
    made_by: int | None = None
    """The line of this list that makes it, for one that is not booked yet."""


@dataclass(slots=True)
class Statement:
    """A statement's payments, shared by every file's line that pays of it."""

    payments: list[Payment] = field(default_factory=list)


@dataclass(slots=True)
class Target:
    """A line of a file, with its whole account number."""

    file_number: int
    line_no: int
    settlement_id: UUID
    account: str
    fen: int
    made_at: datetime
    until: datetime | None
    """When the statement went into its next file: what was recorded from then on is not of this one."""
    is_void: bool
    is_live: bool
    statement: Statement


@dataclass(frozen=True, slots=True)
class Match:
    """What a line seems to be, of which statement, and the payment that is recorded already."""

    verdict: Verdict
    settlement_id: UUID | None = None
    payment: int | None = None
    made_by: int | None = None
    """The line of this list that makes the payment, where it is not recorded yet."""
    mark: str = ""
    """The mark of our own file, for a line to which the bank gave no reference."""


@dataclass(frozen=True, slots=True)
class _Fit:
    verdict: Verdict
    target: Target
    payment: Payment | None = None


def marks_of(text: str) -> Sequence[tuple[int, int]]:
    """The marks of our files in what the bank says: (file, line), each once."""
    return sorted({(int(file), int(line)) for file, line in MARK.findall(text.upper())})


def judge(lines: Sequence[Line], targets: Sequence[Target], known: Collection[str]) -> Sequence[Match]:
    """The verdict on every line. `known` are the identities of lines that count from earlier lists. Changes the targets."""
    by_mark = {(target.file_number, target.line_no): target for target in targets}
    by_money: dict[tuple[str, int], list[Target]] = {}
    for target in targets:
        by_money.setdefault((target.account, target.fen), []).append(target)
    return [_judged(line, by_mark, by_money, known) for line in lines]


def _judged(
    line: Line,
    by_mark: Mapping[tuple[int, int], Target],
    by_money: Mapping[tuple[str, int], Sequence[Target]],
    known: Collection[str],
) -> Match:
    if line.problem is not None:
        return Match(Verdict.ERROR)
    if line.identity() in known:
        return Match(Verdict.KNOWN)
    marks = marks_of(line.mark)
    if not marks:
        return _by_money(line, by_money.get((line.account, line.fen), ()))
    target = by_mark.get(marks[0]) if len(marks) == 1 else None
    if target is None:
        return Match(Verdict.UNCLEAR if len(marks) > 1 else Verdict.UNKNOWN)
    return _taken(line, _fit(line, target) if _same_account(line, target) else _Fit(Verdict.DIFFERS, target))


def _by_money(line: Line, alike: Sequence[Target]) -> Match:
    """What a line without a mark is about: the one target of its account and amount that can still be meant.

    A shop may send money for reasons of its own: without a mark only what the bank calls sent back is.
    """
    fits = [_fit(line, target) for target in alike]
    certain = [fit for fit in fits if fit.verdict in CERTAIN]
    if len(certain) > 1:
        return Match(Verdict.UNCLEAR)
    if certain:
        [fit] = certain
        if line.direction is Direction.RETURNED and not line.says_returned:
            return Match(Verdict.UNCLEAR, fit.target.settlement_id)
        verdict = Verdict.ACCOUNT if fit.verdict is Verdict.MARK else fit.verdict
        return _taken(line, _Fit(verdict, fit.target, fit.payment))
    if len(fits) != 1:
        return Match(Verdict.UNKNOWN)
    [fit] = fits
    return Match(fit.verdict if fit.verdict is Verdict.UNCLEAR else Verdict.DOUBLED, fit.target.settlement_id)


def _same_account(line: Line, target: Target) -> bool:
    """False when the bank names another account. Masked ones are compared by their last four digits."""
    if _WHOLE.fullmatch(line.account):
        return line.account == target.account
    tail = line.account[-TAIL:]
    return not (len(tail) == TAIL and tail.isdigit()) or target.account.endswith(tail)


def _fit(line: Line, target: Target) -> _Fit:
    """What the line would be if it is about this target."""
    own = [
        payment
        for payment in target.statement.payments
        if payment.fen == line.fen
        and payment.paid_at >= target.made_at
        and (target.until is None or payment.paid_at < target.until)
    ]
    if line.direction is Direction.RETURNED:
        return _return_fit(line, target, own)
    if target.is_live:
        return _Fit(Verdict.MARK if target.fen == line.fen else Verdict.DIFFERS, target)
    for payment in own:
        if not payment.has_paid_line:
            return _Fit(Verdict.NOTED, target, payment)
        if payment.is_returned:
            break  # what was recorded later was approved anew: this file did not ask for it
    if target.is_void:
        return _Fit(Verdict.VOID, target)
    return _Fit(Verdict.DOUBLED if target.fen == line.fen else Verdict.DIFFERS, target)


def _return_fit(line: Line, target: Target, own: Sequence[Payment]) -> _Fit:
    """What came back came back once: a return that is recorded is meant before a payment that stands."""
    standing = [payment for payment in own if not payment.is_returned]
    noted = next((payment for payment in own if payment.is_returned and not payment.has_return_line), None)
    if len(standing) > 1 or (standing and noted is not None):
        return _Fit(Verdict.UNCLEAR, target)
    if noted is not None:
        return _Fit(Verdict.NOTED, target, noted)
    if standing and len(own) == 1:
        return _Fit(Verdict.RETURNED, target, standing[0])
    if target.is_live and target.fen == line.fen:
        return _Fit(Verdict.RETURNED, target)
    if target.is_void:
        return _Fit(Verdict.VOID, target)
    return _Fit(Verdict.DOUBLED if target.fen == line.fen else Verdict.DIFFERS, target)


def _taken(line: Line, fit: _Fit) -> Match:
    """The verdict, and the target as it stands when the line is booked."""
    target, payment = fit.target, fit.payment
    is_return = line.direction is Direction.RETURNED
    if fit.verdict in CERTAIN:
        if payment is None:
            payment = Payment(
                None,
                line.fen,
                target.made_at,
                is_returned=False,
                has_paid_line=not is_return,
                has_return_line=False,
                made_by=line.line_no,
            )
            target.statement.payments.append(payment)
            target.is_live = False
        elif not is_return:
            payment.has_paid_line = True
        if is_return:
            payment.is_returned = payment.has_return_line = True
    return Match(
        fit.verdict,
        target.settlement_id,
        payment.number if payment else None,
        payment.made_by if payment else None,
        payment_mark(target.file_number, target.line_no),
    )
