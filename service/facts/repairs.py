"""What happens to a repair order. `member_id` is who should hear of it; `revision` tells two of the same kind apart."""

from uuid import UUID

from service.kit.outbox import Fact


class RepairReported(Fact, frozen=True, kw_only=True):
    """Something is broken, and nobody was given it yet; the resident hears that it arrived, staff that it waits."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairAssigned(Fact, frozen=True, kw_only=True):
    """A repairer was given an order, to take or to decline."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairReassigned(Fact, frozen=True, kw_only=True):
    """An order that a repairer had was given to another."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairDeclined(Fact, frozen=True, kw_only=True):
    """A repairer declined: somebody else has to be found."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairTaken(Fact, frozen=True, kw_only=True):
    """A repairer took the resident's order."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairQuoted(Fact, frozen=True, kw_only=True):
    """A price waits for the resident's yes."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairAgreed(Fact, frozen=True, kw_only=True):
    """The resident agreed to the price: the repairer may go."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairOnWay(Fact, frozen=True, kw_only=True):
    """The repairer is on the way to the resident."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairDone(Fact, frozen=True, kw_only=True):
    """The repairer is done: the resident looks and shows the code."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairPriceChanged(Fact, frozen=True, kw_only=True):
    """The repairer named another price; a higher one waits for the resident."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairPriceAnswered(Fact, frozen=True, kw_only=True):
    """The resident answered a higher price."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairAccepted(Fact, frozen=True, kw_only=True):
    """The resident's code was scanned: the order is closed. Nothing was paid out of the books, so there is no warranty."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairUnderWarranty(Fact, frozen=True, kw_only=True):
    """The same where a budget paid a part: a fifth of it waits, and the resident may claim it."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairCancelled(Fact, frozen=True, kw_only=True):
    """The order is not needed any more."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairClaimed(Fact, frozen=True, kw_only=True):
    """It broke again within the warranty: the office decides."""

    order_id: UUID
    member_id: UUID
    revision: int


class RepairDecided(Fact, frozen=True, kw_only=True):
    """The office decided about the warranty."""

    order_id: UUID
    member_id: UUID
    revision: int
