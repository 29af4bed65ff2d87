"""Members' cards: printed by the office, shown at a counter or a door. A card says who somebody is; only their PIN says yes."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity.actions_sign_in import knows_secret
from service.identity.queries import members_by_card
from service.identity.queries_cards import Card
from service.identity.rules import PIN_TRIES, CardLocked, CardUnknown, PinWrong, normal_card
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import Sessions, transaction

_PRINT = sa.text("""
INSERT INTO member_card AS c (community_id, member_id, handle, card_seq, tries, printed_by, printed_at)
SELECT :community_id, w.member_id, w.handle, 1, 0, :actor, :now
  FROM unnest(CAST(:members AS uuid[]), CAST(:handles AS bigint[])) AS w (member_id, handle) ORDER BY w.member_id
    ON CONFLICT ON CONSTRAINT pk_member_card DO UPDATE
   SET card_seq = c.card_seq + 1, tries = 0, printed_by = excluded.printed_by, printed_at = excluded.printed_at, withdrawn_at = NULL
""")


async def print_cards(
    session: AsyncSession, *, actor: Actor, numbers: Collection[str], now: datetime
) -> Sequence[UUID]:
    """Give these people a card each; a card printed before is worthless. A lock is taken off with it.

    Raises CardUnknown if one of the numbers is nobody's here, and then nothing is printed.
    """
    normal = [normal_card(number) for number in numbers]
    members = await members_by_card(session, actor.community_id, [number for number in normal if number])
    found = sorted(member.member_id for member in members.values() if member.closed_at is None)
    if not found or len(found) != len(set(normal)):
        raise CardUnknown
    handles = [redemption.new_voucher_id() for _ in found]
    await session.execute(
        _PRINT,
        {
            "community_id": actor.community_id,
            "members": found,
            "handles": handles,
            "actor": actor.member_id,
            "now": now,
        },
    )
    for member_id in found:
        audit.record(
            session, actor, "vouchers.card_printed", kind="member", id=member_id, now=now, on_behalf_of=member_id
        )
    return found


async def withdraw_card(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """A card was lost: from now on it opens nothing."""
    await _change(session, actor, member_id, "vouchers.card_withdrawn", {"withdrawn_at": now}, now)


async def unlock_card(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """Five more tries, after the office has seen who holds the card."""
    await _change(session, actor, member_id, "vouchers.card_unlocked", {"tries": 0}, now)


async def _change(
    session: AsyncSession, actor: Actor, member_id: UUID, action: str, values: Mapping[str, object], now: datetime
) -> None:
    table = sa.table("member_card", *map(sa.column, ("community_id", "member_id", "tries", "withdrawn_at")))
    mine = (table.c.community_id == actor.community_id) & (table.c.member_id == member_id)
    changed = await session.execute(sa.update(table).where(mine).values(**values).returning(table.c.member_id))
    if changed.one_or_none() is None:
        raise CardUnknown
    audit.record(session, actor, action, kind="member", id=member_id, now=now, on_behalf_of=member_id)


_COUNT = sa.text(
    "UPDATE member_card SET tries = tries + 1, tried_at = :now"
    " WHERE community_id = :community_id AND member_id = :member_id AND tries < :most RETURNING tries"
)
_FORGET = sa.text("UPDATE member_card SET tries = 0 WHERE community_id = :community_id AND member_id = :member_id")


async def check_pin(sessions: Sessions, community_id: int, card: Card, pin: str, now: datetime) -> None:
    """Count the try, then look at the PIN; raises CardLocked or PinWrong.

    The count is committed before the PIN is looked at: sixteen tries at once are five looks at most, and a refusal
    never takes its count back.
    """
    who = {"community_id": community_id, "member_id": card.member_id}
    async with transaction(sessions) as session:
        tries = (await session.execute(_COUNT, {**who, "most": PIN_TRIES, "now": now})).scalar_one_or_none()
    if tries is None:
        raise CardLocked
    if not await knows_secret(sessions, community_id, card.member_id, pin):
        if tries == PIN_TRIES:
            raise CardLocked
        raise PinWrong(PIN_TRIES - tries)
    async with transaction(sessions) as session:
        await session.execute(_FORGET, who)
