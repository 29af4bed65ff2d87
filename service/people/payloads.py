"""What crosses the wire about people and organisations."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.communities import OrganisationKind, OrganisationView
from service.kit.access import Role
from service.people.queries import OrganisationPage, PersonLine, PersonPage
from service.people.rules import LookReason


class LookForm(msgspec.Struct, frozen=True):
    """Why the contact data is opened."""

    reason: LookReason


class RoleForm(msgspec.Struct, frozen=True):
    """A role, and for whom it acts."""

    role: Role
    organisation_id: UUID | None = None


class EndRoleForm(msgspec.Struct, frozen=True):
    """A role to end."""

    role: Role


class OrganisationForm(msgspec.Struct, frozen=True):
    """A new shop, team or unit."""

    kind: OrganisationKind
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    address: Annotated[str, msgspec.Meta(max_length=120)] = ""
    phone: Annotated[str, msgspec.Meta(max_length=30)] = ""


class PersonLineAnswer(msgspec.Struct, frozen=True):
    """One person in a list."""

    member_id: UUID
    card_no: str
    name: str
    phone_masked: str
    building: str
    roles: list[Role]
    is_open: bool


class PeopleAnswer(msgspec.Struct, frozen=True):
    """A page of people."""

    people: list[PersonLineAnswer]
    next: str | None


class RoleAnswer(msgspec.Struct, frozen=True):
    """A role from a day and perhaps until a day."""

    role: Role
    organisation_id: UUID | None
    from_on: date
    until_on: date | None


class SessionAnswer(msgspec.Struct, frozen=True):
    """Where a person is signed in."""

    session_id: UUID
    device: str
    is_shared: bool
    seen_at: datetime


class PersonAnswer(msgspec.Struct, frozen=True):
    """One person; contact data only masked."""

    member_id: UUID
    card_no: str
    name: str
    phone_masked: str
    signs_in_by_phone: bool
    building: str
    is_open: bool
    roles: list[RoleAnswer]
    sessions: list[SessionAnswer]
    record_minutes: int
    coin_minutes: int
    points_hundredths: int


class ContactAnswer(msgspec.Struct, frozen=True):
    """Contact data, opened with a reason."""

    phone: str | None
    building: str | None
    door: str | None


class CodeAnswer(msgspec.Struct, frozen=True):
    """A one-time code, told once."""

    code: str
    url: str


class OrganisationAnswer(msgspec.Struct, frozen=True):
    """An organisation."""

    organisation_id: UUID
    kind: OrganisationKind
    name: str
    address: str
    phone: str
    is_open: bool


class OrganisationsAnswer(msgspec.Struct, frozen=True):
    """The open organisations, by name."""

    organisations: list[OrganisationAnswer]


class ActingAnswer(msgspec.Struct, frozen=True):
    """Somebody who acts for an organisation."""

    member_id: UUID
    card_no: str
    name: str
    role: Role


class OrganisationDetailAnswer(msgspec.Struct, frozen=True):
    """An organisation and who acts for it."""

    organisation: OrganisationAnswer
    people: list[ActingAnswer]


def line_answer(line: PersonLine) -> PersonLineAnswer:
    """A list line as JSON."""
    return PersonLineAnswer(
        line.member_id, line.card_no, line.name, line.phone, line.building, list(line.roles), line.is_open
    )


def person_answer(item: PersonPage) -> PersonAnswer:
    """A person as JSON."""
    return PersonAnswer(
        member_id=item.member_id,
        card_no=item.card_no,
        name=item.name,
        phone_masked=item.phone,
        signs_in_by_phone=item.signs_in,
        building=item.building,
        is_open=item.is_open,
        roles=[RoleAnswer(held.role, held.organisation_id, held.from_on, held.until_on) for held in item.roles],
        sessions=[
            SessionAnswer(open_.session_id, open_.device, open_.is_shared, open_.seen_at) for open_ in item.sessions
        ],
        record_minutes=item.record_minutes,
        coin_minutes=item.coin_minutes,
        points_hundredths=item.points_hundredths,
    )


def organisation_answer(item: OrganisationView) -> OrganisationAnswer:
    """An organisation as JSON."""
    return OrganisationAnswer(item.organisation_id, item.kind, item.name, item.address, item.phone, item.is_open)


def detail_answer(item: OrganisationPage) -> OrganisationDetailAnswer:
    """An organisation with its people as JSON."""
    people = [ActingAnswer(member_id, card_no, name, role) for member_id, card_no, name, role in item.people]
    return OrganisationDetailAnswer(organisation_answer(item.organisation), people)
