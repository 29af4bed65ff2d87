"""Members' cards: printed by the office, shown at a counter. A card says who somebody is; only their PIN pays."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherRedeemed
from service.identity import knows_secret, people_by_ids
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.db import Sessions, transaction
from service.vouchers.queries.cards import Card
from service.vouchers.rules import PIN_TRIES, CardLocked, CardUnknown, PinWrong

_PRINT = sa.text("""
INSERT INTO member_card AS c (community_id, member_id, handle, card_seq, tries, printed_by, printed_at)
SELECT :community_id, w.member_id, w.handle, 1, 0, :actor, :now
  FROM unnest(CAST(:members AS uuid[]), CAST(:handles AS bigint[])) AS w (member_id, handle) ORDER BY w.member_id
    ON CONFLICT ON CONSTRAINT pk_member_card DO UPDATE
   SET card_seq = c.card_seq + 1, tries = 0, printed_by = excluded.printed_by, printed_at = excluded.printed_at, withdrawn_at = NULL
""")


async def print_cards(session: AsyncSession, *, actor: Actor, member_ids: Collection[UUID], now: datetime) -> None:
    """Give these members a card each; a card printed before is worthless. A lock is taken off with it."""
    people = await people_by_ids(session, actor.community_id, set(member_ids))
    found = sorted(member_id for member_id, person in people.items() if person.is_open)
    if not found:
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


async def withdraw_card(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """A card was lost: from now on it opens nothing."""
    await _change(session, actor, member_id, "withdrawn_at = :now", now)
    audit.record(
        session, actor, "vouchers.card_withdrawn", kind="member", id=member_id, now=now, on_behalf_of=member_id
    )


async def unlock_card(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """Five more tries, after the office has seen who holds the card."""
    await _change(session, actor, member_id, "tries = 0", now)
    audit.record(session, actor, "vouchers.card_unlocked", kind="member", id=member_id, now=now, on_behalf_of=member_id)


async def _change(session: AsyncSession, actor: Actor, member_id: UUID, what: str, now: datetime) -> None:
    changed = await session.execute(
        sa.text(
            f"UPDATE member_card SET {what} WHERE community_id = :community_id AND member_id = :member_id"  # noqa: S608  (our own words)
            " AND CAST(:now AS timestamptz) IS NOT NULL RETURNING member_id"
        ),
        {"community_id": actor.community_id, "member_id": member_id, "now": now},
    )
    if changed.one_or_none() is None:
        raise CardUnknown


_COUNT = sa.text(
    "UPDATE member_card SET tries = tries + 1"
    " WHERE community_id = :community_id AND member_id = :member_id AND tries < :most RETURNING tries"
)
_FORGET = sa.text("UPDATE member_card SET tries = 0 WHERE community_id = :community_id AND member_id = :member_id")


async def check_pin(sessions: Sessions, community_id: int, card: Card, pin: str) -> None:
    """Count the try, then look at the PIN; raises CardLocked or PinWrong.

    The count is committed before the PIN is looked at: sixteen tries at once are five looks at most, and a refusal
    never takes its count back.
    """
    who = {"community_id": community_id, "member_id": card.member_id}
    async with transaction(sessions) as session:
        tries = (await session.execute(_COUNT, {**who, "most": PIN_TRIES})).scalar_one_or_none()
    if tries is None:
        raise CardLocked
    if not await knows_secret(sessions, community_id, card.member_id, pin):
        if tries == PIN_TRIES:
            raise CardLocked
        raise PinWrong(PIN_TRIES - tries)
    async with transaction(sessions) as session:
        await session.execute(_FORGET, who)


async def use_by_card(
    session: AsyncSession,
    *,
    actor: Actor,
    card: Card,
    voucher_id: int,
    shop_id: UUID,
    device_id: UUID,
    nonce: UUID,
    quantity: int,
    now: datetime,
) -> redemption.Scan:
    """Use a voucher of the card's holder, whose PIN was right. Every rule of a scan holds, the clerk's own household included."""
    found = await redemption.redeem(
        session,
        actor.community_id,
        device_id=device_id,
        nonce=nonce,
        voucher_id=voucher_id,
        code_seq=None,
        merchant_id=shop_id,
        owner_group_of_clerk=actor.household_id,
        clerk_id=actor.member_id,
        quantity=quantity,
        scanned_at=now,
        now=now,
    )
    if found.verdict == "redeemed":
        audit.record(
            session,
            actor,
            "vouchers.redeemed_by_card",
            kind="voucher",
            id=voucher_id,
            now=now,
            on_behalf_of=card.member_id,
            detail={"shop": shop_id.hex, "seq": found.detail["seq"]},
        )
        fact = VoucherRedeemed(
            community_id=actor.community_id, voucher_id=voucher_id, member_id=card.member_id, merchant_id=shop_id
        )
        outbox.record(session, fact, now=now)
    return found
