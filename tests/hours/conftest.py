"""A canteen with a leader, and shifts to serve in."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from litestar import Litestar

import ledger
from service import chart
from service.records import record_minutes
from tests.cast import HERE, START, Client, TownClock
from tests.vouchers.conftest import give, offer_of, phone

__all__ = ["give", "offer_of", "phone"]

MONDAY_NINE = START + timedelta(hours=23)
"""Monday 9:00 in the community, the day after the clock starts."""

MakeActivity = Callable[..., Awaitable[UUID]]
MakeShift = Callable[..., Awaitable[UUID]]


@pytest.fixture
def make_activity(wu: Client, wei: Client) -> MakeActivity:
    """Plans an activity that Wei leads, and opens it."""

    async def make(title: str = "社区食堂帮厨", service_class: str = "general", *, opened: bool = True) -> UUID:
        answer = await wu.post(
            "/api/activities",
            json={
                "title": title,
                "place": "社区食堂",
                "contact_phone": "029-0000-0002",
                "service_class": service_class,
                "leaders": [str(wei.actor.member_id)],
            },
        )
        assert answer.status_code == 201, answer.text
        activity_id = answer.json()["activity_id"]
        if opened:
            assert (await wu.post(f"/api/activities/{activity_id}/open")).status_code == 204
        return UUID(activity_id)

    return make


@pytest.fixture
async def canteen(make_activity: MakeActivity) -> UUID:
    """The activity of most tests."""
    return await make_activity()


@pytest.fixture
def make_shift(wu: Client, canteen: UUID) -> MakeShift:
    """Adds a shift, to the canteen unless another activity is named."""

    async def make(
        starts_at: datetime = MONDAY_NINE, *, minutes: int = 120, places: int = 2, activity: UUID | None = None
    ) -> UUID:
        answer = await wu.post(
            f"/api/activities/{activity or canteen}/shifts",
            json={
                "starts_at": starts_at.isoformat(),
                "ends_at": (starts_at + timedelta(minutes=minutes)).isoformat(),
                "places": places,
            },
        )
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["items"][0]["shift_id"])

    return make


@pytest.fixture
async def shift(make_shift: MakeShift) -> UUID:
    """Monday 9:00–11:00, two places."""
    return await make_shift()


@pytest.fixture
def sign_up() -> Callable[..., Awaitable[Any]]:
    """Signs somebody up and expects that it works."""

    async def do(client: Client, shift_id: UUID, *, may_wait: bool = False) -> Any:
        answer = await client.post(f"/api/shifts/{shift_id}/sign-up", json={"may_wait": may_wait})
        assert answer.status_code == 201, answer.text
        return answer.json()

    return do


@pytest.fixture
def code_now(wei: Client) -> Callable[..., Awaitable[Any]]:
    """What the leader's phone shows: the scanned code's last part, or the typed code."""

    async def read(shift_id: UUID, *, typed: bool = False) -> str:
        shown = (await wei.get(f"/api/shifts/{shift_id}/code")).json()
        return str(shown["typed"] if typed else shown["url"].rsplit("/", 1)[1])

    return read


@pytest.fixture
def serve(clock: TownClock, code_now, sign_up) -> Callable[..., Awaitable[str]]:
    """Lets somebody serve a whole shift by the rotating code; the clock stands at its end afterwards."""

    async def do(
        client: Client, shift_id: UUID, *, starts_at: datetime = MONDAY_NINE, minutes: int = 120, signed: bool = False
    ) -> str:
        if not signed:
            await sign_up(client, shift_id)
        clock.now = starts_at
        came = await client.post("/api/check-in", json={"code": await code_now(shift_id)})
        assert came.status_code == 200, came.text
        clock.now = starts_at + timedelta(minutes=minutes)
        left = await client.post("/api/check-out", json={"code": await code_now(shift_id)})
        assert left.status_code == 200, left.text
        return str(left.json()["attendance_id"])

    return do


@pytest.fixture
def statements(app: Litestar):
    """Counts the statements that are sent while the block runs."""

    @contextmanager
    def watched() -> Iterator[list[str]]:
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        engine = app.state.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)

    return watched


@pytest.fixture
async def served(chen: Client, shift, serve) -> dict[str, object]:
    """Chen served the whole shift; the row as a reviewer sees it."""
    attendance_id = await serve(chen, shift)
    seen = (await chen.get(f"/api/attendances/{attendance_id}")).json()
    return {"attendance_id": attendance_id, "revision": seen["revision"]}


async def decide(client: Client, verb: str, *items: dict[str, object], **more: object):
    return await client.post(f"/api/attendances/{verb}", json={"items": list(items), **more})


async def purse(app, client: Client) -> tuple[int, int, int]:
    """Recorded minutes, coins and hundredths of points."""
    member_id = client.actor.member_id
    async with app.state.sessions() as session:
        code = chart.member(member_id)
        return (
            await record_minutes(session, HERE, member_id),
            await ledger.balance(session, HERE, code, chart.MINUTE),
            await ledger.balance(session, HERE, code, chart.POINT),
        )


async def faults(app) -> list[object]:
    async with app.state.sessions() as session:
        return list(await ledger.verify(session, HERE))
