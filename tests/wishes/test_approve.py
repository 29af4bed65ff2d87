"""What staff decide."""

import pytest
from litestar import Litestar

from service.communities import change_setting
from service.kit.clock import local_day
from tests.cast import START, Client, Town
from tests.wishes.acts import BULB, approved, claimed, code_of, posted, rows, seen


async def test_an_approved_wish_is_on_the_wall_without_its_names(li: Client, wu: Client, chen: Client) -> None:
    wish = await approved(li, wu)

    (card,) = (await chen.get("/api/wishes")).json()["items"]
    assert (card["wish_id"], card["asker"], card["helper"]) == (wish, "李**", None)
    assert "李心愿" not in (await chen.get("/wishes")).text
    page = (await chen.get(f"/wishes/{wish}")).text
    assert "李心愿" not in page
    assert "我来帮" in page


async def test_approving_by_the_form(li: Client, wu: Client) -> None:
    wish = await posted(li)
    assert "通过，放上心愿墙" in (await wu.get(f"/desk/wishes/{wish}")).text

    done = await wu.post(f"/desk/wishes/{wish}/approve", data={"service_class": "care", "revision": 1})

    assert done.status_code == 303
    found = await seen(wu, wish)
    assert (found["state"], found["service_class"]) == ("approved", "care")
    assert "已通过" in (await wu.get(done.headers["location"])).text


async def test_a_reward_is_within_bounds_and_budget(li: Client, wu: Client, town: Town) -> None:
    wish = await posted(li)
    sponsor = str(town.organisations["sponsor"])

    async def refused(**terms: object) -> str:
        answer = await wu.post(f"/api/wishes/{wish}/approve", json={"service_class": "general", **terms})
        assert answer.status_code in (404, 409, 422), answer.text
        return code_of(answer)

    assert await refused(reward_points=101, reward_budget=sponsor) == "wishes.reward_too_large"
    assert await refused(reward_points=10) == "wishes.reward_needs_budget"
    assert await refused(reward_points=10, reward_budget=str(town.organisations["bakery"])) == (
        "wishes.reward_beyond_budget"
    )
    elsewhere = str(town.organisations["elsewhere_shop"])
    assert await refused(reward_points=10, reward_budget=elsewhere) == "communities.organisation_not_found"
    assert await refused(service_class="training") == "kit.invalid"
    page = await wu.post(
        f"/desk/wishes/{wish}/approve", data={"service_class": "care", "reward_points": 101, "reward_budget": sponsor}
    )
    assert page.status_code == 409
    assert "0 到 100 分" in page.text
    assert 'value="101"' in page.text

    good = await wu.post(
        f"/api/wishes/{wish}/approve", json={"service_class": "care", "reward_points": 20, "reward_budget": sponsor}
    )
    assert good.status_code == 200
    assert (await seen(li, wish))["reward"] == {"unit": "point", "amount": 2000}


async def test_a_budget_is_not_promised_twice(
    li: Client, chen: Client, wu: Client, zheng: Client, town: Town, app: Litestar
) -> None:
    async with app.state.sessions.begin() as session:
        await change_setting(
            session,
            actor=zheng.actor,
            name="wish_reward_points_max",
            value=10_000,
            effective_from=local_day(START),
            now=START,
        )
    terms = {"reward_points": 6_000, "reward_budget": str(town.organisations["sponsor"])}
    await approved(li, wu, terms=terms)
    second = await posted(chen)

    answer = await wu.post(f"/api/wishes/{second}/approve", json={"service_class": "general"} | terms)

    assert (code_of(answer), answer.json()["points_left"]) == ("wishes.reward_beyond_budget", 4_000)


async def test_returning_needs_a_reason_and_shows_it(li: Client, wu: Client, app: Litestar) -> None:
    wish = await posted(li)
    empty = await wu.post(f"/desk/wishes/{wish}/return", data={"note": " ", "revision": 1})
    assert empty.status_code == 422
    assert "请填写" in empty.text

    done = await wu.post(f"/desk/wishes/{wish}/return", data={"note": "请写清楚哪一天", "revision": 1})

    assert done.status_code == 303
    page = (await li.get(f"/wishes/{wish}")).text
    assert "请写清楚哪一天" in page
    assert "改一改" in page
    (detail,) = await rows(app.state.sessions, "SELECT detail::text FROM audit WHERE action = 'wishes.returned'")
    assert "请写清楚" not in detail[0]


async def test_a_slip_is_undone_within_two_minutes(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await approved(li, wu)
    assert (await wu.post(f"/api/wishes/{wish}/recall")).json()["state"] == "posted"
    assert (await chen.get(f"/api/wishes/{wish}")).status_code == 404

    await wu.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"})
    clock.move(minutes=3)
    late = await wu.post(f"/api/wishes/{wish}/recall")
    assert (late.status_code, code_of(late)) == (410, "wishes.undo_too_late")


async def test_staff_do_not_decide_on_their_own_wish(wu: Client, zheng: Client) -> None:
    wish = await posted(wu)

    answer = await wu.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"})

    assert (answer.status_code, code_of(answer)) == (409, "wishes.own_decision")
    assert (await zheng.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"})).status_code == 200


async def test_a_stale_approval_is_refused_with_the_present_state(li: Client, wu: Client) -> None:
    wish = await posted(li)
    await li.post(f"/api/wishes/{wish}/edit", json=BULB | {"text": "换成两个灯泡吧"})

    page = await wu.post(f"/desk/wishes/{wish}/approve", data={"service_class": "care", "revision": 1})

    assert page.status_code == 409
    assert "刚刚有了变化" in page.text
    assert "换成两个灯泡吧" in page.text
    assert (await seen(wu, wish))["state"] == "posted"


async def test_many_are_approved_together_and_the_changed_one_is_named(
    li: Client, chen: Client, sun: Client, wu: Client
) -> None:
    wishes = [await posted(client) for client in (li, chen, sun)]
    await li.post(f"/api/wishes/{wishes[0]}/edit", json=BULB | {"text": "换成两个灯泡吧"})

    done = await wu.post("/desk/wishes/approve", data={"ids": [f"{wish}.1" for wish in wishes], "view": "waiting"})

    assert done.status_code == 303
    page = (await wu.get(done.headers["location"])).text
    assert "已通过 2 条" in page
    assert "刚刚有变化，请再看一眼" in page
    assert [(await seen(wu, wish))["state"] for wish in wishes] == ["posted", "approved", "approved"]
    assert (await seen(wu, wishes[1]))["service_class"] == "skilled"

    undone = await wu.post(
        "/desk/wishes/recall", data={"picked": ",".join(f"{wish}.2" for wish in wishes[1:]), "view": "waiting"}
    )
    assert undone.status_code == 303
    assert [(await seen(wu, wish))["state"] for wish in wishes] == ["posted"] * 3


async def test_everything_the_filter_finds_is_approved_at_once(li: Client, chen: Client, wu: Client) -> None:
    bulbs = [await posted(li, title=f"换灯泡 {number}") for number in range(3)]
    walk = await posted(chen, title="陪我散步", category="company")

    await wu.post("/desk/wishes/approve", data={"scope": "matching", "view": "waiting", "q": "换灯泡"})

    assert {(await seen(wu, wish))["state"] for wish in bulbs} == {"approved"}
    assert (await seen(wu, walk))["state"] == "posted"


async def test_the_api_gives_every_row_its_own_verdict(li: Client, wu: Client, stranger: Client) -> None:
    mine, own, foreign = await posted(li), await posted(wu), await posted(stranger)

    answer = await wu.post(
        "/api/wishes/approve",
        json={"items": [{"wish_id": mine, "revision": 1}, {"wish_id": own}, {"wish_id": foreign}]},
    )

    assert [item["refused"] for item in answer.json()["items"]] == [None, "wishes.own_decision", "wishes.not_found"]
    assert (await wu.post("/api/wishes/approve", json={"items": []})).status_code == 422


async def test_terms_change_on_the_way_but_not_by_the_helper(li: Client, wu: Client, chen: Client) -> None:
    wish = await claimed(li, wu, chen)

    answer = await wu.post(f"/api/wishes/{wish}/appraise", json={"service_class": "care"})

    assert answer.json()["state"] == "claimed"
    assert (await seen(chen, wish))["service_class"] == "care"
    assert (await chen.post(f"/api/wishes/{wish}/appraise", json={"service_class": "care"})).status_code == 403


@pytest.mark.parametrize("view", ["waiting", "wall", "taken", "served", "all"])
async def test_every_view_opens(li: Client, wu: Client, he: Client, view: str) -> None:
    wish = await posted(li)

    for client in (wu, he):
        answer = await client.get(f"/desk/wishes?view={view}&q=灯&category=repairs&kind=time&open_wish={wish}")
        assert answer.status_code == 200
    assert "通过，放上心愿墙" not in (await he.get(f"/desk/wishes/{wish}")).text
