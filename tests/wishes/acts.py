"""What tests do to wishes, as the people of the town would."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa
from litestar import Litestar

import ledger
from service import chart, communities, identity
from service.kit.db import Sessions
from tests.cast import HERE, Client, Town, TownClock

BULB: dict[str, Any] = {
    "kind": "time",
    "category": "repairs",
    "title": "换厨房的灯泡",
    "text": "灯泡坏了三天，梯子我家有。",
    "preferred_time": "周六上午",
    "expected_minutes": 30,
}


async def posted(asker: Client, **changes: Any) -> str:
    """A wish, just handed in."""
    answer = await asker.post("/api/wishes", json=BULB | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["wish_id"])


async def approved(asker: Client, staff: Client, *, terms: dict[str, Any] | None = None, **changes: Any) -> str:
    """A wish on the wall."""
    wish = await posted(asker, **changes)
    answer = await staff.post(f"/api/wishes/{wish}/approve", json={"service_class": "general"} | (terms or {}))
    assert answer.status_code == 200, answer.text
    return wish


async def claimed(asker: Client, staff: Client, helper: Client, **more: Any) -> str:
    """A wish that somebody has taken on."""
    wish = await approved(asker, staff, **more)
    assert (await helper.post(f"/api/wishes/{wish}/claim")).status_code == 200
    return wish


def report(now: datetime, *, minutes: int = 60, note: str = "换好了，试过了") -> dict[str, Any]:
    """What a helper says who has just finished."""
    return {"started_at": (now - timedelta(minutes=minutes)).isoformat(), "minutes": minutes, "note": note}


async def served(
    asker: Client, staff: Client, helper: Client, clock: TownClock, *, minutes: int = 60, **more: Any
) -> str:
    """A wish that waits for its asker; the help took its time."""
    wish = await claimed(asker, staff, helper, **more)
    now = clock.move(minutes=minutes)
    answer = await helper.post(f"/api/wishes/{wish}/serve", json=report(now, minutes=minutes))
    assert answer.status_code == 200, answer.text
    return wish


async def confirmed(asker: Client, staff: Client, helper: Client, clock: TownClock, **more: Any) -> str:
    """A wish that is fulfilled."""
    wish = await served(asker, staff, helper, clock, **more)
    assert (await asker.post(f"/api/wishes/{wish}/confirm")).status_code == 200
    return wish


async def seen(reader: Client, wish: str) -> dict[str, Any]:
    """The wish as somebody sees it."""
    answer = await reader.get(f"/api/wishes/{wish}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def code_of(answer: httpx.Response) -> str:
    """Why it was refused."""
    return str(answer.json()["code"])


async def has(sessions: Sessions, member: UUID) -> tuple[int, int]:
    """Somebody's minutes and hundredths of points."""
    async with sessions.begin() as session:
        return (
            await ledger.balance(session, HERE, chart.member(member), chart.MINUTE),
            await ledger.balance(session, HERE, chart.member(member), chart.POINT),
        )


async def rows(sessions: Sessions, statement: str, **values: object) -> list[Any]:
    """What the database says."""
    async with sessions.begin() as session:
        return list((await session.execute(sa.text(statement), values)).all())


async def clean_books(sessions: Sessions) -> bool:
    """Every book of the town can be proved."""
    async with sessions.begin() as session:
        return await ledger.verify(session) == []


async def house(app: Litestar, town: Town, names: list[str], *, building: str, door: str, phone: str | None) -> None:
    """Let some people live behind one door, with a phone that signs in."""
    async with app.state.sessions.begin() as session:
        staff = town.actors["wu"]
        now = app.state.clock.now
        placed = await communities.open_buildings(
            session, community_id=HERE, places=[("第一网格", building)], actor=staff, now=now
        )
        people = [
            identity.NewPerson(
                town.actors[name].member_id,
                town.actors[name].card_no,
                town.actors[name].name,
                phone=phone,
                login_phone=phone is not None,
                building_id=placed[building].building_id,
                door=door,
            )
            for name in names
        ]
        await identity.update_people(session, community_id=HERE, people=people, actor=staff, now=now)


@contextlib.contextmanager
def counted(app: Litestar) -> Iterator[list[str]]:
    """The statements that are sent inside the block."""
    statements: list[str] = []

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    engine = app.state.engine.sync_engine
    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
