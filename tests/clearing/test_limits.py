"""How much may be sent: by a person in a month, and between two communities; the database has the last word."""

import asyncio
from dataclasses import replace
from datetime import date

import pytest

import ledger
from service import chart, communities, identity
from service.chart import Reason
from service.clearing.actions import agreements, sending
from service.clearing.queries.transfers import receiver_of, sent_since
from service.clearing.rules import NotEnough, OverMonth, OverPosition, ReceiverNotFound, SenderGone, Unit
from service.kit.access import Role
from service.kit.ids import new_id
from service.kit.refusals import Invalid
from tests.cast import ELSEWHERE, HERE
from tests.clearing.conftest import Pair, close_person, give

pytestmark = pytest.mark.anyio


async def let(pair: Pair, name: str, value: int) -> None:
    """A setting from today on."""
    async with pair.app.state.sessions.begin() as session:
        await communities.change_setting(
            session,
            actor=pair.town.actors["jiang"],
            name=name,
            value=value,
            effective_from=date(2026, 11, 22),
            now=pair.clock(),
        )


async def test_no_more_in_a_month_than_set_and_in_the_next_again(pair: Pair) -> None:
    await let(pair, "clearing_member_minutes_per_month_max", 100)
    await pair.send("chen", "stranger", 70)
    with pytest.raises(OverMonth) as refused:
        await pair.send("chen", "stranger", 31)
    assert (refused.value.left, refused.value.hours) == (30, "0.5")
    await pair.send("chen", "stranger", 30)
    await pair.send("sun", "stranger", 100)  # everybody has their own

    pair.clock.move(days=10)
    await pair.send("chen", "stranger", 100)


async def test_what_came_back_does_not_count(pair: Pair) -> None:
    await let(pair, "clearing_member_minutes_per_month_max", 100)
    await pair.send("chen", "stranger_shop", 100)
    with pytest.raises(OverMonth):
        await pair.send("chen", "stranger", 100)
    await close_person(pair, "stranger_shop")
    await pair.settle()

    await pair.send("chen", "stranger", 100)
    with pytest.raises(OverMonth):
        await pair.send("chen", "stranger", 1)


async def test_the_position_stays_below_what_was_agreed_and_below_our_own_setting(pair: Pair) -> None:
    await let(pair, "clearing_open_points_max", 50)
    await pair.send("chen", "stranger", 4000, Unit.POINT)
    with pytest.raises(OverPosition) as refused:
        await pair.send("sun", "stranger", 1001, Unit.POINT)
    assert refused.value.left == 1000
    await pair.send("sun", "stranger", 1000, Unit.POINT)
    await pair.settle()

    await pair.send("stranger", "sun", 5000, Unit.POINT)
    await pair.settle()
    await pair.send("sun", "stranger", 5000, Unit.POINT)


async def test_many_at_once_never_pass_the_position_together(pair: Pair) -> None:
    await let(pair, "clearing_open_minutes_max", 100)
    done = await asyncio.gather(
        *(pair.send(name, "stranger", 30) for name in ("chen", "sun") * 4), return_exceptions=True
    )

    assert sum(isinstance(one, OverPosition) for one in done) == 5
    assert await pair.owed() == (90, 0)


@pytest.fixture
async def third(pair: Pair) -> int:
    """A third community that has agreed with ours, with somebody in it."""
    number = 610102001002
    async with pair.app.state.sessions.begin() as session:
        await communities.found_community(
            session, number=number, name="第三社区", street="街道", street_code=None, phone="0", now=pair.clock()
        )
        newcomer = identity.NewPerson(new_id(), "0002-0001", "第三人", roles=((Role.RESIDENT, None),))
        await identity.enrol_people(
            session, community_id=number, people=[newcomer], actor=None, day=date(2026, 11, 22), now=pair.clock()
        )
    terms = {"partner_id": number, "minutes_max": 6000, "points_max": 1}
    await pair.do(agreements.propose, actor=pair.town.actors["jiang"], **terms)
    await pair.settle()
    admin = replace(pair.town.actors["stranger_staff"], community_id=number, member_id=newcomer.member_id)
    await pair.do(agreements.accept, actor=admin, partner_id=HERE)
    await pair.settle()
    return number


async def send_to_third(pair: Pair, third: int) -> None:
    async with pair.app.state.sessions.begin() as session:
        receiver = await receiver_of(session, third, "0002-0001", "第三人")
        await sending.send(
            session,
            actor=pair.town.actors["chen"],
            partner_id=third,
            receiver=receiver,
            unit=Unit.MINUTE,
            amount=60,
            now=pair.clock(),
        )


async def test_one_person_at_once_to_two_communities_never_passes_the_month(pair: Pair, third: int) -> None:
    """The person's row is what holds them back: the two agreements are two rows."""
    await let(pair, "clearing_member_minutes_per_month_max", 100)
    ways = [pair.send("chen", "stranger", 60), send_to_third(pair, third)]
    done = await asyncio.gather(*ways, return_exceptions=True)

    assert [isinstance(one, OverMonth) for one in done].count(True) == 1


async def test_without_that_lock_both_would_have_passed(pair: Pair) -> None:
    """The control: two who only look before they act see the same and both go on."""
    chen = pair.town.actors["chen"]
    both = asyncio.Barrier(2)

    async def look() -> int:
        async with pair.app.state.sessions() as session:
            seen = await sent_since(session, HERE, chen.member_id, Unit.MINUTE, pair.clock())
            await both.wait()
            return 100 - seen

    assert list(await asyncio.gather(look(), look())) == [100, 100]


async def test_the_database_holds_the_ceiling_by_itself(pair: Pair) -> None:
    await give(pair, "chen", 100_000, 1)
    account = chart.member(pair.town.actors["chen"].member_id)
    journal = ledger.Journal(
        "by-hand",
        Reason.CORRECTION,
        (ledger.Leg(account, chart.clearing(ELSEWHERE), Unit.MINUTE, 6001),),
        actor_id=None,
    )
    async with pair.app.state.sessions() as session:
        with pytest.raises(ledger.OverCeiling):
            await ledger.post(session, HERE, journal, now=pair.clock())


async def test_what_cannot_be_sent_is_refused_in_words(pair: Pair) -> None:
    with pytest.raises(NotEnough):
        await pair.send("chen", "stranger", 601)
    with pytest.raises(Invalid):
        await pair.send("chen", "stranger", 0)
    await close_person(pair, "chen")
    with pytest.raises(SenderGone):
        await pair.send("chen", "stranger", 1)
    await close_person(pair, "stranger")
    with pytest.raises(ReceiverNotFound):
        await pair.send("sun", "stranger", 1)
    assert await pair.owed() == (0, 0)
