"""Who may allow a debt or forgive one, and every no; pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, NotFound

READERS = (Role.STAFF, Role.AUDITOR, Role.FINANCE, Role.APPROVER, Role.ADMIN)
PROPOSERS = (Role.STAFF, Role.FINANCE, Role.APPROVER)
DECIDERS = (Role.FINANCE, Role.APPROVER)
"""Who may be the second; never whoever proposed it."""
LIMIT_POINTS_MAX = 100_000
"""Whole points; a slip of the hand is larger than any wrong posting."""
NOTE_LENGTH_MAX = 200
COLLECTED_AT_ONCE = 50
"""So many members are collected from at a press; the worker goes on until nobody is left."""


class DebtStep(StrEnum):
    """What two people decide."""

    ALLOW = "allow"
    """A correction may take the account so far below zero; none takes the permission back."""
    WRITE_OFF = "write_off"
    """What is owed is forgiven, up to an amount."""
    COLLECT = "collect"
    """What is owed for vouchers used twice is paid from the person's points, as far as they reach."""
    FORGIVE = "forgive"
    """What is owed for vouchers used twice is forgiven."""


class ConflictWay(StrEnum):
    """What becomes of what somebody owes for vouchers used twice; the values are those of DebtStep."""

    COLLECT = "collect"
    FORGIVE = "forgive"


class RequestState(StrEnum):
    """Proposed by one, done by another; or taken back before that."""

    PROPOSED = "proposed"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class NotCollected(Conflict):
    """Nothing is collected by itself in this community: two people have not turned it on, or have turned it off."""

    code: ClassVar[str] = "debts.not_collected"


class NoticeGone(Conflict):
    """Nothing of theirs waits to be collected, so there is nothing to object to."""

    code: ClassVar[str] = "debts.notice_gone"


class RequestNotFound(NotFound):
    """No such proposal in this community."""

    code: ClassVar[str] = "debts.not_found"


class MemberUnknown(NotFound):
    """Nobody here has this card."""

    code: ClassVar[str] = "debts.member_unknown"


class RequestWaits(Conflict):
    """The same was proposed for this person and waits for its second person."""

    code: ClassVar[str] = "debts.waits"


class RequestDecided(Conflict):
    """It was done or taken back meanwhile."""

    code: ClassVar[str] = "debts.decided"


class SecondPersonNeeded(Conflict):
    """Whoever proposed it does not decide it."""

    code: ClassVar[str] = "debts.second_person_needed"


class NothingOwed(Conflict):
    """The account is not below zero."""

    code: ClassVar[str] = "debts.nothing_owed"


class NoPoints(Conflict):
    """There are no points that what is owed could be paid from."""

    code: ClassVar[str] = "debts.no_points"


@dataclass(eq=False)
class OwesMore(Conflict):
    """The limit cannot be lower than what is owed already; in whole points, rounded up."""

    code: ClassVar[str] = "debts.owes_more"
    owed: int


def check_second(*, proposed_by: UUID, decided_by: UUID) -> None:
    """Two people decide about value."""
    if proposed_by == decided_by:
        raise SecondPersonNeeded
