"""What was done for households, counted by their class: only groups that are large enough to say nothing about anybody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.households.queries import kinds_on_days
from service.households.rules import HouseholdKind
from service.households.tables import Entitlement

GROUP_MIN = 3
"""So many households at least are in a group that is told of."""
REST = "rest"
"""The groups that were too small for themselves, together."""
NO_CLASS = "none"


@dataclass(frozen=True, slots=True)
class Job:
    """Something that was done for a household, or for somebody without one, on a day."""

    household_id: UUID | None
    member_id: UUID
    day: date
    entitlement_id: UUID | None
    cash_fen: int
    payable_fen: int


@dataclass(frozen=True, slots=True)
class ClassCount:
    """What was done for the households of one class; `kind` is a HouseholdKind, "none", or "rest"."""

    kind: str
    households: int
    jobs: int
    cash_fen: int
    payable_fen: int


async def counts_by_class(session: AsyncSession, community_id: int, jobs: Sequence[Job]) -> Sequence[ClassCount]:
    """The jobs by the class that each household had on the job's day; one of several is the one that gave the discount.

    Groups of fewer than three households are told of together, and with the smallest of the others until three are in them, so
    that no sum less the others says what was left out. Nothing at all is told of fewer than three households.
    """
    asked = {(job.household_id, job.day) for job in jobs if job.household_id is not None}
    held = await kinds_on_days(session, community_id, asked)
    priced = await _kinds_of(session, community_id, {job.entitlement_id for job in jobs if job.entitlement_id})
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(_kind(job, held, priced), []).append(job)
    return _told(_count(kind, group) for kind, group in groups.items())


def _kind(
    job: Job, held: Mapping[tuple[UUID, date], frozenset[HouseholdKind]], priced: Mapping[UUID, HouseholdKind]
) -> str:
    if job.entitlement_id is not None and job.entitlement_id in priced:
        return priced[job.entitlement_id].value
    kinds = held.get((job.household_id, job.day), frozenset()) if job.household_id else frozenset()
    return next((kind.value for kind in HouseholdKind if kind in kinds), NO_CLASS)


def _count(kind: str, jobs: Sequence[Job]) -> tuple[frozenset[UUID], ClassCount]:
    homes = frozenset(job.household_id or job.member_id for job in jobs)
    sums = sum(job.cash_fen for job in jobs), sum(job.payable_fen for job in jobs)
    return homes, ClassCount(kind, len(homes), len(jobs), *sums)


def _told(groups: Iterable[tuple[frozenset[UUID], ClassCount]]) -> Sequence[ClassCount]:
    by_size = sorted(groups, key=lambda group: (group[1].households, group[1].kind))
    homes: frozenset[UUID] = frozenset()
    rest = ClassCount(REST, 0, 0, 0, 0)
    while by_size and (by_size[0][1].households < GROUP_MIN or 0 < len(homes) < GROUP_MIN):
        more, group = by_size.pop(0)
        homes |= more
        rest = ClassCount(
            REST,
            len(homes),
            rest.jobs + group.jobs,
            rest.cash_fen + group.cash_fen,
            rest.payable_fen + group.payable_fen,
        )
    order = [*(kind.value for kind in HouseholdKind), NO_CLASS]
    told = sorted((group for _, group in by_size), key=lambda group: order.index(group.kind))
    return [*told, rest] if len(homes) >= GROUP_MIN else told


async def _kinds_of(session: AsyncSession, community_id: int, ids: set[UUID]) -> Mapping[UUID, HouseholdKind]:
    rows = await session.execute(
        sa.select(col(Entitlement.entitlement_id), col(Entitlement.kind)).where(
            col(Entitlement.community_id) == community_id, col(Entitlement.entitlement_id).in_(ids)
        )
    )
    return {entitlement_id: HouseholdKind(kind) for entitlement_id, kind in rows}
