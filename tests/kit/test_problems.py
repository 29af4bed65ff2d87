"""What people and programs are told when it is a no, and what every answer carries."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from structlog.testing import capture_logs

from service.kit.edge import CONTENT_SECURITY_POLICY
from tests.cast import KEYRING, Client, Town, client_of
from tests.db import Database, Steward

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}
SECRET = "13812345678"


@pytest.fixture(scope="module")
def town_database(town_template: tuple[Town, Steward]) -> Iterator[Database]:
    """These tests write nothing, so they share one copy of the town."""
    with town_template[1].clone() as database:
        yield database


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/nowhere", 404, "kit.not_found"),
        ("/api/probe/too-many", 429, "kit.too_many"),
        ("/api/probe/bug", 500, "kit.broken"),
        ("/api/probe/missing-file", 500, "kit.broken"),
        ("/api/me", 401, "kit.not_signed_in"),
        ("/api/probe/list?after=made-up", 422, "kit.invalid"),
        ("/api/probe/search?number=x", 422, "kit.invalid"),
        ("/api/probe/search?text=%00", 422, "kit.invalid"),
        (f"/api/probe/search?number={2**63}", 422, "kit.invalid"),
    ],
)
async def test_programs_get_problem_details(anon: Client, path: str, status: int, code: str) -> None:
    answer = await anon.get(path)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"] not in ("", f"refusal.{code}")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nowhere", 404), ("/probe/too-many", 429), ("/probe/bug", 500), ("/probe/missing-file", 500), ("/a/b/c/d", 404)],
)
async def test_people_get_a_page_in_the_house_style(anon: Client, path: str, status: int) -> None:
    answer = await anon.get(path, headers=HTML)

    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "<html lang=" in answer.text
    assert 'class="phone' in answer.text


async def test_whoever_asks_for_json_only_gets_it_on_any_path(anon: Client) -> None:
    answer = await anon.get("/nowhere", headers={"accept": "application/json"})

    assert answer.json()["code"] == "kit.not_found"


async def test_a_wrong_method_is_405_and_names_the_right_ones(anon: Client) -> None:
    as_program = await anon.put("/api/session")
    as_person = await anon.get("/display", headers=HTML)

    assert as_program.status_code == as_person.status_code == 405
    assert "POST" in as_program.headers["allow"]
    assert as_program.headers["content-type"].startswith("application/problem+json")
    assert "<html" in as_person.text


@pytest.mark.parametrize("path", ["/api/probe/form", "/probe/form"])
async def test_a_form_of_ten_megabytes_is_too_large(anon: Client, path: str) -> None:
    answer = await anon.post(path, data={"text": "x" * 10_000_000}, headers=HTML)

    assert answer.status_code == 413


async def test_a_json_body_of_ten_megabytes_is_too_large(anon: Client) -> None:
    answer = await anon.post("/api/session", json={"number": "x" * 10_000_000, "secret": "y"})

    assert (answer.status_code, answer.json()["code"]) == (413, "kit.too_large")


async def test_a_broken_json_body_is_422_with_its_field(li: Client) -> None:
    broken = await li.post("/api/probe/once", content=b"{", headers={"content-type": "application/json"})
    wrong = await li.post("/api/probe/once", json={"text": 5})

    assert broken.status_code == wrong.status_code == 422
    assert wrong.json()["problems"] == {"text": "unreadable"}


@pytest.mark.parametrize("path", ["/api/probe/bug", "/probe/bug"])
async def test_a_mistake_of_ours_is_logged_once_and_shown_to_nobody(anon: Client, path: str) -> None:
    with capture_logs() as lines:
        answer = await anon.get(path, headers=HTML)

    assert answer.status_code == 500
    for word in ("Traceback", "RuntimeError", "ValueError", "probe.py", SECRET, "李心愿"):
        assert word not in answer.text
    assert answer.headers["x-request-id"] in answer.text
    errors = [line for line in lines if line["log_level"] == "error"]
    assert [line["event"] for line in errors] == ["request.failed"]
    assert isinstance(errors[0]["exc_info"], RuntimeError)


async def test_a_missing_file_of_ours_is_not_called_a_database(anon: Client) -> None:
    with capture_logs() as lines:
        await anon.get("/api/probe/missing-file")

    assert "database.unavailable" not in {line["event"] for line in lines}


async def test_a_form_without_a_token_is_refused_and_the_next_try_works(app: Litestar) -> None:
    async with client_of(app, None) as browser:
        del browser.headers["x-csrftoken"]
        browser.cookies.clear()
        browser.cookies.set("csrftoken", "of-another-installation", domain="linli.example.org")
        refused = await browser.post("/display", data={"size": "l", "_csrf_token": "x"}, headers=HTML)
        assert refused.status_code == 403
        assert "csrftoken" not in browser.cookies

        page = await browser.get("/sign-in", headers=HTML)
        token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
        assert token is not None
        again = await browser.post("/display", data={"size": "l", "_csrf_token": token[1]}, headers=HTML)

    assert again.status_code == 303


@pytest.mark.parametrize("token", ["", "short", "é" * 80, "心" * 80, "a" * 10_000], ids=range(5))
async def test_a_strange_token_is_refused_like_any_wrong_one(anon: Client, token: str) -> None:
    del anon.headers["x-csrftoken"]

    answer = await anon.post("/display", data={"size": "l", "_csrf_token": token}, headers=HTML)

    assert answer.status_code == 403


ANSWERS = [
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("GET", "/static/nothing.css"),
    ("GET", "/health/live"),
    ("GET", "/nowhere"),
    ("GET", "/me"),
    ("PUT", "/api/session"),
    ("POST", "/display"),
    ("GET", "/probe/bug"),
    ("GET", "/api/probe/bug"),
    ("GET", "/api/probe/search?text=%00"),
    ("GET", "/schema/openapi.json"),
]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
@pytest.mark.parametrize("who", ["li", "anon"])
async def test_every_answer_carries_the_headers(
    request: pytest.FixtureRequest, who: str, method: str, path: str, li: Client, anon: Client
) -> None:
    client = {"li": li, "anon": anon}[who]
    answer = await client.request(method, path, headers=HTML)

    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])
    assert "server" not in answer.headers


def test_the_policy_allows_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'self'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("path", ["/me", "/messages", "/api/me", "/api/messages", "/probe/bug", "/probe/too-many"])
async def test_nothing_that_was_shown_to_somebody_is_stored(li: Client, path: str) -> None:
    answer = await li.get(path, headers=HTML)

    assert answer.headers["cache-control"] == "no-store"


async def test_each_request_has_its_own_id(anon: Client) -> None:
    ids = {(await anon.get("/health/live")).headers["x-request-id"] for _ in range(3)}

    assert len(ids) == 3


async def test_the_callers_request_id_is_not_believed(anon: Client) -> None:
    answer = await anon.get("/health/live", headers={"x-request-id": "mine"})

    assert answer.headers["x-request-id"] != "mine"


@pytest.mark.parametrize(
    ("language", "cookie", "title"),
    [("zh-CN", None, "zh-CN"), ("en", None, "en"), ("en", "zh-CN", "zh-CN"), ("zh", "en", "en"), ("de", None, "zh-CN")],
)
@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/probe/bug"])
async def test_a_page_is_in_the_readers_language(
    anon: Client, path: str, language: str, cookie: str | None, title: str
) -> None:
    if cookie:
        anon.cookies.set("locale", cookie, domain="linli.example.org")

    answer = await anon.get(path, headers=HTML | {"accept-language": language})

    assert f'<html lang="{title}"' in answer.text


async def test_a_refusal_is_said_in_both_languages(anon: Client) -> None:
    chinese = await anon.get("/api/nowhere", headers={"accept-language": "zh"})
    english = await anon.get("/api/nowhere", headers={"accept-language": "en"})

    assert chinese.json()["title"] != english.json()["title"]
    assert english.json()["title"].isascii()


async def test_how_one_reads_is_kept_in_the_browser(anon: Client) -> None:
    answer = await anon.post("/display", data={"mode": "elder", "locale": "en", "next": "/sign-in?x=1"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?x=1")
    cookies = answer.headers.get_list("set-cookie")
    assert {cookie.split(";")[0] for cookie in cookies} == {"mode=elder", "size=l", "locale=en"}
    for cookie in cookies:
        assert "HttpOnly" in cookie
        assert "Secure" in cookie
        assert "samesite=lax" in cookie.lower()
    shown = await anon.get("/sign-in", headers=HTML)
    assert '<html lang="en" data-mode="elder" data-size="l"' in shown.text


@pytest.mark.parametrize(
    "next", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "\x01", "javascript:1"]
)
async def test_a_foreign_next_is_not_followed(anon: Client, next: str) -> None:
    answer = await anon.post("/display", data={"size": "m", "next": next})

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("field", ["mode", "size", "locale"])
async def test_an_unknown_way_of_reading_is_refused(anon: Client, field: str) -> None:
    answer = await anon.post("/display", data={field: "x; path=/evil"}, headers=HTML)

    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


async def test_cookies_nobody_of_us_set_change_nothing(anon: Client) -> None:
    for name in ("mode", "size", "locale", "linli_session"):
        anon.cookies.set(name, '"><script>', domain="linli.example.org")

    answer = await anon.get("/sign-in", headers=HTML)

    assert answer.status_code == 200
    assert 'data-mode="standard" data-size="m"' in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("referer", ["http://[", "//evil.example/x", "https://evil.example/\\x", "é", ""])
async def test_any_referer_is_survived(anon: Client, referer: str) -> None:
    answer = await anon.post(
        "/sign-in", data={"number": ""}, headers=[(b"accept", b"text/html"), (b"referer", referer.encode())]
    )

    assert answer.status_code == 422


async def test_a_route_that_names_nobody_is_open_to_nobody(jiang: Client, anon: Client) -> None:
    assert (await jiang.get("/probe/nobody", headers=HTML)).status_code == 403
    assert (await anon.get("/probe/nobody", headers={"accept": "application/json"})).status_code == 401


async def test_a_resident_is_not_staff(li: Client, wu: Client) -> None:
    assert (await li.get("/probe/staff", headers=HTML)).status_code == 403
    assert (await wu.get("/probe/staff", headers=HTML)).status_code == 200


async def test_a_page_for_somebody_leads_to_the_sign_in_and_back(anon: Client) -> None:
    answer = await anon.get("/messages?after=a%26b", headers=HTML)

    assert (answer.status_code, answer.headers["cache-control"]) == (303, "no-store")
    assert answer.headers["location"] == "/sign-in?next=%2Fmessages%3Fafter%3Da%2526b"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via"])
async def test_metrics_are_for_programs_on_this_machine(anon: Client, header: str) -> None:
    direct = await anon.get("/metrics")
    through_a_proxy = await anon.get("/metrics", headers={header: "203.0.113.9"})

    assert (direct.status_code, through_a_proxy.status_code) == (200, 404)


async def test_the_api_is_described(anon: Client) -> None:
    described = json.loads((await anon.get("/schema/openapi.json")).text)

    assert "/api/me" in described["paths"]
    assert (await anon.get("/api", headers=HTML)).status_code == 200


def test_the_csrf_secret_is_a_key_of_its_own() -> None:
    keys: list[Any] = [KEYRING.key(purpose) for purpose in ("csrf", "field", "token", "cursor")]

    assert len(set(keys)) == 4
