"""The resident's member card at the door: whose it is, and the PIN that the resident types on the repairer's phone."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service import identity
from service.identity import Card, CardLocked
from service.kit.access import Actor
from service.kit.db import Sessions, keyring, transaction
from service.kit.issuers import code_keys
from service.repairs.actions.accepting import is_accepted
from service.repairs.queries import orders as queries
from service.repairs.rules import OtherCard


async def names_a_card(session: AsyncSession, actor: Actor, text: str, now: datetime) -> bool:
    """Whether what was scanned or typed is a member's card or the number of one, and no voucher's code."""
    read = redemption.read_code(text, code_keys(keyring(session), now), community_id=actor.community_id, now=now)
    if read.verdict is not redemption.CodeVerdict.MALFORMED:
        return read.verdict is redemption.CodeVerdict.CARD
    number = identity.normal_card(text)
    return number is not None and bool(await identity.members_by_card(session, actor.community_id, [number]))


async def card_at_door(session: AsyncSession, *, actor: Actor, order_id: UUID, text: str, now: datetime) -> Card | None:
    """The card of this order's resident, before any PIN is asked for; None when the order is accepted already.

    Everything that can be refused without the PIN is refused here, so that no try is counted on somebody else's card.
    """
    order = await queries.order_for(session, actor, order_id)
    if is_accepted(order, actor):
        return None
    card = await identity.card_shown(session, actor.community_id, text, code_keys(keyring(session), now), now)
    if card.member_id != order.asked_by:
        raise OtherCard
    return card


async def prove(sessions: Sessions, *, actor: Actor, order_id: UUID, text: str, pin: str, now: datetime) -> Card | None:
    """The resident's card, with the PIN that is right; None when the order is accepted already, and then no PIN is looked at.

    The tries are the card's, wherever it is shown. No connection waits for the slow hash.
    """
    async with transaction(sessions) as session:
        card = await card_at_door(session, actor=actor, order_id=order_id, text=text, now=now)
    if card is None:
        return None
    if card.is_locked:
        raise CardLocked
    await identity.check_pin(sessions, actor.community_id, card, pin, now)
    return card
