"""Asking for something: by oneself, on a form, for somebody else, urgently."""

import pytest
from litestar import Litestar

from tests.cast import Client, Town
from tests.wishes.acts import BULB, approved, code_of, house, posted, rows, seen


async def test_a_wish_waits_for_staff(li: Client, wu: Client, app: Litestar) -> None:
    wish = await posted(li)

    found = await seen(wu, wish)
    assert (found["state"], found["title"], found["asker"]) == ("posted", BULB["title"], "李心愿")
    assert found["service_class"] == "skilled"
    facts = await rows(app.state.sessions, "SELECT fact FROM outbox")
    assert [fact for (fact,) in facts] == ["WishPosted"]
    audit = await rows(app.state.sessions, "SELECT action, actor_id FROM audit WHERE object_kind = 'wish'")
    assert audit == [("wishes.posted", li.actor.member_id)]


async def test_nobody_but_asker_and_staff_sees_it_before(li: Client, chen: Client, he: Client) -> None:
    wish = await posted(li)

    assert (await chen.get(f"/api/wishes/{wish}")).status_code == 404
    assert (await chen.get(f"/wishes/{wish}")).status_code == 404
    assert (await he.get(f"/api/wishes/{wish}")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"text": "字" * 5000}, {"text": "too_long"}),
        ({"title": "字" * 41}, {"title": "too_long"}),
        ({"title": " "}, {"title": "required"}),
        ({"expected_minutes": 10_000}, {"expected_minutes": "wish_minutes"}),
    ],
)
async def test_what_cannot_stand_on_a_wall_is_refused_in_words(
    li: Client, changes: dict[str, object], problem: dict[str, str]
) -> None:
    answer = await li.post("/api/wishes", json=BULB | changes)

    assert answer.status_code == 422
    assert answer.json()["problems"] == problem


async def test_five_thousand_characters_come_back_with_the_form(li: Client) -> None:
    for path in ("/wishes/check", "/wishes"):
        answer = await li.post(path, data=BULB | {"text": "字" * 5000})

        assert answer.status_code == 422
        assert "太长了" in answer.text
        assert 'aria-invalid="true"' in answer.text
        assert BULB["title"] in answer.text


async def test_a_script_is_only_text(li: Client, wu: Client, chen: Client) -> None:
    nasty = "<script>alert(1)</script>"
    wish = await approved(li, wu, title=nasty, text=nasty + "帮帮忙")

    for client, path in (
        (chen, "/wishes"),
        (chen, f"/wishes/{wish}"),
        (li, "/wishes/mine"),
        (li, "/home"),
        (wu, "/desk/wishes?view=all"),
        (wu, f"/desk/wishes/{wish}"),
        (wu, "/desk/wishes/print"),
    ):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert nasty not in answer.text, path
        assert "&lt;script&gt;" in answer.text, path


async def test_the_form_is_checked_and_then_handed_in(li: Client) -> None:
    assert "下一步" in (await li.get("/wishes/new")).text

    checked = await li.post("/wishes/check", data=BULB)
    assert checked.status_code == 200
    assert "提交心愿" in checked.text
    assert BULB["text"] in checked.text

    again = await li.post("/wishes/new", data=BULB)
    assert again.status_code == 200
    assert BULB["text"] in again.text

    made = await li.post("/wishes", data=BULB | {"_key": "k1"})
    assert made.status_code == 303
    page = await li.get(made.headers["location"])
    assert "心愿交上去了" in page.text
    code = (await li.get("/api/wishes/mine")).json()["items"][0]["code"]
    assert f"{code[:4]} {code[4:]}" in page.text


async def test_the_check_page_warns_of_a_phone_number(li: Client) -> None:
    answer = await li.post("/wishes/check", data=BULB | {"text": "请打 13800001234 找我"})

    assert "电话或门牌号" in answer.text


async def test_pressing_twice_makes_one_wish(li: Client) -> None:
    first = await li.post("/wishes", data=BULB | {"_key": "same"})
    second = await li.post("/wishes", data=BULB | {"_key": "same"})

    assert first.headers["location"] == second.headers["location"]
    assert len((await li.get("/api/wishes/mine")).json()["items"]) == 1


async def test_the_same_request_twice_makes_one_wish(li: Client) -> None:
    key = {"idempotency-key": "phone-1"}
    first = await li.post("/api/wishes", json=BULB, headers=key)
    second = await li.post("/api/wishes", json=BULB, headers=key)

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    other = await li.post("/api/wishes", json=BULB | {"title": "别的事"}, headers=key)
    assert (other.status_code, code_of(other)) == (422, "kit.key_reused")


async def test_the_sixth_open_wish_has_to_wait(li: Client) -> None:
    wishes = [await posted(li, title=f"心愿 {number}") for number in range(5)]

    answer = await li.post("/api/wishes", json=BULB)
    assert (answer.status_code, code_of(answer), answer.json()["limit"]) == (409, "wishes.too_many_open", 5)
    page = await li.post("/wishes", data=BULB)
    assert page.status_code == 409
    assert "5 个心愿" in page.text

    await li.post(f"/api/wishes/{wishes[0]}/withdraw")
    assert (await li.post("/api/wishes", json=BULB)).status_code == 201


async def test_an_urgent_wish_is_on_the_wall_at_once(li: Client, chen: Client, wu: Client, app: Litestar) -> None:
    wish = await posted(li, kind="urgent", title="要人帮忙送医院")

    assert (await seen(chen, wish))["state"] == "approved"
    assert "120" in (await chen.get(f"/wishes/{wish}")).text
    assert "120" in (await li.get(f"/wishes/{wish}/posted")).text
    facts = await rows(app.state.sessions, "SELECT fact FROM outbox")
    assert [fact for (fact,) in facts] == ["UrgentWishPosted"]
    desk = await wu.get("/desk/wishes")
    assert "已上墙，还没看过" in desk.text

    looked = await wu.post(f"/api/wishes/{wish}/appraise", json={"service_class": "care"})
    assert looked.json()["state"] == "approved"
    assert "已上墙，还没看过" not in (await wu.get("/desk/wishes")).text


async def test_one_urgent_call_at_a_time(li: Client) -> None:
    await posted(li, kind="urgent")

    answer = await li.post("/api/wishes", json=BULB | {"kind": "urgent"})

    assert (answer.status_code, code_of(answer)) == (409, "wishes.urgent_open")


async def test_staff_write_it_down_with_both_names(
    granny: Client, wu: Client, chen: Client, app: Litestar, town: Town
) -> None:
    await house(app, town, ["granny"], building="3 号楼", door="502", phone=None)
    answer = await wu.post("/api/wishes/for", json=BULB | {"asked_by": str(granny.actor.member_id)})

    assert answer.status_code == 201
    wish = answer.json()["wish_id"]
    (line,) = (await wu.get(f"/api/wishes/{wish}/history")).json()["items"]
    assert (line["actor"], line["on_behalf_of"]) == ("吴办事", "李奶奶")
    audit = await rows(app.state.sessions, "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'wishes.posted'")
    assert audit == [(wu.actor.member_id, granny.actor.member_id)]
    found = await seen(granny, wish)
    assert (found["is_mine"], found["building"]) == (True, "3 号楼")


async def test_staff_find_the_person_and_fill_in_the_form(granny: Client, wu: Client) -> None:
    found = await wu.get("/desk/wishes/new?q=李奶")
    assert str(granny.actor.member_id) in found.text
    assert (await wu.get("/desk/wishes/new?q=没有这个人")).text.count("没有找到这个人") == 1
    form = await wu.get(f"/desk/wishes/new?member={granny.actor.member_id}")
    assert granny.actor.card_no in form.text

    bad = await wu.post("/desk/wishes", data=BULB | {"member": str(granny.actor.member_id), "title": ""})
    assert bad.status_code == 422
    assert granny.actor.card_no in bad.text

    made = await wu.post("/desk/wishes", data=BULB | {"member": str(granny.actor.member_id)})
    assert made.status_code == 303
    page = await wu.get(made.headers["location"])
    assert "吴办事（代李奶奶）" in page.text


async def test_somebody_of_another_community_is_nobody(wu: Client, stranger: Client) -> None:
    answer = await wu.post("/api/wishes/for", json=BULB | {"asked_by": str(stranger.actor.member_id)})

    assert (answer.status_code, code_of(answer)) == (404, "identity.person_not_found")


async def test_a_returned_wish_is_changed_and_handed_in_again(li: Client, wu: Client) -> None:
    wish = await posted(li)
    await wu.post(f"/api/wishes/{wish}/return", json={"note": "请写清楚是哪种灯泡"})

    mine = await li.get("/wishes/mine")
    assert "请写清楚是哪种灯泡" in mine.text
    assert "改一改" in mine.text
    form = await li.get(f"/wishes/{wish}/edit")
    assert BULB["text"] in form.text
    bad = await li.post(f"/wishes/{wish}/edit", data=BULB | {"text": "", "revision": 2})
    assert bad.status_code == 422
    done = await li.post(f"/wishes/{wish}/edit", data=BULB | {"text": "螺口的灯泡", "revision": 2})
    assert done.status_code == 303

    found = await seen(wu, wish)
    assert (found["state"], found["text"], found["reason"]) == ("posted", "螺口的灯泡", None)


async def test_an_old_form_changes_nothing(li: Client, wu: Client) -> None:
    wish = await posted(li)
    await wu.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"})

    answer = await li.post(f"/wishes/{wish}/edit", data=BULB | {"text": "别的字别的字", "revision": 1})

    assert answer.status_code == 409
    assert "刚刚有了变化" in answer.text
    assert "别的字别的字" in answer.text
    api = await li.post(f"/api/wishes/{wish}/edit", json=BULB | {"revision": 1})
    assert (code_of(api), api.json()["state"]) == ("wishes.changed_meanwhile", "approved")
    assert (await seen(wu, wish))["text"] == BULB["text"]


async def test_only_the_asker_changes_the_words(li: Client, chen: Client, wu: Client) -> None:
    waiting, shown = await posted(li), await approved(li, wu)

    for client, wish in ((wu, waiting), (chen, shown)):
        answer = await client.post(f"/api/wishes/{wish}/edit", json=BULB)
        assert (answer.status_code, code_of(answer)) == (403, "wishes.not_yours")


async def test_who_has_no_part_in_the_neighbourhood_asks_for_nothing(he: Client, anon: Client) -> None:
    assert (await he.post("/api/wishes", json=BULB)).status_code == 403
    assert (await anon.post("/api/wishes", json=BULB)).status_code == 401
    assert (await anon.get("/wishes")).status_code == 303
