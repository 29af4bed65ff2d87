"""What was set aside until a day comes back by itself when the day is over."""

from datetime import timedelta

import ledger
from service import chart
from service.chart import Reason
from service.kit.ids import new_id
from service.slices import manifests
from service.wallet.actions import expire_holds
from tests.cast import ELSEWHERE, HERE, START


async def aside(app, client, *, days: int, amount: int = 60) -> None:
    account = chart.member(client.actor.member_id)
    book = client.actor.community_id
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, account, chart.MINUTE, amount),)
        await ledger.post(session, book, ledger.Journal(f"gift:{new_id()}", Reason.SERVICE, legs, None), now=START)
        await ledger.hold(
            session,
            book,
            reference=f"aside:{new_id()}",
            reason=Reason.SERVICE,
            hold_id=new_id(),
            account=account,
            unit=chart.MINUTE,
            amount=amount,
            expires_at=START + timedelta(days=days),
            actor_id=None,
            now=START,
        )


async def has(app, client) -> int:
    async with app.state.sessions() as session:
        return await ledger.balance(
            session, client.actor.community_id, chart.member(client.actor.member_id), chart.MINUTE
        )


async def test_holds_of_every_book_come_back_when_their_day_is_over_and_only_then(app, li, sun, stranger, clock):
    await aside(app, li, days=1)
    await aside(app, sun, days=3)
    await aside(app, stranger, days=1)
    (timed,) = (each for item in manifests() for each in item.timed if each.name == "wallet.expire_holds")

    assert await app.state.worker.do_timed(timed, START) == 0
    assert await app.state.worker.do_timed(timed, clock.move(days=2)) == 2

    assert [await has(app, each) for each in (li, sun, stranger)] == [60, 0, 60]
    assert await app.state.worker.do_timed(timed, clock.now) == 0
    async with app.state.sessions() as session:
        assert [*await ledger.verify(session, HERE), *await ledger.verify(session, ELSEWHERE)] == []


async def test_a_hold_that_cannot_go_back_is_stepped_over(app, li, sun, clock):
    """The account was filled to its ceiling meanwhile; the holds behind it come back all the same."""
    book = HERE
    async with app.state.sessions.begin() as session:
        await ledger.open_account(session, book, "pool:full", chart.MINUTE, floor=0, ceiling=60, now=START)
        for reference, place in (("fill", "gift"), ("fill again", "gift")):
            legs = (ledger.Leg(chart.ISSUED, "pool:full", chart.MINUTE, 60),)
            await ledger.post(
                session, book, ledger.Journal(f"{reference}:{place}", Reason.SERVICE, legs, None), now=START
            )
            if reference == "fill":
                await ledger.hold(
                    session,
                    book,
                    reference="aside:full",
                    reason=Reason.SERVICE,
                    hold_id=new_id(),
                    account="pool:full",
                    unit=chart.MINUTE,
                    amount=60,
                    expires_at=START + timedelta(hours=1),
                    actor_id=None,
                    now=START,
                )
    await aside(app, li, days=1)
    async with app.state.sessions.begin() as session:
        assert await expire_holds(session, clock.move(days=2)) == 1
    async with app.state.sessions.begin() as session:
        assert await expire_holds(session, clock.now) == 0
    assert await has(app, li) == 60
