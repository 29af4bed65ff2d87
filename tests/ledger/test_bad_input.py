"""Nonsense at every door: each kind has its own refusal, its neighbours are posted, and none of it is half done."""

from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

import ledger
from ledger import Capture, Hold, Journal, Leg, Posted, Release, Step
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.cast import BOOK, NOW, ZHAO, hold_id, issue, journal, post

POINT = "point"
OPEN, ELSEWHERE, NEW, NONE = (hold_id(number) for number in range(1, 5))
YEAR_1 = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
YEAR_9999 = datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12)))
AMOUNTS = (0, -1, -(2**63), 2**63, 2**64, ledger.AMOUNT_MAX + 1)
NAMES = ("", "x" * 10_000, "a\0b", "a\nb", "\x7f", "\ud800")


def leg(debit: str = "li", credit: str = "chen", unit: str = POINT, amount: int = 1) -> Leg:
    return Leg(debit, credit, unit, amount)


STEPS: list[tuple[type[ledger.LedgerRefusal], Step]] = [
    *((ledger.AmountOutOfBounds, leg(amount=amount)) for amount in AMOUNTS),
    *((ledger.AmountOutOfBounds, Hold(NEW, "li", POINT, amount)) for amount in AMOUNTS),
    *((ledger.AmountOutOfBounds, Capture(OPEN, "chen", amount)) for amount in AMOUNTS),
    *((ledger.AmountOutOfBounds, Release(OPEN, amount)) for amount in AMOUNTS),
    *((ledger.AccountNotFound, leg(debit=name)) for name in NAMES),
    *((ledger.AccountNotFound, leg(credit=name)) for name in NAMES),
    *((ledger.AccountNotFound, leg(unit=name)) for name in NAMES),
    *((ledger.AccountNotFound, Hold(NEW, name, POINT, 1)) for name in NAMES),
    *((ledger.AccountNotFound, Capture(OPEN, name, 1)) for name in NAMES),
    (ledger.AccountClosed, leg(debit="gone")),
    (ledger.AccountClosed, leg(credit="gone")),
    (ledger.AccountClosed, Hold(NEW, "gone", POINT, 1)),
    (ledger.AccountClosed, Capture(OPEN, "gone", 1)),
    (ledger.AccountNotFound, leg(credit="bakery", unit="minute")),
    (ledger.AccountNotFound, leg(credit="only_there")),
    (ledger.SameAccount, leg(credit="li")),
    (ledger.EscrowReserved, leg(credit="escrow")),
    (ledger.HoldNotFound, Capture(NONE, "chen", 1)),
    (ledger.HoldNotFound, Capture(ELSEWHERE, "chen", 1)),
    (ledger.HoldNotFound, Release(ELSEWHERE)),
    (ledger.HoldExists, Hold(OPEN, "li", POINT, 1)),
    (ledger.HoldExceeded, Capture(OPEN, "chen", 31)),
    (ledger.HoldExceeded, Release(OPEN, 31)),
]
JOURNALS: list[tuple[type[ledger.LedgerRefusal], Journal]] = [
    *((ledger.JournalMalformed, journal(name, leg())) for name in NAMES if name != "\ud800"),
    *((ledger.JournalMalformed, journal("bad", leg(), reason=name)) for name in NAMES),
    (ledger.JournalMalformed, journal("\ud800", leg())),
    (ledger.JournalEmpty, journal("bad")),
    (ledger.EffectiveTooEarly, journal("bad", leg(), effective_at=YEAR_1)),
    (ledger.EffectiveInFuture, journal("bad", leg(), effective_at=YEAR_9999)),
    *((refusal, journal("bad", leg(), step)) for refusal, step in STEPS),
]


@pytest.fixture
async def filled(sessions: Sessions, book: int) -> int:
    """Li has points and a hold of 30; the book next door has a hold and an account of its own."""
    async with sessions.begin() as session:
        await cast.found(session, BOOK + 1)
        await ledger.open_account(session, BOOK + 1, "only_there", POINT, now=NOW)
    await post(sessions, issue("start"), journal("hold", Hold(OPEN, "li", POINT, 30)))
    await post(sessions, issue("start"), journal("hold", Hold(ELSEWHERE, "li", POINT, 30)), book=BOOK + 1)
    return book


async def has(sessions: Sessions) -> dict[tuple[str, str], int]:
    """What everybody has, after the books were proved."""
    async with sessions.begin() as session:
        assert await ledger.verify(session) == []
        return await ledger.balances(session, BOOK, [(code, POINT) for code in ("li", "chen", "bakery", "escrow")])


@pytest.mark.parametrize(("refusal", "asked"), JOURNALS, ids=[f"{n}-{r.code[7:]}" for n, (r, _) in enumerate(JOURNALS)])
async def test_it_is_refused_alone_and_among_others(
    sessions: Sessions, filled: int, refusal: type[ledger.LedgerRefusal], asked: Journal
):
    before = await has(sessions)
    async with sessions.begin() as session:
        with pytest.raises(refusal) as refused:
            await ledger.post(session, filled, asked, now=NOW)
        assert type(refused.value) is refusal
        assert refused.value.reference == asked.reference
    assert await has(sessions) == before

    async with sessions.begin() as session:
        around = [journal("before", leg(credit="bakery")), asked, journal("after", leg(credit="bakery"))]
        first, wrong, last = await ledger.post_many(session, filled, around, now=NOW)
    assert (type(first), type(wrong), type(last)) == (Posted, refusal, Posted)
    assert await has(sessions) == {**before, ("li", POINT): 968, ("bakery", POINT): 2}


async def test_each_door_of_holds_and_reversals_refuses_it_too(sessions: Sessions, filled: int):
    before = await has(sessions)
    async with sessions.begin() as session:
        known: dict[str, Any] = {"reference": "bad", "reason": "why", "actor_id": ZHAO, "now": NOW}
        hold: Any = partial(ledger.hold, session, filled, hold_id=NEW, account="li", unit=POINT)
        capture: Any = partial(ledger.capture, session, filled, hold_id=OPEN, credit="chen")
        release: Any = partial(ledger.release, session, filled, hold_id=OPEN)
        reverse: Any = partial(ledger.reverse, session, filled)
        for amount in AMOUNTS:
            for door in (hold, capture, release):
                with pytest.raises(ledger.AmountOutOfBounds) as refused:
                    await door(amount=amount, **known)
                assert refused.value.amount == amount
            with pytest.raises(ledger.AmountOutOfBounds if amount <= 0 else ledger.ReversalExceeds):
                await reverse(original="start", legs=[Leg("li", "issued", POINT, amount)], **known)
        for name in NAMES:
            for door in (
                partial(hold, amount=1),
                partial(capture, amount=1),
                release,
                partial(reverse, original="start"),
            ):
                with pytest.raises(ledger.JournalMalformed):
                    await door(**{**known, "reference": name})
            with pytest.raises(ledger.OriginalNotFound):
                await reverse(original=name, **known)
        for at, refusal in ((YEAR_1, ledger.EffectiveTooEarly), (YEAR_9999, ledger.EffectiveInFuture)):
            for door in (
                partial(hold, amount=1),
                partial(capture, amount=1),
                release,
                partial(reverse, original="start"),
            ):
                with pytest.raises(refusal):
                    await door(effective_at=at, **known)
        for book in (BOOK + 7, 2**63, -(2**70)):
            with pytest.raises(ledger.BookNotFound):
                await ledger.hold(session, book, hold_id=NEW, account="li", unit=POINT, amount=1, **known)
    assert await has(sessions) == before


async def test_a_hold_may_expire_in_any_year(sessions: Sessions, filled: int):
    async with sessions.begin() as session:
        holds = [journal(f"h{n}", Hold(hold_id(9 + n), "li", POINT, 1, at)) for n, at in enumerate((YEAR_1, YEAR_9999))]
        assert all(isinstance(each, Posted) for each in await ledger.post_many(session, filled, holds, now=NOW))
        (gone,) = await ledger.expire(session, filled, reason="expired", now=NOW)
        assert gone.hold_id == hold_id(9)
    await has(sessions)


async def test_too_much_at_once_is_refused_whole(sessions: Sessions, filled: int):
    before = await has(sessions)
    many = [journal(f"m{n}", leg()) for n in range(100_000)]
    async with sessions.begin() as session:
        verdicts = await ledger.post_many(session, filled, many, now=NOW)
        assert {type(each) for each in verdicts} == {ledger.BatchTooLarge}
        with pytest.raises(ledger.BatchTooLarge):
            await ledger.post(session, filled, journal("long", *[leg()] * 100_000), now=NOW)
    assert await has(sessions) == before


@pytest.mark.parametrize("year", [1, 1969, 3001, 9999])
async def test_a_clock_out_of_all_bounds_is_a_bug_and_moves_no_book(sessions: Sessions, filled: int, year: int):
    async with sessions() as session:
        with pytest.raises(Exception, match="needs the time"):
            await ledger.post(session, filled, journal("a", leg()), now=datetime(year, 6, 1, tzinfo=UTC))


@pytest.mark.parametrize("bound", [-(2**63), -(2**64), 2**63, 9 * 10**18 + 1])
async def test_bounds_beyond_counting_are_refused(sessions: Sessions, filled: int, bound: int):
    floor, ceiling = (bound, None) if bound < 0 else (0, bound)
    async with sessions.begin() as session:
        with pytest.raises(ledger.AccountMalformed):
            await ledger.open_account(session, filled, "vast", POINT, floor=floor, ceiling=ceiling, now=NOW)
