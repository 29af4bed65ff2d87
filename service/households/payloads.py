"""What crosses the wire about classes and entitlements: to their keepers, and to nobody else."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.households.queries import ClassView, EntitlementView
from service.households.rules import BASIS_LENGTH_MAX, ClassState, HouseholdKind

Basis = Annotated[str, msgspec.Meta(min_length=2, max_length=BASIS_LENGTH_MAX)]
Word = Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]{2,24}$")]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]


class ClassIn(msgspec.Struct, frozen=True):
    """Whose household, which class, on what paper, and whether they agreed that it is kept."""

    card_no: Annotated[str, msgspec.Meta(max_length=40)]
    kind: HouseholdKind
    basis: Basis
    is_consented: bool = False


class ClassForm(msgspec.Struct):
    """The desk's form of a class."""

    card_no: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    kind: HouseholdKind
    basis: Basis
    is_consented: bool = False


class DiscountIn(msgspec.Struct, frozen=True):
    """Percents off a team's price list for a class."""

    kind: HouseholdKind
    team: UUID
    percent: Percent


class WordIn(msgspec.Struct, frozen=True):
    """A word that offers may ask for, for a class."""

    kind: HouseholdKind
    word: Word


class ClassOut(msgspec.Struct, frozen=True):
    """One class of a household."""

    class_id: UUID
    kind: HouseholdKind
    basis: str
    state: ClassState
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    effective_from: date | None
    effective_until: date | None


class ClassesOut(msgspec.Struct, frozen=True):
    """The history of one household, newest first."""

    household_id: UUID
    items: list[ClassOut]


class WaitingOut(msgspec.Struct, frozen=True):
    """What waits for a second person: whose household, not which class."""

    class_id: UUID
    household_id: UUID
    proposed_by: UUID
    proposed_at: datetime


class WaitingListOut(msgspec.Struct, frozen=True):
    """The longest waiting first, at most 200."""

    items: list[WaitingOut]


class MadeOut(msgspec.Struct, frozen=True):
    """What was written down."""

    id: UUID


class EntitlementOut(msgspec.Struct, frozen=True):
    """One rule."""

    entitlement_id: UUID
    kind: HouseholdKind
    team: UUID | None
    percent: int | None
    word: str | None
    effective_from: date
    effective_until: date | None


class EntitlementsOut(msgspec.Struct, frozen=True):
    """Every rule, the newest first."""

    items: list[EntitlementOut]


def class_out(view: ClassView) -> ClassOut:
    """A class for the wire."""
    return ClassOut(
        view.class_id,
        view.kind,
        view.basis,
        view.state,
        view.proposed_by,
        view.proposed_at,
        view.decided_by,
        view.decided_at,
        view.effective_from,
        view.effective_until,
    )


def entitlement_out(view: EntitlementView) -> EntitlementOut:
    """A rule for the wire."""
    return EntitlementOut(
        view.entitlement_id,
        view.kind,
        view.organisation_id,
        view.percent,
        view.word,
        view.effective_from,
        view.effective_until,
    )
