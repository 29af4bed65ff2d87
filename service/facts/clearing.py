"""What happens between the books of two communities."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from service.kit.outbox import Fact


class Refused(StrEnum):
    """Why another community did not take what was sent to it. Each has a sentence under `refused.<value>`."""

    UNKNOWN = "unknown"
    LEFT = "left"
    ACCOUNT_CLOSED = "account_closed"
    OVER_CEILING = "over_ceiling"
    NO_AGREEMENT = "no_agreement"
    RECALLED = "recalled"


class ClearingProposed(Fact, frozen=True, kw_only=True):
    """A community would like to clear with another one, up to these sums; told to the other until it answers."""

    partner_id: int
    agreement_id: UUID
    round: int
    minutes_max: int
    points_hundredths_max: int


class ClearingOffered(Fact, frozen=True, kw_only=True):
    """Another community would like to clear with this one; its administrator has to answer."""

    partner_id: int
    agreement_id: UUID


class ClearingAccepted(Fact, frozen=True, kw_only=True):
    """A community agreed to clear with the one that proposed it."""

    partner_id: int
    agreement_id: UUID


class ClearingAgreed(Fact, frozen=True, kw_only=True):
    """The other community agreed: members may send now."""

    partner_id: int
    agreement_id: UUID


class ClearingEnded(Fact, frozen=True, kw_only=True):
    """A community ended, declined or withdrew an agreement, or answers that it heard of the end."""

    partner_id: int
    agreement_id: UUID
    is_answer: bool


class ClearingClosed(Fact, frozen=True, kw_only=True):
    """The other community ended, declined or withdrew the agreement."""

    partner_id: int
    agreement_id: UUID


class ClearingSent(Fact, frozen=True, kw_only=True):
    """Value left a member's account for somebody in another community, which has to take it or to say why not."""

    partner_id: int
    agreement_id: UUID
    transfer_id: UUID
    sender_card: str
    receiver_id: UUID
    minutes: int
    points_hundredths: int
    sent_at: datetime


class ClearingRecalled(ClearingSent, frozen=True, kw_only=True):
    """The sender would like it back; the other community refuses it unless it has arrived already."""


class ClearingArrived(Fact, frozen=True, kw_only=True):
    """Value from another community is on a member's account; the sending side has to note it."""

    partner_id: int
    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int


class ClearingRefused(Fact, frozen=True, kw_only=True):
    """What another community sent could not be taken; the sending side has to give it back."""

    partner_id: int
    transfer_id: UUID
    refused: Refused


class ClearingSettled(Fact, frozen=True, kw_only=True):
    """What a member sent to another community has arrived there."""

    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int


class ClearingReturned(Fact, frozen=True, kw_only=True):
    """What a member sent to another community came back."""

    transfer_id: UUID
    member_id: UUID
    minutes: int
    points_hundredths: int
    refused: Refused


class NettingProposed(Fact, frozen=True, kw_only=True):
    """Finance of a community proposes to set what two communities owe each other to zero; sums as the proposer owes them."""

    partner_id: int
    netting_id: UUID
    round: int
    until: datetime
    transfers: int
    minutes: int
    points_hundredths: int


class NettingDue(Fact, frozen=True, kw_only=True):
    """Another community proposed a netting; finance here has to confirm or refuse it."""

    partner_id: int
    netting_id: UUID


class NettingConfirmed(Fact, frozen=True, kw_only=True):
    """A proposed netting was confirmed and posted; the proposing side has to post it, too."""

    partner_id: int
    netting_id: UUID


class NettingRefused(Fact, frozen=True, kw_only=True):
    """A proposed netting was refused; the proposing side drops it."""

    partner_id: int
    netting_id: UUID


class NettingDone(Fact, frozen=True, kw_only=True):
    """A netting that finance here proposed is confirmed and posted on both sides."""

    partner_id: int
    netting_id: UUID


class NettingDropped(Fact, frozen=True, kw_only=True):
    """A netting that finance here proposed was refused by the other side."""

    partner_id: int
    netting_id: UUID
