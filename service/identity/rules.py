"""What a person may be called, type and choose; pure."""

import re
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from typing import ClassVar
from uuid import UUID

import phonenumbers

from service.kit.access import Role
from service.kit.refusals import Conflict, Gone, Invalid, NotFound, NotSignedIn, TooMany

CARD_NUMBER = re.compile(r"[0-9A-Z]{2,8}(-[0-9A-Z]{2,8}){0,3}")
PIN = re.compile(r"[0-9]{6}")
PASSWORD_LENGTH_MIN = 8
SECRET_LENGTH_MAX = 200
NAME_LENGTH_MAX = 40
SECRET_TRIES_MAX = 5
SECRET_TRIES_MINUTES = 15
ADDRESS_TRIES_MAX = 100
PIN_TRIES = 5
"""How many PINs are looked at before a member's card is locked, wherever it is shown."""


class PersonNotFound(NotFound):
    """No such person in this community."""

    code: ClassVar[str] = "identity.person_not_found"


@dataclass(eq=False)
class SignInRefused(NotSignedIn):
    """Number and secret do not fit together; the same answer for unknown numbers."""

    code: ClassVar[str] = "identity.sign_in_refused"
    tries_left: int


@dataclass(eq=False)
class ChooseCommunity(Conflict):
    """Number and secret open the door of more than one community: only the person knows which one is meant."""

    code: ClassVar[str] = "identity.choose_community"
    communities: dict[str, str]
    """Their numbers and names."""


@dataclass(eq=False)
class TooManyTries(TooMany):
    """Too many wrong tries from one place or for one number."""

    code: ClassVar[str] = "identity.too_many_tries"
    minutes: int


class ActivationSpent(Gone):
    """The activation code was used, replaced or is too old."""

    code: ClassVar[str] = "identity.activation_spent"


class SecretsDiffer(Conflict):
    """The secret and its repetition are not the same."""

    code: ClassVar[str] = "identity.secrets_differ"


class SecretTooSimple(Conflict):
    """A PIN must have six digits that are not a row or all the same; a password at least eight characters."""

    code: ClassVar[str] = "identity.secret_too_simple"


@dataclass(eq=False)
class RoleHeldAlready(Conflict):
    """The person holds this role today."""

    code: ClassVar[str] = "identity.role_held_already"
    role: str


class RoleNotHeld(NotFound):
    """The person does not hold this role."""

    code: ClassVar[str] = "identity.role_not_held"


class CannotChangeOwnRoles(Conflict):
    """Nobody gives or takes their own roles."""

    code: ClassVar[str] = "identity.cannot_change_own_roles"


class CardUnknown(NotFound):
    """No such card, one that was printed again or withdrawn, or somebody of elsewhere."""

    code: ClassVar[str] = "identity.card_unknown"


class NoCard(Conflict):
    """The holder has no card that is good, so there is nothing to count wrong PINs on: a second person is asked instead."""

    code: ClassVar[str] = "identity.no_card"


class CardLocked(TooMany):
    """Too many wrong PINs: the office unlocks it."""

    code: ClassVar[str] = "identity.card_locked"


@dataclass(eq=False)
class PinWrong(Conflict):
    """Not the PIN of whoever the card names."""

    code: ClassVar[str] = "identity.pin_wrong"
    left: int


@dataclass(frozen=True, slots=True)
class NewPerson:
    """One person to enrol. The card number is the key of every import."""

    member_id: UUID
    card_no: str
    name: str
    phone: str | None = None
    login_phone: bool = False
    building_id: UUID | None = None
    door: str | None = None
    born_on: date | None = None
    roles: tuple[tuple[Role, UUID | None], ...] = field(default=((Role.RESIDENT, None),))


def normal_phone(text: str) -> str | None:
    """A mainland number as +86…, or None when it is not one; full-width digits and separators are forgiven."""
    narrow = "".join(chr(ord(c) - 0xFEE0) if "０" <= c <= "９" else c for c in text)
    try:
        number = phonenumbers.parse(narrow, "CN")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normal_card(text: str) -> str | None:
    """A card number in its one spelling, or None."""
    narrow = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text).strip().upper().replace(" ", "")
    return narrow if CARD_NUMBER.fullmatch(narrow) else None


def card_beginning(text: str) -> str | None:
    """What was typed as the beginning of a card number, or None when no card begins so."""
    begun = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text).strip().upper().replace(" ", "")
    return begun if re.fullmatch(r"[0-9A-Z]{1,8}(-[0-9A-Z]{0,8}){0,3}", begun) else None


def check_name(name: str) -> None:
    """A name has one to forty printable characters."""
    if not name or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise Invalid({"name": "name"})


def check_secret(secret: str, *, is_pin: bool) -> None:
    """Refuse what anybody would try first."""
    if len(secret) > SECRET_LENGTH_MAX:
        raise SecretTooSimple
    if not is_pin:
        if len(secret) < PASSWORD_LENGTH_MIN or len(set(secret)) < 4:
            raise SecretTooSimple
        return
    if not PIN.fullmatch(secret) or len(set(secret)) < 2:
        raise SecretTooSimple
    steps = {(int(after) - int(before)) % 10 for before, after in pairwise(secret)}
    if steps in ({1}, {9}):
        raise SecretTooSimple


def name_pieces(name: str) -> frozenset[str]:
    """Every run of characters of a name: what a search by part of the name can meet."""
    short = name[:8]
    return frozenset(short[i:j] for i in range(len(short)) for j in range(i + 1, len(short) + 1))
