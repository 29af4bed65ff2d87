"""Taking a wish on, reaching the asker, giving it back."""

from litestar import Litestar

from tests.cast import Client, Town
from tests.wishes.acts import approved, claimed, code_of, house, posted, rows, seen


async def test_a_claimed_wish_leaves_the_wall(li: Client, wu: Client, chen: Client, sun: Client) -> None:
    wish = await approved(li, wu)

    answer = await chen.post(f"/api/wishes/{wish}/claim")

    assert answer.json()["state"] == "claimed"
    assert (await sun.get("/api/wishes")).json()["items"] == []
    found = await seen(li, wish)
    assert found["helper"] == "陈助人"
    assert found["claim_due_at"] == "2026-11-29T02:00:00Z"
    assert (await seen(sun, wish))["helper"] is None
    assert [item["wish_id"] for item in (await chen.get("/api/wishes/claimed")).json()["items"]] == [wish]
    page = (await chen.get(f"/wishes/{wish}")).text
    assert "我帮完了" in page
    assert "等完成" in page
    assert "有人接<span" in page


async def test_the_second_volunteer_is_told_it_is_taken(li: Client, wu: Client, chen: Client, sun: Client) -> None:
    wish = await claimed(li, wu, chen)

    answer = await sun.post(f"/api/wishes/{wish}/claim")

    assert (answer.status_code, code_of(answer)) == (409, "wishes.already_claimed")
    page = await sun.post(f"/wishes/{wish}/claim", data={"revision": 2})
    assert page.status_code == 409
    assert page.text.count("已经有邻居接了") == 1


async def test_tapping_twice_takes_it_once(li: Client, wu: Client, chen: Client, app: Litestar) -> None:
    wish = await approved(li, wu)

    first = await chen.post(f"/wishes/{wish}/claim", data={"revision": 2, "_key": "a"})
    again = await chen.post(f"/wishes/{wish}/claim", data={"revision": 2, "_key": "b"})

    assert (first.status_code, again.status_code) == (303, 303)
    lines = await rows(app.state.sessions, "SELECT count(*) FROM wish_event WHERE verb = 'claim'")
    assert lines == [(1,)]


async def test_nobody_takes_their_own_or_their_familys_wish(
    chen: Client, sun: Client, wei: Client, wu: Client, app: Litestar, town: Town
) -> None:
    await house(app, town, ["chen", "sun"], building="5 号楼", door="201", phone=None)
    wish = await approved(chen, wu)

    own = await chen.post(f"/api/wishes/{wish}/claim")
    family = await sun.post(f"/api/wishes/{wish}/claim")

    assert code_of(own) == "wishes.own_wish"
    assert code_of(family) == "wishes.own_household"
    assert (await wei.post(f"/api/wishes/{wish}/claim")).status_code == 200


async def test_only_volunteers_help(li: Client, granny: Client, wu: Client, stranger: Client) -> None:
    wish = await approved(li, wu)

    assert (await granny.post(f"/api/wishes/{wish}/claim")).status_code == 403
    assert "登记成为志愿者" in (await granny.get(f"/wishes/{wish}")).text
    assert (await stranger.post(f"/api/wishes/{wish}/claim")).status_code == 404


async def test_phone_and_door_are_for_the_helper_alone_and_every_look_is_kept(
    li: Client, wu: Client, chen: Client, sun: Client, app: Litestar, town: Town
) -> None:
    await house(app, town, ["li"], building="7 号楼", door="1203", phone="+8613800001234")
    wish = await approved(li, wu)
    assert "7 号楼" in (await chen.get("/wishes")).text
    assert "1203" not in (await chen.get(f"/wishes/{wish}")).text
    assert (await chen.get(f"/api/wishes/{wish}/contact")).status_code == 403
    await chen.post(f"/api/wishes/{wish}/claim")

    page = (await chen.get(f"/wishes/{wish}")).text
    contact = (await chen.get(f"/api/wishes/{wish}/contact")).json()

    assert "+8613800001234" in page
    assert contact == {"name": "李心愿", "phone": "+8613800001234", "building": "7 号楼", "door": "1203"}
    assert (await sun.get(f"/api/wishes/{wish}/contact")).status_code == 403
    looks = await rows(
        app.state.sessions,
        "SELECT actor_id, detail ->> 'reason' FROM audit WHERE action = 'identity.contact_seen'",
    )
    assert looks == [(chen.actor.member_id, "wish_claimed")] * 2

    desk = await wu.get(f"/desk/wishes/{wish}")
    assert "1203" not in desk.text
    assert "1203" in (await wu.get(f"/desk/wishes/{wish}?contact=1")).text
    await chen.post(f"/api/wishes/{wish}/release")
    assert (await chen.get(f"/api/wishes/{wish}/contact")).status_code == 403


async def test_a_wish_given_back_is_free_for_the_next(
    li: Client, wu: Client, chen: Client, sun: Client, app: Litestar
) -> None:
    wish = await claimed(li, wu, chen)

    done = await chen.post(f"/wishes/{wish}/release", data={"revision": 3, "note": "临时要加班"})

    assert done.status_code == 303
    assert (await chen.get("/api/wishes/claimed")).json()["items"] == []
    assert (await sun.post(f"/api/wishes/{wish}/claim")).status_code == 200
    lines = (await li.get(f"/api/wishes/{wish}/history")).json()["items"]
    assert [line["verb"] for line in lines] == ["post", "approve", "claim", "release", "claim"]
    assert [line["volunteer"] for line in lines[2:]] == ["陈**", "陈**", "孙乐助"]
    facts = await rows(app.state.sessions, "SELECT payload ->> 'volunteer_id' FROM outbox WHERE fact = 'WishReleased'")
    assert facts == [(str(chen.actor.member_id),)]


async def test_staff_take_it_back_with_a_reason(li: Client, wu: Client, chen: Client, sun: Client) -> None:
    wish = await claimed(li, wu, chen)

    assert (await sun.post(f"/api/wishes/{wish}/release")).status_code == 403
    assert (await wu.post(f"/desk/wishes/{wish}/release", data={"revision": 3})).status_code == 422
    done = await wu.post(f"/desk/wishes/{wish}/release", data={"revision": 3, "note": "联系不上志愿者"})

    assert done.status_code == 303
    assert (await seen(sun, wish))["state"] == "approved"


async def test_a_wish_of_another_community_looks_missing(
    stranger: Client, stranger_staff: Client, chen: Client
) -> None:
    wish = await posted(stranger)
    await stranger_staff.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"})

    assert (await chen.get(f"/api/wishes/{wish}")).status_code == 404
    answer = await chen.post(f"/api/wishes/{wish}/claim")
    assert (answer.status_code, code_of(answer)) == (404, "wishes.not_found")
