"""Once a month two communities set to zero what they owe each other: one side proposes, the other confirms.

Each side posts against its own `issued`: what members took along was issued here, and stands there now (decision 0021).
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.clearing.actions.accounts import bound, owed
from service.clearing.queries.agreements import lock_agreement
from service.clearing.queries.nettings import (
    Sums,
    last_round,
    lock_netting,
    lock_open_netting,
    not_netted,
    sums_until,
    under_way_before,
)
from service.clearing.rules import (
    NettingDecided,
    NettingDiffers,
    NettingNotFound,
    NettingOpen,
    NettingState,
    NothingToNet,
    PartnerNotFound,
    StillUnderWay,
    Unit,
    month_of,
    netting_reference,
    next_telling,
    yields,
)
from service.clearing.tables import ClearingAgreement, ClearingNetting, ClearingTransfer
from service.facts import (
    NettingConfirmed,
    NettingDone,
    NettingDropped,
    NettingDue,
    NettingProposed,
    NettingRefused,
)
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.ids import new_id


async def propose_netting(session: AsyncSession, *, actor: Actor, partner_id: int, now: datetime) -> UUID:
    """Propose to net everything that was sent before this month; answers the netting's id. The rows in it are marked."""
    agreement = await lock_agreement(session, actor.community_id, partner_id)
    if agreement is None:
        raise PartnerNotFound
    if await lock_open_netting(session, actor.community_id, partner_id) is not None:
        raise NettingOpen
    until = day_begins(month_of(local_day(now)))
    waiting = await under_way_before(session, actor.community_id, partner_id, until)
    if waiting:
        raise StillUnderWay(waiting)
    sums = await sums_until(session, actor.community_id, partner_id, until)
    if not sums.transfers:
        raise NothingToNet
    row = ClearingNetting(
        community_id=actor.community_id,
        netting_id=new_id(),
        partner_id=partner_id,
        round=1 + await last_round(session, actor.community_id, partner_id),
        is_ours=True,
        state=NettingState.PROPOSED,
        until=until,
        transfers=sums.transfers,
        minutes=sums.minutes,
        points_hundredths=sums.points_hundredths,
        proposed_by=actor.member_id,
        proposed_at=now,
        due_at=next_telling(now, now),
    )
    session.add(row)
    await session.flush()
    await _mark(session, row)
    _note(session, actor, "clearing.netting_proposed", row, now)
    tell(session, row, now=now)
    return row.netting_id


async def _mark(session: AsyncSession, row: ClearingNetting) -> None:
    await session.execute(
        sa.update(ClearingTransfer)
        .where(*not_netted(row.community_id, row.partner_id, row.until))
        .values(netting_id=row.netting_id)
        .execution_options(synchronize_session=False)
    )


def _note(session: AsyncSession, actor: Actor, action: str, row: ClearingNetting, now: datetime) -> None:
    detail = {"transfers": row.transfers, "minutes": row.minutes, "points_hundredths": row.points_hundredths}
    audit.record(session, actor, action, kind="clearing_netting", id=row.netting_id, now=now, detail=detail)


def tell(session: AsyncSession, row: ClearingNetting, *, now: datetime) -> None:
    """Say to the other side what this one proposes."""
    told = NettingProposed(
        community_id=row.community_id,
        partner_id=row.partner_id,
        netting_id=row.netting_id,
        round=row.round,
        until=row.until,
        transfers=row.transfers,
        minutes=row.minutes,
        points_hundredths=row.points_hundredths,
    )
    outbox.record(session, told, now=now)


async def note_netting(session: AsyncSession, fact: NettingProposed, now: datetime) -> None:
    """The other side proposed a netting: lay it before our finance, or answer again what was decided before."""
    home, there = fact.partner_id, fact.community_id
    if await lock_agreement(session, home, there) is None:
        return
    row = await lock_netting(session, home, fact.netting_id)
    if row is None:
        taken = await _may_take(session, fact, now)
        await _insert_theirs(session, fact, taken=taken, now=now)
        row = await lock_netting(session, home, fact.netting_id)
        assert row is not None, "it was made"
        if taken:
            due = NettingDue(community_id=home, partner_id=there, netting_id=fact.netting_id)
            outbox.record(session, due, now=now)
    if row.state != NettingState.PROPOSED:
        _answer(session, row, now)


async def _may_take(session: AsyncSession, fact: NettingProposed, now: datetime) -> bool:
    """Not one that is older than what was decided here meanwhile; and of two at once, one gives way."""
    home, there = fact.partner_id, fact.community_id
    rival = await lock_open_netting(session, home, there)
    if rival is None:
        return fact.round > await last_round(session, home, there)
    if not rival.is_ours or rival.round != fact.round or not yields(home, there):
        return False
    await _drop(session, rival, now)
    return True


async def _insert_theirs(session: AsyncSession, fact: NettingProposed, *, taken: bool, now: datetime) -> None:
    """Sums as we owe them: the opposite of what they said."""
    await session.execute(
        insert(ClearingNetting)
        .values(
            community_id=fact.partner_id,
            netting_id=fact.netting_id,
            partner_id=fact.community_id,
            round=fact.round,
            is_ours=False,
            state=NettingState.PROPOSED if taken else NettingState.REFUSED,
            until=fact.until,
            transfers=fact.transfers,
            minutes=-fact.minutes,
            points_hundredths=-fact.points_hundredths,
            proposed_at=now,
            settled_at=None if taken else now,
        )
        .on_conflict_do_nothing(index_elements=["community_id", "netting_id"])
    )


def _answer(session: AsyncSession, row: ClearingNetting, now: datetime) -> None:
    kind = NettingConfirmed if row.state == NettingState.DONE else NettingRefused
    told = kind(community_id=row.community_id, partner_id=row.partner_id, netting_id=row.netting_id)
    outbox.record(session, told, now=now)


async def _theirs(session: AsyncSession, actor: Actor, netting_id: UUID) -> tuple[ClearingAgreement, ClearingNetting]:
    """What the other side proposed and nobody here has decided; agreement first, so that locks are in one order."""
    known = await session.get(ClearingNetting, (actor.community_id, netting_id))
    if known is None:
        raise NettingNotFound
    agreement = await lock_agreement(session, actor.community_id, known.partner_id)
    row = await lock_netting(session, actor.community_id, netting_id)
    assert agreement is not None, "a netting stands on an agreement"
    assert row is not None, "rows stay"
    if row.is_ours or row.state != NettingState.PROPOSED:
        raise NettingDecided(row.state)
    return agreement, row


async def confirm_netting(session: AsyncSession, *, actor: Actor, netting_id: UUID, now: datetime) -> None:
    """Finance of the other side agrees: their own rows come to the same sums, so their book posts, and then the first."""
    agreement, row = await _theirs(session, actor, netting_id)
    waiting = await under_way_before(session, actor.community_id, row.partner_id, row.until)
    if waiting:
        raise StillUnderWay(waiting)
    sums = await sums_until(session, actor.community_id, row.partner_id, row.until)
    if sums != Sums(row.transfers, row.minutes, row.points_hundredths):
        raise NettingDiffers
    row.state, row.decided_by, row.settled_at = NettingState.DONE, actor.member_id, now
    await session.flush()
    await _mark(session, row)
    _note(session, actor, "clearing.netting_confirmed", row, now)
    _answer(session, row, now)
    await session.flush()
    await _post(session, agreement, row, actor.member_id, now)


async def refuse_netting(session: AsyncSession, *, actor: Actor, netting_id: UUID, now: datetime) -> None:
    """Finance of the other side does not agree: nothing is posted, and another netting may be proposed."""
    _agreement, row = await _theirs(session, actor, netting_id)
    row.state, row.decided_by, row.settled_at = NettingState.REFUSED, actor.member_id, now
    _note(session, actor, "clearing.netting_refused", row, now)
    _answer(session, row, now)


async def complete_netting(session: AsyncSession, fact: NettingConfirmed, now: datetime) -> None:
    """The other side confirmed and posted: post ours."""
    agreement = await lock_agreement(session, fact.partner_id, fact.community_id)
    row = await lock_netting(session, fact.partner_id, fact.netting_id)
    if agreement is None or row is None or row.state != NettingState.PROPOSED:
        return
    row.state, row.settled_at, row.due_at = NettingState.DONE, now, None
    done = NettingDone(community_id=row.community_id, partner_id=row.partner_id, netting_id=row.netting_id)
    outbox.record(session, done, now=now)
    await session.flush()
    await _post(session, agreement, row, row.proposed_by, now)


async def drop_netting(session: AsyncSession, fact: NettingRefused, now: datetime) -> None:
    """The other side refused: the rows are free for another netting."""
    await lock_agreement(session, fact.partner_id, fact.community_id)
    row = await lock_netting(session, fact.partner_id, fact.netting_id)
    if row is None or row.state != NettingState.PROPOSED:
        return
    await _drop(session, row, now)
    dropped = NettingDropped(community_id=row.community_id, partner_id=row.partner_id, netting_id=row.netting_id)
    outbox.record(session, dropped, now=now)


async def _drop(session: AsyncSession, row: ClearingNetting, now: datetime) -> None:
    row.state, row.settled_at, row.due_at = NettingState.REFUSED, now, None
    await session.flush()
    await session.execute(
        sa.update(ClearingTransfer)
        .where(
            col(ClearingTransfer.community_id) == row.community_id,
            col(ClearingTransfer.netting_id) == row.netting_id,
        )
        .values(netting_id=None)
        .execution_options(synchronize_session=False)
    )


async def _post(
    session: AsyncSession, agreement: ClearingAgreement, row: ClearingNetting, actor_id: UUID | None, now: datetime
) -> None:
    """What we owed leaves what was issued here; what they owed us is issued here from now on."""
    moved = {Unit.MINUTE: row.minutes, Unit.POINT: row.points_hundredths}
    ours = chart.clearing(row.partner_id)
    legs = tuple(
        ledger.Leg(ours, chart.ISSUED, unit, amount) if amount > 0 else ledger.Leg(chart.ISSUED, ours, unit, -amount)
        for unit, amount in moved.items()
        if amount
    )
    if not legs:
        return
    before = await owed(session, agreement)
    after = {unit: before[unit] - moved[unit] for unit in Unit}
    await bound(session, agreement, before, after, now=now)
    reference = netting_reference(row.netting_id)
    await ledger.post(
        session, row.community_id, ledger.Journal(reference, Reason.CLEARING_NETTED, legs, actor_id), now=now
    )
    await bound(session, agreement, after, now=now)
