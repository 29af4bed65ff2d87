"""The seven classes, what can be entitled to, and every no; pure."""

from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotFound

KEEPERS: Final = (Role.STAFF, Role.APPROVER)
"""Who sees and keeps classes. Nobody else, not even who reads the books."""
SETTERS: Final = (Role.APPROVER, Role.ADMIN)
"""Who says what a class entitles to."""
BASIS_LENGTH_MAX: Final = 200


class HouseholdKind(StrEnum):
    """Which households need what kind of attention; the colours of the rainbow grid in their order."""

    LONELY = "lonely"
    EMPTY_NEST = "empty_nest"
    POOR = "poor"
    DISABLED = "disabled"
    WATCHED = "watched"
    """管控: known to the staff for everybody's safety. It never prices anything."""
    MARTYR = "martyr"
    ORDINARY = "ordinary"


PRICED: Final = tuple(kind for kind in HouseholdKind if kind not in (HouseholdKind.WATCHED, HouseholdKind.ORDINARY))
"""What a class can entitle to something."""


class ClassState(StrEnum):
    """Proposed by one, in force by another's word; or not."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    REFUSED = "refused"


class MemberUnknown(NotFound):
    """Nobody here has this card, or they belong to no household."""

    code: ClassVar[str] = "households.member_unknown"


class ClassNotFound(NotFound):
    """No such class in this community."""

    code: ClassVar[str] = "households.class_not_found"


class EntitlementNotFound(NotFound):
    """No such entitlement in this community."""

    code: ClassVar[str] = "households.entitlement_not_found"


class ClassWaitsOrHolds(Conflict):
    """The household is in this class, or it was proposed."""

    code: ClassVar[str] = "households.class_held"


class ClassDecided(Conflict):
    """It was agreed to, refused or ended meanwhile."""

    code: ClassVar[str] = "households.class_decided"


class SecondPersonNeeded(Conflict):
    """Whoever proposed it does not agree to it."""

    code: ClassVar[str] = "households.second_person_needed"


class OwnHousehold(Conflict):
    """Nobody decides about the own household."""

    code: ClassVar[str] = "households.own_household"


class NeverPrices(Conflict):
    """This class prices nothing, whatever it is for."""

    code: ClassVar[str] = "households.never_prices"


class ConsentMissing(Invalid):
    """What is sensitive takes the household's own consent; what is kept for safety by law does not."""

    code: ClassVar[str] = "households.consent_missing"


class EntitlementWrong(Invalid):
    """A discount has a team and percents, a right to offers has a word; never both."""

    code: ClassVar[str] = "households.entitlement_wrong"


class NoTeam(Invalid):
    """A discount is off a repair team's price list: other organisations have none."""

    code: ClassVar[str] = "households.no_team"


def check_second(*, proposed_by: UUID, decided_by: UUID) -> None:
    """Two people decide what is worth something."""
    if proposed_by == decided_by:
        raise SecondPersonNeeded


def check_consent(kind: HouseholdKind, *, is_consented: bool) -> None:
    """Asked of the household itself, for each class."""
    if not is_consented and kind is not HouseholdKind.WATCHED:
        raise ConsentMissing({"is_consented": "required"})


def check_priced(kind: HouseholdKind) -> None:
    """管控 and an ordinary household entitle to nothing."""
    if kind not in PRICED:
        raise NeverPrices


def care_tag(word: str) -> str:
    """The tag that an offer requires for a word; it says nothing about a class."""
    return f"care:{word}"
