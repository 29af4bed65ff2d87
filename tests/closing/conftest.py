"""What the tests of closing share: entries that take effect on a day, and people who may close."""

from datetime import date, datetime, timedelta

import pytest

import ledger
from service import chart
from service.chart import Reason
from service.closing import actions
from service.kit.clock import day_begins
from service.kit.ids import new_id
from service.slices import manifests
from tests.cast import HERE
from tests.wallet.conftest import statements

__all__ = ["statements"]


def noon(day: date) -> datetime:
    return day_begins(day) + timedelta(hours=12)


@pytest.fixture
def book_on(app, clock):
    """Posts an entry that takes effect on a day, as it would be booked today."""

    async def post(
        client,
        amount: int,
        day: date | None = None,
        *,
        unit=chart.POINT,
        reason=Reason.OPENING_BALANCE,
        debit=chart.ISSUED,
    ):
        reference = f"test:{new_id()}"
        async with app.state.sessions.begin() as session:
            legs = (ledger.Leg(debit, chart.member(client.actor.member_id), unit, amount),)
            journal = ledger.Journal(reference, reason, legs, None, effective_at=noon(day) if day else None)
            await ledger.post(session, HERE, journal, now=clock.now)
        return reference

    return post


@pytest.fixture
def close(app, clock, qian, feng):
    """Closes a period or a year by its two people, and draws up what is closed."""

    async def do(*, last_day: date | None = None, year: int | None = None) -> None:
        async with app.state.sessions.begin() as session:
            if year is not None:
                made = await actions.propose_year(
                    session, actor=qian.actor, year=year, slices=manifests(), now=clock.now
                )
            else:
                assert last_day is not None
                made = await actions.propose_period(session, actor=qian.actor, last_day=last_day, now=clock.now)
        async with app.state.sessions.begin() as session:
            await actions.confirm_closing(session, actor=feng.actor, closing_id=made, now=clock.now)
        async with app.state.sessions.begin() as session:
            while await actions.draw_up_years(session, clock.now):
                pass

    return do
