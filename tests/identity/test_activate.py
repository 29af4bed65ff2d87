"""One-time codes: once, in time, the newest only; and what a whole flow leaves in the logs."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import structlog
from litestar import Litestar

from service.identity.actions_bulk import grouped_code
from service.kit.logs import configure_logs, flush_logs
from tests.cast import ELSEWHERE, HERE, Client, TownClock, client_of
from tests.identity.conftest import PHONE, PIN

pytestmark = pytest.mark.anyio
CodeFor = Callable[[Client], Awaitable[str]]


def _form(code: str, pin: str = PIN) -> dict[str, str]:
    return {"code": code, "secret": pin, "again": pin}


async def test_a_code_lets_in_once(li: Client, anon: Client, code_for: CodeFor, app: Litestar) -> None:
    code = await code_for(li)

    page = await anon.get(f"/a/{code}")
    assert page.status_code == 200
    assert "李**" in page.text
    assert "李心愿" not in page.text
    assert (await anon.post("/activate", data=_form(code))).status_code == 303
    assert (await anon.get("/api/me")).json()["card_no"] == "0012-0001"

    async with client_of(app, None) as other:
        assert (await other.post("/activate", data=_form(code, "246813"))).status_code == 410
        assert (await other.get(f"/a/{code}")).status_code == 410
        assert (await other.post("/api/session", json={"number": "0012-0001", "secret": PIN})).status_code == 204


async def test_a_code_lets_in_once_by_the_api_too(li: Client, anon: Client, code_for: CodeFor, app: Litestar) -> None:
    code = await code_for(li)
    simple = await anon.post("/api/activation", json={"code": code, "secret": "111111"})
    assert (simple.status_code, simple.json()["code"]) == (409, "identity.secret_too_simple")

    assert (await anon.post("/api/activation", json={"code": code, "secret": PIN})).status_code == 204
    assert (await anon.get("/api/me")).json()["card_no"] == "0012-0001"
    async with client_of(app, None) as other:
        spent = await other.post("/api/activation", json={"code": code, "secret": "246813"})
        assert (spent.status_code, spent.json()["code"]) == (410, "identity.activation_spent")


async def test_twenty_with_the_same_code_are_one(li: Client, app: Litestar, code_for: CodeFor) -> None:
    code = await code_for(li)

    async def enter() -> int:
        async with client_of(app, None) as browser:
            return (await browser.post("/activate", data=_form(code))).status_code

    assert sorted(await asyncio.gather(*(enter() for _ in range(20)))) == [303] + [410] * 19


async def test_a_code_dies_of_old_age(li: Client, anon: Client, code_for: CodeFor, clock: TownClock) -> None:
    code = await code_for(li)
    clock.move(days=180)

    assert (await anon.post("/activate", data=_form(code))).status_code == 410


async def test_a_new_code_kills_the_old_one(li: Client, anon: Client, code_for: CodeFor) -> None:
    old, new = await code_for(li), await code_for(li)

    assert (await anon.post("/activate", data=_form(old))).status_code == 410
    assert (await anon.post("/activate", data=_form(new))).status_code == 303


async def test_a_code_of_another_community_opens_nothing_here(li: Client, anon: Client, code_for: CodeFor) -> None:
    word = (await code_for(li)).partition("-")[2]

    assert (await anon.post("/activate", data=_form(f"{ELSEWHERE}-{word}"))).status_code == 410
    assert (await anon.post("/activate", data=_form(f"{HERE}-{word}"))).status_code == 303


@pytest.mark.parametrize("spelled", [str.lower, grouped_code, lambda code: f" {code} "])
async def test_a_code_is_typed_as_people_type(
    li: Client, anon: Client, code_for: CodeFor, spelled: Callable[[str], str]
) -> None:
    assert (await anon.post("/activate", data=_form(spelled(await code_for(li))))).status_code == 303


@pytest.mark.parametrize("code", ["x", "-", f"{HERE}-", "-ABC", "9" * 40 + "-ABC", f"{HERE}-心", "１-A", f"{HERE}--"])
async def test_a_made_up_code_is_spent(anon: Client, code: str) -> None:
    assert (await anon.post("/activate", data=_form(code))).status_code == 410
    assert (await anon.get(f"/a/{code}")).status_code in (404, 410)


@pytest.mark.parametrize("pin", ["123456", "000000", "12345", "abcdef", "1234567"])
async def test_a_simple_pin_is_refused_and_the_code_stays_good(
    li: Client, anon: Client, code_for: CodeFor, pin: str
) -> None:
    code = await code_for(li)

    refused = await anon.post("/activate", data=_form(code, pin))

    assert refused.status_code == 409
    assert code in refused.text  # so that it need not be typed again
    assert f'value="{pin}"' not in refused.text
    assert (await anon.post("/activate", data=_form(code))).status_code == 303


async def test_two_different_pins_are_refused(li: Client, anon: Client, code_for: CodeFor) -> None:
    code = await code_for(li)

    assert (await anon.post("/activate", data=_form(code) | {"again": "246813"})).status_code == 409


async def test_whoever_has_the_lost_phone_is_out(li: Client, anon: Client, code_for: CodeFor) -> None:
    code = await code_for(li)

    await anon.post("/activate", data=_form(code))

    assert (await li.get("/api/me")).status_code == 401
    assert (await anon.get("/api/me")).status_code == 200


async def test_one_address_may_not_try_codes_for_ever(anon: Client) -> None:
    statuses = {(await anon.post("/activate", data=_form(f"{HERE}-AAAA{number}"))).status_code for number in range(101)}

    assert statuses == {410, 429}


async def test_no_secret_and_nobodys_name_is_in_the_logs(
    li: Client,
    wu: Client,
    anon: Client,
    code_for: CodeFor,
    enrol: Callable[..., Awaitable[object]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs()
    try:
        code = await code_for(li)
        await enrol(HERE, "0012-0900", "林森木", PIN, PHONE)
        await anon.get(f"/a/{code}")
        await anon.post("/activate", data=_form(code, "123456"))
        await anon.post("/activate", data=_form(code))
        token = anon.cookies["linli_session"]
        await anon.get(f"/me?next={PHONE}&name=林森木")
        await anon.post("/me/secret", data={"old": PIN, "secret": "246813", "again": "246813"})
        await anon.post("/api/session", json={"number": PHONE, "secret": "999998"})
        await anon.post("/api/session", json={"number": PHONE, "secret": PIN})
        await anon.post("/sign-in", data={"number": "0012-0900"})
        await anon.get("/api/messages?after=林森木")
        await anon.get("/desk?kind=林森木", headers={"accept": "text/html"})
        await wu.get("/api/me")
        await wu.get(f"/nowhere/{PHONE}/林森木")
        # Breaks uq_member_card_no, whose message quotes the card.
        with pytest.raises(Exception, match="uq_member_card_no") as broken:
            await enrol(HERE, "0012-0900", "林森木", PIN, PHONE)
        structlog.get_logger("linli").error("request.failed", exc_info=broken.value)
        flush_logs()
        said = capsys.readouterr().err
    finally:
        structlog.reset_defaults()

    assert said.count('"event": "request"') >= 12
    assert "uq_member_card_no" in said
    secrets = [code, code.partition("-")[2], PIN, "246813", "999998", PHONE, "林森木", "李心愿", "0012-0900"]
    for secret in [*secrets, token, token.partition(".")[2], "吴办事"]:
        assert secret not in said, secret
