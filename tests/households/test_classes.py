"""Household classes: two people, the next day, sealed, looked at by few, and never told to anybody else."""

import asyncpg
import pytest

import redemption
from service.households import care_words, discount_for
from service.households.rules import HouseholdKind
from service.identity import person
from service.kit.clock import local_day
from tests.cast import HERE

CARD = "0012-0002"
ASKED = {"card_no": CARD, "kind": "poor", "basis": "低保证 110-22", "is_consented": True}


async def discount(app, clock, town, household_id):
    async with app.state.sessions.begin() as session:
        found = await discount_for(session, HERE, household_id, town.organisations["team"], local_day(clock.now))
    return found.percent if found else None


@pytest.fixture
def half_price(jiang, zheng, town):
    async def make(kind: str = "lonely", percent: int = 50):
        given = {"kind": kind, "team": str(town.organisations["team"]), "percent": percent}
        return await zheng.post("/api/entitlements/discounts", json=given)

    return make


async def test_a_class_takes_two_people_and_holds_from_tomorrow(
    app, clock, town, wu, zheng, half_price, granny_at_home, classify
):
    assert (await half_price()).status_code == 201
    assert await discount(app, clock, town, granny_at_home) is None
    class_id = await classify()
    assert await discount(app, clock, town, granny_at_home) == 50
    seen = (await wu.get(f"/api/household-classes/of/{CARD}")).json()["items"]
    assert [(each["kind"], each["state"]) for each in seen] == [("lonely", "agreed")]

    assert (await wu.post(f"/api/household-classes/{class_id}/end")).status_code == 200
    assert await discount(app, clock, town, granny_at_home) == 50, "today it still holds"
    again = await wu.post(f"/api/household-classes/{class_id}/end", headers={"idempotency-key": "another"})
    assert again.json()["code"] == "households.class_decided"


async def test_whoever_wrote_it_down_does_not_agree(wu, zheng, granny_at_home):
    made = (await wu.post("/api/household-classes", json=ASKED)).json()["id"]
    (waits,) = (await zheng.get("/api/household-classes/waiting")).json()["items"]
    assert waits["class_id"] == made
    assert "poor" not in str(waits)
    opened = await zheng.get(f"/api/households/{granny_at_home}/classes")
    assert [each["kind"] for each in opened.json()["items"]] == ["poor"]
    assert (await wu.post(f"/api/household-classes/{made}/confirmation")).json()["code"] == (
        "households.second_person_needed"
    )
    assert (await wu.post(f"/api/household-classes/{made}/refusal")).status_code == 200
    assert (await zheng.post(f"/api/household-classes/{made}/confirmation")).json()["code"] == (
        "households.class_decided"
    )


async def test_once_is_enough_and_consent_is_asked_for(wu, granny_at_home):
    first = await wu.post("/api/household-classes", json=ASKED, headers={"idempotency-key": "a"})
    assert first.status_code == 201
    double = await wu.post("/api/household-classes", json=ASKED, headers={"idempotency-key": "b"})
    assert double.json()["code"] == "households.class_held"
    silent = ASKED | {"kind": "disabled", "is_consented": False}
    assert (await wu.post("/api/household-classes", json=silent)).json()["code"] == "households.consent_missing"
    nobody = ASKED | {"card_no": "0012-9999"}
    assert (await wu.post("/api/household-classes", json=nobody)).json()["code"] == "households.member_unknown"


@pytest.mark.parametrize("kind", ["watched", "ordinary"])
async def test_some_classes_never_price_anything(half_price, kind):
    assert (await half_price(kind)).json()["code"] == "households.never_prices"


async def test_not_even_by_hand(app, half_price):
    assert (await half_price()).status_code == 201
    connection = await asyncpg.connect(town_url(app))
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO entitlement SELECT community_id, gen_random_uuid(), 'watched', organisation_id, percent, word,"
                " effective_from, effective_until, set_by, set_at, ended_by FROM entitlement"
            )
    finally:
        await connection.close()


def town_url(app) -> str:
    """Where the town's own database is, as the serving role."""
    engine = app.state.sessions.kw["bind"]
    return str(engine.url.render_as_string(hide_password=False).replace("+asyncpg", ""))


async def test_it_lies_sealed_and_every_look_is_a_line(app, wu, classify):
    await classify()
    await wu.get(f"/api/household-classes/of/{CARD}")
    connection = await asyncpg.connect(town_url(app))
    try:
        rows = await connection.fetch("SELECT c::text FROM household_class c")
        assert rows
        assert not any("lonely" in row[0] or "民政局" in row[0] for row in rows)
        audit = await connection.fetch("SELECT action, detail::text FROM audit WHERE object_kind = 'household'")
    finally:
        await connection.close()
    assert [row["action"] for row in audit].count("households.classes_seen") == 1
    assert not any(kind.value in row["detail"] for kind in HouseholdKind for row in audit)


async def test_a_word_opens_an_offer_and_nobody_is_told_why(
    app, clock, town, granny, li, wu, zheng, barber, he, classify, meals
):
    offer_id = await meals()
    await classify()
    async with app.state.sessions.begin() as session:
        household = (await granny_household(session, town)).household_id
        words = await care_words(session, HERE, [household], local_day(clock.now))
    assert words == {household: frozenset({"meal"})}

    taken = await granny.post(f"/api/offers/{offer_id}/vouchers", json={})
    assert taken.status_code == 201, taken.text
    refused = await li.post(f"/api/offers/{offer_id}/vouchers", json={})
    assert refused.json()["code"] == "redemption.not_eligible"
    assert not any(kind.value in refused.text for kind in HouseholdKind)
    path = f"/api/vouchers/{taken.json()['voucher_id']}"
    asked = {granny: ["/api/me", "/api/offers", "/api/vouchers", path, "/api/wallet", "/api/messages", "/offers", "/"]}
    asked |= {barber: ["/api/me", "/api/shop/uses"], li: ["/api/offers", "/offers"], he: [f"/desk/offers/{offer_id}"]}
    for client, paths in asked.items():
        for each in paths:
            said = (await client.get(each)).text
            assert not any(f'"{kind.value}"' in said for kind in HouseholdKind), each
            assert "care:" not in said, each
    for nobody in (granny, li, barber, he):
        assert (await nobody.get(f"/api/household-classes/of/{CARD}")).status_code == 403


async def granny_household(session, town):
    return await person(session, HERE, town.actors["granny"].member_id)


@pytest.fixture
def meals(app, zheng, offer_of):
    """A free meal for whoever is entitled to it."""

    async def make():
        assert (await zheng.post("/api/entitlements/words", json={"kind": "lonely", "word": "meal"})).status_code == 201
        return await offer_of(
            kind=redemption.OfferKind.ENTITLEMENT,
            price_points=0,
            requires=("care:meal",),
            title="助餐一份",
            rules=("凭券领取",),
        )

    return make
