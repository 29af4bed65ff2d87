"""An account's floor and ceiling, given anew."""

import asyncio

import pytest

import ledger
from ledger import Leg
from tests.db import Sessions
from tests.ledger.cast import BOOK, NOW, journal, post

POINT = "point"


async def bound(sessions: Sessions, floor: int | None, ceiling: int | None, code: str = "li") -> None:
    async with sessions.begin() as session:
        await ledger.bound_account(session, BOOK, code, POINT, floor=floor, ceiling=ceiling, now=NOW)


async def test_what_an_account_may_hold_is_bounded_anew_and_the_books_stay_whole(sessions: Sessions, book: int):
    await post(sessions, journal("a", Leg("issued", "li", POINT, 5)))
    await bound(sessions, 0, 5)
    await bound(sessions, 0, 5)
    async with sessions.begin() as session:
        with pytest.raises(ledger.OverCeiling):
            await ledger.post(session, book, journal("b", Leg("issued", "li", POINT, 1)), now=NOW)
    await bound(sessions, -3, None)
    await post(sessions, journal("c", Leg("li", "issued", POINT, 8)))

    async with sessions.begin() as session:
        assert await ledger.balance(session, book, "li", POINT) == -3
        assert await ledger.verify(session) == []


async def test_bounds_that_do_not_hold_are_refused(sessions: Sessions, book: int):
    await post(sessions, journal("a", Leg("issued", "li", POINT, 5)))
    for floor, ceiling in ((6, None), (None, -1), (-(10**19), None), (0, 10**19)):
        with pytest.raises(ledger.AccountMalformed):
            await bound(sessions, floor, ceiling)
    with pytest.raises(ledger.BoundsPassed):
        await bound(sessions, 0, 4)
    with pytest.raises(ledger.AccountNotFound):
        await bound(sessions, 0, 4, "nobody")
    with pytest.raises(ledger.AccountMalformed):
        await bound(sessions, 0, 4, "escrow")
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.bound_account(session, 999, "li", POINT, floor=0, ceiling=None, now=NOW)


async def test_a_new_ceiling_and_a_posting_at_once_never_leave_more_than_the_ceiling(sessions: Sessions, book: int):
    """Both take the head: whichever is first, the other sees it."""
    for round_ in range(10):

        async def pay(number: int = round_) -> None:
            await post(sessions, journal(f"p{number}", Leg("issued", "li", POINT, 1)))

        async def lower(number: int = round_) -> None:
            await bound(sessions, 0, number + 1)

        await asyncio.gather(pay(), lower(), return_exceptions=True)
        async with sessions.begin() as session:
            assert await ledger.balance(session, book, "li", POINT) <= round_ + 1
            assert list(await ledger.verify(session)) == []
