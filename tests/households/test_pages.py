"""The office's pages of classes: two people, every look written down, and nobody else gets in."""

from tests.households.conftest import close
from tests.households.test_classes import CARD

PAGE, RULES = "/desk/households", "/desk/entitlements"
FORM = {"card_no": CARD, "kind": "poor", "basis": "低保证 110-22", "is_consented": "1"}


async def test_one_writes_it_down_and_another_agrees(wu, zheng, li, qian, granny_at_home):
    for stranger in (li, qian):
        assert (await stranger.get(PAGE)).status_code in (403, 404)
    assert "这一户还没有类别" in (await wu.get(f"{PAGE}?card={CARD}")).text
    assert "没有" in (await wu.get(f"{PAGE}?card=0012-9999")).text

    without = await wu.post(f"{PAGE}/classes", data=FORM | {"is_consented": "", "_key": "a"})
    assert without.status_code == 422
    assert "低保证 110-22" in without.text
    made = [await wu.post(f"{PAGE}/classes", data=FORM | {"_key": "b"}) for _ in range(2)]
    assert [each.status_code for each in made] == [303, 303]

    waiting = (await zheng.get(PAGE)).text
    assert f"{PAGE}/{granny_at_home}" in waiting
    assert "110-22" not in waiting
    opened = (await zheng.get(f"{PAGE}/{granny_at_home}")).text
    assert "低保证 110-22" in opened
    assert "&lt;time" not in waiting + opened
    agree = next(part for part in opened.split('"') if part.endswith("/agree"))
    assert "/agree" not in (await wu.get(f"{PAGE}/{granny_at_home}")).text
    assert (await zheng.post(agree, data={"_key": "c"})).headers["location"].endswith("households.agreed")
    end = next(part for part in (await wu.get(f"{PAGE}?card={CARD}")).text.split('"') if part.endswith("/end"))
    assert (await wu.post(end, data={"_key": "d"})).headers["location"].endswith("households.ended")
    assert (await wu.post(end, data={"_key": "e"})).status_code == 409


async def test_rights_are_set_and_ended(zheng, wu, town):
    page = (await wu.get(RULES)).text
    assert "还没有权益" in page
    assert f"{RULES}/words" not in page

    discount = {"kind": "poor", "team": str(town.organisations["team"]), "percent": "20", "_key": "a"}
    assert (await zheng.post(f"{RULES}/discounts", data=discount)).status_code == 303
    assert (await zheng.post(f"{RULES}/words", data={"kind": "lonely", "word": "meal", "_key": "b"})).status_code == 303
    watched = await zheng.post(f"{RULES}/words", data={"kind": "watched", "word": "meal", "_key": "c"})
    assert watched.status_code in (409, 422)
    wrong = await zheng.post(f"{RULES}/discounts", data=discount | {"percent": "101", "_key": "d"})
    assert wrong.status_code == 422

    shop = discount | {"team": str(town.organisations["bakery"]), "_key": "s"}
    refused = await zheng.post(f"{RULES}/discounts", data=shop)
    assert refused.status_code == 422
    assert "请从给出的里面选一个" in refused.text
    by_api = await zheng.post(
        "/api/entitlements/discounts", json={name: shop[name] for name in ("kind", "team")} | {"percent": 20}
    )
    assert by_api.json()["code"] == "households.no_team"

    shown = (await zheng.get(RULES)).text
    assert "少付百分之 20" in shown
    assert "从 11 月 23 日" in shown
    assert "&lt;time" not in shown
    end = next(part for part in shown.split('"') if part.endswith("/end"))
    assert (await zheng.post(end, data={"_key": "e"})).status_code == 303


async def test_a_team_that_closed_is_named_all_the_same(app, zheng, town):
    discount = {"kind": "poor", "team": str(town.organisations["team"]), "percent": "20", "_key": "a"}
    assert (await zheng.post(f"{RULES}/discounts", data=discount)).status_code == 303
    await close(app, town.organisations["team"])
    page = await zheng.get(RULES)
    assert page.status_code == 200
    assert "乐修匠" in page.text
    again = await zheng.post(f"{RULES}/discounts", data=discount | {"_key": "b"})
    assert again.status_code == 422
