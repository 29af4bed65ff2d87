"""Amounts that expire: what is spent first, what a gift and a refund keep, and what the sweep takes."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import AccountSpec, Capture, ExpiryPolicy, ExpiryRule, Hold, Journal, Leg, Posted, Refund, Release
from ledger.verify import lots as checks
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, ZHAO, hold_id, issue, journal, post

LIN = AccountSpec("lin", "point")
"""Her code begins like Li's: the rule of these tests is for both, and for nobody else."""
MONTHLY = ExpiryPolicy("li", ExpiryRule.MONTHS, 1)
APRIL, MAY = datetime(2026, 4, 1, 16, tzinfo=UTC), datetime(2026, 5, 1, 16, tzinfo=UTC)
"""What is earned on 1 March lives to the end of the first of April in Shanghai, what is earned on 1 April to that of May."""
ON_APRIL_1 = datetime(2026, 4, 1, 4, tzinfo=UTC)
ON_APRIL_2 = datetime(2026, 4, 2, 4, tzinfo=UTC)
WEEK = timedelta(days=7, microseconds=1)
"""Seven days of grace; what has them expires at a moment that is no day's beginning."""
H = hold_id(1)

pytestmark = pytest.mark.usefixtures("book")


async def rule(sessions: Sessions, policy: ExpiryPolicy = MONTHLY, now: datetime = NOW) -> None:
    async with sessions.begin() as session:
        await ledger.open_accounts(session, BOOK, [LIN], now=NOW)
        await ledger.set_expiry(session, BOOK, "point", policy, actor_id=ZHAO, now=now)


async def of(sessions: Sessions, account: str = "li") -> list[tuple[datetime | None, int]]:
    async with sessions() as session:
        assert await ledger.verify(session, BOOK) == []
        return [(lot.expires_at, lot.amount) for lot in await ledger.lots(session, BOOK, account, "point")]


async def earn(sessions: Sessions) -> None:
    """100 that end with the first of April and 100 that end with the first of May."""
    await rule(sessions)
    await post(sessions, issue("march", amount=100))
    await post(sessions, issue("april", amount=100), now=ON_APRIL_1)


async def swept(sessions: Sessions, now: datetime) -> list[tuple[str, int, bool]]:
    async with sessions.begin() as session:
        done = await ledger.sweep(session, BOOK, reason="expired", now=now)
    return [(each.account, each.amount, isinstance(each.verdict, Posted)) for each in done]


async def balance(sessions: Sessions, account: str = "li") -> int:
    async with sessions() as session:
        return await ledger.balance(session, BOOK, account, "point")


async def test_the_first_to_expire_is_the_first_spent(sessions: Sessions):
    await earn(sessions)
    assert await of(sessions) == [(APRIL, 100), (MAY, 100)]
    await post(sessions, journal("bread", Leg("li", "bakery", "point", 130)), now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 70)]


async def test_what_is_over_cannot_be_spent_and_is_swept_once(sessions: Sessions):
    await earn(sessions)
    with pytest.raises(ledger.InsufficientBalance) as refused:
        await post(sessions, journal("bread", Leg("li", "bakery", "point", 101)), now=ON_APRIL_2)
    assert refused.value.available == 100
    with pytest.raises(ledger.InsufficientBalance):
        await post(sessions, journal("aside", Hold(H, "li", "point", 101)), now=ON_APRIL_2)
    await post(sessions, journal("bread", Leg("li", "bakery", "point", 60)), now=ON_APRIL_2)
    assert await of(sessions) == [(APRIL, 100), (MAY, 40)]
    assert await swept(sessions, ON_APRIL_2) == [("li", 100, True)]
    assert await swept(sessions, ON_APRIL_2) == []
    assert (await balance(sessions), await balance(sessions, "expired")) == (40, 100)
    assert await of(sessions) == [(MAY, 40)]


async def test_a_gift_keeps_its_time(sessions: Sessions):
    await earn(sessions)
    await post(sessions, journal("gift", Leg("li", "lin", "point", 150)), now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 50)]
    assert await of(sessions, "lin") == [(APRIL, 100), (MAY, 50)]


async def test_a_refund_returns_to_the_lots_it_came_from(sessions: Sessions):
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 150)), now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 50)]
    await post(sessions, journal("bread", Capture(H, "bakery", 120)), now=ON_APRIL_1)
    await post(sessions, journal("rest", Release(H)), now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 80)]
    # Two purchases later the first is taken back: what is April's is April's again, whatever was spent meanwhile.
    await post(sessions, journal("tea", Leg("li", "bakery", "point", 30)), now=ON_APRIL_1)
    await post(sessions, journal("sorry", Refund(H, "bakery", 110)), now=ON_APRIL_1)
    assert await of(sessions) == [(APRIL, 90), (MAY, 70)]
    with pytest.raises(ledger.RefundExceeds) as refused:
        await post(sessions, journal("more", Refund(H, "bakery", 11)), now=ON_APRIL_1)
    assert (refused.value.asked, refused.value.remaining) == (11, 10)


async def test_a_hold_beyond_what_one_has_makes_nothing_young(sessions: Sessions):
    """Whoever may owe sets aside more than lies in lots; what comes back pays that first, the rest is as old as it was."""
    await rule(sessions)
    async with sessions.begin() as session:
        await ledger.open_account(session, BOOK, "lisbon", "point", floor=-50, now=NOW)
    await post(sessions, journal("march", Leg("issued", "lisbon", "point", 20)))
    await post(sessions, journal("aside", Hold(H, "lisbon", "point", 60)), now=ON_APRIL_1)
    assert await of(sessions, "lisbon") == []
    await post(sessions, journal("some", Release(H, 30)), now=ON_APRIL_1)
    assert (await of(sessions, "lisbon"), await balance(sessions, "lisbon")) == ([], -10)
    await post(sessions, journal("paid", Capture(H, "bakery", 30)), now=ON_APRIL_1)
    await post(sessions, journal("undone", Refund(H, "bakery", 30)), now=ON_APRIL_1)
    assert (await of(sessions, "lisbon"), await balance(sessions, "lisbon")) == ([(APRIL, 20)], 20)


async def test_a_hold_of_nothing_but_debt_has_no_lots(sessions: Sessions):
    await rule(sessions, ExpiryPolicy("bakery", ExpiryRule.NEVER, 1))
    await post(sessions, journal("owed", Hold(H, "bakery", "point", 1)))
    assert await of(sessions, "bakery") == []
    await post(sessions, journal("back", Release(H)))
    assert (await of(sessions, "bakery"), await balance(sessions, "bakery")) == ([], 0)


async def test_what_comes_back_late_is_over_at_once_or_has_its_days_of_grace(sessions: Sessions):
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 100)), now=ON_APRIL_1)
    await post(sessions, journal("other", Hold(hold_id(2), "li", "point", 50)), now=ON_APRIL_1)
    await post(sessions, journal("back", Release(H, 40)), now=ON_APRIL_2)
    assert await of(sessions) == [(APRIL, 40), (MAY, 50)]
    assert await swept(sessions, ON_APRIL_2) == [("li", 40, True)]
    await rule(sessions, ExpiryPolicy("li", ExpiryRule.MONTHS, 1, grace_days=7), now=ON_APRIL_2)
    await post(sessions, journal("late", Release(H)), now=ON_APRIL_2)
    assert await of(sessions) == [(ON_APRIL_2 + WEEK, 60), (MAY, 50)]


async def test_a_voucher_taken_and_given_back_again_and_again_does_not_keep_points_alive(sessions: Sessions):
    await rule(sessions, ExpiryPolicy("li", ExpiryRule.MONTHS, 1, grace_days=7))
    await post(sessions, issue("march", amount=100), now=NOW)
    await post(sessions, journal("first", Hold(H, "li", "point", 100)), now=ON_APRIL_1)
    await post(sessions, journal("first back", Release(H)), now=ON_APRIL_2)
    await post(sessions, journal("second", Hold(hold_id(2), "li", "point", 100)), now=ON_APRIL_2)
    late = ON_APRIL_2 + WEEK + timedelta(days=1)
    await post(sessions, journal("second back", Release(hold_id(2))), now=late)
    assert await of(sessions) == [(ON_APRIL_2 + WEEK, 100)]
    with pytest.raises(ledger.InsufficientBalance):
        await post(sessions, journal("third", Hold(hold_id(3), "li", "point", 1)), now=late)
    assert await swept(sessions, late) == [("li", 100, True)]


async def test_a_gift_of_what_had_grace_has_none_again_however_it_comes_back(sessions: Sessions):
    await rule(sessions, ExpiryPolicy("li", ExpiryRule.MONTHS, 1, grace_days=7))
    await post(sessions, issue("march", amount=100), journal("aside", Hold(H, "li", "point", 100)), now=NOW)
    await post(sessions, journal("back", Release(H)), now=ON_APRIL_2)
    await post(sessions, journal("gift", Leg("li", "lin", "point", 100)), now=ON_APRIL_2)
    other = hold_id(2)
    await post(sessions, journal("hers", Hold(other, "lin", "point", 60)), now=ON_APRIL_2)
    await post(sessions, journal("used", Capture(other, "bakery", 30)), now=ON_APRIL_2)
    await post(sessions, journal("bread", Leg("lin", "bakery", "point", 40)), now=ON_APRIL_2)
    late = ON_APRIL_2 + WEEK + timedelta(days=1)
    await post(sessions, journal("hers back", Release(other), Refund(other, "bakery", 30)), now=late)
    async with sessions.begin() as session:
        await ledger.reverse(
            session, BOOK, reference="no bread", original="bread", reason="typo", actor_id=ZHAO, now=late
        )
    assert await of(sessions, "lin") == [(ON_APRIL_2 + WEEK, 100)]
    assert await swept(sessions, late) == [("lin", 100, True)]


async def test_grace_given_to_one_takes_nothing_from_another_whose_points_expire_when_a_day_begins(sessions: Sessions):
    """Li's days of grace, counted from the very moment, would end when Lin's points expire."""
    await rule(sessions, ExpiryPolicy("li", ExpiryRule.MONTHS, 1, grace_days=29))
    await post(sessions, issue("march", amount=100), journal("aside", Hold(H, "li", "point", 100)), now=NOW)
    at = MAY - timedelta(days=29)
    await post(sessions, issue("april", "lin", 50), now=ON_APRIL_1)
    other = hold_id(2)
    await post(sessions, journal("hers", Hold(other, "lin", "point", 50)), now=at)
    await post(sessions, journal("back", Release(H)), now=at)
    assert await of(sessions) == [(MAY + timedelta(microseconds=1), 100)]
    late = MAY + timedelta(hours=1, microseconds=5)
    await post(sessions, journal("hers back", Release(other)), now=late)
    assert await of(sessions, "lin") == [(late + timedelta(days=29), 50)]


async def test_what_comes_back_in_a_journal_can_be_put_aside_again_in_it(sessions: Sessions):
    """A voucher whose use is taken back: old rest out, shop to member, all of it into a new hold."""
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 100)), now=ON_APRIL_1)
    await post(sessions, journal("one", Capture(H, "bakery", 50)), now=ON_APRIL_1)
    anew = Hold(hold_id(2), "li", "point", 100)
    await post(sessions, journal("undo", Release(H), Refund(H, "bakery", 50), anew), now=ON_APRIL_2)
    assert await of(sessions) == [(MAY, 100)]
    await post(sessions, journal("used", Capture(hold_id(2), "bakery", 100)), now=ON_APRIL_2)
    assert await of(sessions) == [(MAY, 100)]


async def test_a_reversal_takes_from_the_lot_it_made_and_gives_back_to_those_it_emptied(sessions: Sessions):
    await earn(sessions)
    await post(sessions, journal("gift", Leg("li", "lin", "point", 150)), now=ON_APRIL_1)
    await post(sessions, issue("more", "lin", 10), now=ON_APRIL_2)
    async with sessions.begin() as session:
        await ledger.reverse(
            session, BOOK, reference="no gift", original="gift", reason="typo", actor_id=ZHAO, now=ON_APRIL_2
        )
    assert await of(sessions) == [(APRIL, 100), (MAY, 100)]
    assert [amount for _, amount in await of(sessions, "lin")] == [10]
    async with sessions.begin() as session:
        await ledger.reverse(
            session, BOOK, reference="no april", original="april", reason="typo", actor_id=ZHAO, now=ON_APRIL_2
        )
    assert await of(sessions) == [(APRIL, 100)]


async def test_what_pays_a_debt_off_lies_in_no_lot(sessions: Sessions):
    await rule(sessions)
    await post(sessions, issue("march", amount=100), journal("bread", Leg("li", "bakery", "point", 100)))
    async with sessions.begin() as session:
        await ledger.allow_debt(session, BOOK, "li", "point", reason="typo", limit=100, actor_id=ZHAO, now=NOW)
    async with sessions.begin() as session:
        await ledger.reverse(session, BOOK, reference="undo", original="march", reason="typo", actor_id=ZHAO, now=NOW)
    assert await of(sessions) == []
    await post(sessions, issue("again", amount=130))
    assert await of(sessions) == [(APRIL, 30)]


@pytest.mark.parametrize(
    ("policy", "expires"),
    [
        (ExpiryPolicy("li", ExpiryRule.YEAR), datetime(2026, 12, 31, 16, tzinfo=UTC)),
        (ExpiryPolicy("li", ExpiryRule.YEAR, 12), datetime(2027, 12, 31, 16, tzinfo=UTC)),
        (ExpiryPolicy("li", ExpiryRule.MONTHS, 24), datetime(2028, 3, 1, 16, tzinfo=UTC)),
        (ExpiryPolicy("li", ExpiryRule.MONTHS, 3, zone="UTC"), datetime(2026, 6, 2, tzinfo=UTC)),
        (ExpiryPolicy("li", ExpiryRule.NEVER), None),
    ],
)
async def test_the_rules(sessions: Sessions, policy: ExpiryPolicy, expires: datetime | None):
    await rule(sessions, policy)
    await post(sessions, issue("a", amount=5))
    assert await of(sessions) == [(expires, 5)]


async def test_what_was_there_before_the_first_rule_counts_as_earned_then(sessions: Sessions):
    await post(sessions, issue("a", amount=50), journal("aside", Hold(H, "li", "point", 20)), now=NOW)
    await post(sessions, journal("bread", Capture(H, "bakery", 5)))
    await rule(sessions, now=ON_APRIL_1)
    await rule(sessions, now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 30)]
    await post(sessions, journal("back", Release(H), Refund(H, "bakery", 5)), now=ON_APRIL_1)
    assert await of(sessions) == [(MAY, 50)]
    async with sessions() as session:
        (policy,) = await ledger.expiry_policies(session, BOOK, "point")
        assert (policy.policy, policy.actor_id) == (MONTHLY, ZHAO)
        assert await ledger.expiry_policies(session, BOOK, "minute") == []
        assert await ledger.lots(session, BOOK, "bakery", "point") == []


async def test_another_unit_and_another_account_know_nothing_of_it(sessions: Sessions):
    await rule(sessions)
    await post(sessions, issue("m", unit="minute"), issue("c", "chen"))
    assert await of(sessions, "chen") == []
    far = datetime(2099, 1, 1, tzinfo=UTC)
    await post(sessions, journal("spend", Leg("li", "chen", "minute", 1000), Leg("chen", "jar", "point", 1)), now=far)
    async with sessions() as session:
        assert await ledger.lots(session, BOOK, "li", "minute") == []


async def test_who_is_to_be_warned_comes_page_by_page(sessions: Sessions):
    await earn(sessions)
    await post(sessions, issue("lin", "lin", 7))
    soon, found = MAY + timedelta(seconds=1), list[ledger.Expiring]()
    async with sessions() as session:
        while page := await ledger.expiring(
            session, BOOK, "point", before=soon, after=found[-1].place if found else None, limit=1
        ):
            found += page
        assert [each.amount for each in await ledger.expiring(session, BOOK, "point", before=MAY)] == [100]
    assert [(each.account, each.expires_at, each.amount) for each in found] == [
        ("li", APRIL, 100),
        ("li", MAY, 100),
        ("lin", MAY, 7),
    ]


async def test_a_sweep_of_many_goes_on_where_it_stopped(sessions: Sessions):
    await rule(sessions)
    await post(sessions, issue("li", amount=3), issue("lin", "lin", 7))
    async with sessions.begin() as session:
        (first,) = await ledger.sweep(session, BOOK, reason="expired", limit=1, now=ON_APRIL_2)
    async with sessions.begin() as session:
        (second,) = await ledger.sweep(session, BOOK, reason="expired", after=first, limit=1, now=ON_APRIL_2)
        assert await ledger.sweep(session, BOOK, reason="expired", after=second, now=ON_APRIL_2) == []
    assert {first.account, second.account} == {"li", "lin"}


MALFORMED = [
    ExpiryPolicy("", ExpiryRule.YEAR),
    ExpiryPolicy("escrow", ExpiryRule.YEAR),
    ExpiryPolicy("e", ExpiryRule.YEAR),
    ExpiryPolicy("expired", ExpiryRule.YEAR),
    ExpiryPolicy("x" * 201, ExpiryRule.YEAR),
    ExpiryPolicy("li", ExpiryRule.MONTHS, 0),
    ExpiryPolicy("li", ExpiryRule.MONTHS, -1),
    ExpiryPolicy("li", ExpiryRule.MONTHS, 10**30),
    ExpiryPolicy("li", ExpiryRule.YEAR, grace_days=-1),
    ExpiryPolicy("li", ExpiryRule.YEAR, grace_days=10**30),
    ExpiryPolicy("li", ExpiryRule.YEAR, zone="Atlantis/Poseidon"),
    ExpiryPolicy("li", "weekly"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("policy", MALFORMED, ids=str)
async def test_no_such_rule(sessions: Sessions, policy: ExpiryPolicy):
    with pytest.raises(ledger.ExpiryMalformed):
        await rule(sessions, policy)


async def test_a_rule_needs_a_book_and_a_unit_and_keeps_to_its_accounts(sessions: Sessions):
    await rule(sessions)
    async with sessions.begin() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.set_expiry(session, 8, "point", MONTHLY, actor_id=ZHAO, now=NOW)
        with pytest.raises(ledger.UnitNotFound):
            await ledger.set_expiry(session, BOOK, "yuan", MONTHLY, actor_id=ZHAO, now=NOW)
        with pytest.raises(ledger.ExpiryMalformed):
            await ledger.set_expiry(
                session, BOOK, "point", ExpiryPolicy("lin", ExpiryRule.YEAR), actor_id=ZHAO, now=NOW
            )


async def test_a_batch_is_the_same_as_one_by_one_when_something_comes_back_late(sessions: Sessions):
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 100)), now=ON_APRIL_1)
    batch = [
        journal("back", Release(H)),
        Journal("bread", "why", (Leg("li", "bakery", "point", 101),), ZHAO),
        Journal("tea", "why", (Leg("li", "bakery", "point", 100),), ZHAO),
    ]
    async with sessions.begin() as session:
        verdicts = await ledger.post_many(session, BOOK, batch, now=ON_APRIL_2)
    assert [type(verdict) for verdict in verdicts] == [Posted, ledger.InsufficientBalance, Posted]
    assert await of(sessions) == [(APRIL, 100)]


async def test_a_batch_is_the_same_as_one_by_one_when_what_is_over_is_taken_away_in_it(sessions: Sessions):
    await earn(sessions)
    away = Journal("away", "why", (Leg("li", "expired", "point", 100),), ZHAO)
    bread = Journal("bread", "why", (Leg("li", "bakery", "point", 100),), ZHAO)
    async with sessions.begin() as session:
        verdicts = await ledger.post_many(session, BOOK, [away, bread], now=ON_APRIL_2)
    assert [type(verdict) for verdict in verdicts] == [Posted, Posted]
    assert await of(sessions) == []


async def test_a_batch_is_the_same_as_one_by_one_when_what_it_captures_is_over(sessions: Sessions):
    """What lay aside was over when it came to Lin, so the next journal of the batch cannot spend it."""
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 30)), now=ON_APRIL_1)
    given = Journal("given", "why", (Capture(H, "lin", 20),), ZHAO)
    bread = Journal("bread", "why", (Leg("lin", "bakery", "point", 10),), ZHAO)
    async with sessions.begin() as session:
        verdicts = await ledger.post_many(session, BOOK, [given, bread], now=ON_APRIL_2)
    assert [type(verdict) for verdict in verdicts] == [Posted, ledger.InsufficientBalance]
    assert await of(sessions, "lin") == [(APRIL, 20)]


LI = "(SELECT account_id FROM ledger.account WHERE code = 'li' AND unit = 'point')"
PLANTS = {
    "lot_sum": f"UPDATE ledger.account SET balance = balance + 1 WHERE account_id = {LI}",
    "lot_moves": f"UPDATE ledger.lot SET amount = amount + 1 WHERE account_id = {LI} AND expires_at = '{MAY}'",
    "lot_transfer": "UPDATE ledger.lot_move SET amount = amount - 1 WHERE seq = 3",
    "lot_expiry": "UPDATE ledger.lot_move SET expires_at = '2030-01-01Z' WHERE seq = 2",
    "hold_lot": "UPDATE ledger.hold_lot SET captured = captured + 1",
    "lot_grace": "UPDATE ledger.lot_move SET expires_at = expires_at + interval '1 microsecond' WHERE seq = 4",
}


@pytest.mark.parametrize("kind", PLANTS)
async def test_a_planted_fault_is_named(database: Database, sessions: Sessions, kind: str):
    await earn(sessions)
    await post(sessions, journal("aside", Hold(H, "li", "point", 50)), journal("back", Release(H, 10)), now=ON_APRIL_1)
    async with open_engine(database.superuser_url) as engine, sessions_of(engine)() as session:
        assert kind in {fault.kind for fault in await planted(session, PLANTS[kind])}
        await session.rollback()


async def planted(session: AsyncSession, statement: str) -> list[ledger.Fault]:
    assert await ledger.verify(session, BOOK) == []
    await (await session.connection()).exec_driver_sql(statement)
    return await ledger.verify(session, BOOK)


def test_every_kind_of_fault_has_been_planted():
    assert set(re.findall(r"\('(\w+)', ", " ".join(checks.CHECKS))) == set(PLANTS)
