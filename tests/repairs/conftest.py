"""A repair from the report to the resident's yes."""

from datetime import date
from uuid import uuid4

import msgspec
import pytest
import sqlalchemy as sa

import redemption
from service import communities
from service.communities import PriceLine
from service.notifications.actions import send
from service.notifications.rules import POST
from tests.cast import HERE, START
from tests.households.conftest import classify, granny_at_home
from tests.vouchers.conftest import offer_of

__all__ = ["classify", "granny_at_home", "offer_of"]

TAP = {"item": "维修水龙头", "fen_each": 2000}


class Jobs:
    """Granny's tap, and everybody who has to do with it."""

    def __init__(self, clients, team, clock):
        self.clients, self.team, self.clock = clients, team, clock

    async def post(self, who, path, given=None, status=200):
        answer = await self.clients[who].post(path, json=given, headers={"idempotency-key": str(uuid4())})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def taken(self):
        """Phoned in, given to Wang, who takes it."""
        granny = str(self.clients["granny"].actor.member_id)
        made = await self.post("wu", "/api/desk/repairs", {"text": "水龙头漏水", "asked_by": granny}, 201)
        path = f"/api/repairs/{made['order_id']}"
        wang = str(self.clients["wang"].actor.member_id)
        await self.post("wu", f"{path}/assignment", {"team": str(self.team), "repairer": wang})
        await self.post("wang", f"{path}/taking")
        return path

    async def agreed(self, *lines):
        path = await self.taken()
        await self.post("wang", f"{path}/quote", {"lines": list(lines or [TAP])})
        await self.agree(path)
        return path

    async def agree(self, path, who="granny"):
        return await self.post(
            who, f"{path}/agreement", {"revision": (await self.look(path, who))["repair"]["revision"]}
        )

    async def done(self, *lines, minutes=40):
        path = await self.agreed(*lines)
        for step in ("departure", "arrival"):
            await self.post("wang", f"{path}/{step}")
        self.clock.move(minutes=minutes)
        await self.post("wang", f"{path}/completion", {"minutes": minutes, "note": "居民不想拍照"})
        return path

    async def look(self, path, who="granny"):
        return (await self.clients[who].get(path)).json()

    async def accepted(self, path, status=200):
        code = (await self.look(path))["repair"]["code"]
        return await self.post("wang", f"{path}/acceptance", {"code": code, "nonce": str(uuid4())}, status)


@pytest.fixture
async def jobs(app, clock, town, wu, zheng, wang, granny, li, he, offer_of):
    team = town.organisations["team"]
    async with app.state.sessions.begin() as session:
        await communities.set_prices(
            session,
            community_id=HERE,
            organisation_id=team,
            lines=[
                PriceLine("维修水龙头", "次", 1000, 2000, None, False, ""),
                PriceLine("装灯", "盏", 1500, 1500, None, False, ""),
            ],
            effective_from=date(2026, 1, 1),
            actor=None,
            now=START,
        )
    await offer_of(
        kind=redemption.OfferKind.REPAIR,
        merchant_ids=(team,),
        title="上门维修",
        price_points=0,
        payable_fen=0,
        pieces=5,
        stock_total=500,
        per_member_cap=None,
    )
    people = {"wu": wu, "zheng": zheng, "wang": wang, "granny": granny, "li": li, "he": he}
    return Jobs(people, team, clock)


@pytest.fixture
def told(app):
    """Tells the messages of everything that happened, as the worker does."""

    async def tell():
        async with app.state.sessions.begin() as session:
            lines = await session.execute(sa.text("SELECT fact, payload FROM outbox ORDER BY outbox_id"))
            known = {fact.__name__: fact for fact in POST}
            happened = [msgspec.convert(payload, known[fact]) for fact, payload in lines if fact in known]
            await send(session, happened, app.state.clock())

    return tell
