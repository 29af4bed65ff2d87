"""What a shop sees: which shops somebody serves, today's takings, its statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.identity import people_by_ids, roles_by_member
from service.kit.access import Actor, Role
from service.kit.clock import HOME_ZONE, local_day
from service.vouchers.rules import StatementNotFound, UseNotFound, undo_until


@dataclass(frozen=True, slots=True)
class Shop:
    """A shop somebody serves at today."""

    organisation_id: UUID
    name: str
    is_owner: bool


@dataclass(frozen=True, slots=True)
class Taking:
    """One use in today's list. Members are known to a shop by the tail of their card only."""

    voucher_id: int
    seq: int
    title: str
    quantity: int
    points: int
    cash_fen: int
    card_tail: str
    state: redemption.UseState
    received_at: datetime
    may_undo: bool
    is_fresh: bool


@dataclass(frozen=True, slots=True)
class Today:
    """A shop's day."""

    count: int
    points: int
    cash_fen: int
    takings: Sequence[Taking]
    next: redemption.UseMark | None


async def shops_of(session: AsyncSession, actor: Actor, day: date) -> Mapping[UUID, Shop]:
    """The shops this person serves at on a day, by id."""
    roles = (await roles_by_member(session, actor.community_id, [actor.member_id], day)).get(actor.member_id, [])
    served: dict[UUID, bool] = {}
    for role, organisation_id in roles:
        if organisation_id is not None and role in (Role.CLERK, Role.MERCHANT_OWNER):
            served[organisation_id] = served.get(organisation_id, False) or role is Role.MERCHANT_OWNER
    found = await organisations_by_ids(session, actor.community_id, set(served))
    return {
        shop.organisation_id: Shop(shop.organisation_id, shop.name, served[shop.organisation_id])
        for shop in sorted(found.values(), key=lambda shop: shop.name)
        if shop.is_open
    }


async def use_at(session: AsyncSession, community_id: int, device_id: UUID, nonce: UUID) -> redemption.Use | None:
    """The use that a phone's scan became."""
    found = await session.execute(
        sa.text(
            "SELECT voucher_id, seq FROM redemption.use"
            " WHERE community_id = :community_id AND device_id = :device_id AND nonce = :nonce"
        ),
        {"community_id": community_id, "device_id": device_id, "nonce": nonce},
    )
    row = found.one_or_none()
    if row is None:
        return None
    uses = await redemption.uses_of(session, community_id, row.voucher_id)
    return next(use for use in uses if use.seq == row.seq)


async def today(
    session: AsyncSession,
    actor: Actor,
    shop: Shop,
    *,
    now: datetime,
    undo_minutes: int,
    before: redemption.UseMark | None = None,
) -> Today:
    """What a shop took in today, newest first, and which of it can still be undone."""
    began = datetime.combine(local_day(now), time(), HOME_ZONE)
    ends = began + timedelta(days=1)
    sums = await redemption.takings_sums(
        session, actor.community_id, shop.organisation_id, received_from=began, received_until=ends
    )
    page = await redemption.takings(
        session, actor.community_id, shop.organisation_id, received_from=began, received_until=ends, before=before
    )
    people = await people_by_ids(session, actor.community_id, {use.member_id for use in page.uses})
    takings = [
        Taking(
            voucher_id=use.voucher_id,
            seq=use.seq,
            title=use.title,
            quantity=use.quantity,
            points=use.points + use.subsidy_points,
            cash_fen=use.cash_fen,
            card_tail=people[use.member_id].card_no[-4:] if use.member_id in people else "",
            state=use.state,
            received_at=use.received_at,
            may_undo=use.state is redemption.UseState.ACCEPTED
            and (shop.is_owner or use.clerk_id == actor.member_id)
            and now <= use.received_at + timedelta(minutes=undo_minutes),
            is_fresh=now <= undo_until(use.received_at),
        )
        for use in page.uses
    ]
    return Today(sums.count, sums.points, sums.cash_fen, takings, page.next)


@dataclass(frozen=True, slots=True)
class Slip:
    """What stands on the receipt of one use."""

    shop: str
    title: str
    use: redemption.Use
    number: str
    """Tells which use it was, and is no code that anybody could use."""
    card_tail: str


async def slip_of(session: AsyncSession, actor: Actor, shops: Mapping[UUID, Shop], voucher_id: int, seq: int) -> Slip:
    """The receipt of a use at one of these shops; every other looks as if it were not there."""
    uses = await redemption.uses_of(session, actor.community_id, voucher_id)
    use = next((use for use in uses if use.seq == seq and use.merchant_id in shops), None)
    if use is None:
        raise UseNotFound
    voucher = await redemption.voucher(session, actor.community_id, voucher_id)
    offer = await redemption.offer(session, actor.community_id, voucher.offer_id)
    people = await people_by_ids(session, actor.community_id, [voucher.member_id])
    return Slip(
        shop=shops[use.merchant_id].name,
        title=offer.title,
        use=use,
        number=f"{voucher_id % 10**8:08}-{seq}",
        card_tail=people[voucher.member_id].card_no[-4:],
    )


async def statement_for(
    session: AsyncSession, actor: Actor, shops: Mapping[UUID, Shop], settlement_id: UUID
) -> redemption.Settlement:
    """A statement of one of the shops this person owns; every other looks as if it were not there."""
    try:
        found = await redemption.settlement(session, actor.community_id, settlement_id)
    except redemption.SettlementUnknown as unknown:
        raise StatementNotFound from unknown
    if found.merchant_id not in shops or not shops[found.merchant_id].is_owner:
        raise StatementNotFound
    return found
