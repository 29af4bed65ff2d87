"""The second factor: who is asked, when again, what a code looks like, and how wrong ones are slowed; pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, Gone, NotAllowed, NotFound, TooMany

KEEPERS: Final = (Role.STAFF, Role.APPROVER, Role.FINANCE, Role.ADMIN)
"""Two of these, neither of them the person, take a lost second factor away."""
ENROL_MINUTES: Final = 15
"""So long the secret that was shown waits for its first code."""
RECOVERY_CODES: Final = 10
RECOVERY_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
RECOVERY_LENGTH: Final = 12
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 1
"""Clocks of phones differ: the code before and the one after are taken, too."""

_DIGITS = re.compile(r"[0-9]{6}")


class RemovalReason(StrEnum):
    """Why somebody's second factor is taken away at the desk."""

    LOST = "lost"
    BROKEN = "broken"
    REPLACED = "replaced"


class RemovalState(StrEnum):
    """Asked for by one of the staff, decided by another."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    REFUSED = "refused"


@dataclass(eq=False)
class CodeNeeded(NotAllowed):
    """A money or role act, and this session has given no code for a while."""

    code: ClassVar[str] = "identity.code_needed"
    next: str = "POST /api/me/second-factor/proof"


@dataclass(eq=False)
class FactorNeeded(NotAllowed):
    """The community asks the office for a second factor, and this person has none yet."""

    code: ClassVar[str] = "identity.factor_needed"
    next: str = "POST /api/me/second-factor"


class CodeWrong(NotAllowed):
    """Not the code that the authenticator shows now, and none of the recovery codes."""

    code: ClassVar[str] = "identity.code_wrong"


class CodeUsed(Conflict):
    """A code is good once: the next one comes within half a minute."""

    code: ClassVar[str] = "identity.code_used"


@dataclass(eq=False)
class CodesTooMany(TooMany):
    """Several wrong codes in a row: each further one waits longer, a few hours at most."""

    code: ClassVar[str] = "identity.codes_too_many"
    minutes: int


class FactorHeld(Conflict):
    """There is a second factor already: it is ended first, with a code or at the desk."""

    code: ClassVar[str] = "identity.factor_held"


class NoFactor(NotFound):
    """No second factor here."""

    code: ClassVar[str] = "identity.no_factor"


class EnrolmentOver(Gone):
    """The secret was shown too long ago, or another one since."""

    code: ClassVar[str] = "identity.enrolment_over"


class RemovalWaits(Conflict):
    """Somebody has asked for this already: a second person decides."""

    code: ClassVar[str] = "identity.removal_waits"


class RemovalNotFound(NotFound):
    """No such request in this community."""

    code: ClassVar[str] = "identity.removal_not_found"


class RemovalDecided(Conflict):
    """This was decided already."""

    code: ClassVar[str] = "identity.removal_decided"


class TwoOthersNeeded(Conflict):
    """Two people take a second factor away, and neither of them is whose it is."""

    code: ClassVar[str] = "identity.two_others_needed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How somebody stands with the second factor, in one session and on one day."""

    is_required: bool
    hours: int
    factor_id: UUID | None
    proven_at: datetime | None

    def proven_until(self) -> datetime | None:
        """Until when this session is asked for nothing."""
        return self.proven_at + timedelta(hours=self.hours) if self.factor_id and self.proven_at else None


def check_standing(standing: Standing, now: datetime) -> None:
    """Let an act pass, or say what is missing. Whoever has a second factor is asked for it, required or not."""
    if standing.factor_id is None:
        if standing.is_required:
            raise FactorNeeded
        return
    until = standing.proven_until()
    if until is None or until <= now:
        raise CodeNeeded


def check_others(*, member_id: UUID, actor: UUID, proposed_by: UUID | None = None) -> None:
    """Nobody takes away their own at the desk, and nobody decides what they asked for."""
    if actor in (member_id, proposed_by):
        raise TwoOthersNeeded


@dataclass(frozen=True, slots=True)
class TypedCode:
    """What was typed: six digits of the authenticator, or a recovery code and its number."""

    digits: str | None = None
    number: int | None = None
    letters: str = ""


def read_code(text: str) -> TypedCode:
    """What a typed code may be; full-width digits, spaces and dashes are forgiven. Raises CodeWrong."""
    narrow = "".join(chr(ord(c) - 0xFEE0) if "！" <= c <= "～" else c for c in text[:64]).upper()
    plain = re.sub(r"[\s-]", "", narrow)
    if _DIGITS.fullmatch(plain):
        return TypedCode(digits=plain)
    number, letters = plain[:1], plain[1:]
    if number in set("0123456789") and len(letters) == RECOVERY_LENGTH and set(letters) <= set(RECOVERY_LETTERS):
        return TypedCode(number=int(number), letters=letters)
    raise CodeWrong


def steps_around(now: datetime) -> range:
    """The steps of time whose codes are taken now."""
    step = int(now.timestamp()) // STEP_SECONDS
    return range(step - STEPS_AROUND, step + STEPS_AROUND + 1)


def printed(number: int, letters: str) -> str:
    """A recovery code as it stands on paper: its number first, then groups of four."""
    return "-".join([str(number), *(letters[at : at + 4] for at in range(0, RECOVERY_LENGTH, 4))])
