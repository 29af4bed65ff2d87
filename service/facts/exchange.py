"""What happens between neighbours who exchange."""

from uuid import UUID

from service.kit.outbox import Fact


class ExchangeAsked(Fact, frozen=True, kw_only=True):
    """Somebody answered a neighbour's listing; its owner has to say yes or no."""

    exchange_id: UUID
    member_id: UUID


class ExchangeAccepted(Fact, frozen=True, kw_only=True):
    """The owner of a listing accepted an answer: the payer's minutes lie aside."""

    exchange_id: UUID
    member_id: UUID


class ExchangeDeclined(Fact, frozen=True, kw_only=True):
    """The owner of a listing declined an answer, took somebody else's, or the listing is over."""

    exchange_id: UUID
    member_id: UUID


class ExchangeDone(Fact, frozen=True, kw_only=True):
    """The helper says that it is done; the payer has to confirm."""

    exchange_id: UUID
    member_id: UUID


class ExchangeConfirmed(Fact, frozen=True, kw_only=True):
    """It was confirmed, by the payer or by time: the minutes are the helper's."""

    exchange_id: UUID
    member_id: UUID
    minutes: int


class ExchangeReturned(Fact, frozen=True, kw_only=True):
    """It will not take place, and the minutes are back with the payer."""

    exchange_id: UUID
    member_id: UUID
    minutes: int


class ExchangeWithdrawn(Fact, frozen=True, kw_only=True):
    """Whoever answered a listing took the answer back before it was accepted."""

    exchange_id: UUID
    member_id: UUID


class ExchangeDisputed(Fact, frozen=True, kw_only=True):
    """One of the two called the staff, who have to decide; the other hears of it."""

    exchange_id: UUID
    member_id: UUID


class ExchangeDecided(Fact, frozen=True, kw_only=True):
    """Staff decided a dispute: so many minutes are the helper's, the rest is back with the payer."""

    exchange_id: UUID
    member_id: UUID
    minutes: int


class ExchangeThanked(Fact, frozen=True, kw_only=True):
    """The payer wrote a word of thanks."""

    exchange_id: UUID
    member_id: UUID


class GiftReceived(Fact, frozen=True, kw_only=True):
    """Somebody of the household gave minutes."""

    member_id: UUID
    minutes: int
