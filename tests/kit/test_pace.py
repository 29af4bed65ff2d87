"""How fast anybody may ask: who is counted together, who is never counted, and what is said to whoever was too fast."""

import html
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar, Request
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.app import create_app
from service.kit.edge import FORM_KEPT_BYTES, SESSION_COOKIE
from service.kit.pace import Pace, Paces, TooFast, network_of
from service.kit.settings import Settings
from tests.cast import HERE, KEYRING, Client, Town, client_of
from tests.db import Database, Steward

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}
MOST = 20
"""Requests a minute in these tests: one more is welcome three seconds later."""


class Seconds:
    """Time that stands still until it is moved, so that a slow machine is no slower client."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def town_database(town_template: tuple[Town, Steward]) -> Iterator[Database]:
    """These tests write next to nothing, so they share one copy of the town."""
    with town_template[1].clone() as database:
        yield database


Build = Callable[..., Litestar]


@pytest.fixture
def seconds() -> Seconds:
    """The limits' own time."""
    return Seconds()


@pytest.fixture(scope="module")
def shared_app(town_database: Database) -> Litestar:
    """Building an app takes longer than any of these tests."""
    settings = Settings(worker=False, public_url="https://linli.example.org")
    return create_app(settings, KEYRING, database_url=town_database.app_url)


@pytest.fixture
async def build(shared_app: Litestar, clock: Any, seconds: Seconds) -> AsyncIterator[Build]:
    """Gives the app paces of this test's own, so that nobody has asked it anything yet."""

    def make(session: int = MOST, address: int = MOST) -> Litestar:
        shared_app.state.clock = clock
        shared_app.state.paces = Paces(session_per_minute=session, address_per_minute=address, seconds=seconds)
        return shared_app

    yield make
    await shared_app.state.engine.dispose()


async def _ask(client: Client, times: int, path: str = "/api/me") -> list[int]:
    return [(await client.get(path, headers={"accept": "application/json"})).status_code for _ in range(times)]


def _from(app: Any, host: str, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Somebody at another address."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, client=(host, 40000)),
        base_url="https://linli.example.org",
        headers=headers or {},
    )


def test_a_minutes_worth_at_once_and_then_evenly() -> None:
    pace = Pace(60)

    assert [pace.seconds_to_wait(b"a", 100.0) for _ in range(60)] == [0.0] * 60
    assert pace.seconds_to_wait(b"a", 100.0) == pytest.approx(1.0)
    assert pace.seconds_to_wait(b"a", 100.4) == pytest.approx(0.6)
    assert pace.seconds_to_wait(b"a", 101.0) == 0.0
    assert pace.seconds_to_wait(b"a", 101.0) == pytest.approx(1.0)
    # Whoever was refused waits no longer for having asked, and after a silent minute it is as if nothing had been.
    assert [pace.seconds_to_wait(b"a", 161.0) for _ in range(60)] == [0.0] * 60


def test_one_clients_haste_is_nobody_elses() -> None:
    pace = Pace(2)

    assert [pace.seconds_to_wait(b"a", 0.0) > 0 for _ in range(3)] == [False, False, True]
    assert [pace.seconds_to_wait(b"b", 0.0) > 0 for _ in range(3)] == [False, False, True]


def test_only_so_many_clients_are_remembered() -> None:
    pace = Pace(1, clients_max=3)
    for number in range(1000):
        pace.seconds_to_wait(b"%d" % number, 0.0)

    assert len(pace._due) == 3
    assert pace.seconds_to_wait(b"999", 0.0) > 0
    assert pace.seconds_to_wait(b"0", 0.0) == 0.0

    paces = Paces(session_per_minute=1, address_per_minute=1, clients_max=3)
    for number in range(1000):
        paces.prove(f"1.{number}", is_open=True)
    assert len(paces._proven) == 3


def test_nought_counts_nothing() -> None:
    pace = Pace(0)

    assert {pace.seconds_to_wait(b"a", 0.0) for _ in range(10_000)} == {0.0}
    assert not pace._due


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::9", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, "?"),
    ],
)
def test_an_ipv6_home_is_one_client(host: str | None, network: str) -> None:
    scope: dict[str, Any] = {"type": "http", "headers": [], "path": "/", "client": (host, 1) if host else None}

    assert network_of(Request(scope)) == network  # type: ignore[arg-type] # the few keys that are read


async def test_the_settings_are_the_limits(town_database: Database, town: Town) -> None:
    settings = Settings(worker=False, session_requests_per_minute=3, address_requests_per_minute=5)
    app = create_app(settings, KEYRING, database_url=town_database.app_url)
    async with client_of(app, town.cookies["wu"]) as wu, client_of(app, None) as anon:
        assert await _ask(wu, 5) == [200] * 4 + [429]  # the first one was a cookie like any other
        assert await _ask(anon, 6, "/sign-in") == [200] * 5 + [429]
    await app.state.engine.dispose()


def test_a_shop_a_kiosk_and_an_office_stay_far_below_the_limits_as_they_come() -> None:
    settings = Settings(public_url="https://linli.example.org")

    # A scan each second with its three pages beside, or a kiosk that asks each second, for a whole minute.
    assert settings.session_requests_per_minute >= 2 * (60 + 3 * 60)
    # Three hundred people of a hall behind one address, each at the sign-in's pages within the same minute.
    assert settings.address_requests_per_minute >= 300 * 10


async def test_one_session_too_fast_hurts_neither_another_nor_a_stranger(build: Build, town: Town) -> None:
    app = build()
    async with (
        client_of(app, town.cookies["li"]) as li,
        client_of(app, town.cookies["chen"]) as chen,
        client_of(app, None) as anon,
    ):
        assert await _ask(li, 1) == [200]  # from here on the cookie is known to open a session
        assert await _ask(li, MOST + 2) == [200] * MOST + [429] * 2

        assert await _ask(chen, MOST) == [200] * MOST
        assert await _ask(anon, MOST, "/sign-in") == [200] * MOST
        assert await _ask(anon, 1, "/sign-in") == [429]
        assert await _ask(chen, 1) == [200]


async def test_cookies_that_somebody_makes_up_are_one_client(build: Build, town: Town) -> None:
    app = build()
    codes = []
    for number in range(MOST + 1):
        async with client_of(app, f"{HERE}.made-up-{number}") as liar:
            codes += await _ask(liar, 1)

    assert codes == [401] * MOST + [429]
    async with client_of(app, None) as anon:  # at the same address, without a cookie
        assert await _ask(anon, 1, "/sign-in") == [200]


async def test_a_session_that_ended_is_counted_by_its_address_again(build: Build, town: Town) -> None:
    app = build(session=0)
    async with client_of(app, town.cookies["granny"]) as granny:
        assert set(await _ask(granny, MOST * 2)) == {200}
        assert (await granny.post("/sign-out")).status_code == 303
        granny.cookies.set(SESSION_COOKIE, town.cookies["granny"], domain="linli.example.org")

        assert await _ask(granny, MOST + 1) == [401] * MOST + [429]


async def test_another_address_is_another_client_and_one_ipv6_network_is_one(build: Build) -> None:
    app = build()
    for host in ("192.0.2.1", "192.0.2.2"):
        async with _from(app, host) as somebody:
            codes = [(await somebody.get("/sign-in")).status_code for _ in range(MOST + 1)]
            assert codes == [200] * MOST + [429]
    codes = []
    for number in range(MOST + 1):
        async with _from(app, f"2001:db8::{number + 1:x}") as neighbour:
            codes.append((await neighbour.get("/sign-in")).status_code)
    assert codes == [200] * MOST + [429]


async def test_the_proxy_is_believed_only_when_it_is_trusted(build: Build) -> None:
    """As `linli serve` wraps it: uvicorn takes the address from X-Forwarded-For of a trusted proxy and of nobody else."""
    behind: Any = ProxyHeadersMiddleware(build(), trusted_hosts="127.0.0.1")  # type: ignore[arg-type] # an ASGI app by another name

    async def through(proxy: str, client: str) -> int:
        async with _from(behind, proxy, {"x-forwarded-for": client}) as browser:
            return (await browser.get("/sign-in")).status_code

    assert {await through("127.0.0.1", f"192.0.2.{number}") for number in range(MOST * 2)} == {200}
    invented = [await through("203.0.113.5", f"192.0.2.{number}") for number in range(MOST + 1)]
    assert invented == [200] * MOST + [429]


@pytest.mark.parametrize("path", ["/static/nothing.css", "/health/live", "/metrics"])
async def test_files_and_watchers_are_never_counted(build: Build, path: str) -> None:
    async with client_of(build(), None) as anon:
        assert 429 not in await _ask(anon, MOST * 3, path)
        assert await _ask(anon, 1, "/sign-in") == [200]


async def test_what_the_router_refuses_is_counted_as_well(build: Build) -> None:
    async with client_of(build(), None) as anon:
        assert await _ask(anon, MOST + 1, "/nowhere") == [404] * MOST + [429]


async def test_programs_get_problem_details_and_when_to_come_again(build: Build) -> None:
    async with client_of(build(), None) as anon:
        await _ask(anon, MOST, "/nowhere")
        answer = await anon.get("/api/me", headers={"accept-language": "en"})
        chinese = await anon.get("/api/me", headers={"accept-language": "zh"})

    assert answer.status_code == 429
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert (body["status"], body["code"]) == (429, "kit.too_fast")
    assert 1 <= body["retry_after"] <= 3
    assert answer.headers["retry-after"] == str(body["retry_after"])
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"].isascii()
    assert body["title"] != chinese.json()["title"] != "refusal.kit.too_fast"


@pytest.mark.parametrize(("language", "word"), [("zh-CN", "点得太快了"), ("en", "You are going too fast")])
async def test_people_get_a_page(build: Build, language: str, word: str) -> None:
    async with client_of(build(), None) as anon:
        await _ask(anon, MOST, "/nowhere")
        answer = await anon.get("/sign-in", headers=HTML | {"accept-language": language})

    assert answer.status_code == 429
    assert f'<html lang="{language}"' in answer.text
    assert word in answer.text
    assert int(answer.headers["retry-after"]) in (1, 2, 3)
    assert "content-security-policy" in answer.headers


def _inputs(page: str) -> list[tuple[str, str]]:
    form = re.search(r'<form action="([^"]+)" method="post">\s*((?:<input type="hidden"[^>]*>)+)', page)
    assert form is not None
    found = re.findall(r'name="([^"]*)" value="([^"]*)"', form[2])
    return [("", html.unescape(form[1])), *((name, html.unescape(value)) for name, value in found)]


async def test_a_form_sent_too_fast_is_handed_back_and_one_press_sends_it(
    build: Build, town: Town, seconds: Seconds
) -> None:
    app = build()
    async with client_of(app, town.cookies["chen"]) as chen:
        token = chen.headers.pop("x-csrftoken")
        typed = {"_csrf_token": token, "size": "xl", "locale": "en", "next": '/me?a="1"&b=<心>', "mode": ""}
        await _ask(chen, MOST + 1)
        refused = await chen.post("/display", data=typed, headers=HTML)
        assert refused.status_code == 429
        assert refused.headers["cache-control"] == "no-store"
        assert "set-cookie" not in refused.headers
        (_, action), *fields = _inputs(refused.text)
        assert (action, dict(fields)) == ("/display", typed)

        seconds.now += int(refused.headers["retry-after"])
        again = await chen.post(action, data=dict(fields), headers=HTML)

    assert (again.status_code, "size=xl" in again.headers["set-cookie"]) == (303, True)


async def test_secrets_are_never_written_into_a_page(build: Build) -> None:
    async with client_of(build(), None) as anon:
        await _ask(anon, MOST, "/nowhere")
        answer = await anon.post(
            "/activate", data={"code": "A-1", "secret": "135791", "again": "135792", "pin": "135793"}, headers=HTML
        )

    assert answer.status_code == 429
    assert "13579" not in answer.text
    assert ("code", "A-1") in _inputs(answer.text)


async def test_a_form_of_another_site_is_refused_when_it_comes_again(build: Build, seconds: Seconds) -> None:
    """The page that hands a form back never adds a token: it would lend ours to a stranger's form."""
    async with client_of(build(), None) as anon:
        token = anon.headers.pop("x-csrftoken")
        await _ask(anon, MOST, "/nowhere")
        refused = await anon.post("/display", data={"size": "xl"}, headers=HTML)
        assert refused.status_code == 429
        assert _inputs(refused.text)[1:] == [("size", "xl")]
        assert (
            token not in refused.text.partition('<form action="/display" method="post">\n')[2].partition("</form>")[0]
        )
        seconds.now += 3
        assert (await anon.post("/display", data={"size": "xl"}, headers=HTML)).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {
            "content": b"a=" + b"x" * (FORM_KEPT_BYTES + 1),
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
        {"content": b"a=%ff", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {
            "content": b"&".join(b"a=1" for _ in range(501)),
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
        {"content": b"", "headers": {"content-type": "application/x-www-form-urlencoded", "content-length": "x"}},
        {"files": {"file": b"x" * 1000}},
    ],
    ids=["large", "not utf-8", "no text", "many fields", "no length", "a file"],
)
async def test_whatever_else_is_posted_is_survived(build: Build, body: dict[str, Any]) -> None:
    async with client_of(build(), None) as anon:
        await _ask(anon, MOST, "/nowhere")
        headers = HTML | body.pop("headers", {})
        assert (await anon.post("/display", headers=headers, **body)).status_code == 429


async def test_a_refusal_costs_no_query(build: Build, town: Town) -> None:
    app = build()
    seen: list[str] = []
    async with client_of(app, town.cookies["sun"]) as sun:
        await _ask(sun, MOST + 1)
        sa.event.listen(app.state.engine.sync_engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
        assert await _ask(sun, 3) == [429] * 3
        assert (await sun.post("/display", data={"size": "m"}, headers=HTML)).status_code == 429

    assert seen == []


def test_a_refusal_says_whole_seconds() -> None:
    assert TooFast(3).retry_seconds == 3
    assert TooFast(3).data() == {"retry_after": 3}
