"""What any verb may be refused for."""

from __future__ import annotations

from dataclasses import dataclass

from redemption.refusals.base import RedemptionRefusal


@dataclass(eq=False)
class KeyDiffers(RedemptionRefusal):
    """The client's key was used for another request before."""

    code = "redemption.key_differs"


@dataclass(eq=False)
class ReasonMissing(RedemptionRefusal):
    """This needs a reason, for the history."""

    code = "redemption.reason_missing"


@dataclass(eq=False)
class ActorMissing(RedemptionRefusal):
    """This needs somebody who did it."""

    code = "redemption.actor_missing"


@dataclass(eq=False)
class SamePerson(RedemptionRefusal):
    """What needs two people was tried by one."""

    code = "redemption.same_person"


@dataclass(eq=False)
class LedgerRefused(RedemptionRefusal):
    """The ledger said no where it never should: an account is missing or closed."""

    code = "redemption.ledger_refused"
    ledger_code: str = ""


@dataclass(eq=False)
class MemberInDebt(RedemptionRefusal):
    """The member's points lie below zero by a correction: they receive until it is paid, and pay for nothing.

    `owed` is in hundredths of a point.
    """

    code = "redemption.in_debt"
    owed: int = 0
