"""Accounts, holds, reversals and times, as a caller meets them."""

from datetime import timedelta
from functools import partial
from time import perf_counter

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

import ledger
from ledger import AccountSpec, Capture, Hold, Leg, Posted, Release
from tests.db import Sessions
from tests.ledger.cast import BOOK, LATER, LI, NOW, ZHAO, hold_id, issue, journal, post

POINT = "point"


async def test_opening_again_gives_the_same_number_and_other_bounds_are_refused(sessions: Sessions, book: int):
    async with sessions.begin() as session:
        first = await ledger.open_account(session, book, "fund:spring", POINT, ceiling=50, now=NOW)
        assert await ledger.open_account(session, book, "fund:spring", POINT, ceiling=50, now=LATER) == first
        specs = [AccountSpec("a", POINT), AccountSpec("b", POINT), AccountSpec("a", POINT)]
        a, b, again = await ledger.open_accounts(session, book, specs, now=NOW)
        assert a == again
        assert a != b
    for floor, ceiling in ((0, None), (None, 50), (-1, 50)):
        async with sessions.begin() as session:
            with pytest.raises(ledger.AccountDiffers) as refused:
                await ledger.open_account(session, book, "fund:spring", POINT, floor=floor, ceiling=ceiling, now=NOW)
            assert (refused.value.account, refused.value.unit) == ("fund:spring", POINT)


async def test_many_accounts_in_one_call_cost_each_the_same(sessions: Sessions, book: int):
    """Eight times as many took 64 times as long when each was compared with each."""
    seconds = []
    for count in (1_000, 8_000):
        specs = [AccountSpec(f"many:{count}:{n}", POINT) for n in range(count)]
        async with sessions.begin() as session:
            began = perf_counter()
            assert len(set(await ledger.open_accounts(session, book, specs, now=NOW))) == count
            seconds.append(perf_counter() - began)
    assert seconds[1] < 24 * seconds[0]


@pytest.mark.parametrize("code", ["", "a b", "a\n", "x" * 201])
async def test_an_account_needs_a_code_of_one_word(sessions: Sessions, book: int, code: str):
    async with sessions.begin() as session:
        with pytest.raises(ledger.AccountMalformed):
            await ledger.open_account(session, book, code, POINT, now=NOW)


async def test_an_account_counts_a_known_unit_and_starts_within_its_bounds(sessions: Sessions, book: int):
    async with sessions.begin() as session:
        with pytest.raises(ledger.UnitNotFound):
            await ledger.open_account(session, book, "a", "yuan", now=NOW)
        for floor, ceiling in ((1, None), (None, -1), (5, 3)):
            with pytest.raises(ledger.AccountMalformed):
                await ledger.open_account(session, book, "a", POINT, floor=floor, ceiling=ceiling, now=NOW)
        assert await ledger.open_account(session, book, "pool:邻里", POINT, floor=-5, ceiling=5, now=NOW)


async def test_only_an_empty_account_closes_and_stays_closed(sessions: Sessions, book: int):
    await post(sessions, issue("start"))
    async with sessions.begin() as session:
        with pytest.raises(ledger.AccountNotEmpty):
            await ledger.close_account(session, book, "li", POINT, now=NOW)
        with pytest.raises(ledger.AccountNotFound):
            await ledger.close_account(session, book, "nobody", POINT, now=NOW)
        await ledger.close_account(session, book, "chen", POINT, now=NOW)
        await ledger.close_account(session, book, "chen", POINT, now=NOW)
        with pytest.raises(ledger.AccountClosed):
            await ledger.post(session, book, issue("late", account="chen"), now=NOW)


async def test_what_was_on_hold_comes_home_to_a_closed_account(sessions: Sessions, book: int):
    await post(sessions, issue("start", amount=30), journal("hold", Hold(hold_id(1), "li", POINT, 30)))
    async with sessions.begin() as session:
        await ledger.close_account(session, book, "li", POINT, now=NOW)
    await post(sessions, journal("release", Release(hold_id(1))))
    async with sessions.begin() as session:
        assert await ledger.balance(session, book, "li", POINT) == 30
        assert await ledger.verify(session) == []


async def test_a_hold_is_used_in_parts_and_the_rest_comes_back(sessions: Sessions, book: int):
    await post(sessions, issue("start"))
    async with sessions.begin() as session:
        held = hold_id(1)
        hold = partial(ledger.hold, session, book, reason="voucher", hold_id=held, actor_id=ZHAO, on_behalf_of=LI)
        capture = partial(ledger.capture, session, book, reason="voucher", hold_id=held, actor_id=ZHAO, on_behalf_of=LI)
        release = partial(ledger.release, session, book, reason="voucher", hold_id=held, actor_id=ZHAO, on_behalf_of=LI)
        await hold(reference="issue", account="li", unit=POINT, amount=100, expires_at=LATER, now=NOW)
        for use in range(3):
            await capture(reference=f"use {use}", credit="bakery", amount=20, now=NOW)
        await release(reference="some", amount=10, now=NOW)
        with pytest.raises(ledger.HoldExpired):
            await capture(reference="late", credit="bakery", amount=1, now=LATER)
        assert await ledger.balance(session, book, "escrow", POINT) == 30
        await release(reference="rest", now=LATER)
        again = await release(reference="rest", now=LATER)
        assert again.replayed
        state = (await ledger.holds(session, book, [hold_id(1), hold_id(2)]))[hold_id(1)]
        assert (state.account, state.captured, state.released, state.remaining) == ("li", 60, 40, 0)
        assert await ledger.balance(session, book, "li", POINT) == 940
        assert await ledger.balance(session, book, "bakery", POINT) == 60
        assert await ledger.verify(session) == []


async def test_holds_and_posts_mix_in_one_journal_all_or_none(sessions: Sessions, book: int):
    await post(sessions, issue("start"))
    steps = (
        Leg("li", "chen", POINT, 5),
        Hold(hold_id(1), "li", POINT, 10),
        Capture(hold_id(1), "bakery", 4),
        Release(hold_id(1), 1),
    )
    async with sessions.begin() as session:
        with pytest.raises(ledger.HoldExceeded) as refused:
            await ledger.post(session, book, journal("a", *steps, Capture(hold_id(1), "bakery", 6)), now=NOW)
        assert refused.value.step == 5
        assert await ledger.holds(session, book, [hold_id(1)]) == {}
        await ledger.post(session, book, journal("a", *steps), now=NOW)
        assert await ledger.balance(session, book, "escrow", POINT) == 5
        stands = await ledger.journal(session, book, "a")
        assert stands is not None
        assert [step.kind for step in stands.transfers] == ["post", "hold", "capture", "release"]
        assert [(step.debit, step.credit) for step in stands.transfers[1:]] == [
            ("li", "escrow"),
            ("escrow", "bakery"),
            ("escrow", "li"),
        ]
        assert await ledger.verify(session) == []


async def test_a_reversal_is_linked_both_ways(sessions: Sessions, book: int):
    await post(sessions, issue("start"), journal("gift", Leg("li", "chen", POINT, 30), Leg("li", "chen", POINT, 5)))
    async with sessions.begin() as session:
        undo = partial(ledger.reverse, session, book, reference="undo", original="gift", reason="typo", actor_id=ZHAO)
        done = await undo(now=NOW)
        assert await undo(now=LATER) == Posted(done.journal_id, replayed=True)
        gift, undone = await ledger.journal(session, book, "gift"), await ledger.journal(session, book, "undo")
        assert gift is not None
        assert undone is not None
        assert (gift.reversed_by, gift.reverses) == ("undo", None)
        assert (undone.reversed_by, undone.reverses) == (None, "gift")
        assert await ledger.balance(session, book, "li", POINT) == 1000
        page = await ledger.statement(session, book, "chen", POINT)
        assert [(line.amount, line.reverses, line.reversed_by) for line in page.lines] == [
            (-30, "gift", None),
            (-5, "gift", None),
            (5, None, "undo"),
            (30, None, "undo"),
        ]
        assert await ledger.journal(session, book, "never") is None


async def test_a_part_is_reversed_by_legs_and_then_no_more(sessions: Sessions, book: int):
    await post(sessions, issue("start"), journal("gift", Leg("li", "chen", POINT, 30)))
    async with sessions.begin() as session:
        undo = partial(ledger.reverse, session, book, original="gift", reason="typo", actor_id=None, now=NOW)
        await undo(reference="undo", legs=[Leg("chen", "li", POINT, 10)])
        with pytest.raises(ledger.AlreadyReversed) as refused:
            await undo(reference="again", legs=[Leg("chen", "li", POINT, 10)])
        assert refused.value.original == "gift"
        with pytest.raises(ledger.ReferenceReused):
            await undo(reference="undo")
        assert await ledger.balance(session, book, "chen", POINT) == 20
        assert await ledger.verify(session) == []


async def test_time_may_lie_in_the_past_and_never_runs_backwards(sessions: Sessions, book: int):
    await post(sessions, issue("a"), now=LATER)
    await post(sessions, journal("b", Leg("li", "chen", POINT, 1), effective_at=NOW - timedelta(days=9)), now=NOW)
    await post(sessions, issue("c"), now=NOW)
    async with sessions.begin() as session:
        stands = [await ledger.journal(session, book, reference) for reference in ("a", "b", "c")]
        assert [each.posted_at for each in stands if each] == [LATER] * 3
        assert [each.effective_at for each in stands if each] == [LATER, NOW - timedelta(days=9), NOW]
        assert await ledger.verify(session) == []


async def test_who_asks_again_does_not_matter(sessions: Sessions, book: int):
    await post(sessions, issue("a"))
    async with sessions.begin() as session:
        other = ledger.Journal("a", "service", issue("a").legs, LI)
        assert (await ledger.post(session, book, other, now=LATER)).replayed
        stands = await ledger.journal(session, book, "a")
        assert stands is not None
        assert (stands.actor_id, stands.on_behalf_of) == (ZHAO, LI)


async def test_many_journals_are_one_round_trip(sessions: Sessions, engine: AsyncEngine, book: int):
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    try:
        async with sessions.begin() as session:
            await ledger.post_many(session, book, [issue(f"shift {n}") for n in range(300)], now=NOW)
            await ledger.statement(session, book, "li", POINT, limit=200)
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", note)
    assert len(sent) == 2


async def test_a_rolled_back_session_leaves_nothing(sessions: Sessions, book: int):
    async with sessions() as session:
        # The very first statement of the session: the driver's connection is not in a transaction of its own accord.
        await ledger.post(session, BOOK, issue("a"), now=NOW)
        await session.rollback()
    async with sessions.begin() as session:
        assert await ledger.balance(session, book, "li", POINT) == 0
        assert await ledger.journal(session, book, "a") is None
