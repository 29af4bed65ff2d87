"""Reads. The few that open a class are for its keepers; the others answer what follows from it."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.households.rules import ClassNotFound, ClassState, HouseholdKind
from service.households.tables import Entitlement, HouseholdClass
from service.kit.crypto import Keyring
from service.kit.db import keyring


@dataclass(frozen=True, slots=True)
class Discount:
    """How much less somebody pays today. The id says by which rule, not by which class."""

    percent: int
    entitlement_id: UUID


@dataclass(frozen=True, slots=True)
class ClassView:
    """One class of a household, opened: for its keepers alone."""

    class_id: UUID
    household_id: UUID
    kind: HouseholdKind
    basis: str
    state: ClassState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    effective_from: date | None
    effective_until: date | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A class that waits for a second person."""

    class_id: UUID
    household_id: UUID
    proposed_by: UUID
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class EntitlementView:
    """One rule, which is no secret: only who falls under it is."""

    entitlement_id: UUID
    kind: HouseholdKind
    organisation_id: UUID | None
    percent: int | None
    word: str | None
    effective_from: date
    effective_until: date | None
    set_by: UUID


def place_of(community_id: int, class_id: UUID) -> str:
    """Where the sealed value lives, so that it opens nowhere else."""
    return f"household_class:{community_id}:{class_id.hex}"


def kind_of(keys: Keyring, row: HouseholdClass) -> HouseholdKind:
    """Which class it is."""
    return HouseholdKind(json.loads(keys.open(row.sealed, place_of(row.community_id, row.class_id)))["kind"])


def _view(keys: Keyring, row: HouseholdClass) -> ClassView:
    said = json.loads(keys.open(row.sealed, place_of(row.community_id, row.class_id)))
    return ClassView(
        class_id=row.class_id,
        household_id=row.household_id,
        kind=HouseholdKind(said["kind"]),
        basis=said["basis"],
        state=ClassState(row.state),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        effective_from=row.effective_from,
        effective_until=row.effective_until,
    )


async def classes_of(session: AsyncSession, community_id: int, household_id: UUID) -> Sequence[ClassView]:
    """The history of one household, newest first. The caller writes the line of the look."""
    rows = await session.exec(
        select(HouseholdClass)
        .where(col(HouseholdClass.community_id) == community_id, col(HouseholdClass.household_id) == household_id)
        .order_by(col(HouseholdClass.proposed_at).desc(), col(HouseholdClass.class_id))
    )
    return [_view(keyring(session), row) for row in rows]


async def waiting(session: AsyncSession, community_id: int) -> Sequence[Waiting]:
    """What waits for a second person, without what it is; the longest first, at most 200."""
    rows = await session.exec(
        select(
            col(HouseholdClass.class_id),
            col(HouseholdClass.household_id),
            col(HouseholdClass.proposed_by),
            col(HouseholdClass.proposed_at),
        )
        .where(col(HouseholdClass.community_id) == community_id, col(HouseholdClass.state) == ClassState.PROPOSED)
        .order_by(col(HouseholdClass.proposed_at), col(HouseholdClass.class_id))
        .limit(200)
    )
    return [Waiting(*row) for row in rows]


async def lock_class(session: AsyncSession, community_id: int, class_id: UUID) -> HouseholdClass:
    """The row itself, locked and read anew: two who decide at once decide one after the other."""
    rows = await session.exec(
        select(HouseholdClass)
        .where(col(HouseholdClass.community_id) == community_id, col(HouseholdClass.class_id) == class_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = rows.first()
    if row is None:
        raise ClassNotFound
    return row


async def entitlements(session: AsyncSession, community_id: int) -> Sequence[EntitlementView]:
    """Every rule there was, the newest first, at most 500."""
    rows = await session.exec(
        select(Entitlement)
        .where(col(Entitlement.community_id) == community_id)
        .order_by(col(Entitlement.effective_from).desc(), col(Entitlement.entitlement_id))
        .limit(500)
    )
    return [
        EntitlementView(
            entitlement_id=row.entitlement_id,
            kind=HouseholdKind(row.kind),
            organisation_id=row.organisation_id,
            percent=row.percent,
            word=row.word,
            effective_from=row.effective_from,
            effective_until=row.effective_until,
            set_by=row.set_by,
        )
        for row in rows
    ]


async def discount_for(
    session: AsyncSession, community_id: int, household_id: UUID | None, organisation_id: UUID, day: date
) -> Discount | None:
    """The best discount that a household has with a team on a day; nothing for most. It says nothing about why."""
    rules = [rule for rule in await _in_force(session, community_id, day) if rule.organisation_id == organisation_id]
    if household_id is None or not rules:
        return None
    kinds = (await _kinds_on(session, community_id, [household_id], day)).get(household_id, frozenset())
    best = max((rule for rule in rules if rule.kind in kinds), key=lambda rule: rule.percent or 0, default=None)
    return Discount(best.percent or 0, best.entitlement_id) if best else None


async def care_words(
    session: AsyncSession, community_id: int, household_ids: Collection[UUID], day: date
) -> Mapping[UUID, frozenset[str]]:
    """The words that offers may ask for, by household, on a day: two queries for any number, one where there is no such rule."""
    rules = [rule for rule in await _in_force(session, community_id, day) if rule.word]
    if not rules or not household_ids:
        return {}
    kinds = await _kinds_on(session, community_id, household_ids, day)
    return {
        household_id: frozenset(rule.word for rule in rules if rule.word and rule.kind in held)
        for household_id, held in kinds.items()
    }


async def _in_force(session: AsyncSession, community_id: int, day: date) -> Sequence[Entitlement]:
    rows = await session.exec(
        select(Entitlement).where(
            col(Entitlement.community_id) == community_id,
            col(Entitlement.effective_from) <= day,
            sa.or_(col(Entitlement.effective_until).is_(None), col(Entitlement.effective_until) > day),
        )
    )
    return list(rows)


async def _kinds_on(
    session: AsyncSession, community_id: int, household_ids: Collection[UUID], day: date
) -> Mapping[UUID, frozenset[str]]:
    rows = await session.exec(
        select(HouseholdClass).where(
            col(HouseholdClass.community_id) == community_id,
            col(HouseholdClass.household_id).in_(household_ids),
            col(HouseholdClass.state) == ClassState.AGREED,
            col(HouseholdClass.effective_from) <= day,
            sa.or_(col(HouseholdClass.effective_until).is_(None), col(HouseholdClass.effective_until) > day),
        )
    )
    kinds: dict[UUID, set[str]] = {}
    for row in rows:
        kinds.setdefault(row.household_id, set()).add(kind_of(keyring(session), row).value)
    return {household_id: frozenset(held) for household_id, held in kinds.items()}


async def kinds_on_days(
    session: AsyncSession, community_id: int, asked: Collection[tuple[UUID, date]]
) -> Mapping[tuple[UUID, date], frozenset[HouseholdKind]]:
    """The classes of households on days, in one query for all of them."""
    if not asked:
        return {}
    rows = await session.exec(
        select(HouseholdClass).where(
            col(HouseholdClass.community_id) == community_id,
            col(HouseholdClass.household_id).in_({household_id for household_id, _ in asked}),
            col(HouseholdClass.state) == ClassState.AGREED,
        )
    )
    spans = [
        (row.household_id, row.effective_from, row.effective_until, kind_of(keyring(session), row)) for row in rows
    ]
    return {
        (home, day): frozenset(
            kind
            for household_id, begins, ends, kind in spans
            if household_id == home and begins is not None and begins <= day and (ends is None or day < ends)
        )
        for home, day in asked
    }
