"""The days of a repair and what its warranty keeps are the community's settings of the day of the yes, and of the acceptance."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.communities import change_setting
from service.kit.clock import local_day
from service.repairs import actions
from tests.repairs.test_jobs import clean, half_price, owed


@pytest.fixture
def settle(app, clock, zheng):
    """Sets settings from today on."""

    async def to(**values):
        async with app.state.sessions.begin() as session:
            for name, value in values.items():
                await change_setting(
                    session,
                    actor=zheng.actor,
                    name=f"repair_{name}",
                    value=value,
                    effective_from=local_day(clock.now),
                    now=clock.now,
                )

    return to


async def test_two_fifths_wait_ten_days_and_are_then_the_teams(app, clock, jobs, zheng, classify, settle):
    await half_price(zheng, jobs)
    await classify()
    await settle(warranty_days=10, warranty_fifths=2)
    path = await jobs.done()
    accepted = await jobs.accepted(path)
    assert accepted["warranty"] == "held"
    assert await owed(app, jobs) == 600

    # What an order was accepted with stays its own.
    await settle(warranty_days=3, warranty_fifths=1)
    clock.move(days=9)
    async with app.state.sessions.begin() as session:
        assert await actions.release_warranties(session, clock.now) == 0
    clock.move(days=1)
    async with app.state.sessions.begin() as session:
        assert await actions.release_warranties(session, clock.now) == 1
    assert await owed(app, jobs) == 1000
    await clean(app)


@pytest.mark.parametrize("values", [{"warranty_days": 0}, {"warranty_fifths": 0}])
async def test_without_days_or_without_fifths_there_is_no_warranty(app, jobs, zheng, classify, settle, values):
    await half_price(zheng, jobs)
    await classify()
    await settle(**values)
    path = await jobs.done()

    assert (await jobs.accepted(path))["warranty"] == "none"
    assert await owed(app, jobs) == 1000
    await clean(app)


async def test_two_fifths_go_back_when_the_claim_is_upheld(app, jobs, zheng, classify, settle):
    await half_price(zheng, jobs)
    await classify()
    await settle(warranty_fifths=2)
    path = await jobs.done()
    await jobs.accepted(path)
    await jobs.post("granny", f"{path}/warranty-claim", {"reason": "又漏了"})
    await jobs.post("zheng", f"{path}/warranty-claim/confirmation", {"reason": "看过了，确实漏"})

    assert await owed(app, jobs) == 600
    await clean(app)


async def test_the_voucher_is_locked_for_the_days_of_a_job_and_one_more(app, clock, jobs, settle):
    await settle(job_days=3)
    await jobs.agreed()

    async with app.state.sessions() as session:
        until = await session.execute(sa.text("SELECT lock_until FROM redemption.voucher"))
        assert [at - clock.now for at in until.scalars()] == [timedelta(days=4)]
