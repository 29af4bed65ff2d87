"""The asker says that it was done: minutes and points arrive exactly once, and the books can be proved."""

from datetime import timedelta

import pytest
from litestar import Litestar

import ledger
from service import chart
from service.chart import Reason
from service.wallet.verify import verify_books
from tests.cast import HERE, SPONSOR_POINTS, Client, Town
from tests.wishes.acts import approved, claimed, clean_books, code_of, confirmed, has, house, report, rows, seen, served


async def test_the_helper_is_credited_in_the_same_breath(
    li: Client, wu: Client, chen: Client, clock, app: Litestar, town: Town
) -> None:
    terms = {"service_class": "care", "reward_points": 20, "reward_budget": str(town.organisations["sponsor"])}
    wish = await served(li, wu, chen, clock, minutes=90, terms=terms)

    done = await li.post(f"/wishes/{wish}/confirm", data={"revision": 4, "warmth": "very_glad", "thanks": "多谢小陈！"})

    assert done.status_code == 303
    # 90 minutes of care: 1.5 points an hour, and 20 points from the sponsor.
    assert await has(app.state.sessions, chen.actor.member_id) == (90, 225 + 2000)
    async with app.state.sessions.begin() as session:
        left = await ledger.balance(session, HERE, chart.budget(town.organisations["sponsor"]), chart.POINT)
    assert left == SPONSOR_POINTS - 2000
    found = await seen(chen, wish)
    assert (found["credited_minutes"], found["credited_points"]["amount"]) == (90, 2225)
    assert (found["warmth"], found["thanks"]) == ("very_glad", "多谢小陈！")
    assert "多谢小陈！" in (await chen.get(f"/wishes/{wish}")).text
    (fact,) = await rows(app.state.sessions, "SELECT payload FROM outbox WHERE fact = 'WishConfirmed'")
    assert (fact[0]["minutes"], fact[0]["points_hundredths"]) == (90, 2225)
    assert await clean_books(app.state.sessions)


async def test_confirming_again_brings_nothing_more(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await confirmed(li, wu, chen, clock)

    again = await li.post(f"/api/wishes/{wish}/confirm")
    form = await li.post(f"/wishes/{wish}/confirm", data={"revision": 4})

    assert again.json()["state"] == "confirmed"
    assert form.status_code == 303
    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100)
    assert await rows(app.state.sessions, "SELECT count(*) FROM service_record") == [(1,)]
    assert await clean_books(app.state.sessions)


async def test_a_replayed_request_gets_its_first_answer(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await served(li, wu, chen, clock)
    key = {"idempotency-key": "confirm-1"}

    first = await li.post(f"/api/wishes/{wish}/confirm", headers=key)
    again = await li.post(f"/api/wishes/{wish}/confirm", headers=key)

    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"


async def test_neither_helper_nor_neighbour_confirms(li: Client, wu: Client, chen: Client, sun: Client, clock) -> None:
    wish = await served(li, wu, chen, clock)

    assert code_of(await chen.post(f"/api/wishes/{wish}/confirm")) == "wishes.own_service"
    assert (await sun.post(f"/api/wishes/{wish}/confirm")).status_code == 410
    assert (await chen.post(f"/api/wishes/{wish}/confirm-for", json={"note": "我说的"})).status_code == 403
    assert (await seen(li, wish))["state"] == "served"


async def test_staff_wait_for_an_asker_who_can_confirm(
    li: Client, wu: Client, chen: Client, clock, app: Litestar, town: Town
) -> None:
    await house(app, town, ["li"], building="7 号楼", door="1203", phone="+8613800001234")
    wish = await served(li, wu, chen, clock)

    early = await wu.post(f"/api/wishes/{wish}/confirm-for", json={"note": "打电话问过"})
    assert (early.status_code, code_of(early)) == (409, "wishes.confirmation_not_due")
    page = await wu.post(f"/desk/wishes/{wish}/confirm", data={"note": "打电话问过", "revision": 4})
    assert "11 月 29 日" in page.text

    clock.move(days=7)
    assert (await wu.post(f"/api/wishes/{wish}/confirm-for", json={"note": " "})).status_code == 422
    late = await wu.post(f"/desk/wishes/{wish}/confirm", data={"note": "打电话问过", "revision": 4})
    assert late.status_code == 303
    lines = (await li.get(f"/api/wishes/{wish}/history")).json()["items"]
    assert (lines[-1]["actor"], lines[-1]["on_behalf_of"], lines[-1]["note"]) == ("吴办事", "李心愿", "打电话问过")
    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100)


async def test_for_somebody_without_a_phone_staff_confirm_at_once(
    granny: Client, wu: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await served(granny, wu, chen, clock)

    done = await wu.post(f"/api/wishes/{wish}/confirm-for", json={"note": "上门看过，灯亮了"})

    assert done.status_code == 200
    (line,) = await rows(
        app.state.sessions, "SELECT actor_id, on_behalf_of FROM audit WHERE action = 'wishes.confirmed'"
    )
    assert tuple(line) == (wu.actor.member_id, granny.actor.member_id)
    later = await granny.post(f"/api/wishes/{wish}/thank", json={"thanks": "谢谢小陈"})
    assert later.status_code == 200
    twice = await granny.post(f"/api/wishes/{wish}/thank", json={"thanks": "再谢一次"})
    assert code_of(twice) == "wishes.thanked_already"


async def test_a_dispute_can_end_well(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await served(li, wu, chen, clock)
    await li.post(f"/api/wishes/{wish}/dispute", json={"note": "灯还是不亮"})

    assert (await li.get(f"/wishes/{wish}/confirm")).status_code == 200
    assert (await li.post(f"/api/wishes/{wish}/confirm")).status_code == 200
    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100)


async def test_a_stale_confirmation_is_refused(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await served(li, wu, chen, clock)
    await li.post(f"/api/wishes/{wish}/dispute", json={"note": "灯还是不亮"})
    clock.move(hours=4)
    await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=180))

    page = await li.post(f"/wishes/{wish}/confirm", data={"revision": 4, "thanks": "谢谢小陈"})

    assert page.status_code == 409
    assert "刚刚有了变化" in page.text
    assert "谢谢小陈" in page.text
    assert await has(app.state.sessions, chen.actor.member_id) == (0, 0)


async def test_a_promised_reward_is_paid_though_the_budget_is_empty_by_then(
    li: Client, wu: Client, chen: Client, clock, app: Litestar, town: Town
) -> None:
    sponsor = town.organisations["sponsor"]
    terms = {"reward_points": 20, "reward_budget": str(sponsor)}
    wish = await served(li, wu, chen, clock, terms=terms)
    async with app.state.sessions.begin() as session:
        spent = ledger.Leg(chart.budget(sponsor), chart.ISSUED, chart.POINT, SPONSOR_POINTS - 2000)
        journal = ledger.Journal(reference="spent", reason=Reason.CORRECTION, legs=(spent,), actor_id=None)
        await ledger.post(session, HERE, journal, now=clock.now)

    assert (await li.post(f"/api/wishes/{wish}/confirm")).status_code == 200

    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100 + 2000)
    async with app.state.sessions.begin() as session:
        assert await ledger.balance(session, HERE, chart.budget(sponsor), chart.POINT) == 0
        assert await ledger.balance(session, HERE, chart.ESCROW, chart.POINT) == 0
        assert await verify_books(session, HERE) == []


async def test_a_day_has_only_so_many_minutes(li: Client, granny: Client, wu: Client, chen: Client, clock, app) -> None:
    asked = [(li, 12, await claimed(li, wu, chen)), (granny, 6, await claimed(granny, wu, chen))]
    clock.move(hours=13)
    wishes = []
    for asker, start, wish in asked:
        answer = await chen.post(
            f"/api/wishes/{wish}/serve",
            json={
                "started_at": (clock.now - timedelta(hours=start)).isoformat(),
                "minutes": 300,
                "note": "陪了大半天",
            },
        )
        assert answer.status_code == 200, answer.text
        assert (await asker.post(f"/api/wishes/{wish}/confirm")).status_code == 200
        wishes.append(await seen(chen, wish))

    assert [wish["credited_minutes"] for wish in wishes] == [300, 180]
    assert (await has(app.state.sessions, chen.actor.member_id))[0] == 480


@pytest.mark.parametrize("path", ["confirm", "dispute", "thank", "withdraw", "restore", "edit"])
async def test_what_is_the_askers_is_not_the_neighbours(
    li: Client, wu: Client, chen: Client, sun: Client, clock, path: str
) -> None:
    wish = await approved(li, wu)
    body = {"note": "随便说说", "title": "换灯泡", "text": "厨房的灯泡坏了", "thanks": "谢谢您"}

    answer = await sun.post(f"/api/wishes/{wish}/{path}", json=body)

    assert (answer.status_code, code_of(answer)) == (403, "wishes.not_yours")
