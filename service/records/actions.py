"""Writing services into the record and posting what they earn, as one act; and undoing them."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.chart import Reason
from service.identity import lock_people
from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id
from service.records.planning import KIND, Planned, Service, plan_services
from service.records.rules import (
    CorrectionCannotBeCorrected,
    EarningsSpent,
    RecordAlreadyCorrected,
    RecordKind,
    RecordNotFound,
    TimeTaken,
)
from service.records.tables import ServiceRecord, ServiceTime
from service.records.times import overlap_within, taken_times

_WRITE = sa.text("SELECT service_write(:book, :now, :references, NULL, CAST(:rows AS jsonb))").bindparams(
    sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.bindparam("references", type_=sa.ARRAY(sa.Text))
)


@dataclass(frozen=True, slots=True)
class Credited:
    """What one service brought."""

    reference: str
    record_id: UUID | None
    minutes: int
    points_hundredths: int


async def record_services(
    session: AsyncSession,
    *,
    community_id: int,
    services: Sequence[Service],
    actor: Actor | None,
    now: datetime,
    on_behalf_of: UUID | None = None,
    told: Callable[[Sequence[Credited]], None] = lambda _: None,
) -> Sequence[Credited]:
    """Write services into the record and post minutes and points, in this transaction and one round trip to the ledger.

    Must be the action's last statement: it ends by taking the book's head. The people are locked first, in one order, so
    that two approvals on the same day cannot both use the same rest of the daily cap, nor both count the same time. A
    service that the cap leaves nothing of stands in the record with its reward alone; without a reward it is not
    recorded and its `Credited.record_id` is None. `told` hears what was credited before the head is taken, for rows of the
    caller's that say it.
    Raises TimeTaken when another service counts for some of the time, and the ledger's refusal (for example an empty
    reward budget) for the first journal that was refused.
    """
    await lock_people(session, community_id, [service.member_id for service in services])
    await _check_times(session, community_id, services)
    planned = await plan_services(
        session, community_id=community_id, services=services, actor=actor, on_behalf_of=on_behalf_of
    )
    credited = [
        Credited(each.service.reference, each.record_id, each.minutes, each.points_hundredths) for each in planned
    ]
    told(credited)
    await session.flush()
    await _write(session, community_id, [each for each in planned if each.journal is None], now)
    drafts = [draft for each in planned for draft in _drafts(each, actor)]
    if drafts:
        journals, effects = zip(*drafts, strict=True)
        for verdict in await ledger.post_many_with(session, community_id, journals, effects, now=now):
            if isinstance(verdict, ledger.EffectRefused):
                await _check_times(session, community_id, services)
            if isinstance(verdict, Exception):
                raise verdict
    return credited


def _drafts(planned: Planned, actor: Actor | None) -> list[tuple[ledger.Journal, ledger.Effect]]:
    """The journals of one service.

    A reward that lay aside is let go by one of its own: a journal with a release could not be reversed when the record is
    corrected.
    """
    service = planned.service
    drafts = []
    if service.reward_hold is not None:
        by, reference = actor.member_id if actor else None, f"{service.reference}:reward"
        let_go = ledger.Journal(reference, Reason.WISH_REWARD, (ledger.Release(service.reward_hold),), by)
        drafts.append((let_go, ledger.Effect(KIND, reference)))
    if planned.journal is not None:
        drafts.append((planned.journal, ledger.Effect(KIND, service.member_id.hex, planned.values)))
    return drafts


async def _write(session: AsyncSession, community_id: int, planned: Sequence[Planned], now: datetime) -> None:
    """Record what earns nothing, by the function that records everything."""
    rows = [each for each in planned if each.record_id is not None]
    if rows:
        references, values = [each.service.reference for each in rows], json.dumps([each.values for each in rows])
        await session.execute(_WRITE, {"book": community_id, "now": now, "references": references, "rows": values})


async def _check_times(session: AsyncSession, community_id: int, services: Sequence[Service]) -> None:
    spans = {service.reference: span for service in services if (span := service.span) is not None}
    for taken in (await taken_times(session, community_id, list(spans.values()))).values():
        raise TimeTaken(taken.title, taken.starts_at, taken.ends_at)
    twice = overlap_within(list(spans.values()))
    if twice is not None:
        titles = {service.reference: service.title for service in services}
        raise TimeTaken(titles[twice[0].reference], twice[0].starts_at, twice[0].ends_at)


async def correct_record(session: AsyncSession, *, actor: Actor, record_id: UUID, now: datetime) -> UUID:
    """Undo a recorded service by its exact opposite, in the record and in the ledger; the first line stays for ever."""
    return (await correct_records(session, actor=actor, record_ids=[record_id], now=now))[record_id]


async def correct_records(
    session: AsyncSession, *, actor: Actor, record_ids: Collection[UUID], now: datetime
) -> Mapping[UUID, UUID]:
    """Undo many, all or none, in as many statements as one; by the first line's id, that of its opposite.

    Must be the action's last statement: it ends by taking the book's head.
    """
    if not record_ids:
        return {}
    firsts = await _undoable(session, actor, record_ids)
    opposites = [_opposite(first, actor, now) for first in firsts]
    session.add_all(opposites)
    await session.execute(
        sa.delete(ServiceTime).where(
            col(ServiceTime.community_id) == actor.community_id, _among(ServiceTime.record_id, record_ids)
        )
    )
    ids = [first.record_id for first in firsts]
    await audit.record_many(session, actor, "records.corrected", kind="service_record", ids=ids, now=now)
    await session.flush()
    reversals = [
        ledger.Reversal(opposite.reference, first.reference, Reason.CORRECTION, actor.member_id)
        for first, opposite in zip(firsts, opposites, strict=True)
        if first.kind == RecordKind.CREDITED
    ]
    for verdict in await ledger.reverse_many(session, actor.community_id, reversals, now=now):
        if isinstance(verdict, ledger.InsufficientBalance):
            raise EarningsSpent from verdict
        if isinstance(verdict, Exception):
            raise verdict
    return {first.record_id: opposite.record_id for first, opposite in zip(firsts, opposites, strict=True)}


async def _undoable(session: AsyncSession, actor: Actor, record_ids: Collection[UUID]) -> list[ServiceRecord]:
    """The lines, their people locked, or the first reason why one of them cannot be undone."""
    found = await session.execute(
        sa.select(ServiceRecord)
        .where(col(ServiceRecord.community_id) == actor.community_id, _among(ServiceRecord.record_id, record_ids))
        .order_by(col(ServiceRecord.record_id))
    )
    firsts = list(found.scalars())
    if len(firsts) < len(set(record_ids)):
        raise RecordNotFound
    if any(first.corrects is not None for first in firsts):
        raise CorrectionCannotBeCorrected
    await lock_people(session, actor.community_id, [first.member_id for first in firsts])
    again = await session.execute(
        sa.select(col(ServiceRecord.record_id)).where(
            col(ServiceRecord.community_id) == actor.community_id, _among(ServiceRecord.corrects, record_ids)
        )
    )
    if again.first() is not None:
        raise RecordAlreadyCorrected
    return firsts


def _among(column: UUID | None, ids: Collection[UUID]) -> sa.ColumnElement[bool]:
    """True for these ids: one statement text for any number of them."""
    return col(column) == sa.any_(sa.literal(list(ids), sa.ARRAY(sa.Uuid())))


def _opposite(first: ServiceRecord, actor: Actor, now: datetime) -> ServiceRecord:
    return ServiceRecord(
        community_id=first.community_id,
        record_id=new_id(),
        member_id=first.member_id,
        kind=first.kind,
        service_class=first.service_class,
        minutes=-first.minutes,
        points_hundredths=-first.points_hundredths,
        coins=-first.coins,
        title=first.title,
        source=first.source,
        reference=f"{first.reference}:corrected",
        served_on=first.served_on,
        confirmed_at=now,
        confirmed_by=actor.member_id,
        corrects=first.record_id,
    )


__all__ = ["Credited", "Service", "correct_record", "correct_records", "record_services"]
