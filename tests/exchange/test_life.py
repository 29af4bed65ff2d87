"""One exchange from the board to thanks, and every way in which it ends otherwise."""

import pytest

from service.exchange.actions import listing, timed
from tests.exchange.conftest import SOUP, WALK, Street, code, done

pytestmark = pytest.mark.anyio


async def test_what_is_offered_is_paid_by_whoever_asks_for_it(street: Street, li, chen) -> None:
    await street.give("li", 100)
    exchange_id = await street.asked(chen, li, SOUP)
    assert (await street.has("li"), await street.aside()) == (100, 0)

    accepted = (await done(chen.post(f"/api/exchange/{exchange_id}/accept"))).json()
    assert (accepted["state"], await street.has("li"), await street.aside()) == ("accepted", 70, 30)
    await done(chen.post(f"/api/exchange/{exchange_id}/finish"))
    confirmed = (await done(li.post(f"/api/exchange/{exchange_id}/confirm"))).json()

    assert (confirmed["state"], confirmed["paid_minutes"]) == ("confirmed", 30)
    assert (await street.has("li"), await street.has("chen"), await street.aside()) == (70, 30, 0)
    await done(li.post(f"/api/exchange/{exchange_id}/thanks", json={"words": "缝得真好"}))
    seen = (await done(chen.get(f"/api/exchange/{exchange_id}"))).json()
    assert seen["exchange"]["thanks"] == "缝得真好"
    assert [moment["verb"] for moment in seen["history"]] == ["ask", "accept", "finish", "confirm", "thank"]
    assert await street.is_whole()


async def test_what_is_needed_is_paid_by_its_owner_and_leaves_the_board(street: Street, li, chen, sun) -> None:
    await street.give("li", 100)
    exchange_id = await street.asked(li, chen)
    listing_id = (await done(li.get("/api/exchange/listings"))).json()["items"][0]["listing_id"]
    other = await street.answered(listing_id, sun)

    await done(li.post(f"/api/exchange/{exchange_id}/accept"))

    assert (await street.has("li"), await street.aside()) == (40, 60)
    assert (await done(sun.get("/api/exchange/listings"))).json()["items"] == []
    assert (await done(sun.get(f"/api/exchange/{other}"))).json()["exchange"]["state"] == "declined"
    assert code(await li.post(f"/api/exchange/{other}/accept")) == "exchange.moved_on"
    await done(li.post(f"/api/exchange/{exchange_id}/confirm"))  # before the helper says so
    assert (await street.has("chen"), await street.is_whole()) == (60, True)


async def test_the_same_again_answers_the_same(street: Street, li, chen) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    again = (await done(li.post(f"/api/exchange/{exchange_id}/accept"))).json()
    assert again["state"] == "accepted"
    await done(chen.post(f"/api/exchange/{exchange_id}/finish"))
    for _ in range(2):
        assert (await done(li.post(f"/api/exchange/{exchange_id}/confirm"))).json()["state"] == "confirmed"

    assert (await street.has("li"), await street.has("chen")) == (40, 60)
    assert len((await done(li.get(f"/api/exchange/{exchange_id}"))).json()["history"]) == 4


@pytest.mark.parametrize("who", ["li", "chen"])
async def test_either_side_steps_back_before_it_is_done_and_everything_returns(
    street: Street, li, chen, who: str
) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    client = {"li": li, "chen": chen}[who]

    for _ in range(2):
        assert (await done(client.post(f"/api/exchange/{exchange_id}/withdraw"))).json()["state"] == "withdrawn"

    assert (await street.has("li"), await street.has("chen"), await street.is_whole()) == (100, 0, True)
    assert code(await li.post(f"/api/exchange/{exchange_id}/confirm")) == "exchange.moved_on"


async def test_an_answer_is_taken_back_or_declined_and_costs_nothing(street: Street, li, chen, sun) -> None:
    await street.give("li", 100)
    taken_back = await street.asked(li, chen)
    declined = await street.asked(li, sun)

    assert (await done(chen.post(f"/api/exchange/{taken_back}/withdraw"))).json()["state"] == "withdrawn"
    assert (await done(li.post(f"/api/exchange/{declined}/decline"))).json()["state"] == "declined"

    assert code(await li.post(f"/api/exchange/{taken_back}/accept")) == "exchange.moved_on"
    assert (await street.has("li"), await street.aside()) == (100, 0)


async def test_a_listing_that_is_taken_down_declines_who_waits(street: Street, li, chen) -> None:
    exchange_id = await street.asked(li, chen)
    listing_id = (await done(li.get("/api/exchange/listings/mine"))).json()["items"][0]["listing_id"]

    assert code(await chen.post(f"/api/exchange/listings/{listing_id}/close")) == "exchange.listing_not_found"
    await done(li.post(f"/api/exchange/listings/{listing_id}/close"))

    assert await street.state(exchange_id) == "declined"
    assert code(await chen.get(f"/api/exchange/listings/{listing_id}")) == "exchange.listing_not_found"


async def test_time_alone_pays_what_is_done_and_returns_what_is_not(street: Street, li, chen, sun) -> None:
    await street.give("li", 200)
    finished, idle = await street.accepted(li, chen), await street.accepted(li, sun)
    waiting = await street.asked(li, sun)
    await done(chen.post(f"/api/exchange/{finished}/finish"))

    street.clock.move(days=8)
    await work(street)
    assert [await street.state(one) for one in (finished, idle, waiting)] == ["confirmed", "accepted", "expired"]
    street.clock.move(days=23)
    await work(street)

    assert await street.state(idle) == "expired"
    assert (await street.has("li"), await street.has("chen"), await street.has("sun")) == (140, 60, 0)
    assert (await done(li.post(f"/api/exchange/{finished}/confirm"))).json()["state"] == "confirmed"
    street.clock.move(days=40)
    await work(street)
    assert (await done(li.get("/api/exchange/listings"))).json()["items"] == []
    assert await street.is_whole()


async def work(street: Street) -> None:
    """What the worker does."""
    for due in (timed.settle_due, timed.expire_answers, listing.expire_listings):
        async with street.app.state.sessions.begin() as session:
            await due(session, street.clock())


@pytest.mark.parametrize(
    ("paid", "state", "sums"), [(60, "confirmed", (40, 60)), (20, "confirmed", (80, 20)), (0, "returned", (100, 0))]
)
async def test_staff_decide_what_is_disputed(
    street: Street, li, chen, wu, paid: int, state: str, sums: tuple[int, int]
) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    await done(chen.post(f"/api/exchange/{exchange_id}/finish"))
    decision = {"paid_minutes": paid, "reason": "两边都问过了"}
    assert code(await wu.post(f"/api/exchange/{exchange_id}/decision", json=decision)) == "exchange.moved_on"

    await done(li.post(f"/api/exchange/{exchange_id}/dispute", json={"words": "没有来"}))
    street.clock.move(days=60)
    await work(street)
    assert await street.state(exchange_id) == "disputed"
    await done(wu.post(f"/api/exchange/{exchange_id}/decision", json=decision))

    assert await street.state(exchange_id) == state
    assert (await street.has("li"), await street.has("chen"), await street.is_whole()) == (*sums, True)
    assert code(await wu.post(f"/api/exchange/{exchange_id}/decision", json=decision)) == "exchange.moved_on"


async def test_nobody_decides_about_themselves_or_their_household(street: Street, li, wu, zheng, chen) -> None:
    await street.give("li", 200)
    own = await street.accepted(li, wu)
    theirs = await street.accepted(li, chen)
    for exchange_id in (own, theirs):
        await done(li.post(f"/api/exchange/{exchange_id}/dispute", json={"words": "没有来"}))
    await street.one_household("chen", "zheng")
    decision = {"paid_minutes": 60, "reason": "来过了"}

    assert code(await wu.post(f"/api/exchange/{own}/decision", json=decision)) == "exchange.concerned"
    assert code(await zheng.post(f"/api/exchange/{theirs}/decision", json=decision)) == "exchange.concerned"
    assert code(await chen.post(f"/api/exchange/{theirs}/decision", json=decision)) == "kit.not_allowed"
    await done(wu.post(f"/api/exchange/{theirs}/decision", json=decision))
    assert await street.is_whole()


async def test_the_payer_may_confirm_after_all(street: Street, li, chen) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    await done(li.post(f"/api/exchange/{exchange_id}/dispute", json={"words": "还没有来"}))

    assert code(await chen.post(f"/api/exchange/{exchange_id}/confirm")) == "exchange.not_yours"
    await done(li.post(f"/api/exchange/{exchange_id}/confirm"))

    assert (await street.has("chen"), await street.is_whole()) == (60, True)


async def test_words_of_thanks_that_staff_hid_are_read_by_staff_alone(street: Street, li, chen, wu) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    await done(li.post(f"/api/exchange/{exchange_id}/confirm"))
    await done(li.post(f"/api/exchange/{exchange_id}/thanks", json={"words": "哼"}))
    assert (
        code(await li.post(f"/api/exchange/{exchange_id}/thanks", json={"words": "再哼"})) == "exchange.already_thanked"
    )

    await done(wu.post(f"/api/exchange/{exchange_id}/thanks/hide"))

    assert (await chen.get(f"/api/exchange/{exchange_id}")).json()["exchange"]["thanks"] is None
    assert (await wu.get(f"/api/exchange/{exchange_id}")).json()["exchange"]["thanks"] == "哼"


async def test_strangers_see_nothing_and_names_open_with_the_agreement(street: Street, li, chen, sun, stranger) -> None:
    await street.give("li", 100)
    exchange_id = await street.asked(li, chen)

    assert (await li.get(f"/api/exchange/{exchange_id}")).json()["exchange"]["helper"] == "陈**"
    for other in (sun, stranger):
        for way in ("", "/accept", "/confirm", "/withdraw"):
            ask = other.get if not way else other.post
            assert code(await ask(f"/api/exchange/{exchange_id}{way}")) == "exchange.not_found"
    assert code(await chen.post(f"/api/exchange/{exchange_id}/accept")) == "exchange.not_yours"
    await done(li.post(f"/api/exchange/{exchange_id}/accept"))

    assert (await li.get(f"/api/exchange/{exchange_id}")).json()["exchange"]["helper"] == "陈助人"
    assert (await stranger.get("/api/exchange/listings")).json()["items"] == []


async def test_the_board_is_searched_and_filtered(street: Street, li, chen) -> None:
    for number in range(5):
        await done(li.post("/api/exchange/listings", json=WALK | {"title": f"遛狗 {number}"}))
    await done(chen.post("/api/exchange/listings", json=SOUP))

    async def titles(query: str) -> list[str]:
        return [item["title"] for item in (await done(li.get(f"/api/exchange/listings?{query}"))).json()["items"]]

    assert await titles("kind=offer") == ["缝裤边"]
    assert await titles("q=遛狗 3") == ["遛狗 3"]
    assert await titles("category=pets&q=%25") == []
    assert len(await titles("")) == 6


async def test_a_list_costs_the_same_for_one_and_for_many(street: Street, li, statements) -> None:
    await done(li.post("/api/exchange/listings", json=WALK))
    with statements() as few:
        await done(li.get("/api/exchange/listings"))
    for _ in range(15):
        await done(li.post("/api/exchange/listings", json=WALK))
    with statements() as many:
        await done(li.get("/api/exchange/listings"))

    assert len(few) == len(many)


async def test_the_passbook_says_with_whom(street: Street, li, chen) -> None:
    await street.give("li", 100)
    exchange_id = await street.accepted(li, chen)
    await done(li.post(f"/api/exchange/{exchange_id}/confirm"))

    for client in (li, chen):
        page = await client.get("/passbook?unit=minute")
        assert "周六遛狗（陈**帮李**）" in page.text
        assert "陈助人" not in page.text.replace(client.actor.name, "")
