"""My devices: where one is signed in, in words without addresses; each ended by itself, all others at one press."""

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from tests.cast import Client, TownClock, client_of
from tests.identity.conftest import PIN

pytestmark = pytest.mark.anyio
PHONE = {"user-agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"}


def from_network(app: Litestar, address: str) -> Client:
    """A browser that asks from another address."""
    browser = client_of(app, None)
    browser._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 40000))  # type: ignore[arg-type]
    return browser


async def sign_in(browser: Client, *, shared: bool = False) -> None:
    answer = await browser.post(
        "/api/session", json={"number": "0012-0001", "secret": PIN, "shared": shared}, headers=PHONE
    )
    assert answer.status_code == 204


async def test_the_page_says_what_and_from_where_without_an_address(
    app: Litestar, with_pin: Client, clock: TownClock
) -> None:
    async with from_network(app, "198.51.100.7") as at_home, from_network(app, "203.0.113.9") as away:
        await sign_in(at_home)
        clock.move(hours=3)
        await sign_in(away, shared=True)
        listed = (await at_home.get("/api/me/sessions")).json()["items"]
        assert {(item["device"], item["is_shared"], item["place"]) for item in listed} == {
            ("test", False, "unknown"),
            ("微信", False, "same"),
            ("微信", True, "other"),
        }
        page = (await at_home.get("/me/devices")).text
        assert "和您现在同一个网络" in page
        assert "另一个网络" in page
        assert "公用" in page
        assert "在 3 台设备上登录着" in (await at_home.get("/me")).text
    for address in ("198.51.100", "203.0.113"):
        assert address not in page
    async with app.state.sessions.begin() as session:
        kept = (await session.execute(sa.text("SELECT s::text FROM session s"))).scalars().all()
    assert not [row for row in kept if "198.51" in row or "203.0" in row]


@pytest.mark.parametrize("by_page", [True, False])
async def test_one_press_ends_all_the_others(app: Litestar, with_pin: Client, chen: Client, *, by_page: bool) -> None:
    async with client_of(app, None) as phone, client_of(app, None) as tablet:
        await sign_in(phone)
        await sign_in(tablet)
        if by_page:
            answer = await phone.post("/me/sessions/end-others")
            assert (answer.status_code, answer.headers["location"]) == (303, "/me/devices?done=others_ended")
        else:
            assert (await phone.delete("/api/me/sessions")).status_code == 204

        assert (await phone.get("/api/me")).status_code == 200
        assert (await tablet.get("/api/me")).status_code == 401
        assert (await with_pin.get("/api/me")).status_code == 401
        assert (await chen.get("/api/me")).status_code == 200  # nobody else's
        assert len((await phone.get("/api/me/sessions")).json()["items"]) == 1
    async with app.state.sessions.begin() as session:
        found = await session.execute(
            sa.text("SELECT detail FROM audit WHERE action = 'identity.other_sessions_ended'")
        )
    assert found.scalars().all() == [{"sessions": 2}]


async def test_a_right_that_is_taken_away_is_gone_with_the_next_request(jiang: Client, wu: Client) -> None:
    assert (await wu.get("/desk/people")).status_code == 200
    ended = await jiang.post(f"/api/people/{wu.actor.member_id}/roles/end", json={"role": "staff"})
    assert ended.status_code < 300

    assert (await wu.get("/desk/people")).status_code == 403
    assert (await wu.post("/api/cards", json={"numbers": ["0012-0001"]})).status_code == 403
    assert (await wu.get("/api/me")).json()["roles"] == []


async def test_a_stolen_cookie_is_dead_after_the_owner_signed_out(app: Litestar, with_pin: Client) -> None:
    async with client_of(app, None) as phone:
        answer = await phone.post("/api/session", json={"number": "0012-0001", "secret": PIN})
        stolen = answer.headers["set-cookie"].split(";")[0].partition("=")[2]
        async with client_of(app, stolen) as thief:
            assert (await thief.get("/api/me")).status_code == 200
            assert (await phone.delete("/api/session")).status_code == 204
            assert (await thief.get("/api/me")).status_code == 401
            assert (await thief.post("/messages/read")).status_code == 401
