"""A member whom a correction took below zero takes nothing until it is made good, and is told so."""

import ledger
from service import chart
from service.chart import Reason
from tests.cast import HERE, START


async def owe(app, client, points: int) -> None:
    """A mistaken gift was spent and is taken back."""
    account = chart.member(client.actor.member_id)
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, account, chart.POINT, points * 100),)
        await ledger.post(session, HERE, ledger.Journal("gift", Reason.SERVICE, legs, None), now=START)
        spent = (ledger.Leg(account, chart.CARE, chart.POINT, points * 100),)
        await ledger.post(session, HERE, ledger.Journal("spent", Reason.SERVICE, spent, None), now=START)
        await ledger.allow_debt(
            session,
            HERE,
            account,
            chart.POINT,
            reason=Reason.CORRECTION,
            limit=points * 100,
            actor_id=client.actor.member_id,
            now=START,
        )
        await ledger.reverse(
            session, HERE, reference="undo", original="gift", reason=Reason.CORRECTION, actor_id=None, now=START
        )


async def test_who_is_in_debt_is_told_how_much_and_takes_nothing(app, li, give, offer_of):
    await owe(app, li, 13)
    await give(li, 5)
    offer_id = await offer_of(price_points=1)

    answer = await li.post(f"/api/offers/{offer_id}/vouchers", json={})
    page = await li.post(f"/offers/{offer_id}/take", data={"_key": "x"})

    assert answer.status_code == page.status_code == 409
    assert (answer.json()["code"], answer.json()["owed"]) == ("vouchers.points_owed", 8)
    assert "还差 8 分没有补上" in page.text


async def test_made_good_the_offer_can_be_taken(app, li, give, offer_of):
    await owe(app, li, 13)
    await give(li, 20)
    offer_id = await offer_of(price_points=7)

    assert (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).status_code == 201


async def test_the_office_reads_why_when_it_takes_for_somebody(app, li, wu, offer_of):
    await owe(app, li, 13)
    offer_id = await offer_of(price_points=1)

    form = {"offer": str(offer_id), "cards": li.actor.card_no, "_key": "x"}
    done = await wu.post("/desk/vouchers/take", data=form)

    assert "要先补平" in (await wu.get(done.headers["location"])).text
