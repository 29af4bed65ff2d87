"""Taking an offer, giving a voucher back, printing it: by its holder, or by staff for somebody, with both names."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.facts import VoucherGiven, VoucherIssued, VoucherReturned
from service.identity import CardUnknown, Person, members_by_card, normal_card, person
from service.kit import audit, outbox
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.vouchers.queries.standing import tags_by_member
from service.vouchers.rules import (
    RESERVED_MINUTES,
    PointsMissing,
    PointsOwed,
    RecipientUnknown,
    VoucherNotFound,
    key_for,
)

PRINTED = "printed"
"""The reason of a new code that was made because the paper was lost."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one person in a list: a voucher, or the code of the refusal."""

    card_no: str
    voucher_id: int | None
    refused: str | None


async def take_offer(
    session: AsyncSession,
    *,
    actor: Actor,
    offer_id: UUID,
    key: str,
    now: datetime,
    for_member: Person | None = None,
    grace_hours: int | None = None,
    tags: Collection[str] | None = None,
    is_reserved: bool = False,
) -> int:
    """Set the price aside and give the member a voucher; the same key again is the same voucher.

    A reserved one is kept for ten minutes with its price frozen, until it is confirmed, given up or its time is over.

    The grace for late uploads and what the member is are today's, unless the caller has read them for many. Staff may take it for
    somebody: then the member pays and holds it, and both names stand in the books.
    """
    member_id = for_member.member_id if for_member else actor.member_id
    verb = "reserve" if is_reserved else "take"
    if grace_hours is None:
        grace_hours = await grace_hours_on(session, actor.community_id, now)
    if tags is None:
        tags = (await tags_by_member(session, actor.community_id, [member_id], local_day(now)))[member_id]
    try:
        issued = await redemption.issue_voucher(
            session,
            actor.community_id,
            key=key_for(actor.member_id, f"{verb}:{offer_id}:{member_id}:{key}"),
            offer_id=offer_id,
            member_id=member_id,
            owner_group=for_member.household_id if for_member else actor.household_id,
            actor_id=actor.member_id,
            on_behalf_of=member_id if for_member else None,
            grace_hours=grace_hours,
            tags=tags,
            reserved_minutes=RESERVED_MINUTES if is_reserved else None,
            now=now,
        )
    except redemption.PointsShort as short:
        raise _points_missing(short) from short
    except redemption.MemberInDebt as debt:
        raise PointsOwed(-(-debt.owed // 100)) from debt
    if not issued.replayed:
        behalf = member_id if for_member else None
        _note(session, actor, "vouchers.reserved" if is_reserved else "vouchers.issued", issued, offer_id, behalf, now)
        if not is_reserved:
            _tell(session, actor, issued.voucher_id, member_id, now)
    return issued.voucher_id


def _note(
    session: AsyncSession,
    actor: Actor,
    action: str,
    issued: redemption.Issued,
    offer_id: UUID,
    behalf: UUID | None,
    now: datetime,
) -> None:
    audit.record(
        session,
        actor,
        action,
        kind="voucher",
        id=issued.voucher_id,
        now=now,
        on_behalf_of=behalf,
        detail={"offer": offer_id.hex},
    )


def _tell(session: AsyncSession, actor: Actor, voucher_id: int, member_id: UUID, now: datetime) -> None:
    fact = VoucherIssued(community_id=actor.community_id, voucher_id=voucher_id, member_id=member_id)
    outbox.record(session, fact, now=now)


async def confirm(session: AsyncSession, *, actor: Actor, voucher_id: int, key: str, now: datetime) -> None:
    """Say yes to what was reserved, in its ten minutes: the price is the one that was shown. Staff may do it for the holder."""
    voucher = await _held(session, actor, voucher_id)
    behalf = voucher.member_id if voucher.member_id != actor.member_id else None
    replayed = await redemption.confirm_voucher(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"confirm:{voucher_id}:{key}"),
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        grace_hours=await grace_hours_on(session, actor.community_id, now),
        now=now,
    )
    if replayed:
        return
    audit.record(session, actor, "vouchers.issued", kind="voucher", id=voucher_id, now=now, on_behalf_of=behalf)
    _tell(session, actor, voucher_id, voucher.member_id, now)


async def grace_hours_on(session: AsyncSession, community_id: int, now: datetime) -> int:
    """How long a voucher that is issued today will wait for late uploads after its expiry."""
    return await setting(session, community_id, "voucher_grace_hours", local_day(now))


def _points_missing(short: redemption.PointsShort) -> PointsMissing:
    asked, available = short.detail.get("asked"), short.detail.get("available")
    assert isinstance(asked, int)
    assert isinstance(available, int)
    return PointsMissing(-((available - asked) // 100))


async def take_for_many(
    session: AsyncSession, *, actor: Actor, offer_id: UUID, cards: Sequence[str], key: str, now: datetime
) -> Sequence[Taken]:
    """Take an offer for each of these card numbers, one after the other in their order; one's refusal stops no other."""
    members = await members_by_card(session, actor.community_id, cards)
    grace_hours = await grace_hours_on(session, actor.community_id, now)
    ids = [member.member_id for member in members.values()]
    tags = await tags_by_member(session, actor.community_id, ids, local_day(now))
    taken: list[Taken] = []
    for card_no in dict.fromkeys(cards):
        if card_no not in members:
            taken.append(Taken(card_no, None, CardUnknown.code))
            continue
        holder = await person(session, actor.community_id, members[card_no].member_id)
        try:
            voucher_id = await take_offer(
                session,
                actor=actor,
                offer_id=offer_id,
                key=key,
                now=now,
                for_member=holder,
                grace_hours=grace_hours,
                tags=tags[holder.member_id],
            )
        except (redemption.RedemptionRefusal, PointsMissing, PointsOwed) as refusal:
            taken.append(Taken(card_no, None, refusal.code))
        else:
            taken.append(Taken(card_no, voucher_id, None))
    return taken


async def give_back(
    session: AsyncSession, *, actor: Actor, voucher_id: int, key: str, now: datetime, quantity: int | None = None
) -> None:
    """Cancel what is not used, or so many pieces of it. Staff may do it for the holder.

    The points come back at once; where a shop's phone has the lease, when that has answered or its lease is over.
    """
    voucher = await _held(session, actor, voucher_id)
    behalf = voucher.member_id if voucher.member_id != actor.member_id else None
    ended = await redemption.cancel_voucher(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"cancel:{voucher_id}:{key}"),
        reason="given_back",
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        quantity=quantity,
        now=now,
    )
    if ended.state is redemption.VoucherState.CANCEL_PENDING:
        # A shop's phone may have taken it without a network: the points come back when it has said that it has not.
        audit.record(
            session, actor, "vouchers.cancel_asked", kind="voucher", id=voucher_id, now=now, on_behalf_of=behalf
        )
    elif not ended.replayed:
        audit.record(
            session,
            actor,
            "vouchers.cancelled",
            kind="voucher",
            id=voucher_id,
            now=now,
            on_behalf_of=behalf,
            detail={"points": ended.points, "quantity": ended.quantity},
        )
        outbox.record(
            session,
            VoucherReturned(
                community_id=actor.community_id, voucher_id=voucher_id, member_id=ended.member_id, reason="cancelled"
            ),
            now=now,
        )


async def give(
    session: AsyncSession, *, actor: Actor, voucher_id: int, card_no: str, name: str, key: str, now: datetime
) -> None:
    """Give what is left of a voucher to the member who has this card and this name. Staff may do it for the holder.

    Both are asked for, so that a slip in the number reaches nobody else.
    """
    voucher = await _held(session, actor, voucher_id)
    behalf = voucher.member_id if voucher.member_id != actor.member_id else None
    card = normal_card(card_no) or ""
    member = (await members_by_card(session, actor.community_id, [card])).get(card)
    to = await person(session, actor.community_id, member.member_id) if member else None
    if to is None or not to.is_open or "".join(name.split()) != "".join(to.name.split()):
        raise RecipientUnknown
    tags = (await tags_by_member(session, actor.community_id, [to.member_id], local_day(now)))[to.member_id]
    replayed = await redemption.give_voucher(
        session,
        actor.community_id,
        voucher_id,
        key=key_for(actor.member_id, f"give:{voucher_id}:{key}"),
        to_id=to.member_id,
        owner_group=to.household_id,
        tags=tags,
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        now=now,
    )
    if not replayed:
        audit.record(session, actor, "vouchers.given", kind="voucher", id=voucher_id, now=now, on_behalf_of=behalf)
        outbox.record(
            session,
            VoucherGiven(community_id=actor.community_id, voucher_id=voucher_id, member_id=to.member_id),
            now=now,
        )


async def print_again(session: AsyncSession, *, actor: Actor, voucher_id: int, now: datetime) -> None:
    """Make every code shown or printed so far worthless: there are never two live papers of one voucher."""
    voucher = await _held(session, actor, voucher_id)
    behalf = voucher.member_id if voucher.member_id != actor.member_id else None
    audit.record(session, actor, "vouchers.code_renewed", kind="voucher", id=voucher_id, now=now, on_behalf_of=behalf)
    await session.flush()
    await redemption.renew_code(
        session,
        actor.community_id,
        voucher_id,
        reason=PRINTED,
        actor_id=actor.member_id,
        on_behalf_of=behalf,
        now=now,
    )


async def _held(session: AsyncSession, actor: Actor, voucher_id: int) -> redemption.Voucher:
    """A voucher this person may act on: one's own, or anybody's for staff."""
    try:
        voucher = await redemption.voucher(session, actor.community_id, voucher_id)
    except redemption.VoucherUnknown as unknown:
        raise VoucherNotFound from unknown
    if voucher.member_id != actor.member_id and not actor.has(Role.STAFF):
        raise VoucherNotFound
    return voucher
