"""Minutes given to somebody of one's household: within limits, once for each key, and to nobody else."""

import asyncio
from collections import Counter

import pytest

from tests.exchange.conftest import Street, code, done

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(street: Street) -> Street:
    """Li and Granny live behind one door, and Li has ten hours."""
    await street.one_household("li", "granny")
    await street.give("li", 600)
    return street


async def test_a_gift_arrives_and_both_see_it(home: Street, li, granny) -> None:
    to = (await done(li.get("/api/exchange/kin"))).json()
    assert [one["name"] for one in to] == ["李奶奶"]
    gift = {"receiver": to[0]["member_id"], "minutes": 60, "note": "请人陪您聊天"}

    await done(li.post("/api/exchange/gifts", json=gift))

    assert (await home.has("li"), await home.has("granny")) == (540, 60)
    (seen,) = (await done(granny.get("/api/exchange/gifts"))).json()["items"]
    assert (seen["is_mine"], seen["other"], seen["note"]) == (False, "李心愿", "请人陪您聊天")
    assert "李**送给李**" in (await li.get("/passbook?unit=minute")).text
    await home.app.state.worker.drain()
    assert "家里人送给您 1 小时时间币" in (await granny.get("/messages")).text
    assert await home.is_whole()


async def test_the_same_key_is_the_same_gift(home: Street, li, granny) -> None:
    key = {"Idempotency-Key": "abc"}
    gift = {"receiver": str(home.member("granny")), "minutes": 60, "note": "好"}

    told = await asyncio.gather(*(li.post("/api/exchange/gifts", json=gift, headers=key) for _ in range(8)))

    assert len({answer.json()["gift_id"] for answer in told}) == 1
    assert await home.has("granny") == 60
    for other in ({"minutes": 30}, {"note": "坏"}):
        assert code(await li.post("/api/exchange/gifts", json=gift | other, headers=key)) == "kit.key_reused"
    assert await home.has("granny") == 60


async def test_to_nobody_else_and_not_more_than_allowed(home: Street, li, chen) -> None:
    gift = {"receiver": str(home.member("granny")), "minutes": 60}
    wrong = {
        "exchange.not_kin": gift | {"receiver": str(home.member("chen"))},
        "exchange.too_long": gift | {"minutes": 301},
        "kit.invalid": gift | {"minutes": 0},
    }
    for said, sent in wrong.items():
        assert code(await li.post("/api/exchange/gifts", json=sent)) == said
    assert code(await chen.post("/api/exchange/gifts", json=gift)) == "exchange.not_kin"
    await home.let("exchange_gift_minutes_per_month_max", 150)

    told = await asyncio.gather(*(li.post("/api/exchange/gifts", json=gift) for _ in range(16)))

    assert Counter(map(code, told)) == {"ok": 2, "exchange.over_gifts": 14}
    assert (await home.has("granny"), await home.is_whole()) == (120, True)


async def test_the_last_minutes_are_given_once(home: Street, li, granny) -> None:
    await home.give("granny", 60)
    gift = {"receiver": str(home.member("li")), "minutes": 60}

    told = await asyncio.gather(*(granny.post("/api/exchange/gifts", json=gift) for _ in range(2)))

    assert sorted(map(code, told)) == ["exchange.not_enough", "ok"]
    assert (await home.has("granny"), await home.has("li")) == (0, 660)


async def test_by_forms_pressed_twice_it_is_given_once(home: Street, li) -> None:
    gift = {"receiver": str(home.member("granny")), "minutes": "90", "note": ""}
    assert "李奶奶" in (await li.get("/exchange/gifts/new")).text
    assert "送完还剩" in (await li.post("/exchange/gifts/check", data=gift)).text
    for _ in range(2):
        given = await li.post("/exchange/gifts", data={**gift, "_key": "k"})
        assert (given.status_code, given.headers["location"]) == (303, "/exchange/gifts?done=exchange.given")
    assert await home.has("granny") == 90
    assert "送给李奶奶" in (await li.get("/exchange/gifts")).text
    refused = await li.post("/exchange/gifts/check", data={**gift, "minutes": "480"})
    assert (refused.status_code, "一次最多 5 小时" in refused.text) == (422, True)
