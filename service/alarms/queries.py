"""Reads: the queue with names, calls that wait, shops' hours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import AlarmMark
from service.alarms.rules import CallState
from service.alarms.tables import UseCall
from service.communities import OrganisationKind, OrganisationView, organisations, organisations_by_ids
from service.identity import people_by_ids, roles_by_member
from service.kit.access import Actor, Role
from service.kit.manifest import InboxRow
from service.kit.paging import PAGE_SIZE, decode_cursor, encode_cursor

CALLS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm as the desk reads it."""

    alarm: redemption.Alarm
    shop: str
    member: str
    clerk: str
    is_own: bool
    """The reader scanned it or holds the voucher: a colleague decides."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """A page of alarms, the oldest first."""

    rows: Sequence[AlarmView]
    next: str | None


async def alarms(
    session: AsyncSession,
    actor: Actor,
    *,
    state: redemption.AlarmState | None,
    rule: redemption.AlarmRule | None = None,
    shop_id: UUID | None = None,
    after: str | None = None,
    limit: int = PAGE_SIZE,
) -> Alarms:
    """A page, in three queries."""
    mark = decode_cursor(after, str, str, str, str)
    page = await redemption.alarms(
        session,
        actor.community_id,
        state=state,
        rule=rule,
        merchant_id=shop_id,
        after=AlarmMark(datetime.fromisoformat(str(mark[0])), int(mark[1]), int(mark[2]), str(mark[3]))
        if mark
        else None,
        limit=limit,
    )
    shops = await organisations_by_ids(session, actor.community_id, {each.merchant_id for each in page.alarms})
    people = await people_by_ids(
        session, actor.community_id, {who for each in page.alarms for who in (each.member_id, each.clerk_id)}
    )
    rows = [
        AlarmView(
            each,
            shops[each.merchant_id].name if each.merchant_id in shops else "",
            people[each.member_id].masked if each.member_id in people else "",
            people[each.clerk_id].masked if each.clerk_id in people else "",
            actor.member_id in (each.member_id, each.clerk_id),
        )
        for each in page.alarms
    ]
    last = page.next
    return Alarms(
        rows,
        encode_cursor(last.raised_at.isoformat(), str(last.voucher_id), str(last.use_seq), last.rule) if last else None,
    )


async def count_waiting(session: AsyncSession, actor: Actor) -> int:
    """How many uses are kept out of the batches; one under two rules counts twice."""
    return sum(each.count for each in await redemption.alarms_waiting(session, actor.community_id))


async def alarms_inbox(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """One line for each rule of each shop with something to look at."""
    del now  # what waits does not depend on the hour
    if not actor.has(Role.FINANCE, Role.APPROVER):
        return []
    found = await redemption.alarms_waiting(session, actor.community_id)
    shops = await organisations_by_ids(session, actor.community_id, {each.merchant_id for each in found})
    return [
        InboxRow(
            kind="alarm",
            title=str(each.count),
            who=shops[each.merchant_id].name if each.merchant_id in shops else "",
            since=each.oldest_at,
            url=f"/desk/alarms?rule={each.rule.value}&shop={each.merchant_id}",
        )
        for each in sorted(found, key=lambda each: each.oldest_at)
    ][:CALLS_SHOWN]


@dataclass(frozen=True, slots=True)
class CallView:
    """One call, with names; the phone number is only read for whoever asks for it."""

    voucher_id: int
    use_seq: int
    used_on: date
    member_id: UUID
    clerk_id: UUID
    member: str
    shop: str
    title: str
    received_at: datetime
    state: CallState
    note: str
    called_at: datetime | None


async def calls(
    session: AsyncSession, community_id: int, *, state: CallState | None = CallState.WAITING
) -> Sequence[CallView]:
    """Calls in a state, the oldest first; at most CALLS_SHOWN."""
    query = select(UseCall).where(col(UseCall.community_id) == community_id)
    if state is not None:
        query = query.where(col(UseCall.state) == state)
    found = (
        await session.exec(
            query.order_by(col(UseCall.received_at), col(UseCall.voucher_id), col(UseCall.use_seq)).limit(CALLS_SHOWN)
        )
    ).all()
    shops = await organisations_by_ids(session, community_id, {each.merchant_id for each in found})
    people = await people_by_ids(session, community_id, {each.member_id for each in found})
    return [
        CallView(
            each.voucher_id,
            each.use_seq,
            each.used_on,
            each.member_id,
            each.clerk_id,
            people[each.member_id].masked if each.member_id in people else "",
            shops[each.merchant_id].name if each.merchant_id in shops else "",
            each.title,
            each.received_at,
            CallState(each.state),
            each.note,
            each.called_at,
        )
        for each in found
    ]


async def own_shops(session: AsyncSession, actor: Actor, day: date) -> Sequence[OrganisationView]:
    """The open shops that this person owns, by name."""
    roles = (await roles_by_member(session, actor.community_id, [actor.member_id], day)).get(actor.member_id, [])
    owned = {place for role, place in roles if place is not None and role is Role.MERCHANT_OWNER}
    found = await organisations_by_ids(session, actor.community_id, owned)
    return sorted((shop for shop in found.values() if shop.is_open), key=lambda shop: shop.name)


async def openings(
    session: AsyncSession, community_id: int, today: date
) -> Sequence[tuple[OrganisationView, Sequence[redemption.Opening]]]:
    """Every shop, by name, with its hours in force and to come."""
    shops = [each for each in await organisations(session, community_id) if each.kind is OrganisationKind.MERCHANT]
    by_shop: Mapping[UUID, list[redemption.Opening]] = {shop.organisation_id: [] for shop in shops}
    for each in await redemption.openings(session, community_id, since=today):
        if each.merchant_id in by_shop:
            by_shop[each.merchant_id].append(each)
    return [(shop, by_shop[shop.organisation_id]) for shop in sorted(shops, key=lambda shop: shop.name)]
