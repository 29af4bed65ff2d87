"""The same life by the pages: forms without a script, twice pressed, refused with everything that was typed."""

import re

import pytest

from tests.exchange.conftest import SOUP, Street, done

pytestmark = pytest.mark.anyio


async def test_a_whole_life_by_forms(street: Street, li, chen, wu) -> None:
    await street.give("li", 100)
    assert "交换板上还是空的" in (await li.get("/exchange")).text
    form = {key: str(value) for key, value in SOUP.items()}
    assert "看一看再发" in (await chen.post("/exchange/check", data=form)).text
    places = {(await chen.post("/exchange", data={**form, "_key": "once"})).headers["location"] for _ in range(2)}
    (place,) = places
    listing = place.split("?")[0]
    assert "缝裤边" in (await li.get("/exchange")).text
    assert "陈**" in (await li.get(listing)).text

    asked = await li.post(f"{listing}/answers", data={"note": "周六都在", "_key": "a"})
    own = asked.headers["location"].split("?")[0]
    assert "等您办的" in (await chen.get("/exchange/mine")).text
    assert "缝裤边" in (await chen.get("/home")).text
    for _ in range(2):
        accepted = await chen.post(f"{own}/accept", data={})
        assert (accepted.status_code, accepted.headers["location"]) == (303, f"{own}?done=exchange.accepted")
    assert "李心愿" in (await chen.get(own)).text
    await chen.post(f"{own}/finish", data={})
    disputed = await li.post(f"{own}/dispute", data={"words": " "})
    assert (disputed.status_code, "怎么回事" in disputed.text) == (422, True)
    assert (await li.post(f"{own}/dispute", data={"words": "还差一条"})).status_code == 303

    assert "缝裤边" in (await wu.get("/desk/exchange")).text
    assert "缝裤边" in (await wu.get("/desk")).text
    desk = own.replace("/exchange/", "/desk/exchange/")
    assert "还差一条" in (await wu.get(desk)).text
    refused = await wu.post(f"{desk}/decide", data={"paid_minutes": "31", "reason": "说好了"})
    assert (refused.status_code, 'value="31"' in refused.text) == (422, True)
    assert (await wu.post(f"{desk}/decide", data={"paid_minutes": "20", "reason": "说好了"})).status_code == 303
    assert (await street.has("li"), await street.has("chen"), await street.is_whole()) == (80, 20, True)

    assert (await li.post(f"{own}/thanks", data={"words": "手真巧"})).status_code == 303
    assert "手真巧" in (await chen.get(own)).text
    assert "手真巧" in (await wu.get("/desk/exchange?shown=thanks")).text
    await wu.post(f"{desk}/hide", data={})
    assert "手真巧" not in (await chen.get(own)).text
    csv = (await wu.get("/desk/exchange/list.csv?shown=all&q=0012-0003")).content.decode("utf-8-sig")
    assert re.search(r"缝裤边,李心愿,.*0012-0001.*,陈助人", csv)
    await street.app.state.worker.drain()
    for client in (li, chen):
        assert "居委会定了：0.33 小时归帮忙的邻居，其余退回。" in (await client.get("/messages")).text


async def test_a_refusal_at_the_door_shows_the_page_again(street: Street, li, chen) -> None:
    exchange_id = await street.asked(li, chen)

    refused = await li.post(f"/exchange/{exchange_id}/accept", data={})

    assert (refused.status_code, "您的时间币不够" in refused.text) == (409, True)
    assert f"/exchange/{exchange_id}/decline" in refused.text
    assert await street.state(exchange_id) == "asked"


async def test_only_the_two_read_each_others_phone_and_every_look_is_kept(street: Street, li, chen, sun) -> None:
    await street.give("li", 100)
    exchange_id = await street.asked(li, chen)
    assert (await li.get(f"/api/exchange/{exchange_id}/contact")).status_code == 403
    await done(li.post(f"/api/exchange/{exchange_id}/accept"))

    assert (await done(li.get(f"/api/exchange/{exchange_id}/contact"))).json()["name"] == "陈助人"
    assert (await sun.get(f"/api/exchange/{exchange_id}/contact")).status_code == 404
    assert (await sun.get(f"/exchange/{exchange_id}")).status_code == 404


async def test_the_pages_speak_english(street: Street, li, chen) -> None:
    exchange_id = await street.asked(li, chen)
    li.cookies.set("locale", "en")
    for path in ("/exchange", "/exchange/mine", "/exchange/listings", "/exchange/new", f"/exchange/{exchange_id}"):
        assert (await li.get(path)).status_code == 200
