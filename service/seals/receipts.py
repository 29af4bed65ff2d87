"""A member's proof of an own entry."""

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.kit.access import Actor
from service.seals.rules import NotYours


async def receipt_of(session: AsyncSession, actor: Actor, seq: int) -> ledger.Inclusion:
    """The proof of a transfer of this person's; anybody else's looks as if it were not there."""
    try:
        entry = await ledger.entry(session, actor.community_id, seq)
    except ledger.EntryNotFound as missing:
        raise NotYours from missing
    if chart.member(actor.member_id) not in (entry.debit, entry.credit):
        raise NotYours
    return await ledger.prove(session, actor.community_id, seq)
