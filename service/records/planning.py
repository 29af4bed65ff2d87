"""What services will bring: worked out before anybody is locked, and judged again by `sql/service.sql` when it is written."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.communities import settings_on_days
from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id
from service.records.queries import credited_on
from service.records.rules import RecordKind, ServiceClass, credited_minutes, earned_points, split_store
from service.records.times import Span

KIND = "public.service"
"""The kind of rows that a service is (`ledger.Effect`)."""


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

    @property
    def span(self) -> Span | None:
        """Training and honorary service take their time too; what lasted no time takes none."""
        if self.served_from_at is None or self.served_until_at is None or self.served_from_at >= self.served_until_at:
            return None
        return Span(self.reference, self.member_id, self.served_from_at, self.served_until_at)


@dataclass(frozen=True, slots=True)
class Planned:
    """What one service will bring if nothing changes until it is written."""

    service: Service
    record_id: UUID | None
    """None when nothing is left of it to record."""
    minutes: int
    points_hundredths: int
    journal: ledger.Journal | None
    """None when it earns nothing."""
    values: Mapping[str, object]
    """The rows, as `sql/service.sql` reads them."""


async def plan_services(
    session: AsyncSession,
    *,
    community_id: int,
    services: Sequence[Service],
    actor: Actor | None,
    on_behalf_of: UUID | None = None,
) -> list[Planned]:
    """Work out what services bring, one after the other, in three queries however many they are. Locks nobody.

    A service that the day's cap leaves nothing of stands in the record with its reward alone; without a reward it is
    not recorded.
    """
    if not services:
        return []
    names = [f"points_coefficient_thousandths.{service_class}" for service_class in ServiceClass]
    names += ["credited_minutes_per_day_max", "store_minutes_max"]
    rates = await settings_on_days(session, community_id, names, {service.served_on for service in services})
    days = {(service.member_id, service.served_on) for service in services}
    used = defaultdict(int, await credited_on(session, community_id, days))
    accounts = {(chart.member(service.member_id), chart.MINUTE) for service in services}
    own = defaultdict(
        int, {code: held for (code, _), held in (await ledger.balances(session, community_id, accounts)).items()}
    )
    return [_planned(service, rates[service.served_on], used, own, actor, on_behalf_of) for service in services]


def _planned(
    service: Service,
    rate: Mapping[str, int],
    used: dict[tuple[UUID, date], int],
    own: dict[str, int],
    actor: Actor | None,
    on_behalf_of: UUID | None,
) -> Planned:
    """What one service brings; `used` and `own` go on to the next one."""
    place, account = (service.member_id, service.served_on), chart.member(service.member_id)
    earns, reward = service.kind is RecordKind.CREDITED, service.reward_points * 100
    minutes, points, coins, given = service.minutes, 0, 0, 0
    if earns:
        minutes = credited_minutes(service.minutes, used[place], rate["credited_minutes_per_day_max"])
        points = earned_points(minutes, rate[f"points_coefficient_thousandths.{service.service_class}"])
        coins, given = split_store(minutes, own[account], rate["store_minutes_max"])
        used[place] += minutes
        own[account] += coins
    record_id = new_id() if minutes > 0 or reward else None
    legs = _legs(service, coins, given, points)
    by, span = actor.member_id if actor else None, service.span
    return Planned(
        service=service,
        record_id=record_id,
        minutes=minutes,
        points_hundredths=points + reward,
        journal=ledger.Journal(service.reference, Reason.SERVICE, legs, by, on_behalf_of) if legs else None,
        values={
            "record": _text(record_id),
            "member": _text(service.member_id),
            "kind": service.kind.value,
            "class": service.service_class.value,
            "asked": service.minutes,
            "cap": rate["credited_minutes_per_day_max"] if earns else None,
            "store": rate["store_minutes_max"] if earns else None,
            "minutes": minutes,
            "points": points + reward,
            "coins": coins,
            "account": account,
            "title": service.title,
            "source": service.source,
            "served_on": service.served_on.isoformat(),
            "starts_at": span.starts_at.isoformat() if span else None,
            "ends_at": span.ends_at.isoformat() if span else None,
            "actor": _text(by),
            "on_behalf_of": _text(on_behalf_of),
            "request": audit.request_id.get(),
        },
    )


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def _legs(service: Service, coins: int, given: int, points: int) -> tuple[ledger.Leg, ...]:
    account, reward = chart.member(service.member_id), service.reward_points * 100
    assert not reward or service.reward_budget is not None, "a reward is drawn from a named budget"
    legs = [
        (chart.ISSUED, account, chart.MINUTE, coins),
        (chart.ISSUED, chart.STORE, chart.MINUTE, given),
        (chart.ISSUED, account, chart.POINT, points),
    ]
    if reward and service.reward_budget is not None:
        legs.append((chart.budget(service.reward_budget), account, chart.POINT, reward))
    return tuple(ledger.Leg(debit, credit, unit, amount) for debit, credit, unit, amount in legs if amount > 0)
