"""What the ledger says to each thing it is asked, as a table in the order in which it looks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

import ledger
from ledger import Capture, Hold, Journal, Leg, Refund, Release
from ledger.journal import _granted as raise_refusal
from ledger.journal import _post_batch, _refusal
from ledger.refusals import BY_CODE, PRECEDENCE
from tests.db import Sessions
from tests.ledger.cast import LATER, NOW, ZHAO, hold_id, issue, journal, post

SPENT, OPEN, EXPIRED, NONE, NEW = (hold_id(number) for number in range(1, 6))
TOMORROW = NOW + timedelta(days=1)
EPOCH, CLOSED = datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
EMPTY_TEXT, LONG = "", "x" * 201


@dataclass(frozen=True)
class Row:
    """Everything after the refusal is wrong with the journal as well, and is not what is said."""

    refusal: type[ledger.LedgerRefusal]
    journal: Journal
    reverses: str | None = None
    also: str = ""


POOR = Leg("chen", "jar", "point", 101)  # Chen has nothing, and the jar takes no more than 100.
TABLE = [
    Row(ledger.ReferenceReused, journal("issue", reason=LONG), also="malformed, empty"),
    Row(ledger.ReferenceReused, issue("issue", amount=999)),
    Row(ledger.ReferenceReused, issue("issue", account="chen")),
    Row(ledger.ReferenceReused, issue("issue", unit="minute")),
    Row(ledger.ReferenceReused, journal("issue", Leg("issued", "li", "point", 1000), reason="gift")),
    Row(ledger.ReferenceReused, journal("issue", *[Leg("issued", "li", "point", 1000)] * 2), also="a leg more"),
    Row(ledger.ReferenceReused, journal("issue", Leg("issued", "li", "point", 1000), effective_at=NOW - timedelta(1))),
    Row(ledger.ReferenceReused, journal("issue"), reverses="nothing"),
    Row(ledger.JournalMalformed, journal(EMPTY_TEXT, effective_at=LATER + timedelta(1)), also="in the future, empty"),
    Row(ledger.JournalMalformed, journal(LONG)),
    Row(ledger.JournalMalformed, journal("line\nbreak")),
    Row(ledger.JournalMalformed, journal("a", reason=EMPTY_TEXT)),
    Row(ledger.EffectiveInFuture, journal("a", POOR, effective_at=LATER + timedelta(seconds=1)), reverses="nothing"),
    Row(
        ledger.EffectiveTooEarly,
        journal("a", POOR, effective_at=EPOCH - timedelta(seconds=1)),
        also="in a closed period",
    ),
    Row(ledger.PeriodClosed, journal("a", POOR, effective_at=CLOSED - timedelta(seconds=1)), reverses="nothing"),
    Row(ledger.OriginalNotFound, journal("a", POOR), reverses="nothing"),
    Row(ledger.OriginalNotFound, journal("a", POOR), reverses="a", also="itself"),
    Row(ledger.OriginalIsReversal, journal("a", POOR), reverses="undo", also="exceeds"),
    Row(ledger.OriginalHasHolds, journal("a", POOR), reverses="hold open", also="exceeds"),
    Row(ledger.OriginalHasHolds, journal("a"), reverses="capture spent"),
    Row(ledger.AlreadyReversed, journal("a", POOR), reverses="mistake", also="exceeds"),
    Row(
        ledger.ReversalExceeds, journal("a", Leg("li", "issued", "point", 1001)), reverses="issue", also="insufficient"
    ),
    Row(ledger.ReversalExceeds, journal("a", Leg("issued", "li", "point", 1)), reverses="issue", also="same way"),
    Row(ledger.ReversalExceeds, journal("a", Leg("chen", "issued", "point", 1)), reverses="issue", also="another's"),
    Row(ledger.ReversalExceeds, journal("a", *[Leg("li", "issued", "point", 501)] * 2), reverses="issue"),
    Row(ledger.JournalEmpty, journal("a")),
    Row(ledger.StepMalformed, journal("a", Release(OPEN, 0)), reverses="issue"),
    Row(ledger.AmountOutOfBounds, journal("a", Leg("escrow", "escrow", "yuan", 0)), also="same account, reserved"),
    Row(ledger.AmountOutOfBounds, journal("a", Leg("issued", "li", "point", -1))),
    Row(ledger.AmountOutOfBounds, journal("a", Leg("issued", "li", "point", ledger.AMOUNT_MAX + 1))),
    Row(ledger.AmountOutOfBounds, journal("a", Leg("issued", "li", "point", 10**30))),
    Row(ledger.AmountOutOfBounds, journal("a", Release(NONE, 0)), also="no such hold"),
    Row(ledger.AmountOutOfBounds, journal("a", Leg("li", "issued", "point", -5)), reverses="issue"),
    Row(ledger.SameAccount, journal("a", Leg("escrow", "escrow", "point", 1)), also="reserved"),
    Row(ledger.SameAccount, journal("a", Leg("nobody", "nobody", "point", 1)), also="not found"),
    Row(ledger.EscrowReserved, journal("a", Leg("escrow", "nobody", "point", 1)), also="not found"),
    Row(ledger.EscrowReserved, journal("a", Leg("li", "escrow", "point", 1))),
    Row(ledger.EscrowReserved, journal("a", Hold(OPEN, "escrow", "point", 1)), also="exists"),
    Row(ledger.EscrowReserved, journal("a", Capture(NONE, "escrow", 1)), also="no such hold"),
    Row(ledger.HoldExists, journal("a", Hold(SPENT, "nobody", "point", 1)), also="not found"),
    Row(ledger.HoldNotFound, journal("a", Capture(NONE, "nobody", 1)), also="not found"),
    Row(ledger.HoldNotFound, journal("a", Release(NONE))),
    Row(ledger.HoldClosed, journal("a", Capture(SPENT, "nobody", 11)), also="expired, exceeded, not found"),
    Row(ledger.HoldClosed, journal("a", Release(SPENT))),
    Row(ledger.HoldExpired, journal("a", Capture(EXPIRED, "nobody", 21)), also="exceeded, not found"),
    Row(ledger.HoldExceeded, journal("a", Capture(OPEN, "nobody", 31)), also="not found"),
    Row(ledger.HoldExceeded, journal("a", Release(EXPIRED, 21)), also="expired, which a release does not mind"),
    Row(ledger.RefundExceeds, journal("a", Refund(OPEN, "nobody", 31)), also="not found"),
    Row(ledger.AccountNotFound, journal("a", Leg("nobody", "gone", "point", 1)), also="closed"),
    Row(ledger.AccountNotFound, journal("a", Leg("gone", "nobody", "point", 1)), also="closed"),
    Row(ledger.AccountNotFound, journal("a", Leg("bakery", "li", "minute", 1)), also="it has points only"),
    Row(ledger.AccountNotFound, journal("a", Leg("li", "chen", "yuan", 1))),
    Row(ledger.AccountNotFound, journal("a", Hold(NEW, "nobody", "point", 1))),
    Row(ledger.AccountNotFound, journal("a", Capture(OPEN, "nobody", 1))),
    Row(ledger.AccountClosed, journal("a", Leg("chen", "gone", "point", 1)), also="insufficient"),
    Row(ledger.AccountClosed, journal("a", Leg("gone", "li", "point", 1)), also="insufficient"),
    Row(ledger.AccountClosed, journal("a", Capture(OPEN, "gone", 1))),
    Row(ledger.AccountInDebt, journal("a", Leg("owing", "jar", "point", 101)), also="insufficient, over the ceiling"),
    Row(ledger.AccountInDebt, journal("a", Hold(NEW, "owing", "point", 1))),
    Row(ledger.AccountInDebt, journal("a"), reverses="earned too", also="reason is another"),
    Row(ledger.AccountInDebt, journal("a", reason="typo"), reverses="earned too", also="beyond the limit"),
    Row(ledger.InsufficientBalance, journal("a", POOR), also="over the ceiling"),
    Row(ledger.InsufficientBalance, journal("a", Hold(NEW, "chen", "point", 1))),
    Row(ledger.InsufficientBalance, journal("a", Leg("li", "bakery", "point", 901)), also="of 900"),
    Row(ledger.InsufficientBalance, journal("a"), reverses="issue", also="of 900"),
    Row(ledger.OverCeiling, journal("a", Leg("li", "jar", "point", 101))),
    Row(ledger.OverCeiling, journal("a", Leg("li", "jar", "point", 60), Leg("li", "jar", "point", 41))),
    Row(ledger.SameAccount, journal("a", Leg("li", "chen", "point", 1), Leg("li", "li", "point", 1), POOR)),
]


@pytest.fixture
async def filled(sessions: Sessions, book: int) -> int:
    """Li has 900 points; 10 were spent from a hold, 30 are on hold and 20 in a hold that has expired.

    There is an account that owes 25 of the 30 that it may, and 2025 is closed.
    """
    await post(
        sessions,
        issue("issue"),
        issue("mistake", amount=5),
        journal("hold spent", Hold(SPENT, "li", "point", 10, TOMORROW)),
        journal("capture spent", Capture(SPENT, "bakery", 10)),
        journal("hold open", Hold(OPEN, "li", "point", 30)),
        journal("hold expired", Hold(EXPIRED, "li", "point", 20, TOMORROW)),
        journal("shopping", Leg("li", "bakery", "point", 40)),
    )
    async with sessions.begin() as session:
        await ledger.reverse(session, book, reference="undo", original="mistake", reason="typo", actor_id=None, now=NOW)
        await ledger.open_account(session, book, "owing", "point", now=NOW)
    await post(
        sessions,
        *(issue(f"earned{more}", account="owing", amount=25) for more in ("", " too")),
        journal("all spent", Leg("owing", "bakery", "point", 50)),
    )
    async with sessions.begin() as session:
        await ledger.allow_debt(session, book, "owing", "point", reason="typo", limit=30, actor_id=ZHAO, now=NOW)
        await ledger.reverse(session, book, reference="owes", original="earned", reason="typo", actor_id=None, now=NOW)
        await ledger.close_period(session, book, until=CLOSED, actor_id=ZHAO, now=NOW)
    return book


@pytest.mark.parametrize("row", TABLE, ids=[f"{place}-{row.refusal.code[7:]}" for place, row in enumerate(TABLE)])
async def test_the_first_thing_that_is_wrong_is_what_is_said(sessions: Sessions, filled: int, row: Row):
    asked = row.journal
    async with sessions.begin() as session:
        before = await ledger.balances(session, filled, [("li", "point"), ("chen", "point"), ("escrow", "point")])
        with pytest.raises(ledger.LedgerRefusal) as refused:
            # Through the inner door, which takes reversals whose legs are not legs as SQL callers can send them.
            raise_refusal(await _post_batch(session, filled, [(asked, row.reverses)], now=LATER))

        assert type(refused.value) is row.refusal
        assert refused.value.reference == asked.reference
        assert row.refusal.code in str(refused.value)
        after = await ledger.balances(session, filled, [("li", "point"), ("chen", "point"), ("escrow", "point")])
        assert before == after
        assert await ledger.verify(session, filled) == []


def test_the_table_is_in_the_order_of_precedence_and_leaves_nothing_out():
    places = [PRECEDENCE.index(row.refusal) for row in TABLE[:-1]]
    assert places == sorted(places)
    only_sql = {ledger.UnitMismatch, ledger.BatchTooLarge}
    assert {row.refusal for row in TABLE} | {ledger.BookNotFound} | only_sql == set(PRECEDENCE)


async def test_a_book_must_be_open(sessions: Sessions, book: int):
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound) as refused:
            await ledger.post(session, book + 1, issue("a"), now=NOW)
        assert refused.value.book == book + 1
        with pytest.raises(ledger.BookNotFound):
            await ledger.open_account(session, book + 1, "li", "point", now=NOW)
        with pytest.raises(ledger.BookNotFound):
            await ledger.close_account(session, book + 1, "li", "point", now=NOW)


async def test_a_refusal_says_how_much_there_was(sessions: Sessions, filled: int):
    async with sessions.begin() as session:
        with pytest.raises(ledger.InsufficientBalance) as refused:
            await ledger.post(
                session, filled, journal("a", Leg("li", "chen", "point", 1), Leg("li", "chen", "point", 900)), now=LATER
            )
    said = refused.value
    assert (said.step, said.account, said.unit, said.asked, said.available) == (2, "li", "point", 900, 899)

    async with sessions.begin() as session:
        with pytest.raises(ledger.HoldExceeded) as exceeded:
            await ledger.post(session, filled, journal("a", Capture(OPEN, "chen", 31)), now=LATER)
        with pytest.raises(ledger.OverCeiling) as over:
            await ledger.post(session, filled, journal("a", Leg("li", "jar", "point", 101)), now=LATER)
        with pytest.raises(ledger.AmountOutOfBounds) as bounds:
            await ledger.post(session, filled, journal("a", Leg("li", "jar", "point", 10**30)), now=LATER)
    assert (exceeded.value.hold_id, exceeded.value.asked, exceeded.value.remaining) == (OPEN, 31, 30)
    assert (over.value.account, over.value.room) == ("jar", 100)
    assert bounds.value.amount == 10**30


def test_every_refusal_can_be_built_from_its_code():
    fields = {"book": 1, "journal_id": 1, "original": "a", "step": 1, "amount": 1, "account": "a", "unit": "point"}
    fields |= {"hold_id": NEW, "expected": "minute", "asked": 2, "remaining": 1, "available": 1, "room": 1, "before": 1}
    fields |= {"closed_until": NOW, "until": NOW, "owed": 1}
    for code, refusal in BY_CODE.items():
        known = {name: value for name, value in fields.items() if name in refusal.__dataclass_fields__}
        assert _refusal(code, "a", known).code == code


async def test_independent_journals_get_independent_verdicts(sessions: Sessions, filled: int):
    journals = [
        journal("a", Leg("li", "chen", "point", 100)),
        journal("b", Leg("li", "chen", "point", 100), Leg("chen", "bakery", "point", 999)),
        journal("c", Leg("chen", "bakery", "point", 100)),
        issue("issue"),
        journal("a", Leg("li", "chen", "point", 100)),
        journal("a", Leg("li", "chen", "point", 101)),
    ]
    async with sessions.begin() as session:
        verdicts = await ledger.post_many(session, filled, journals, now=LATER)
        assert await ledger.balance(session, filled, "li", "point") == 800
        assert await ledger.verify(session, filled) == []
    first, refused, third, known, again, other = verdicts
    assert first == ledger.Posted(13, replayed=False)
    assert isinstance(refused, ledger.InsufficientBalance)
    assert (refused.reference, refused.step) == ("b", 2)
    assert third == ledger.Posted(14, replayed=False)
    assert known == ledger.Posted(1, replayed=True)
    assert again == ledger.Posted(13, replayed=True)
    assert isinstance(other, ledger.ReferenceReused)
    assert other.journal_id == 13


async def test_nothing_asked_nothing_done(sessions: Sessions, book: int):
    async with sessions.begin() as session:
        assert await ledger.post_many(session, book, [], now=NOW) == []
        assert await ledger.open_accounts(session, book, [], now=NOW) == []
        with pytest.raises(ValueError, match="at least one leg"):
            await ledger.reverse(
                session, book, reference="a", original="b", reason="c", actor_id=None, legs=[], now=NOW
            )
        with pytest.raises(ValueError, match="aware"):
            await ledger.post(session, book, issue("a"), now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
async def test_other_isolation_levels_are_a_bug_and_not_a_refusal(sessions: Sessions, book: int, level: str):
    async with sessions() as session:
        await session.connection(execution_options={"isolation_level": level})
        with pytest.raises(Exception, match="READ COMMITTED"):
            await ledger.post(session, book, issue("a"), now=NOW)
