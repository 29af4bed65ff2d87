"""A lost second factor is taken away at the desk: by two of the staff, and neither is whose it is."""

import asyncio

import pytest
import sqlalchemy as sa
from litestar import Litestar

from tests.cast import Client, TownClock
from tests.identity.factors import enrol

pytestmark = pytest.mark.anyio


async def test_two_others_take_a_lost_one_away(
    app: Litestar, jiang: Client, qian: Client, wu: Client, zheng: Client, pins: None, clock: TownClock
) -> None:
    await enrol(qian, clock)
    path = f"/api/people/{qian.actor.member_id}/second-factor/removals"

    own = await qian.post(path, json={"reason": "lost"})
    assert (own.status_code, own.json()["code"]) == (409, "identity.two_others_needed")
    asked = await wu.post(path, json={"reason": "lost"})
    assert asked.status_code == 201
    removal = f"/api/second-factor-removals/{asked.json()['removal_id']}"
    twice = await zheng.post(path, json={"reason": "broken"})
    assert (twice.status_code, twice.json()["code"]) == (409, "identity.removal_waits")
    for alone in (wu, qian):
        refused = await alone.post(f"{removal}/agreement")
        assert (refused.status_code, refused.json()["code"]) == (409, "identity.two_others_needed")
    await app.state.worker.drain()
    assert "请求收回您的验证器" in (await qian.get("/messages")).text

    answers = await asyncio.gather(zheng.post(f"{removal}/agreement"), jiang.post(f"{removal}/agreement"))
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert (await qian.get("/api/me")).status_code == 401  # signed out everywhere
    async with app.state.sessions.begin() as session:
        row = (await session.execute(sa.text("SELECT secret_sealed, ended_by FROM second_factor"))).one()
        audited = await session.execute(
            sa.text(
                "SELECT action, actor_id, on_behalf_of FROM audit WHERE action LIKE 'identity.removal%' ORDER BY audit_id"
            )
        )
        lines = [tuple(line) for line in audited]
    assert row.secret_sealed is None
    assert row.ended_by in (zheng.actor.member_id, jiang.actor.member_id)
    assert [line[0] for line in lines] == ["identity.removal_proposed", "identity.removal_agreed"]
    assert {line[2] for line in lines} == {qian.actor.member_id}


async def test_whose_it_is_may_say_no(qian: Client, wu: Client, zheng: Client, pins: None, clock: TownClock) -> None:
    await enrol(qian, clock)
    asked = await wu.post(f"/desk/second-factors/{qian.actor.member_id}/removals", data={"reason": "lost"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/desk/second-factors?done=removal_proposed")
    listed = (await zheng.get("/api/second-factors")).json()["items"]
    removal = next(one["waiting"]["removal_id"] for one in listed if one["waiting"])
    assert "/desk/second-factors" in (await zheng.get("/desk")).text

    said_no = await qian.post(f"/desk/second-factors/removals/{removal}/refuse")
    assert said_no.status_code == 303
    late = await zheng.post(f"/api/second-factor-removals/{removal}/agreement")
    assert (late.status_code, late.json()["code"]) == (409, "identity.removal_decided")
    assert (await qian.get("/api/me/second-factor")).json()["since"] is not None


async def test_the_neighbours_requests_look_like_missing_ones(
    stranger_staff: Client, qian: Client, wu: Client, pins: None, clock: TownClock
) -> None:
    await enrol(qian, clock)
    asked = await wu.post(f"/api/people/{qian.actor.member_id}/second-factor/removals", json={"reason": "lost"})
    removal = asked.json()["removal_id"]

    for path in (f"/api/second-factor-removals/{removal}/agreement", f"/api/second-factor-removals/{removal}/refusal"):
        assert (await stranger_staff.post(path)).status_code == 404
    there = await stranger_staff.post(
        f"/api/people/{qian.actor.member_id}/second-factor/removals", json={"reason": "lost"}
    )
    assert there.status_code == 404
