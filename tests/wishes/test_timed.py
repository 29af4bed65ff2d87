"""What time alone does."""

from uuid import UUID

from litestar import Litestar

from service.wishes import actions
from tests.cast import Client
from tests.wishes.acts import approved, claimed, posted, rows, seen, served


async def test_a_missed_deadline_makes_room(li: Client, wu: Client, chen: Client, sun: Client, clock, app) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(days=6)
    async with app.state.sessions.begin() as session:
        assert await actions.release_overdue_claims(session, clock.now) == 0
    clock.move(days=1)

    async with app.state.sessions.begin() as session:
        assert await actions.release_overdue_claims(session, clock.now) == 1
    async with app.state.sessions.begin() as session:
        assert await actions.release_overdue_claims(session, clock.now) == 0

    assert (await seen(sun, wish))["state"] == "approved"
    line = (await li.get(f"/api/wishes/{wish}/history")).json()["items"][-1]
    assert (line["verb"], line["actor"], line["volunteer"]) == ("release", None, "陈**")
    assert "到期自动处理" in (await li.get(f"/wishes/{wish}")).text
    audit = await rows(app.state.sessions, "SELECT actor_id FROM audit WHERE action = 'wishes.released'")
    assert audit == [(None,)]


async def test_what_is_done_is_not_released(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    await served(li, wu, chen, clock)
    clock.move(days=30)

    async with app.state.sessions.begin() as session:
        assert await actions.release_overdue_claims(session, clock.now) == 0


async def test_old_wishes_expire_and_make_room(li: Client, wu: Client, stranger: Client, clock, app: Litestar) -> None:
    on_the_wall = await approved(li, wu)
    returned = await posted(li)
    await wu.post(f"/api/wishes/{returned}/return", json={"note": "请再写清楚些"})
    waiting = await posted(li)
    foreign = await posted(stranger, kind="urgent")
    clock.move(days=60)

    done = 0
    while True:
        async with app.state.sessions.begin() as session:
            batch = await actions.expire_old_wishes(session, clock.now)
        if batch == 0:
            break
        done += batch

    assert done == 3
    assert [(await seen(li, wish))["state"] for wish in (on_the_wall, returned, waiting)] == [
        "expired",
        "expired",
        "posted",
    ]
    assert (await seen(stranger, foreign))["state"] == "expired"
    facts = await rows(app.state.sessions, "SELECT count(*) FROM outbox WHERE fact = 'WishExpired'")
    assert facts == [(3,)]


async def test_the_asker_is_reminded_once(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await served(li, wu, chen, clock)
    clock.move(days=7)

    for expected in (1, 0):
        async with app.state.sessions.begin() as session:
            assert await actions.remind_of_confirmation(session, clock.now) == expected

    facts = await rows(
        app.state.sessions, "SELECT payload ->> 'wish_id' FROM outbox WHERE fact = 'WishConfirmationDue'"
    )
    assert facts == [(wish,)]
    assert (await seen(li, wish))["revision"] == 4


async def test_a_wish_somebody_is_working_on_is_left_for_later(
    li: Client, wu: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(days=8)

    async with app.state.sessions.begin() as working, app.state.sessions.begin() as timed:
        await actions.serve_wish(
            working,
            actor=chen.actor,
            wish_id=UUID(wish),
            started_at=clock.now.replace(hour=1),
            minutes=30,
            note="刚好办完",
            now=clock.now,
        )
        assert await actions.release_overdue_claims(timed, clock.now) == 0

    assert (await seen(li, wish))["state"] == "served"
