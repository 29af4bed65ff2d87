"""Numbers that no column holds, wherever an address takes one: refused or not found, and never an error of ours."""

import pytest

from tests.cast import HERE, Client

pytestmark = pytest.mark.anyio
HUGE = (2**63, 10**30, -(2**63) - 1)


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "address",
    [
        f"/seals/{HERE}/{{}}",
        "/seals/{}/1",
        f"/api/seals/{HERE}/{{}}",
        "/desk/books/seals?before={}",
        "/desk/books/seals?before={}&compare=1",
        "/desk/books/seals/{}/notice",
        "/desk/books/journals/{}",
        "/desk/books/account?code=issued&unit=point&before={}",
        "/api/books/journals/{}",
    ],
)
async def test_the_office_and_strangers_get_an_answer(he: Client, address: str, number: int) -> None:
    assert (await he.get(address.format(number))).status_code < 500


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "address",
    [
        "/passbook?before={}",
        "/passbook?month=2026-11&before={}",
        "/passbook/lines/{}",
        "/passbook/lines/{}/proof",
        "/vouchers/{}",
        "/vouchers/{}/cancel",
    ],
)
async def test_members_get_an_answer(chen: Client, address: str, number: int) -> None:
    assert (await chen.get(address.format(number))).status_code < 500


@pytest.mark.parametrize("number", HUGE)
async def test_so_does_a_sign_in_that_names_such_a_community(anon: Client, number: int) -> None:
    sent = {"number": "0012-0001", "secret": "135790", "community_id": number}

    assert (await anon.post("/api/session", json=sent)).status_code < 500
