"""Messages that have arrived, and how many statements a request takes."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import sqlalchemy as sa
from litestar import Litestar

from service import facts
from service.kit.ids import new_id
from service.notifications.actions import send
from tests.cast import Client

Arrive = Callable[..., Awaitable[None]]


@pytest.fixture
def arrive(app: Litestar) -> Arrive:
    """Messages about approved wishes for somebody."""

    async def do(whom: Client, times: int = 1) -> None:
        async with app.state.sessions.begin() as session:
            for _ in range(times):
                fact = facts.WishApproved(
                    community_id=whom.actor.community_id, wish_id=new_id(), asked_by=whom.actor.member_id
                )
                await send(session, [fact], app.state.clock())

    return do


@pytest.fixture
async def statements(app: Litestar) -> AsyncIterator[list[str]]:
    """Every statement sent to the database, in order."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(statement)

    sa.event.listen(app.state.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(app.state.engine.sync_engine, "before_cursor_execute", note)
