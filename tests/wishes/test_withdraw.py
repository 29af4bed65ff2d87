"""No longer needed, and the way back."""

from litestar import Litestar

from tests.cast import Client
from tests.wishes.acts import approved, claimed, code_of, posted, rows, seen, served


async def test_one_press_and_it_is_gone_with_a_way_back(li: Client, wu: Client, chen: Client) -> None:
    wish = await approved(li, wu)

    done = await li.post(f"/wishes/{wish}/withdraw", data={"revision": 2})
    assert done.status_code == 303
    page = (await li.get(done.headers["location"])).text
    assert "不撤了，放回去" in page
    assert (await chen.get("/api/wishes")).json()["items"] == []
    gone = await chen.get(f"/api/wishes/{wish}")
    assert (gone.status_code, code_of(gone)) == (410, "wishes.off_the_wall")

    back = await li.post(f"/wishes/{wish}/restore", data={"revision": 3})
    assert back.status_code == 303
    assert (await seen(chen, wish))["state"] == "approved"


async def test_a_helper_hears_of_it_and_gets_it_back(li: Client, wu: Client, chen: Client, app: Litestar) -> None:
    wish = await claimed(li, wu, chen)

    assert (await li.post(f"/api/wishes/{wish}/withdraw", json={"note": "儿子来换了"})).status_code == 200
    facts = await rows(app.state.sessions, "SELECT payload ->> 'volunteer_id' FROM outbox WHERE fact = 'WishWithdrawn'")
    assert facts == [(str(chen.actor.member_id),)]
    assert (await li.post(f"/api/wishes/{wish}/restore")).json()["state"] == "claimed"
    assert (await seen(chen, wish))["is_helping"] is True


async def test_twice_is_once(li: Client, wu: Client, app: Litestar) -> None:
    wish = await approved(li, wu)

    answers = [await li.post(f"/api/wishes/{wish}/withdraw") for _ in range(2)]

    assert [answer.json()["revision"] for answer in answers] == [3, 3]
    assert await rows(app.state.sessions, "SELECT count(*) FROM wish_event WHERE verb = 'withdraw'") == [(1,)]


async def test_the_way_back_closes(li: Client, wu: Client, clock) -> None:
    wish = await approved(li, wu)
    await li.post(f"/api/wishes/{wish}/withdraw")
    clock.move(minutes=3)

    answer = await li.post(f"/api/wishes/{wish}/restore")

    assert (answer.status_code, code_of(answer)) == (410, "wishes.undo_too_late")
    assert "不撤了" not in (await li.get(f"/wishes/mine?undo={wish}")).text


async def test_the_way_back_does_not_go_round_the_limit(li: Client) -> None:
    first = await posted(li)
    await li.post(f"/api/wishes/{first}/withdraw")
    for number in range(5):
        await posted(li, title=f"心愿 {number}")

    answer = await li.post(f"/api/wishes/{first}/restore")

    assert code_of(answer) == "wishes.too_many_open"


async def test_what_was_done_is_not_withdrawn(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await served(li, wu, chen, clock)

    answer = await li.post(f"/api/wishes/{wish}/withdraw")

    assert (answer.status_code, code_of(answer)) == (409, "wishes.other_state")


async def test_staff_withdraw_for_the_asker_with_both_names(granny: Client, wu: Client, app: Litestar) -> None:
    wish = await approved(granny, wu)

    assert (await wu.post(f"/desk/wishes/{wish}/withdraw", data={"revision": 2})).status_code == 303
    lines = await rows(app.state.sessions, "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'wishes.withdrawn'")
    assert lines == [(wu.actor.member_id, granny.actor.member_id)]
    assert (await wu.post(f"/desk/wishes/{wish}/restore", data={"revision": 3})).status_code == 303
