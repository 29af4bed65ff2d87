"""The market's verbs of correcting what is settled."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

import redemption
from tests.db import Sessions


class Corrections:
    """What a market has. Each verb runs in a transaction of its own and commits."""

    sessions: Sessions
    book: int
    now: datetime
    finance: UUID
    second: UUID

    async def propose_adjustment(
        self,
        settlement_id: UUID,
        line_no: int = 1,
        *,
        cause: redemption.AdjustmentCause = redemption.AdjustmentCause.WARRANTY,
        actor: UUID | None = None,
        reason: str = "came apart",
        adjustment_id: UUID | None = None,
    ) -> UUID:
        asked = adjustment_id or uuid4()
        async with self.sessions.begin() as session:
            await redemption.propose_adjustment(
                session,
                self.book,
                settlement_id,
                line_no,
                adjustment_id=asked,
                cause=cause,
                reason=reason,
                actor_id=actor or self.finance,
                now=self.now,
            )
        return asked

    async def decide_adjustment(
        self, adjustment_id: UUID, *, is_agreed: bool = True, actor: UUID | None = None, key: UUID | None = None
    ) -> bool:
        async with self.sessions.begin() as session:
            return await redemption.decide_adjustment(
                session,
                self.book,
                adjustment_id,
                key=key or uuid4(),
                is_agreed=is_agreed,
                actor_id=actor or self.second,
                now=self.now,
            )
