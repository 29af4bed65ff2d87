"""What happened, told later: a fact is stored in the transaction that made it true and delivered at least once."""

from datetime import datetime
from typing import cast

import msgspec
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.tables import Outbox


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything in `service.facts`: past tense, ids and numbers only."""

    community_id: int


def record(session: AsyncSession, fact: Fact, *, now: datetime) -> None:
    """Store the fact in this transaction. If the transaction fails, it never happened."""
    session.add(
        Outbox(
            community_id=fact.community_id,
            fact=type(fact).__name__,
            payload=cast("dict[str, object]", msgspec.to_builtins(fact)),
            recorded_at=now,
        )
    )
