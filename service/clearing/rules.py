"""States, limits and refusals of clearing; pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.chart import MINUTE, POINT
from service.kit.access import Role
from service.kit.refusals import Conflict, Gone, Invalid, NotFound, TooMany

READERS = (Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)
"""Who may see the positions. Members of the other side are never shown, but for the card number that a transfer names."""
NETTERS = (Role.FINANCE,)
AGREERS = (Role.ADMIN,)
HELPERS = (Role.STAFF,)

AMOUNT_MAX = 100_000_000
CEILING_MAX = 10_000_000
CARD_LENGTH_MAX = 40
CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 10
LOOKS_MAX = 40
"""So often in a quarter of an hour may one person ask whether a card number and a name belong together."""
TOLD_AGAIN_AFTER, TOLD_AGAIN_AT_LEAST = timedelta(minutes=2), timedelta(hours=1)
STUCK_AFTER = timedelta(hours=1)
"""Under way for so long, a transfer waits for somebody to look."""


class Unit(StrEnum):
    """What can be sent."""

    MINUTE = MINUTE
    POINT = POINT


class AgreementState(StrEnum):
    """How far two communities have come, as one of them sees it."""

    PROPOSED = "proposed"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    ENDED = "ended"


class Direction(StrEnum):
    """Whether value left this community or came."""

    OUT = "out"
    IN = "in"


class TransferState(StrEnum):
    """Out: sent or recalled until the other side answers, then arrived or returned. In: arrived or refused, at once."""

    SENT = "sent"
    RECALLED = "recalled"
    ARRIVED = "arrived"
    RETURNED = "returned"
    REFUSED = "refused"


UNDER_WAY = (TransferState.SENT, TransferState.RECALLED)


class NettingState(StrEnum):
    """Proposed until the side that did not propose it has decided."""

    PROPOSED = "proposed"
    DONE = "done"
    REFUSED = "refused"


class PartnerNotFound(NotFound):
    """There is no agreement with this community, and never was."""

    code: ClassVar[str] = "clearing.partner_not_found"


class CannotClearWithOneself(Conflict):
    """An agreement has two sides."""

    code: ClassVar[str] = "clearing.own_community"


@dataclass(eq=False)
class AgreementInOtherState(Conflict):
    """The agreement is not in a state that allows this."""

    code: ClassVar[str] = "clearing.agreement_state"
    state: str


class NoAgreement(Conflict):
    """Members may send only where both communities have agreed."""

    code: ClassVar[str] = "clearing.no_agreement"


class ReceiverNotFound(NotFound):
    """No such card there, or another name: both look the same."""

    code: ClassVar[str] = "clearing.receiver_not_found"


@dataclass(eq=False)
class TooManyLooks(TooMany):
    """Asked too often whether a card and a name belong together."""

    code: ClassVar[str] = "clearing.too_many_looks"
    minutes: int


class SenderGone(Gone):
    """Whoever left the community sends nothing any more."""

    code: ClassVar[str] = "clearing.sender_gone"


@dataclass(eq=False)
class OverMonth(Conflict):
    """The member would have sent more this month than anybody may; `left` is what may still be sent, in minutes."""

    code: ClassVar[str] = "clearing.over_month"
    hours: str
    points: str
    left: int


@dataclass(eq=False)
class OverPosition(Conflict):
    """The other community would be owed more than agreed; `left` is what may still be sent."""

    code: ClassVar[str] = "clearing.over_position"
    hours: str
    points: str
    left: int


class NotEnough(Conflict):
    """The member has less than that."""

    code: ClassVar[str] = "clearing.not_enough"


class TransferNotFound(NotFound):
    """No such transfer, or it is somebody else's."""

    code: ClassVar[str] = "clearing.transfer_not_found"


@dataclass(eq=False)
class TransferDecided(Conflict):
    """It has arrived or come back already, or is being called back."""

    code: ClassVar[str] = "clearing.transfer_decided"
    state: str


class NettingNotFound(NotFound):
    """No such netting in this community."""

    code: ClassVar[str] = "clearing.netting_not_found"


class NettingOpen(Conflict):
    """One netting of a pair after the other."""

    code: ClassVar[str] = "clearing.netting_open"


class NothingToNet(Conflict):
    """Nothing was sent in either direction before this month that is not netted yet."""

    code: ClassVar[str] = "clearing.nothing_to_net"


@dataclass(eq=False)
class StillUnderWay(Conflict):
    """Transfers from before the day have not been answered yet; they are in a few minutes."""

    code: ClassVar[str] = "clearing.still_under_way"
    count: int


class NettingDiffers(Conflict):
    """The other side's figures are not ours; the comparison names the first transfer that differs."""

    code: ClassVar[str] = "clearing.netting_differs"


@dataclass(eq=False)
class NettingDecided(Conflict):
    """It was confirmed or refused already, or it is not this side's to decide."""

    code: ClassVar[str] = "clearing.netting_decided"
    state: str


def code_of(transfer_id: UUID) -> str:
    """The short reference that people on both sides quote: ten characters without look-alikes, in groups of five."""
    rest, code = transfer_id.int & ((1 << 50) - 1), ""
    for _ in range(CODE_LENGTH):
        rest, place = divmod(rest, len(CODE_ALPHABET))
        code += CODE_ALPHABET[place]
    return f"{code[:5]}-{code[5:]}"


def normal_code(text: str) -> str:
    """What was typed, as the reference is stored."""
    plain = "".join(char for char in text.upper() if char.isalnum())
    return f"{plain[:5]}-{plain[5:]}"


def reference_of(transfer_id: UUID) -> str:
    """The journals' reference, the same in both books."""
    return f"clearing:{transfer_id}"


def netting_reference(netting_id: UUID) -> str:
    """The netting journals' reference, the same in both books."""
    return f"clearing.netting:{netting_id}"


def amount_of(unit: Unit, text: str) -> int:
    """Hours or points as typed, in minutes or hundredths of a point; anything that is no whole number of them is refused."""
    narrow = "".join(chr(ord(char) - 0xFEE0) if "０" <= char <= "９" or char == "．" else char for char in text.strip())
    try:
        typed = Decimal(narrow) * (60 if unit is Unit.MINUTE else 100)
    except InvalidOperation as problem:
        raise Invalid({"amount": "number"}) from problem
    if not typed.is_finite() or abs(typed) > AMOUNT_MAX or typed != typed.to_integral_value():
        raise Invalid({"amount": "number"})
    check_amount(int(typed))
    return int(typed)


def check_amount(amount: int) -> None:
    """Something, and no more than anybody could have."""
    if not 0 < amount <= AMOUNT_MAX:
        raise Invalid({"amount": "number"})


def same_name(typed: str, name: str) -> bool:
    """Whether a name was typed as it stands in the register; blanks do not count."""
    return bool(typed.strip()) and "".join(typed.split()).casefold() == "".join(name.split()).casefold()


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def next_telling(since: datetime, now: datetime) -> datetime:
    """When something unanswered is told again: soon at first, then ever more seldom, but every hour."""
    return now + min(max((now - since) / 4, TOLD_AGAIN_AFTER), TOLD_AGAIN_AT_LEAST)


def in_words(unit: Unit, amount: int) -> tuple[int, int]:
    """An amount as minutes and hundredths of a point, one of which is zero."""
    return (amount, 0) if unit is Unit.MINUTE else (0, amount)


def check_proposal(state: AgreementState) -> None:
    """A new agreement may be proposed where the last one has ended."""
    if state is not AgreementState.ENDED:
        raise AgreementInOtherState(state)


def check_acceptance(state: AgreementState) -> None:
    """Only what the other side proposed can be accepted."""
    if state is not AgreementState.OFFERED:
        raise AgreementInOtherState(state)


def check_end(state: AgreementState) -> None:
    """What has not ended can be withdrawn, declined or ended."""
    if state is AgreementState.ENDED:
        raise AgreementInOtherState(state)


def yields(community_id: int, partner_id: int) -> bool:
    """Who gives way when both sides proposed at once: the community with the greater number."""
    return community_id > partner_id


def is_stuck(sent_at: datetime, state: TransferState, now: datetime) -> bool:
    """True when an answer is overdue."""
    return state in UNDER_WAY and now - sent_at > STUCK_AFTER
