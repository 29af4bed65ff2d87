"""Sessions: one's own are listed and ended, the token changes with every entrance, time ends them all."""

from datetime import timedelta

import pytest
from litestar import Litestar

from service import identity
from service.identity.actions_bulk import close_people, reopen_people
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.edge import SESSION_COOKIE
from tests.cast import HERE, Client, TownClock, client_of
from tests.identity.conftest import PIN

pytestmark = pytest.mark.anyio


async def _another(app: Litestar, whom: Client, *, is_shared: bool = False) -> Client:
    """The same person on another device."""
    async with app.state.sessions.begin() as session:
        entrance = await identity.enter(
            session,
            whom.actor.community_id,
            whom.actor.member_id,
            device="Android",
            is_shared=is_shared,
            now=app.state.clock(),
        )
    return client_of(app, entrance.cookie)


async def test_ones_own_sessions_are_listed_and_one_is_ended(app: Litestar, li: Client, chen: Client) -> None:
    async with await _another(app, li) as phone:
        listed = (await li.get("/api/me/sessions")).json()["items"]
        assert [item["is_current"] for item in listed].count(True) == 1
        assert {item["device"] for item in listed} == {"test", "Android"}
        other = next(item["session_id"] for item in listed if not item["is_current"])

        # Somebody else's session looks like one that is not there, and stays.
        assert (await chen.delete(f"/api/me/sessions/{other}")).status_code == 204
        assert (await phone.get("/api/me")).status_code == 200
        assert (await li.delete(f"/api/me/sessions/{other}")).status_code == 204

        assert (await phone.get("/api/me")).status_code == 401
    assert (await li.get("/api/me")).status_code == 200


async def test_the_page_ends_a_session_as_well(app: Litestar, li: Client) -> None:
    async with await _another(app, li) as phone:
        other = next(
            item["session_id"] for item in (await li.get("/api/me/sessions")).json()["items"] if not item["is_current"]
        )
        assert "Android" in (await li.get("/me/devices")).text

        answer = await li.post(f"/me/sessions/{other}/end")

        assert (answer.status_code, answer.headers["location"]) == (303, "/me/devices?done=session_ended")
        assert (await phone.get("/api/me")).status_code == 401


async def test_a_changed_pin_signs_out_every_other_device(app: Litestar, with_pin: Client) -> None:
    async with await _another(app, with_pin) as phone:
        form = {"old": PIN, "secret": "246813", "again": "246813"}
        assert (await with_pin.post("/me/secret", data=form)).status_code == 303

        assert (await phone.get("/api/me")).status_code == 401
        assert (await with_pin.get("/api/me")).status_code == 200
    async with client_of(app, None) as browser:
        old = await browser.post("/api/session", json={"number": "0012-0001", "secret": PIN})
        new = await browser.post("/api/session", json={"number": "0012-0001", "secret": "246813"})
    assert (old.status_code, new.status_code) == (401, 204)


async def test_a_pin_is_changed_by_the_api_too(app: Litestar, with_pin: Client) -> None:
    async with await _another(app, with_pin) as phone:
        wrong = await with_pin.put("/api/me/secret", json={"old": "999999", "secret": "246813"})
        assert (wrong.status_code, wrong.json()["tries_left"]) == (401, 4)
        assert (await phone.get("/api/me")).status_code == 200

        assert (await with_pin.put("/api/me/secret", json={"old": PIN, "secret": "246813"})).status_code == 204
        assert (await phone.get("/api/me")).status_code == 401
        assert (await with_pin.get("/api/me")).status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"old": "999999", "secret": "246813", "again": "246813"}, 401),
        ({"old": PIN, "secret": "246813", "again": "246814"}, 409),
        ({"old": PIN, "secret": "123456", "again": "123456"}, 409),
        ({"old": PIN, "secret": "111111", "again": "111111"}, 409),
        ({"old": PIN, "secret": "12345", "again": "12345"}, 409),
        ({"old": PIN, "secret": "２４６８１３", "again": "２４６８１３"}, 409),
        ({"old": PIN}, 422),
    ],
)
async def test_a_refused_change_changes_nothing(
    app: Litestar, with_pin: Client, form: dict[str, str], status: int
) -> None:
    async with await _another(app, with_pin) as phone:
        answer = await with_pin.post("/me/secret", data=form)
        assert answer.status_code == status
        assert PIN not in answer.text
        assert (await phone.get("/api/me")).status_code == 200
    async with client_of(app, None) as browser:
        assert (await browser.post("/api/session", json={"number": "0012-0001", "secret": PIN})).status_code == 204


async def test_the_token_before_is_not_the_token_after(app: Litestar, with_pin: Client) -> None:
    """Whoever planted a cookie, or read one, has nothing after the next sign-in."""
    planted = f"{HERE}.planted-by-somebody"
    async with client_of(app, planted) as browser:
        answer = await browser.post("/api/session", json={"number": "0012-0001", "secret": PIN})
        fresh = answer.headers["set-cookie"].split(";")[0].partition("=")[2]

    assert fresh != planted
    async with client_of(app, planted) as thief:
        assert (await thief.get("/api/me")).status_code == 401


async def test_the_cookie_is_for_this_site_only(with_pin: Client, anon: Client) -> None:
    own = await anon.post("/api/session", json={"number": "0012-0001", "secret": PIN})
    shared = await anon.post("/api/session", json={"number": "0012-0001", "secret": PIN, "shared": True})

    for answer in (own, shared):
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SESSION_COOKIE}=")
        for word in ("HttpOnly", "Secure", "Path=/"):
            assert word in cookie
        assert "samesite=lax" in cookie.lower()
    assert "Max-Age" in own.headers["set-cookie"]
    assert "Max-Age" not in shared.headers["set-cookie"]


async def test_time_ends_a_session(app: Litestar, li: Client, clock: TownClock) -> None:
    async with await _another(app, li, is_shared=True) as shared:
        clock.move(minutes=119)
        assert (await shared.get("/api/me")).status_code == 200
        clock.move(minutes=1)
        assert (await shared.get("/api/me")).status_code == 401
    assert (await li.get("/api/me")).status_code == 200
    clock.move(days=90)
    assert (await li.get("/api/me")).status_code == 401


MADE_UP = ["", ".", "x", f"{HERE}", f"{HERE}.", ".token", f"{HERE}.token", "9" * 30 + ".x", "-1.x", "１.x", "0x1.x"]
MADE_UP += [f"{HERE}." + "x" * 200, f"{HERE}.\x7f"]


@pytest.mark.parametrize("cookie", MADE_UP)
async def test_a_made_up_cookie_is_nobody(app: Litestar, cookie: str) -> None:
    async with client_of(app, None) as browser:
        raw = f"{SESSION_COOKIE}={cookie}".encode()
        answer = await browser.get("/api/me", headers=[(b"cookie", raw)])

    assert answer.status_code == 401


async def test_a_session_of_one_community_is_none_of_another(app: Litestar, li: Client) -> None:
    token = li.cookies[SESSION_COOKIE].partition(".")[2]
    async with client_of(app, f"610102001001.{token}") as stranger:
        assert (await stranger.get("/api/me")).status_code == 401


async def test_staff_end_all_sessions_of_somebody(app: Litestar, li: Client, wu: Client, clock: TownClock) -> None:
    async with await _another(app, li) as phone:
        async with app.state.sessions.begin() as session:
            await identity.end_sessions_of(session, actor=wu.actor, member_id=li.actor.member_id, now=clock.now)

        assert (await phone.get("/api/me")).status_code == 401
        assert (await li.get("/api/me")).status_code == 401
    assert (await wu.get("/api/me")).status_code == 200


async def test_somebody_whose_card_was_closed_cannot_enter(app: Litestar, with_pin: Client, jiang: Client) -> None:
    async with app.state.sessions.begin() as session:
        await close_people(session, actor=jiang.actor, ids=[with_pin.actor.member_id], now=app.state.clock())

    assert (await with_pin.get("/api/me")).status_code == 401
    async with client_of(app, None) as browser:
        refused = await browser.post("/api/session", json={"number": "0012-0001", "secret": PIN})
        assert (refused.status_code, refused.json()["code"]) == (401, "identity.sign_in_refused")
        async with app.state.sessions.begin() as session:
            await reopen_people(session, actor=jiang.actor, ids=[with_pin.actor.member_id], now=app.state.clock())
        assert (await browser.post("/api/session", json={"number": "0012-0001", "secret": PIN})).status_code == 204
    assert (await with_pin.get("/api/me")).status_code == 401  # the old session stays ended


async def test_a_role_ends_with_its_day(app: Litestar, wu: Client, jiang: Client, clock: TownClock) -> None:
    assert (await wu.get("/api/inbox")).status_code == 200
    today = local_day(clock.now)
    async with app.state.sessions.begin() as session:
        await identity.end_role(
            session,
            actor=jiang.actor,
            member_id=wu.actor.member_id,
            role=Role.STAFF,
            day=today + timedelta(days=1),
            now=clock.now,
        )

    assert (await wu.get("/api/inbox")).status_code == 200
    clock.move(hours=13, minutes=59)  # 23:59 in the community
    assert (await wu.get("/api/inbox")).status_code == 200
    clock.move(minutes=1)
    assert (await wu.get("/api/inbox")).status_code == 403
    assert (await wu.get("/desk")).status_code == 403


async def test_a_role_that_ends_today_is_refused_at_once(
    app: Litestar, wu: Client, jiang: Client, clock: TownClock
) -> None:
    async with app.state.sessions.begin() as session:
        await identity.end_role(
            session,
            actor=jiang.actor,
            member_id=wu.actor.member_id,
            role=Role.STAFF,
            day=local_day(clock.now),
            now=clock.now,
        )

    assert (await wu.get("/api/inbox")).status_code == 403


async def test_a_role_begins_with_its_day(app: Litestar, li: Client, jiang: Client, clock: TownClock) -> None:
    async with app.state.sessions.begin() as session:
        await identity.grant_role(
            session,
            actor=jiang.actor,
            community_id=HERE,
            member_id=li.actor.member_id,
            role=Role.STAFF,
            day=local_day(clock.now) + timedelta(days=1),
            now=clock.now,
        )

    assert (await li.get("/api/inbox")).status_code == 403
    clock.move(hours=14)
    assert (await li.get("/api/inbox")).status_code == 200
