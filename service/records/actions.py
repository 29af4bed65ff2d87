"""Writing services into the record and posting what they earn, as one act."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.communities import settings_on
from service.identity import lock_people
from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id
from service.records.queries import credited_on
from service.records.rules import (
    CorrectionCannotBeCorrected,
    EarningsSpent,
    RecordAlreadyCorrected,
    RecordKind,
    RecordNotFound,
    ServiceClass,
    TimeTaken,
    credited_minutes,
    earned_points,
    split_store,
)
from service.records.tables import ServiceRecord, ServiceTime
from service.records.times import Span, overlap_within, taken_times


@dataclass(frozen=True, slots=True)
class Service:
    """One confirmed service. `reference` is unique per community and makes a retry harmless, e.g. `wish:<id>:confirmed`."""

    member_id: UUID
    minutes: int
    kind: RecordKind
    service_class: ServiceClass
    title: str
    source: str
    reference: str
    served_on: date
    served_from_at: datetime | None = None
    served_until_at: datetime | None = None
    """When it was, if that is known: nobody's time counts twice."""
    reward_points: int = 0
    """Whole points on top, drawn from `reward_budget`."""
    reward_budget: UUID | None = None
    reward_hold: UUID | None = None
    """Where they lie aside: let go in the same call that draws them, so that nobody can take them in between."""


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
) -> Sequence[Credited]:
    """Write services into the record and post minutes and points, in this transaction and one round trip to the ledger.

    Must be the action's last statement: it ends by taking the book's head. The people are locked first, in one order, so
    that two approvals on the same day cannot both use the same rest of the daily cap, nor both count the same time. A
    service that the cap leaves nothing of stands in the record with its reward alone; without a reward it is not
    recorded and its `Credited.record_id` is None.
    Raises TimeTaken when another service counts for some of the time, and the ledger's refusal (for example an empty
    reward budget) for the first journal that was refused.
    """
    rates = {day: await _rates(session, community_id, day) for day in sorted({item.served_on for item in services})}
    await lock_people(session, community_id, [service.member_id for service in services])
    days = [(service.member_id, service.served_on) for service in services]
    await _check_times(session, community_id, services)
    used = defaultdict(int, await credited_on(session, community_id, days))
    accounts = [(chart.member(service.member_id), chart.MINUTE) for service in services]
    own = defaultdict(
        int, {code: held for (code, _), held in (await ledger.balances(session, community_id, accounts)).items()}
    )
    journals: list[ledger.Journal] = []
    credited: list[Credited] = []
    timed: list[tuple[Service, ServiceRecord]] = []
    for service in services:
        record, given = _worth(service, community_id, rates[service.served_on], used, own, actor, now)
        if record is None:
            credited.append(Credited(service.reference, None, 0, 0))
            continue
        session.add(record)
        _tell(session, record, actor, on_behalf_of, now)
        timed.append((service, record))
        credited.append(Credited(service.reference, record.record_id, record.minutes, record.points_hundredths))
        legs = _legs(service, record, given)
        if service.reward_hold is not None:
            journals.append(_release(service, service.reward_hold, actor))
        if legs:
            by = actor.member_id if actor else None
            journals.append(ledger.Journal(service.reference, Reason.SERVICE, legs, by, on_behalf_of=on_behalf_of))
    await session.flush()
    session.add_all(_times(timed))
    await session.flush()
    for verdict in await ledger.post_many(session, community_id, journals, now=now) if journals else []:
        if isinstance(verdict, ledger.LedgerRefusal):
            raise verdict
    return credited


def _tell(
    session: AsyncSession, record: ServiceRecord, actor: Actor | None, on_behalf_of: UUID | None, now: datetime
) -> None:
    audit.record(
        session,
        actor,
        "records.service_recorded",
        kind="service_record",
        id=record.record_id,
        now=now,
        community_id=record.community_id,
        on_behalf_of=on_behalf_of,
        detail={"member": record.member_id.hex, "minutes": record.minutes, "points": record.points_hundredths},
    )


def _worth(
    service: Service,
    community_id: int,
    rate: Mapping[str, int],
    used: dict[tuple[UUID, date], int],
    own: dict[str, int],
    actor: Actor | None,
    now: datetime,
) -> tuple[ServiceRecord | None, int]:
    """The record of a service and the coins above the store's limit; `used` and `own` go on to the next service."""
    place, account = (service.member_id, service.served_on), chart.member(service.member_id)
    earns = service.kind is RecordKind.CREDITED
    minutes = service.minutes
    if earns:
        minutes = credited_minutes(service.minutes, used[place], rate["credited_minutes_per_day_max"])
        used[place] += minutes
    if minutes <= 0 and not service.reward_points:
        return None, 0
    points = earned_points(minutes, rate[f"points_coefficient_thousandths.{service.service_class}"]) if earns else 0
    coins, given = split_store(minutes, own[account], rate["store_minutes_max"]) if earns else (0, 0)
    own[account] += coins
    return _row(service, community_id, minutes, points + service.reward_points * 100, coins, actor, now), given


def _span(service: Service) -> Span | None:
    """Training and honorary service take their time too; what lasted no time takes none."""
    if service.served_from_at is None or service.served_until_at is None:
        return None
    if service.served_from_at >= service.served_until_at:
        return None
    return Span(service.reference, service.member_id, service.served_from_at, service.served_until_at)


async def _check_times(session: AsyncSession, community_id: int, services: Sequence[Service]) -> None:
    spans = {service.reference: span for service in services if (span := _span(service)) is not None}
    for taken in (await taken_times(session, community_id, list(spans.values()))).values():
        raise TimeTaken(taken.title, taken.starts_at, taken.ends_at)
    twice = overlap_within(list(spans.values()))
    if twice is not None:
        titles = {service.reference: service.title for service in services}
        raise TimeTaken(titles[twice[0].reference], twice[0].starts_at, twice[0].ends_at)


def _times(timed: Sequence[tuple[Service, ServiceRecord]]) -> list[ServiceTime]:
    """What counts no minutes takes no time: the cap has given that time to others already."""
    return [
        ServiceTime(
            community_id=record.community_id,
            record_id=record.record_id,
            member_id=record.member_id,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
        )
        for service, record in timed
        if record.minutes and (span := _span(service)) is not None
    ]


async def _rates(session: AsyncSession, community_id: int, day: date) -> dict[str, int]:
    names = [f"points_coefficient_thousandths.{service_class}" for service_class in ServiceClass]
    names += ["credited_minutes_per_day_max", "store_minutes_max"]
    return dict(await settings_on(session, community_id, names, day))


def _row(
    service: Service,
    community_id: int,
    minutes: int,
    points: int,
    coins: int,
    actor: Actor | None,
    now: datetime,
) -> ServiceRecord:
    return ServiceRecord(
        community_id=community_id,
        record_id=new_id(),
        member_id=service.member_id,
        kind=service.kind,
        service_class=service.service_class,
        minutes=minutes,
        points_hundredths=points,
        coins=coins,
        title=service.title,
        source=service.source,
        reference=service.reference,
        served_on=service.served_on,
        confirmed_at=now,
        confirmed_by=actor.member_id if actor else None,
    )


def _release(service: Service, hold_id: UUID, actor: Actor | None) -> ledger.Journal:
    """A journal of its own: one that captures could not be reversed when the record is corrected."""
    by = actor.member_id if actor else None
    return ledger.Journal(f"{service.reference}:reward", Reason.WISH_REWARD, (ledger.Release(hold_id),), by)


def _legs(service: Service, record: ServiceRecord, given: int) -> tuple[ledger.Leg, ...]:
    account, reward = chart.member(service.member_id), service.reward_points * 100
    assert not reward or service.reward_budget is not None, "a reward is drawn from a named budget"
    legs = [
        (chart.ISSUED, account, chart.MINUTE, record.coins),
        (chart.ISSUED, chart.STORE, chart.MINUTE, given),
        (chart.ISSUED, account, chart.POINT, record.points_hundredths - reward),
    ]
    if reward and service.reward_budget is not None:
        legs.append((chart.budget(service.reward_budget), account, chart.POINT, reward))
    return tuple(ledger.Leg(debit, credit, unit, amount) for debit, credit, unit, amount in legs if amount > 0)


async def correct_record(session: AsyncSession, *, actor: Actor, record_id: UUID, now: datetime) -> UUID:
    """Undo a recorded service by its exact opposite, in the record and in the ledger; the first line stays for ever."""
    found = await session.execute(
        sa.select(ServiceRecord).where(
            col(ServiceRecord.community_id) == actor.community_id, col(ServiceRecord.record_id) == record_id
        )
    )
    first: ServiceRecord | None = found.scalar_one_or_none()
    if first is None:
        raise RecordNotFound
    if first.corrects is not None:
        raise CorrectionCannotBeCorrected
    await lock_people(session, actor.community_id, [first.member_id])
    again = await session.execute(
        sa.select(col(ServiceRecord.record_id)).where(
            col(ServiceRecord.community_id) == actor.community_id, col(ServiceRecord.corrects) == record_id
        )
    )
    if again.first() is not None:
        raise RecordAlreadyCorrected
    opposite = ServiceRecord(
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
    session.add(opposite)
    await session.execute(
        sa.delete(ServiceTime).where(
            col(ServiceTime.community_id) == actor.community_id, col(ServiceTime.record_id) == record_id
        )
    )
    audit.record(session, actor, "records.corrected", kind="service_record", id=record_id, now=now)
    await session.flush()
    if first.kind == RecordKind.CREDITED:
        try:
            await ledger.reverse(
                session,
                actor.community_id,
                reference=opposite.reference,
                original=first.reference,
                reason=Reason.CORRECTION,
                actor_id=actor.member_id,
                now=now,
            )
        except ledger.InsufficientBalance as spent:
            raise EarningsSpent from spent
    return opposite.record_id


__all__ = ["Credited", "Service", "correct_record", "record_services"]
