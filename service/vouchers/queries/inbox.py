"""What waits for somebody of the office, and the resident's card on the home page."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import ReviewState, SettlementState
from service.communities import organisations_by_ids
from service.identity import people_by_ids
from service.kit.access import Actor, Role
from service.kit.i18n import _
from service.kit.manifest import InboxRow, Unfinished
from service.vouchers.queries.catalogue import vouchers_for
from service.vouchers.queries.desk_uses import waiting_uses
from service.vouchers.queries.devices import held_records
from service.vouchers.queries.office import unsettled, waiting
from service.vouchers.rules import Tab

HOME_ORDER = 30
AT_MOST = 200


async def settlements_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Statements that this person may approve or pay, oldest first."""
    del now  # what waits does not depend on the hour
    steps = []
    if actor.has(Role.FINANCE, Role.APPROVER):
        steps.append((SettlementState.CONFIRMED, "settlement_to_approve"))
    if actor.has(Role.FINANCE):
        steps += [(SettlementState.APPROVED, "settlement_to_pay"), (SettlementState.PART_PAID, "settlement_to_pay")]
    rows: list[InboxRow] = []
    for state, kind in steps:
        page = await redemption.settlements(session, actor.community_id, state=state, limit=AT_MOST)
        shops = await organisations_by_ids(
            session, actor.community_id, {batch.merchant_id for batch in page.settlements}
        )
        rows += [
            InboxRow(
                kind=kind,
                title=_("第 {number} 期，{points} 分").format(number=batch.number, points=batch.due_points),
                who=shops[batch.merchant_id].name if batch.merchant_id in shops else "",
                since=batch.confirmed_at or batch.closed_at,
                url=f"/desk/settlements/{batch.settlement_id}",
            )
            for batch in page.settlements
            if actor.member_id != (batch.closed_by if kind == "settlement_to_approve" else batch.approved_by)
        ]
    return sorted(rows, key=lambda row: row.since)[:AT_MOST]


async def disputes_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Lines in dispute that this person may decide, the longest waiting first."""
    del now  # what waits does not depend on the hour
    if not actor.has(Role.FINANCE, Role.APPROVER):
        return []
    found = await redemption.disputes(
        session, actor.community_id, state=redemption.DisputeState.DISPUTED, limit=AT_MOST
    )
    shops = await organisations_by_ids(session, actor.community_id, {line.merchant_id for line in found})
    return [
        InboxRow(
            kind="line_disputed",
            title=_("第 {number} 期第 {line} 行：{title}").format(
                number=line.number, line=line.line_no, title=line.title
            ),
            who=shops[line.merchant_id].name if line.merchant_id in shops else "",
            since=line.raised_at,
            url=f"/desk/settlements/{line.settlement_id}/lines/{line.line_no}",
        )
        for line in found
        if actor.member_id not in (line.closed_by, line.raised_by, line.member_id)
    ]


async def corrections_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Corrections of confirmed lines that this person may agree to, the longest waiting first."""
    del now  # what waits does not depend on the hour
    if not actor.has(Role.FINANCE, Role.APPROVER):
        return []
    found = await redemption.adjustments(
        session, actor.community_id, state=redemption.RequestState.PROPOSED, limit=AT_MOST
    )
    mine = [each for each in found if actor.member_id not in (each.proposed_by, each.member_id)]
    shops = await organisations_by_ids(session, actor.community_id, {each.merchant_id for each in mine})
    return [
        InboxRow(
            kind="line_to_correct",
            title=_("第 {number} 期第 {line} 行：{title}").format(
                number=each.number, line=each.line_no, title=each.title
            ),
            who=shops[each.merchant_id].name if each.merchant_id in shops else "",
            since=each.proposed_at,
            url=f"/desk/settlements/{each.settlement_id}/lines/{each.line_no}/correction",
        )
        for each in mine
    ]


async def requests_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """What other staff want a second person for, about vouchers that are not this person's; the longest waiting first."""
    del now  # what waits does not depend on the hour
    if not actor.has(Role.STAFF, Role.APPROVER):
        return []
    found = await redemption.requests(
        session, actor.community_id, state=redemption.RequestState.PROPOSED, limit=AT_MOST
    )
    mine = [each for each in found if actor.member_id not in (each.proposed_by, each.member_id)]
    people = await people_by_ids(session, actor.community_id, {each.member_id for each in mine})
    return [
        InboxRow(
            kind=f"voucher_{each.step}",
            title=each.title,
            who=people[each.member_id].name if each.member_id in people else "",
            since=each.proposed_at,
            url=f"/desk/vouchers/{each.voucher_id}",
        )
        for each in mine
    ]


async def held_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Scans of phones without a network that wait for this person's word, the first to be due at the top."""
    del now  # what waits does not depend on the hour
    may_decide = actor.has(Role.FINANCE, Role.APPROVER)
    if not (actor.has(Role.STAFF) or may_decide):
        return []
    held = await held_records(session, actor.community_id)
    mine = [
        each
        for each in held.reviews
        if (
            actor.has(Role.STAFF)
            if each.state is ReviewState.OPEN
            else may_decide and each.proposed_by != actor.member_id
        )
    ]
    return [
        InboxRow(
            kind="offline_proposed" if each.state is ReviewState.PROPOSED else "offline_held",
            title=each.title or _("查不到这张券"),
            who=held.shops.get(each.merchant_id, ""),
            since=each.received_at,
            url="/desk/held",
        )
        for each in mine[:AT_MOST]
    ]


async def desk_uses_waiting(session: AsyncSession, actor: Actor, now: datetime) -> Sequence[InboxRow]:
    """Uses at the desk that other staff want a second person for; the longest waiting first."""
    del now  # what waits does not depend on the hour
    if not actor.has(Role.STAFF, Role.APPROVER):
        return []
    lines = await waiting_uses(session, actor.community_id)
    mine = [line for line in lines if actor.member_id not in (line.proposed_by, line.member_id)]
    people = await people_by_ids(session, actor.community_id, {line.member_id for line in mine})
    return [
        InboxRow(
            kind="desk_use",
            title=line.title,
            who=people[line.member_id].name if line.member_id in people else "",
            since=line.proposed_at,
            url="/desk/uses",
        )
        for line in mine
    ]


async def count_waiting(session: AsyncSession, actor: Actor) -> int:
    """How many statements, lines in dispute and corrections wait for the office."""
    counts = await waiting(session, actor.community_id)
    return counts.confirmed + counts.approved + counts.part_paid + counts.disputed + counts.corrections


async def voucher_card(session: AsyncSession, actor: Actor, now: datetime) -> Mapping[str, object] | None:
    """The newest voucher that can be used, on the resident's home."""
    found, following = await vouchers_for(session, actor.community_id, actor.member_id, Tab.USABLE, now=now)
    usable = [voucher for voucher in found if voucher.is_usable]
    if not usable:
        return None
    soonest = min(usable, key=lambda voucher: voucher.expires_at)
    return {
        "template": "vouchers/card.html",
        "order": HOME_ORDER,
        "voucher": soonest,
        "count": len(usable),
        "more": following is not None,
    }


async def unfinished(session: AsyncSession, community_id: int, until: datetime) -> Sequence[Unfinished]:
    """Shops with uses of before a moment in no statement, statements of before it that are not paid, lines in dispute."""
    shops = await redemption.open_batches(session, community_id, received_until=until)
    unpaid, disputed = await unsettled(session, community_id, until)
    return [
        Unfinished("shops_to_settle", len(shops), "/desk/settlements"),
        Unfinished("settlements_unpaid", unpaid, "/desk/settlements"),
        Unfinished("lines_disputed", disputed, "/desk/settlements"),
    ]
