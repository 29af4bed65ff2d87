"""Guessing PINs: counted whatever becomes of the try, the same for numbers that nobody has."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlmodel import col

from service.identity import actions_sign_in, hashing
from service.identity.tables import SignInTry
from tests.cast import ELSEWHERE, HERE, Client, TownClock, client_of
from tests.identity.conftest import PHONE, PIN

pytestmark = pytest.mark.anyio
Enrol = Callable[..., Awaitable[UUID]]


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every hash that is really verified."""
    seen: list[str] = []
    matches = hashing.matches

    def watch(secret_hash: str, secret: str) -> bool:
        seen.append(secret)
        return matches(secret_hash, secret)

    monkeypatch.setattr(actions_sign_in, "matches", watch)
    return seen


async def _try(client: Client, secret: str, number: str = "0012-0001") -> tuple[int, dict[str, object]]:
    answer = await client.post("/api/session", json={"number": number, "secret": secret})
    return answer.status_code, answer.json() if answer.content else {}


async def test_every_refused_try_counts_and_says_how_many_are_left(with_pin: Client, anon: Client) -> None:
    left = [(await _try(anon, "000000"))[1].get("tries_left") for _ in range(5)]

    assert left == [4, 3, 2, 1, 0]
    assert (await _try(anon, PIN))[0] == 429


async def test_twenty_at_once_are_five_verified_at_most(with_pin: Client, anon: Client, verified: list[str]) -> None:
    answers = await asyncio.gather(*(_try(anon, f"{number:06}") for number in range(20)))

    assert len(verified) <= 5
    assert sorted({status for status, _ in answers}) == [401, 429]


async def test_the_right_pin_among_the_five_clears_the_count(with_pin: Client, anon: Client) -> None:
    for _ in range(4):
        await _try(anon, "000000")
    assert (await _try(anon, PIN))[0] == 204

    assert (await _try(anon, "000000"))[1]["tries_left"] == 4


async def test_a_number_nobody_has_costs_a_hash_and_is_locked_alike(anon: Client, verified: list[str]) -> None:
    known = [await _try(anon, "000000", "9999-9999") for _ in range(6)]

    assert [status for status, _ in known] == [401] * 5 + [429]
    assert len(verified) == 5


async def test_somebody_without_a_pin_sounds_like_nobody(
    with_pin: Client, anon: Client, verified: list[str], granny: Client
) -> None:
    without = await _try(anon, "000000", granny.actor.card_no)
    unknown = await _try(anon, "000000", "9999-9999")
    wrong = await _try(anon, "000000")

    def heard(answer: tuple[int, dict[str, object]]) -> object:
        status, body = answer
        return status, {name: value for name, value in body.items() if name != "request_id"}

    assert heard(without) == heard(unknown) == heard(wrong)
    assert len(verified) == 3


@pytest.mark.parametrize("spelling", ["0012-0001", " 0012-0001 ", "００１２－０００１", "0012 -0001"])
async def test_every_spelling_of_a_number_is_one_count(with_pin: Client, anon: Client, spelling: str) -> None:
    for _ in range(5):
        await _try(anon, "000000", spelling)

    assert (await _try(anon, PIN))[0] == 429


async def test_one_address_may_not_try_everybodys_number(anon: Client, clock: TownClock, app: Litestar) -> None:
    for number in (1, 2):
        assert (await _try(anon, "0", f"7777-{number:04}"))[0] == 401
    # What both share is the address. Ninety-seven slow hashes more would prove nothing.
    async with app.state.sessions.begin() as session:
        await session.execute(sa.update(SignInTry).where(col(SignInTry.tries) == 2).values(tries=99))

    assert [(await _try(anon, "0", f"7777-{number:04}"))[0] for number in (3, 4)] == [401, 429]
    clock.move(minutes=16)
    assert (await _try(anon, "0", "7777-0000"))[0] == 401


async def test_the_old_pin_is_asked_for_and_tries_are_counted_there_too(with_pin: Client) -> None:
    wrong = {"old": "000000", "secret": "246813", "again": "246813"}
    for _ in range(5):
        assert (await with_pin.post("/me/secret", data=wrong)).status_code == 401

    assert (await with_pin.post("/me/secret", data=wrong | {"old": PIN})).status_code == 429


async def test_a_phone_known_in_two_communities_leads_to_the_one_whose_pin_fits(app: Litestar, enrol: Enrol) -> None:
    await enrol(HERE, "0012-0900", "林一", "135791")
    await enrol(ELSEWHERE, "0001-0900", "林一", "246813")

    for pin, community in (("135791", HERE), ("246813", ELSEWHERE)):
        async with client_of(app, None) as browser:
            assert (await _try(browser, pin, PHONE))[0] == 204
            assert (await browser.get("/api/me")).json()["community_id"] == community
    async with client_of(app, None) as browser:
        assert (await _try(browser, "999998", "+86 138-1234-5678"))[0] == 401


async def test_where_number_and_pin_fit_twice_the_person_is_asked(app: Litestar, enrol: Enrol) -> None:
    """Two people of two communities with one card number and, by chance, one PIN: neither enters as the other."""
    await enrol(HERE, "0077-0900", "林一", "135791")
    await enrol(ELSEWHERE, "0077-0900", "林二", "135791")

    async with client_of(app, None) as browser:
        status, problem = await _try(browser, "135791", "0077-0900")
        assert (status, problem["code"]) == (409, "identity.choose_community")
        assert set(problem["communities"]) == {str(HERE), str(ELSEWHERE)}  # type: ignore[call-overload]
        assert (await browser.get("/api/me")).status_code == 401

        asked = await browser.post("/sign-in/secret", data={"number": "0077-0900", "secret": "135791"})
        assert asked.status_code == 409
        assert "您要进哪个社区" in asked.text
        chosen = {"number": "0077-0900", "secret": "135791", "community": str(ELSEWHERE)}
        assert (await browser.post("/sign-in/secret", data=chosen)).status_code == 303
        assert (await browser.get("/api/me")).json()["community_id"] == ELSEWHERE

    async with client_of(app, None) as browser:
        answer = await browser.post(
            "/api/session", json={"number": "0077-0900", "secret": "135791", "community_id": HERE}
        )
        assert answer.status_code == 204
        assert (await browser.get("/api/me")).json()["community_id"] == HERE


async def test_a_community_that_is_not_behind_the_number_opens_nothing(app: Litestar, enrol: Enrol) -> None:
    await enrol(HERE, "0077-0900", "林一", "135791")

    async with client_of(app, None) as browser:
        sent = {"number": "0077-0900", "secret": "135791", "community_id": ELSEWHERE}
        assert (await browser.post("/api/session", json=sent)).status_code == 401


async def test_an_office_that_enrols_a_number_cannot_enter_elsewhere(app: Litestar, enrol: Enrol) -> None:
    await enrol(HERE, "0012-0900", "林一", None)
    await enrol(ELSEWHERE, "0001-0900", "林一", "246813")

    async with client_of(app, None) as browser:
        assert (await _try(browser, "246813", PHONE))[0] == 204
        assert (await browser.get("/api/me")).json()["community_id"] == ELSEWHERE


@pytest.mark.slow
@pytest.mark.parametrize("number", ["", "x" * 65, "\x00", "'; DROP TABLE member; --", "0012-0001\n", "心愿"])
@pytest.mark.parametrize("secret", ["", "x" * 201, "\x00", "135791\x00"])
async def test_whatever_is_typed_opens_nothing(with_pin: Client, anon: Client, number: str, secret: str) -> None:
    by_program = await anon.post("/api/session", json={"number": number, "secret": secret})
    by_page = await anon.post("/sign-in/secret", data={"number": number, "secret": secret})

    assert by_program.status_code in (401, 422)
    assert by_page.status_code in (401, 422)
