"""Closed periods, debt by policy, holds that expire, and holds shared out: what they promise, and the races around them."""

import asyncio
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
import pytest

import ledger
from ledger import Capture, Hold, LedgerRefusal, Leg, Posted, Release
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import (
    BOOK,
    LANES,
    LATER,
    NOW,
    ZHAO,
    connected,
    execute,
    hold_id,
    issue,
    journal,
    post,
    waiting,
)

JANUARY = NOW - timedelta(days=28)
POINT = "point"


async def close(sessions: Sessions, until=JANUARY, now=NOW) -> None:
    async with sessions.begin() as session:
        await ledger.close_period(session, BOOK, until=until, actor_id=ZHAO, now=now)


async def faults(sessions: Sessions) -> list[ledger.Fault]:
    async with sessions.begin() as session:
        return await ledger.verify(session)


async def test_nothing_takes_effect_in_a_closed_period_and_a_retry_of_what_did_is_still_a_replay(
    sessions: Sessions, book: int
):
    before = journal("before", Leg("issued", "li", POINT, 5), effective_at=JANUARY - timedelta(days=1))
    await post(sessions, before)
    await close(sessions)

    async with sessions.begin() as session:
        late = journal("late", Leg("issued", "li", POINT, 5), effective_at=JANUARY - timedelta(microseconds=1))
        with pytest.raises(ledger.PeriodClosed) as refused:
            await ledger.post(session, book, late, now=NOW)
        assert refused.value.closed_until == JANUARY
        first = journal("first", Leg("issued", "li", POINT, 5), effective_at=JANUARY)
        await ledger.post(session, book, first, now=NOW)
        assert (await ledger.post(session, book, before, now=NOW)).replayed
        undo = partial(ledger.reverse, session, book, reference="undo", original="before", reason="typo", actor_id=ZHAO)
        with pytest.raises(ledger.PeriodClosed):
            await undo(effective_at=JANUARY - timedelta(days=1), now=NOW)
        await undo(now=NOW)
    assert await faults(sessions) == []


async def test_a_period_closes_when_it_is_over_and_is_never_opened_again(sessions: Sessions, book: int):
    await close(sessions)
    await close(sessions)
    with pytest.raises(ledger.PeriodGoesBack) as back:
        await close(sessions, JANUARY - timedelta(seconds=1))
    assert back.value.until == JANUARY - timedelta(seconds=1)
    with pytest.raises(ledger.PeriodNotOver):
        await close(sessions, NOW + timedelta(seconds=1))
    await close(sessions, NOW)
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.close_period(session, BOOK + 1, until=JANUARY, actor_id=ZHAO, now=NOW)
    assert await faults(sessions) == []


async def test_a_caller_whose_clock_is_behind_posts_into_the_open_period(sessions: Sessions, book: int):
    await close(sessions, until=LATER, now=LATER)
    await post(sessions, issue("a"), now=NOW)
    async with sessions.begin() as session:
        stands = await ledger.journal(session, book, "a")
    assert stands is not None
    assert stands.effective_at == stands.posted_at == LATER
    assert await faults(sessions) == []


async def _race_with_closing(database: Database, sessions: Sessions) -> Posted | LedgerRefusal:
    """Somebody posts into January while January is being closed by a transaction that has not committed yet."""
    late = journal("late", Leg("issued", "li", POINT, 5), effective_at=JANUARY - timedelta(days=1))

    async def call() -> Posted | LedgerRefusal:
        async with sessions.begin() as session:
            (verdict,) = await ledger.post_many(session, BOOK, [late], now=NOW)
            return verdict

    async with (
        open_engine(database.app_url) as engine,
        connected(database.superuser_url) as watch,
        sessions_of(engine).begin() as session,
    ):
        await ledger.close_period(session, BOOK, until=JANUARY, actor_id=ZHAO, now=NOW)
        calling = asyncio.create_task(call())
        await waiting(watch, 1)
        await session.commit()
        return await calling


async def test_no_posting_slips_in_while_a_period_is_closed(
    fresh_database: Database, fresh_sessions: Sessions, fresh_book: int
):
    assert isinstance(await _race_with_closing(fresh_database, fresh_sessions), ledger.PeriodClosed)
    assert await faults(fresh_sessions) == []


async def test_without_the_lock_it_slips_in(fresh_database: Database, fresh_sessions: Sessions, fresh_book: int):
    async with connected(fresh_database.superuser_url) as connection:
        for lane in LANES:
            source = await connection.fetchval("SELECT pg_get_functiondef($1::text::regproc)", f"ledger.{lane}")
            await connection.execute(source.replace("FOR NO KEY UPDATE", ""))

    assert isinstance(await _race_with_closing(fresh_database, fresh_sessions), Posted)
    assert "period" in {fault.kind for fault in await faults(fresh_sessions)}


@pytest.fixture
async def spent(sessions: Sessions, book: int) -> int:
    """Li earned 100 by mistake and has spent 80 of it."""
    await post(sessions, issue("shift", amount=100), journal("bread", Leg("li", "bakery", POINT, 80)))
    return book


async def correct(sessions: Sessions, reason: str = "correction", reference: str = "undo") -> Posted:
    async with sessions.begin() as session:
        return await ledger.reverse(
            session, BOOK, reference=reference, original="shift", reason=reason, actor_id=ZHAO, now=NOW
        )


async def allow(sessions: Sessions, limit: int, account: str = "li", reason: str = "correction") -> None:
    async with sessions.begin() as session:
        await ledger.allow_debt(session, BOOK, account, POINT, reason=reason, limit=limit, actor_id=ZHAO, now=NOW)


async def test_a_correction_goes_below_the_floor_only_where_that_was_allowed_and_then_nothing_is_spent(
    sessions: Sessions, spent: int
):
    with pytest.raises(ledger.InsufficientBalance):
        await correct(sessions)
    await allow(sessions, limit=79)
    with pytest.raises(ledger.InsufficientBalance) as short:
        await correct(sessions)
    assert (short.value.asked, short.value.available) == (100, 99)
    await allow(sessions, limit=80)
    with pytest.raises(ledger.InsufficientBalance):
        await correct(sessions, reason="another")
    with pytest.raises(ledger.InsufficientBalance):
        await post(sessions, journal("no reversal", Leg("li", "bakery", POINT, 21), reason="correction"))

    await correct(sessions)

    async with sessions.begin() as session:
        assert await ledger.debts(session, spent) == [ledger.Debt("li", POINT, 80, "correction", 80)]
        assert await ledger.balance(session, spent, "li", POINT) == -80
        for step in (Leg("li", "bakery", POINT, 1), Hold(hold_id(1), "li", POINT, 1)):
            with pytest.raises(ledger.AccountInDebt) as refused:
                await ledger.post(session, spent, journal("spend", step), now=NOW)
            assert refused.value.available == -80
    with pytest.raises(ledger.DebtOpen) as owing:
        await allow(sessions, limit=79)
    assert owing.value.owed == 80

    await post(sessions, issue("next shift", amount=81), journal("crumb", Leg("li", "bakery", POINT, 1)))
    await allow(sessions, limit=0)
    async with sessions.begin() as session:
        assert await ledger.debts(session, spent) == []
    assert await faults(sessions) == []


async def test_a_debt_is_allowed_to_open_accounts_with_a_floor_and_leaves_a_trace(
    sessions: Sessions, spent: int, database: Database
):
    for account, limit, reason, refusal in (
        ("nobody", 5, "typo", ledger.AccountNotFound),
        ("gone", 5, "typo", ledger.AccountClosed),
        ("bakery", 5, "typo", ledger.DebtMalformed),
        ("escrow", 5, "typo", ledger.DebtMalformed),
        ("li", -1, "typo", ledger.DebtMalformed),
        ("li", 2**63, "typo", ledger.DebtMalformed),
        ("li", 5, "", ledger.DebtMalformed),
        ("li", 5, "a\0b", ledger.DebtMalformed),
    ):
        with pytest.raises(refusal):
            await allow(sessions, limit, account, reason)
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.allow_debt(session, 8, "li", POINT, reason="typo", limit=5, actor_id=ZHAO, now=NOW)

    for limit, reason in ((5, "typo"), (5, "typo"), (5, "correction"), (0, "correction"), (0, "whatever")):
        await allow(sessions, limit, reason=reason)

    async with connected(database.audit_url) as connection:
        rows = await connection.fetch("SELECT number, reason, debt_limit, seq, actor_id FROM ledger.debt_allowance")
    assert [tuple(row) for row in rows] == [
        (1, "typo", 5, 2, ZHAO),
        (2, "correction", 5, 2, ZHAO),
        (3, "correction", 0, 2, ZHAO),
    ]


async def test_the_database_itself_keeps_a_debt_within_its_limit(fresh_database: Database, fresh_book: int):
    with pytest.raises(asyncpg.CheckViolationError, match="ck_account_floor"):
        await execute(
            fresh_database.superuser_url,
            "UPDATE ledger.account SET debt_limit = 5, debt_reason = 'typo', balance = -6 WHERE code = 'li'",
        )


async def test_what_was_taken_back_while_the_limit_was_lowered_waits_and_is_refused(
    fresh_database: Database, fresh_sessions: Sessions, fresh_book: int
):
    await post(fresh_sessions, issue("shift", amount=100), journal("bread", Leg("li", "bakery", POINT, 80)))
    await allow(fresh_sessions, limit=80)
    async with connected(fresh_database.superuser_url) as watch, fresh_sessions.begin() as session:
        await ledger.allow_debt(session, BOOK, "li", POINT, reason="correction", limit=0, actor_id=ZHAO, now=NOW)
        calling = asyncio.create_task(correct(fresh_sessions))
        await waiting(watch, 1)
        await session.commit()
        with pytest.raises(ledger.InsufficientBalance):
            await calling
    assert await faults(fresh_sessions) == []


def at(hours: int):
    return NOW + timedelta(hours=hours)


async def test_holds_expire_by_the_books_clock_oldest_first_and_once(sessions: Sessions, book: int):
    await post(
        sessions,
        issue("start", amount=100),
        *(journal(f"hold {n}", Hold(hold_id(n), "li", POINT, 10, at(n) if n < 6 else None)) for n in range(1, 7)),
        journal("used up", Capture(hold_id(1), "bakery", 10)),
        journal("used a little", Capture(hold_id(2), "bakery", 4)),
    )
    async with sessions.begin() as session:
        expire = partial(ledger.expire, session, book, reason="expired")
        assert await expire(now=at(1)) == []
        first = await expire(now=at(4), limit=1)
        assert [(each.hold_id, each.expires_at) for each in first] == [(hold_id(2), at(2))]
        # The book's clock has moved: a caller who is behind it cannot capture what is over.
        with pytest.raises(ledger.HoldExpired):
            await ledger.post(session, book, journal("late", Capture(hold_id(3), "bakery", 1)), now=NOW)
        rest = await expire(now=NOW)
        assert [each.hold_id for each in rest] == [hold_id(3), hold_id(4)]
        assert all(isinstance(each.verdict, Posted) and not each.verdict.replayed for each in [*first, *rest])
        assert await expire(now=at(4)) == []
        state = await ledger.holds(session, book, [hold_id(2), hold_id(5), hold_id(6)])
        assert {key: (hold.released, hold.remaining) for key, hold in state.items()} == {
            hold_id(2): (6, 0),
            hold_id(5): (0, 10),
            hold_id(6): (0, 10),
        }
    assert await faults(sessions) == []


async def test_a_hold_that_cannot_come_home_is_named_and_does_not_stop_the_others(sessions: Sessions, book: int):
    await post(
        sessions,
        issue("li", amount=10),
        issue("jar", account="jar", amount=100),
        journal("jar holds", Hold(hold_id(1), "jar", POINT, 10, at(1))),
        journal("li holds", Hold(hold_id(2), "li", POINT, 10, at(2))),
        issue("the jar is full", account="jar", amount=10),
    )
    async with sessions.begin() as session:
        (full,) = await ledger.expire(session, book, reason="expired", limit=1, now=LATER)
        assert isinstance(full.verdict, ledger.OverCeiling)
        assert full.verdict.reference == f"hold:{hold_id(1)}:expired"
        (home,) = await ledger.expire(session, book, reason="expired", after=full, limit=1, now=LATER)
        assert (home.hold_id, type(home.verdict)) == (hold_id(2), Posted)
        await ledger.post(session, book, journal("make room", Leg("jar", "li", POINT, 10)), now=LATER)
        (full,) = await ledger.expire(session, book, reason="expired", now=LATER)
        assert isinstance(full.verdict, Posted)
    assert await faults(sessions) == []


async def test_a_hold_is_released_once_whoever_lets_it_expire(fresh_sessions: Sessions, fresh_book: int):
    await post(
        fresh_sessions,
        issue("start", amount=1000),
        *(journal(f"hold {n}", Hold(hold_id(n), "li", POINT, 10, at(1))) for n in range(1, 40)),
    )

    async def sweep(_: int) -> list[UUID]:
        async with fresh_sessions.begin() as session:
            return [each.hold_id for each in await ledger.expire(session, BOOK, reason="expired", now=LATER)]

    async def give_back(number: int) -> list[UUID]:
        async with fresh_sessions.begin() as session:
            asked = journal(f"back {number}", Release(hold_id(number)))
            (verdict,) = await ledger.post_many(session, BOOK, [asked], now=LATER)
            return [hold_id(number)] if isinstance(verdict, Posted) else []

    done = await asyncio.gather(*(sweep(n) for n in range(5)), *(give_back(n) for n in range(1, 11)))

    assert sorted(key for part in done for key in part) == [hold_id(n) for n in range(1, 40)]
    assert await faults(fresh_sessions) == []


async def test_a_hold_is_shared_out_in_one_journal_or_not_at_all(sessions: Sessions, book: int):
    await post(sessions, issue("start"), journal("hold", Hold(hold_id(1), "li", POINT, 100)))
    async with sessions.begin() as session:
        share = partial(ledger.capture_shares, session, book, reason="meal", hold_id=hold_id(1), actor_id=ZHAO, now=NOW)
        with pytest.raises(ledger.HoldExceeded) as refused:
            await share(reference="a", shares=[("bakery", 50), ("chen", 30), ("jar", 21)])
        assert (refused.value.step, refused.value.remaining) == (3, 20)
        with pytest.raises(ledger.JournalEmpty):
            await share(reference="a", shares=[])
        done = await share(reference="a", shares=[("bakery", 50), ("chen", 30), ("jar", 15)])
        again = await share(reference="a", shares=[("bakery", 50), ("chen", 30), ("jar", 15)])
        assert again == Posted(done.journal_id, replayed=True)
        found = await ledger.balances(session, book, [(code, POINT) for code in ("bakery", "chen", "jar", "escrow")])
        assert {code: amount for (code, _), amount in found.items()} == {
            "bakery": 50,
            "chen": 30,
            "jar": 15,
            "escrow": 5,
        }
    assert await faults(sessions) == []
