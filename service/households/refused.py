"""A look or a change that is refused to a keeper leaves a line too: who tried it on what, and the code of the no; never a class."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request

from service.households.rules import OwnHousehold
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import sessions_of_app, transaction
from service.kit.refusals import Invalid, Refusal

UNKNOWN = "unknown"
"""What was looked for by a card that is nobody's, or of somebody without a household."""


@asynccontextmanager
async def refusal_kept(
    request: Request[Any, Any, Any],
    actor: Actor,
    now: datetime,
    *,
    household_id: UUID | None = None,
    class_id: UUID | None = None,
    is_look: bool = False,
) -> AsyncIterator[None]:
    """Inside, a no is written down in a transaction of its own, which stays when the request's goes back.

    A form that was filled in wrongly is no attempt at anything, and leaves no line.
    """
    try:
        yield
    except Refusal as refusal:
        if isinstance(refusal, Invalid):
            raise
        if isinstance(refusal, OwnHousehold) and class_id is None:
            household_id = actor.household_id
        async with transaction(sessions_of_app(request.app.state)) as session:
            audit.record(
                session,
                actor,
                "households.look_refused" if is_look else "households.change_refused",
                kind="household_class" if class_id is not None else "household",
                id=class_id or household_id or UNKNOWN,
                now=now,
                detail={"code": refusal.code},
            )
        raise
