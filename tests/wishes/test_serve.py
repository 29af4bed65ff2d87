"""Saying that it is done."""

from datetime import timedelta

from litestar import Litestar

from tests.cast import START, Client
from tests.wishes.acts import claimed, code_of, report, rows, seen, served


async def test_the_asker_is_asked(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=2)

    done = await chen.post(
        f"/wishes/{wish}/serve",
        data={"day": "2026-11-22", "start": "10:30", "minutes": 75, "note": "换了两个灯泡", "revision": 3},
    )

    assert done.status_code == 303
    found = await seen(li, wish)
    assert (found["state"], found["served_minutes"], found["served_from_at"]) == (
        "served",
        75,
        "2026-11-22T02:30:00Z",
    )
    assert "办好了吗" in (await li.get("/wishes/mine")).text
    assert "换了两个灯泡" in (await li.get(f"/wishes/{wish}/confirm")).text
    assert ("WishServed",) in await rows(app.state.sessions, "SELECT fact FROM outbox")


async def test_what_cannot_be_is_refused(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=3)
    good = report(clock.now)

    async def refused(**changes: object) -> str:
        return code_of(await chen.post(f"/api/wishes/{wish}/serve", json=good | changes))

    assert await refused(minutes=61) == "wishes.service_in_future"
    assert await refused(started_at=(START - timedelta(days=2)).isoformat()) == "wishes.service_before_claim"
    assert await refused(minutes=0) == "kit.invalid"
    assert await refused(note="") == "kit.invalid"
    assert await refused(note="字" * 5000) == "kit.invalid"
    assert await refused(revision=2) == "wishes.changed_meanwhile"
    page = await chen.post(
        f"/wishes/{wish}/serve", data={"day": "昨天", "start": "", "minutes": "很久", "note": "好", "revision": 3}
    )
    assert page.status_code == 422
    assert "很久" in page.text
    assert (await seen(li, wish))["state"] == "claimed"


async def test_saying_it_twice_is_saying_it_once(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await served(li, wu, chen, clock.now)

    again = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now))
    other = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))

    assert again.json()["state"] == "served"
    assert (other.status_code, code_of(other)) == (409, "wishes.other_state")


async def test_nobody_is_at_two_wishes_at_once(li: Client, granny: Client, wu: Client, chen: Client, clock) -> None:
    await served(li, wu, chen, clock.now, minutes=60)
    second = await claimed(granny, wu, chen)

    overlapping = await chen.post(
        f"/api/wishes/{second}/serve",
        json={"started_at": (clock.now - timedelta(minutes=90)).isoformat(), "minutes": 31, "note": "一起办了"},
    )
    before = await chen.post(
        f"/api/wishes/{second}/serve",
        json={"started_at": (clock.now - timedelta(minutes=90)).isoformat(), "minutes": 30, "note": "先办了这件"},
    )

    assert code_of(overlapping) == "wishes.service_overlaps"
    assert before.status_code == 200


async def test_only_the_helper_says_so(li: Client, wu: Client, chen: Client, sun: Client, clock) -> None:
    wish = await claimed(li, wu, chen)

    assert code_of(await sun.post(f"/api/wishes/{wish}/serve", json=report(clock.now))) == "wishes.not_yours"
    assert (await li.post(f"/api/wishes/{wish}/serve", json=report(clock.now))).status_code == 403
    assert (await sun.get(f"/wishes/{wish}/serve")).status_code == 409


async def test_not_done_yet_goes_back_to_the_helper_and_to_staff(
    li: Client, wu: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await served(li, wu, chen, clock.now)
    empty = await li.post(f"/wishes/{wish}/dispute", data={"note": "", "revision": 4})
    assert empty.status_code == 422

    done = await li.post(f"/wishes/{wish}/dispute", data={"note": "灯还是不亮", "revision": 4})

    assert done.status_code == 303
    assert "灯还是不亮" in (await chen.get("/wishes/claimed")).text
    assert "灯还是不亮" in (await wu.get(f"/desk/wishes/{wish}")).text
    assert ("WishDisputed",) in await rows(app.state.sessions, "SELECT fact FROM outbox")
    clock.move(hours=5)
    again = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))
    assert again.json()["state"] == "served"
    assert (await seen(li, wish))["reason"] is None
