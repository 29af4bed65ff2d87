"""Getting in with a number and a PIN, and out again."""

import pytest
from litestar import Litestar

from service.identity import set_secret
from tests.cast import HERE, Client, TownClock, client_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def with_secret(app: Litestar, li: Client) -> Client:
    """Li has chosen a PIN."""
    async with app.state.sessions.begin() as session:
        await set_secret(
            session, community_id=HERE, member_id=li.actor.member_id, secret="135791", now=app.state.clock()
        )
    return li


async def test_the_card_and_its_pin_open_a_session(with_secret: Client, anon: Client) -> None:
    answer = await anon.post("/api/session", json={"number": "0012-0001", "secret": "135791"})

    assert answer.status_code == 204
    assert (await anon.get("/api/me")).json()["card_no"] == "0012-0001"


async def test_an_unknown_number_and_a_wrong_pin_sound_the_same(with_secret: Client, anon: Client) -> None:
    wrong = await anon.post("/api/session", json={"number": "0012-0001", "secret": "000001"})
    unknown = await anon.post("/api/session", json={"number": "9999-9999", "secret": "000001"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json()["code"] == unknown.json()["code"] == "identity.sign_in_refused"
    assert wrong.json()["title"] == unknown.json()["title"]


async def test_after_five_wrong_tries_even_the_right_pin_must_wait(
    with_secret: Client, anon: Client, clock: TownClock
) -> None:
    for _ in range(5):
        assert (await anon.post("/api/session", json={"number": "0012-0001", "secret": "999990"})).status_code == 401

    assert (await anon.post("/api/session", json={"number": "0012-0001", "secret": "135791"})).status_code == 429
    clock.move(minutes=16)
    assert (await anon.post("/api/session", json={"number": "0012-0001", "secret": "135791"})).status_code == 204


async def test_signing_out_ends_the_session_for_good(li: Client, app: Litestar) -> None:
    cookie = li.cookies["linli_session"]
    assert (await li.post("/sign-out")).status_code == 303

    async with client_of(app, cookie) as thief:
        assert (await thief.get("/api/me")).status_code == 401


async def test_the_two_pages_lead_in_and_on(with_secret: Client, anon: Client) -> None:
    assert (await anon.get("/me", headers={"accept": "text/html"})).headers["location"] == "/sign-in?next=%2Fme"
    second = await anon.post("/sign-in", data={"number": "0012-0001", "next": "/me"})
    assert second.status_code == 200
    entered = await anon.post(
        "/sign-in/secret", data={"number": "0012-0001", "secret": "135791", "next": "//evil.example"}
    )

    assert entered.status_code == 303
    assert entered.headers["location"] == "/"
    assert "HttpOnly" in entered.headers["set-cookie"]
