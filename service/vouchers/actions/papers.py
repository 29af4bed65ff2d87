"""Vouchers on paper: a batch is printed, and one that went astray is voided. Both are logged with who did it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import keyring
from service.kit.issuers import code_keys
from service.vouchers.rules import PRINTED_CARDS_MAX, BatchNotFound, key_for

PRINTED = "printed"


async def print_batch(
    session: AsyncSession, *, actor: Actor, voucher_ids: Sequence[int], key: str, now: datetime
) -> UUID:
    """Give these vouchers codes for paper; whatever was printed of them before is dead. The same key is the same batch."""
    batch_id = key_for(actor.member_id, f"papers:{key}")
    papers = await redemption.print_batch(
        session,
        actor.community_id,
        batch_id=batch_id,
        voucher_ids=voucher_ids[:PRINTED_CARDS_MAX],
        key_number=code_keys(keyring(session), now).current,
        reason=PRINTED,
        actor_id=actor.member_id,
        now=now,
    )
    audit.record(
        session, actor, "vouchers.batch_printed", kind="paper_batch", id=batch_id, now=now, detail={"papers": papers}
    )
    return batch_id


async def void_batch(
    session: AsyncSession, *, actor: Actor, batch_id: UUID, reason: str, key: str, now: datetime
) -> int:
    """Kill every paper of a batch at once; answers how many were alive."""
    try:
        papers = await redemption.void_batch(
            session,
            actor.community_id,
            batch_id,
            key=key_for(actor.member_id, f"void-papers:{batch_id}:{key}"),
            reason=reason,
            actor_id=actor.member_id,
            now=now,
        )
    except redemption.BatchUnknown as unknown:
        raise BatchNotFound from unknown
    audit.record(
        session, actor, "vouchers.batch_voided", kind="paper_batch", id=batch_id, now=now, detail={"papers": papers}
    )
    return papers
