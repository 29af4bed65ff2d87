"""Staff use a voucher for a member at the desk: the member types the PIN, or a second person agrees to a reason.

The shop is paid as by any scan and every rule of a scan holds. Both names stand in the row, the audit and the books.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.facts import VoucherRedeemed
from service.identity import person, roles_by_member
from service.kit import audit, outbox
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.vouchers.actions.keeping import found
from service.vouchers.rules import (
    DeskUseDecided,
    DeskUseNotFound,
    DeskUseWaits,
    HolderChanged,
    NotForThisShop,
    NotUsableNow,
    OtherHandsNeeded,
    check_desk_hands,
    key_for,
)
from service.vouchers.tables import DeskUse

BY_PIN = "pin"
"""The reason that stands with a use by PIN: the member was there."""

_ASK = sa.text("""
INSERT INTO desk_use (community_id, desk_use_id, voucher_id, member_id, shop_id, quantity, way, state, reason,
                      proposed_by, proposed_at)
VALUES (:community_id, :desk_use_id, :voucher_id, :member_id, :shop_id, :quantity, 'second', 'proposed', :reason,
        :proposed_by, :now)
    ON CONFLICT DO NOTHING RETURNING desk_use_id
""")


async def check_hands(
    session: AsyncSession,
    community_id: int,
    *,
    member_id: UUID,
    household_id: UUID | None,
    voucher: redemption.Voucher,
    shop_id: UUID,
    now: datetime,
) -> None:
    """Raises OwnHousehold or ServesThere when this person may not use this voucher for this shop."""
    if shop_id not in voucher.merchant_ids:
        raise NotForThisShop
    roles = (await roles_by_member(session, community_id, [member_id], local_day(now))).get(member_id, [])
    check_desk_hands(
        member_id=member_id,
        household_id=household_id,
        serves_at={shop for role, shop in roles if shop is not None and role in (Role.CLERK, Role.MERCHANT_OWNER)},
        holder_id=voucher.member_id,
        payer_id=voucher.payer_id,
        owner_group=voucher.owner_group,
        shop_id=shop_id,
    )


async def ask_second(
    session: AsyncSession,
    *,
    actor: Actor,
    voucher_id: int,
    shop_id: UUID,
    quantity: int,
    reason: str,
    key: str,
    now: datetime,
) -> UUID:
    """Ask a second person to use a voucher for its holder. One such question waits for a voucher; the same key is the same.

    Two may ask in the same second: the index lets one of them in.
    """
    voucher = await found(session, actor.community_id, voucher_id)
    await check_hands(
        session,
        actor.community_id,
        member_id=actor.member_id,
        household_id=actor.household_id,
        voucher=voucher,
        shop_id=shop_id,
        now=now,
    )
    usable = voucher.state in (redemption.VoucherState.ISSUED, redemption.VoucherState.PART_USED)
    if not usable or now >= voucher.expires_at or quantity > voucher.quantity_open:
        raise NotUsableNow
    desk_use_id = key_for(actor.member_id, f"desk-use:{voucher_id}:{key}")
    asked = await session.execute(
        _ASK,
        {
            "community_id": actor.community_id,
            "desk_use_id": desk_use_id,
            "voucher_id": voucher_id,
            "member_id": voucher.member_id,
            "shop_id": shop_id,
            "quantity": quantity,
            "reason": reason,
            "proposed_by": actor.member_id,
            "now": now,
        },
    )
    if asked.one_or_none() is None:
        if await session.get(DeskUse, (actor.community_id, desk_use_id)) is None:
            raise DeskUseWaits
        return desk_use_id
    _record(session, actor, "vouchers.desk_use_asked", voucher_id, voucher.member_id, shop_id, now)
    return desk_use_id


async def agree(session: AsyncSession, *, actor: Actor, desk_use_id: UUID, now: datetime) -> redemption.Scan:
    """Use the voucher as the second person; answers with the verdict. A no leaves the question waiting.

    The row's lock makes two who agree one use; whoever agreed gets the same answer again.
    """
    asked = await _lock(session, actor.community_id, desk_use_id)
    if asked.state == "refused" or (asked.state == "done" and asked.decided_by != actor.member_id):
        raise DeskUseDecided
    if asked.proposed_by == actor.member_id:
        raise OtherHandsNeeded
    voucher = await found(session, actor.community_id, asked.voucher_id)
    if voucher.member_id != asked.member_id:
        raise HolderChanged
    first = await person(session, actor.community_id, asked.proposed_by)
    for member_id, household_id in ((actor.member_id, actor.household_id), (first.member_id, first.household_id)):
        await check_hands(
            session,
            actor.community_id,
            member_id=member_id,
            household_id=household_id,
            voucher=voucher,
            shop_id=asked.shop_id,
            now=now,
        )
    scan = await redemption.redeem(
        session,
        actor.community_id,
        device_id=actor.member_id,
        nonce=desk_use_id,
        voucher_id=asked.voucher_id,
        code_seq=None,
        merchant_id=asked.shop_id,
        owner_group_of_clerk=actor.household_id,
        clerk_id=actor.member_id,
        quantity=asked.quantity,
        scanned_at=now,
        on_behalf_of=asked.member_id,
        now=now,
    )
    if scan.verdict == "redeemed":
        if UUID(scan.detail["member_id"]) != asked.member_id:
            raise HolderChanged  # given away since we looked: nothing of this may stay
        asked.state, asked.decided_by, asked.decided_at, asked.use_seq = (
            "done",
            actor.member_id,
            now,
            scan.detail["seq"],
        )
        redeemed(session, actor, scan, first.member_id, asked.shop_id, now)
    return scan


async def refuse(session: AsyncSession, *, actor: Actor, desk_use_id: UUID, now: datetime) -> None:
    """Leave it, or take one's own question back; again changes nothing."""
    asked = await _lock(session, actor.community_id, desk_use_id)
    if asked.state == "refused" and asked.decided_by == actor.member_id:
        return
    if asked.state != "proposed":
        raise DeskUseDecided
    asked.state, asked.decided_by, asked.decided_at = "refused", actor.member_id, now
    _record(session, actor, "vouchers.desk_use_refused", asked.voucher_id, asked.member_id, asked.shop_id, now)


def note_pin(
    session: AsyncSession, *, actor: Actor, nonce: UUID, scan: redemption.Scan, shop_id: UUID, now: datetime
) -> None:
    """The line of a use to which the member said yes with the PIN."""
    member_id = UUID(scan.detail["member_id"])
    line = DeskUse(
        community_id=actor.community_id,
        desk_use_id=nonce,
        voucher_id=int(scan.detail["voucher_id"]),
        member_id=member_id,
        shop_id=shop_id,
        quantity=scan.detail["quantity"],
        way="pin",
        state="done",
        reason=BY_PIN,
        proposed_by=actor.member_id,
        proposed_at=now,
        decided_by=member_id,
        decided_at=now,
        use_seq=scan.detail["seq"],
    )
    session.add(line)


def redeemed(
    session: AsyncSession, actor: Actor, scan: redemption.Scan, first_id: UUID, shop_id: UUID, now: datetime
) -> None:
    """The audit line with both names, and the member's receipt."""
    voucher_id, member_id = int(scan.detail["voucher_id"]), UUID(scan.detail["member_id"])
    audit.record(
        session,
        actor,
        "vouchers.redeemed_at_desk",
        kind="voucher",
        id=voucher_id,
        now=now,
        on_behalf_of=member_id,
        detail={"shop": shop_id.hex, "seq": scan.detail["seq"], "asked_by": first_id.hex},
    )
    fact = VoucherRedeemed(
        community_id=actor.community_id,
        voucher_id=voucher_id,
        member_id=member_id,
        merchant_id=shop_id,
        seq=scan.detail["seq"],
    )
    outbox.record(session, fact, now=now)


def _record(
    session: AsyncSession,
    actor: Actor,
    action: str,
    voucher_id: int,
    member_id: UUID,
    shop_id: UUID,
    now: datetime,
) -> None:
    audit.record(
        session,
        actor,
        action,
        kind="voucher",
        id=voucher_id,
        now=now,
        on_behalf_of=member_id,
        detail={"shop": shop_id.hex},
    )


async def _lock(session: AsyncSession, community_id: int, desk_use_id: UUID) -> DeskUse:
    query = (
        select(DeskUse)
        .where(col(DeskUse.community_id) == community_id, col(DeskUse.desk_use_id) == desk_use_id)
        .with_for_update()
    )
    asked = (await session.exec(query)).one_or_none()
    if asked is None:
        raise DeskUseNotFound
    return asked
