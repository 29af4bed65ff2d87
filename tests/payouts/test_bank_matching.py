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
    return Target(1, line_no, UUID(int=line_no), account, fen, MADE, None, void, live, Statement())


def next_file(before: Target, *, days: int, live: bool = False) -> Target:
    """The same statement in the next file, made some days after the first."""
    before.until = MADE + timedelta(days=days)
    return Target(
        before.file_number + 1,
        before.line_no,
        before.settlement_id,
        before.account,
        before.fen,
        before.until,
        None,
        False,
        live,
        before.statement,
    )


def noted(
    of: Target, *, fen: int = 4500, returned: bool = False, hours: int = 1, paid: bool = False, back: bool = False
) -> Target:
    """A recorded payment, by hand unless a line of an earlier list is tied to it: one that `paid` it, one that sent it `back`."""
    of.statement.payments.append(
        Payment(
            len(of.statement.payments) + 1,
            fen,
            MADE + timedelta(hours=hours),
            is_returned=returned,
            has_paid_line=paid,
            has_return_line=back,
        )
    )
    return of


def line(
    mark: str = "LL000001-001",
    fen: int = 4500,
    *,
    account: str = "",
    back: bool = False,
    no: int = 2,
    said: bool = False,
) -> Line:
    direction = Direction.RETURNED if back else Direction.PAID
    return Line(no, direction, fen, mark, account, "", "", None, "", place=no, says_returned=said)


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
        ([line("", account=BARBER, back=True, said=True)], [target()], ["returned"]),
        ([line("", account=BARBER, back=True)], [target()], ["unclear"]),
        ([line("", account=BARBER, back=True)], [noted(target(live=False))], ["unclear"]),
        ([line("", account=BARBER, back=True)], [noted(target(live=False), returned=True)], ["unclear"]),
        ([line(back=True), line(no=3)], [target()], ["returned", "noted"]),
        ([line(back=True), line(no=3), line(no=4)], [target()], ["returned", "noted", "doubled"]),
        ([line(back=True), line(no=3)], [noted(target(live=False))], ["returned", "noted"]),
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
    first = noted(target(live=False), returned=True, back=True)
    second = noted(next_file(first, days=2), hours=50)

    [match] = judge([line("LL000002-001", back=True)], [first, second], ())

    assert (match.verdict, match.payment, match.mark) == (Verdict.RETURNED, 2, "LL000002-001")


LATER = "LL000002-001"


def of_both(*lines: Line, paid: bool = False, back: bool = False, live: bool = False) -> list[tuple[str, int | None]]:
    """A payment of the first file that came back, then the second file with its own payment, or live."""
    first = noted(target(live=False), returned=True, paid=paid, back=back)
    second = next_file(first, days=2, live=live)
    if not live:
        noted(second, hours=50)
    return [(match.verdict.value, match.payment) for match in judge(lines, [first, second], ())]


def test_a_return_of_an_earlier_file_leaves_the_payment_of_the_later_one_alone() -> None:
    month = (line(), line(back=True, no=3), line(LATER, no=4))

    assert of_both(*month) == [("noted", 1), ("noted", 1), ("noted", 2)]
    assert of_both(*month, live=True) == [("noted", 1), ("noted", 1), ("mark", None)]
    assert of_both(*reversed(month)) == [("noted", 2), ("noted", 1), ("noted", 1)]
    assert of_both(line(LATER), line(LATER, back=True, no=3), line(back=True, no=4), live=True) == [
        ("mark", None),
        ("returned", None),
        ("noted", 1),
    ]


def test_a_return_that_a_status_list_told_comes_again_in_the_full_one_and_is_no_second_return() -> None:
    assert of_both(line(), line(back=True, no=3), line(LATER, no=4), back=True) == [
        ("noted", 1),
        ("doubled", None),
        ("noted", 2),
    ]


def test_a_second_debit_of_the_first_file_is_not_hidden_behind_the_payment_of_the_second() -> None:
    assert of_both(line(), line(no=3), line(LATER, no=4)) == [("noted", 1), ("doubled", None), ("noted", 2)]
    assert of_both(line(), line(LATER, no=3), paid=True) == [("doubled", None), ("noted", 2)]


def test_a_void_file_that_was_sent_all_the_same_is_not_hidden_behind_the_next_one() -> None:
    first = target(live=False, void=True)
    second = noted(next_file(first, days=2), hours=50)

    assert verdicts([line(), line(LATER, no=3)], first, second) == ["void", "noted"]


def test_what_was_paid_by_hand_after_a_return_is_not_what_the_file_asked_for() -> None:
    def after(*lines: Line, back: bool) -> list[tuple[str, int | None]]:
        paid = noted(noted(target(live=False), returned=True, paid=True, back=back), hours=2)
        return [(match.verdict.value, match.payment) for match in judge(lines, [paid], ())]

    assert after(line(), back=True) == [("doubled", None)]
    assert after(line(back=True), back=True) == [("doubled", None)]
    assert after(line(back=True), back=False) == [("unclear", None)]


def test_a_return_of_one_of_two_equal_parts_is_for_a_person() -> None:
    parts = noted(noted(target(fen=9000, live=False)), hours=2)

    assert verdicts([line(back=True)], parts) == ["unclear"]


def test_without_a_mark_the_one_file_whose_payment_has_no_line_is_meant() -> None:
    first = noted(target(live=False), returned=True, paid=True, back=True)
    second = noted(next_file(first, days=2), hours=50)

    [match] = judge([line("", account=BARBER)], [first, second], ())

    assert (match.verdict, match.payment) == (Verdict.NOTED, 2)


def test_a_payment_that_another_line_of_the_list_makes_is_named_by_that_line() -> None:
    back, paid = judge([line(back=True, no=5), line(no=6)], [target()], ())

    assert (back.verdict, back.payment, paid.verdict, paid.payment, paid.made_by) == (
        Verdict.RETURNED,
        None,
        Verdict.NOTED,
        None,
        5,
    )
