"""Everything that is refused, with its code; and nothing was changed by it."""

import pytest

from tests.exchange.conftest import SOUP, WALK, Street, code, done

pytestmark = pytest.mark.anyio


async def test_who_lives_behind_one_door_does_not_pay_each_other(street: Street, li, chen) -> None:
    await street.give("li", 100)
    before = await street.asked(li, chen)
    await street.one_household("li", "chen")

    listing_id = (await done(li.post("/api/exchange/listings", json=WALK))).json()["listing_id"]
    answered = await chen.post(f"/api/exchange/listings/{listing_id}/answers", json={})
    assert code(answered) == "exchange.own_household"
    # They moved together after the answer: the rows say so when it is accepted.
    assert code(await li.post(f"/api/exchange/{before}/accept")) == "exchange.own_household"
    assert (await street.has("li"), await street.aside()) == (100, 0)


async def test_too_few_minutes_are_said_to_their_owner_and_not_counted_to_others(street: Street, li, chen) -> None:
    await street.give("li", 10)
    needs = await street.asked(li, chen)
    offer = await street.asked(chen, li, SOUP)

    own = await li.post(f"/api/exchange/{needs}/accept")
    theirs = await chen.post(f"/api/exchange/{offer}/accept")

    assert (code(own), code(theirs)) == ("exchange.not_enough", "exchange.their_not_enough")
    assert "10" not in theirs.json()["title"]
    assert [await street.state(one) for one in (needs, offer)] == ["asked", "asked"]
    await street.give("li", 50)
    await done(li.post(f"/api/exchange/{needs}/accept"))  # the refusal left nothing behind


async def test_two_people_exchange_only_so_much_in_a_month(street: Street, li, chen) -> None:
    await street.give("li", 1000)
    await street.let("exchange_pair_minutes_per_month_max", 90)
    await street.accepted(li, chen)
    second = await street.asked(li, chen)

    over = await li.post(f"/api/exchange/{second}/accept")
    assert (code(over), over.json()["hours"]) == ("exchange.over_pair", "1.5")
    back = await street.asked(chen, li, SOUP | {"minutes": 31})  # the other way round counts, too
    assert code(await chen.post(f"/api/exchange/{back}/accept")) == "exchange.over_pair"
    street.clock.move(days=9)
    third = await street.asked(li, chen)
    await done(li.post(f"/api/exchange/{third}/accept"))  # another month


async def test_what_came_back_does_not_count_against_the_month(street: Street, li, chen) -> None:
    await street.give("li", 1000)
    await street.let("exchange_pair_minutes_per_month_max", 60)
    first = await street.accepted(li, chen)
    await done(chen.post(f"/api/exchange/{first}/withdraw"))

    await street.accepted(li, chen)
    assert await street.aside() == 60


@pytest.mark.parametrize(
    ("change", "status", "wrong"),
    [
        ({"minutes": 0}, 422, "kit.invalid"),
        ({"minutes": 481}, 422, "exchange.too_long"),
        ({"minutes": 10**15}, 422, "kit.invalid"),
        ({"minutes": 1.5}, 422, "kit.invalid"),
        ({"title": ""}, 422, "kit.invalid"),
        ({"title": " "}, 422, "kit.invalid"),
        ({"title": "好" * 41}, 422, "kit.invalid"),
        ({"kind": "gift"}, 422, "kit.invalid"),
    ],
)
async def test_a_listing_that_cannot_be_is_refused(
    street: Street, li, change: dict[str, object], status: int, wrong: str
) -> None:
    answer = await li.post("/api/exchange/listings", json=WALK | change)
    assert (answer.status_code, code(answer)) == (status, wrong)


async def test_numbers_of_listings_and_answers_are_bounded(street: Street, li, chen) -> None:
    made = [(await done(li.post("/api/exchange/listings", json=WALK))).json()["listing_id"] for _ in range(20)]
    assert code(await li.post("/api/exchange/listings", json=WALK)) == "exchange.too_many_listings"
    assert code(await li.post(f"/api/exchange/listings/{made[0]}/answers", json={})) == "exchange.own_listing"

    for listing_id in made[:10]:
        await street.answered(listing_id, chen)
    assert code(await chen.post(f"/api/exchange/listings/{made[0]}/answers", json={})) == "exchange.already_answered"
    assert code(await chen.post(f"/api/exchange/listings/{made[10]}/answers", json={})) == "exchange.too_many_answers"


async def test_who_has_left_is_not_paid(street: Street, li, chen) -> None:
    await street.give("li", 100)
    exchange_id = await street.asked(li, chen)
    async with street.app.state.sessions.begin() as session:
        from service import identity  # noqa: PLC0415

        member = street.member("chen")
        (await identity.lock_people(session, li.actor.community_id, [member]))[member].closed_at = street.clock()

    assert code(await li.post(f"/api/exchange/{exchange_id}/accept")) == "exchange.person_gone"
