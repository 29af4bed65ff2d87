"""The same request twice is answered once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import sqlalchemy as sa
from litestar import Litestar

from service.kit.tables import Answered
from tests.cast import Client
from tests.kit.probe import Gate

pytestmark = pytest.mark.anyio
Deeds = Callable[..., Awaitable[int]]
KEY = {"idempotency-key": "k-1"}


async def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(li: Client, deeds: Deeds) -> None:
    first = await li.post("/api/probe/once", json={"text": "a"}, headers=KEY)
    again = await li.post("/api/probe/once", json={"text": "a"}, headers=KEY)

    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (201, {"text": "a"})
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await deeds() == 1


async def test_without_a_key_every_request_counts(li: Client, deeds: Deeds) -> None:
    for _ in range(2):
        await li.post("/api/probe/once", json={"text": "a"})

    assert await deeds() == 2


async def test_the_same_key_with_another_body_is_refused(li: Client, deeds: Deeds) -> None:
    await li.post("/api/probe/once", json={"text": "a"}, headers=KEY)

    other = await li.post("/api/probe/once", json={"text": "b"}, headers=KEY)

    assert (other.status_code, other.json()["code"]) == (422, "kit.key_reused")
    assert await deeds() == 1


async def test_the_same_key_on_another_page_is_refused(li: Client, deeds: Deeds) -> None:
    await li.post("/api/probe/once", json={"text": "a"}, headers={"idempotency-key": "shared"})

    other = await li.post("/probe/once", data={"_key": "shared"})

    assert other.status_code == 422
    assert await deeds() == 1


async def test_two_people_may_use_the_same_key(li: Client, chen: Client, stranger: Client, deeds: Deeds) -> None:
    for client in (li, chen, stranger):
        assert (await client.post("/api/probe/once", json={"text": "a"}, headers=KEY)).status_code == 201

    assert await deeds() == 3


async def test_a_second_request_waits_for_the_first(li: Client, gate: Gate, deeds: Deeds) -> None:
    gate.is_closed = True
    first = asyncio.create_task(li.post("/api/probe/once", json={"text": "a"}, headers=KEY))
    await gate.entered.wait()
    second = asyncio.create_task(li.post("/api/probe/once", json={"text": "a"}, headers=KEY))
    done, _ = await asyncio.wait({second}, timeout=0.3)
    assert not done

    gate.may_go.set()

    assert (await first).json() == (await second).json() == {"text": "a"}
    assert await deeds() == 1


async def test_when_the_first_fails_the_waiting_second_does_the_work(li: Client, gate: Gate, deeds: Deeds) -> None:
    gate.is_closed = gate.refuses = True
    first = asyncio.create_task(li.post("/api/probe/once", json={"text": "a"}, headers=KEY))
    await gate.entered.wait()
    second = asyncio.create_task(li.post("/api/probe/once", json={"text": "a"}, headers=KEY))
    await asyncio.wait({second}, timeout=0.3)
    gate.may_go.set()
    assert (await first).status_code == 409
    assert (await second).status_code == 409

    gate.refuses = False

    assert (await li.post("/api/probe/once", json={"text": "a"}, headers=KEY)).status_code == 201
    assert await deeds() == 1


async def test_a_refused_first_try_stores_nothing(li: Client, gate: Gate, deeds: Deeds, app: Litestar) -> None:
    gate.refuses = True
    assert (await li.post("/api/probe/once", json={"text": "a"}, headers=KEY)).status_code == 409

    async with app.state.sessions() as session:
        stored = await session.execute(sa.select(sa.func.count()).select_from(Answered))
        assert stored.scalar_one() == 0
    assert await deeds() == 0
    gate.refuses = False
    answer = await li.post("/api/probe/once", json={"text": "another"}, headers=KEY)
    assert (answer.status_code, answer.json()) == (201, {"text": "another"})


@pytest.mark.parametrize("key", ["x" * 101, "a\x7fb"])
async def test_a_strange_key_is_refused(li: Client, key: str, deeds: Deeds) -> None:
    answer = await li.post("/probe/once", data={"_key": key})

    assert answer.status_code == 422
    assert await deeds() == 0


async def test_a_double_tap_lands_in_one_place(li: Client, deeds: Deeds) -> None:
    first = await li.post("/probe/once", data={"_key": "tap", "x": "1"})
    again = await li.post("/probe/once", data={"_key": "tap", "x": "1"})

    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"] == "/me?done=here"
    assert await deeds() == 1


async def test_a_form_with_a_file_may_be_sent_twice(li: Client, deeds: Deeds) -> None:
    """A browser draws another boundary each time, and may have got another CSRF token in between."""
    for boundary, token in (("one", "t1"), ("two", "t2")):
        body = (
            f'--{boundary}\r\ncontent-disposition: form-data; name="_key"\r\n\r\nfile\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="_csrf_token"\r\n\r\n{token}\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="f"; filename="a.txt"\r\n\r\ninside\r\n'
            f"--{boundary}--\r\n"
        )
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        answer = await li.post("/probe/once", content=body.encode(), headers=headers)
        assert answer.status_code == 303

    other = await li.post("/probe/once", data={"_key": "file"}, files={"f": ("a.txt", b"changed")})

    assert other.status_code == 422
    assert await deeds() == 1
