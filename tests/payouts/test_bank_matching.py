"""Which payment a line of the bank's list is about, line after line; a readable table."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service.payouts.bank.cells import Line
from service.payouts.bank.matching import Payment, Statement, Target, judge, marks_of
from service.payouts.bank.rules import Direction, Verdict

MADE = datetime(2026, 11, 20, tzinfo=UTC)
BARBER, BAKERY = "6222021234567890123", "6222021234567890999"


def target(
    line_no: int = 1, fen: int = 4500, *, account: str = BARBER, live: bool = True, void: bool = False
) -> Target:
    return Target(1, line_no, UUID(int=line_no), account, fen, MADE, void, live, Statement())


def noted(of: Target, *, fen: int = 4500, returned: bool = False, hours: int = 1) -> Target:
    of.statement.payments.append(
        Payment(
            len(of.statement.payments) + 1,
            fen,
            MADE + timedelta(hours=hours),
            is_returned=returned,
            has_paid_line=False,
            has_return_line=False,
        )
    )
    return of


def line(mark: str = "LL000001-001", fen: int = 4500, *, account: str = "", back: bool = False, no: int = 2) -> Line:
    direction = Direction.RETURNED if back else Direction.PAID
    return Line(no, direction, fen, mark, account, "", "", None, "", place=no)


def verdicts(lines: list[Line], *targets: Target) -> list[str]:
    return [match.verdict.value for match in judge(lines, targets, ())]


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("LL000001-001", [(1, 1)]),
        ("货款ll000012-003/兴乐", [(12, 3)]),
        ("LL000001-001 LL000001-002", [(1, 1), (1, 2)]),
        ("LL000001-001，LL000001-001", [(1, 1)]),
        ("XLL000001-001", []),
        ("LL00001-001", []),
        ("LL000001-0012345", []),
        ("", []),
    ],
)
def test_the_mark_is_found_in_what_the_bank_says(text: str, marks: list[tuple[int, int]]) -> None:
    assert marks_of(text) == marks


@pytest.mark.parametrize(
    ("lines", "targets", "expected"),
    [
        ([line()], [target()], ["mark"]),
        ([line(account=BARBER)], [target()], ["mark"]),
        ([line(account="6222****0123")], [target()], ["mark"]),
        ([line(account="6222****9999")], [target()], ["differs"]),
        ([line(account=BAKERY)], [target()], ["differs"]),
        ([line(fen=4400)], [target()], ["differs"]),
        ([line("LL000001-009")], [target()], ["unknown"]),
        ([line("LL000001-001 LL000001-002")], [target(), target(2)], ["unclear"]),
        ([line("", account=BARBER)], [target()], ["account"]),
        ([line("货款", account=BARBER)], [target()], ["account"]),
        ([line("", account=BARBER)], [target(), target(2)], ["unclear"]),
        ([line("", account=BARBER)], [target(), target(2, account=BAKERY)], ["account"]),
        ([line("", account=BAKERY)], [target()], ["unknown"]),
        ([line("", account="6222****0123")], [target()], ["unknown"]),
        ([line("", fen=4400, account=BARBER)], [target()], ["unknown"]),
        ([line("")], [target()], ["unknown"]),
        ([line(), line(no=3)], [target()], ["mark", "doubled"]),
        ([line(), line("", account=BARBER, no=3)], [target()], ["mark", "doubled"]),
        ([line("", account=BARBER), line("", account=BARBER, no=3)], [target()], ["account", "doubled"]),
        ([line(back=True)], [target()], ["returned"]),
        ([line(), line(back=True, no=3)], [target()], ["mark", "returned"]),
        ([line(), line(back=True, no=3), line(back=True, no=4)], [target()], ["mark", "returned", "doubled"]),
        ([line("", account=BARBER, back=True)], [target()], ["returned"]),
        ([line(fen=100, back=True)], [target()], ["differs"]),
        ([line()], [noted(target(live=False))], ["noted"]),
        ([line(), line(no=3)], [noted(target(live=False))], ["noted", "doubled"]),
        ([line(back=True)], [noted(target(live=False))], ["returned"]),
        ([line(), line(back=True, no=3)], [noted(target(live=False))], ["noted", "returned"]),
        ([line(back=True)], [noted(target(live=False), returned=True)], ["noted"]),
        ([line(), line(back=True, no=3)], [noted(target(live=False), returned=True)], ["noted", "noted"]),
        ([line()], [target(live=False, void=True)], ["void"]),
        ([line(back=True)], [target(live=False, void=True)], ["void"]),
        ([line()], [noted(target(), hours=-1)], ["mark"]),
        ([line()], [noted(target(live=False), hours=-1)], ["doubled"]),
        ([line(back=True)], [noted(target(), hours=-1)], ["returned"]),
        ([], [target()], []),
    ],
)
def test_lines_are_judged_one_after_the_other(lines: list[Line], targets: list[Target], expected: list[str]) -> None:
    assert verdicts(lines, *targets) == expected


def test_a_line_that_counts_already_is_known_and_changes_nothing_for_the_next() -> None:
    first, second = line(), line(no=3)

    found = judge([first, second], [target()], {first.identity()})

    assert [match.verdict for match in found] == [Verdict.KNOWN, Verdict.MARK]


def test_a_return_names_the_payment_that_came_back() -> None:
    paid = noted(noted(target(live=False), returned=True))

    [match] = judge([line(back=True)], [paid], ())

    assert (match.verdict, match.payment, match.mark) == (Verdict.RETURNED, 2, "LL000001-001")
