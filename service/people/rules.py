"""What the desk may do about people; pure."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.communities import OrganisationKind
from service.kit.access import OFFICE, Role
from service.kit.refusals import Conflict, Invalid, NotAllowed

ACTS_FOR = {
    Role.MERCHANT_OWNER: OrganisationKind.MERCHANT,
    Role.CLERK: OrganisationKind.MERCHANT,
    Role.REPAIRER: OrganisationKind.REPAIR_TEAM,
}
"""Roles that act for an organisation, and of which kind it is."""


class LookReason(StrEnum):
    """Why somebody opens a person's contact data; the code goes into the audit line."""

    VISIT = "visit"
    CALL_BACK = "call_back"
    EMERGENCY = "emergency"
    CORRECTION = "correction"
    ASKED = "asked"


class OfficeNeedsAdmin(NotAllowed):
    """A one-time code for somebody of the office is a way into the office: only an administrator hands it out."""

    code: ClassVar[str] = "people.office_needs_admin"


class OrganisationDoesNotFit(Conflict):
    """The role acts for another kind of organisation, or for none."""

    code: ClassVar[str] = "people.organisation_does_not_fit"


@dataclass(eq=False)
class OrganisationNameTaken(Conflict):
    """There is an organisation with this name here."""

    code: ClassVar[str] = "people.organisation_name_taken"
    name: str


class PersonClosed(Conflict):
    """The person is no longer a member; open them again first."""

    code: ClassVar[str] = "people.closed"


def check_slip(*, asked_by: Collection[Role], held: Collection[Role], is_open: bool) -> None:
    """Who may hand a one-time code to whom."""
    if not is_open:
        raise PersonClosed
    if not OFFICE.isdisjoint(held) and Role.ADMIN not in asked_by:
        raise OfficeNeedsAdmin


def check_organisation(*, role: Role, organisation_id: UUID | None, kind: OrganisationKind | None) -> None:
    """A role that acts for an organisation names one of the right kind; every other role names none."""
    wanted = ACTS_FOR.get(role)
    if wanted is not None and organisation_id is None:
        raise Invalid({"organisation_id": "required"})
    if (wanted is None and organisation_id is not None) or (wanted is not None and kind is not wanted):
        raise OrganisationDoesNotFit
