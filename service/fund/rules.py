"""What may be given, by whom, and every no; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotFound, Unavailable

GIVERS = (Role.MERCHANT_OWNER, Role.CLERK)
"""Who sends a shop's sales."""
KEEPERS = (Role.STAFF, Role.FINANCE)
"""Who enters sales for a shop without a phone, corrects what is too old for the shop, and proposes rates."""
DECIDERS = (Role.APPROVER, Role.FINANCE)
"""Who agrees to a rate; never whoever proposed it."""
READERS = (*KEEPERS, Role.APPROVER, Role.AUDITOR, Role.ADMIN)

SALES_MAX = 100_000
AMOUNT_FEN_MAX = 1_000_000_000
"""Ten million yuan in one line: no shop of a neighbourhood takes in more on a day."""
VALUE_MAX = 1000
"""Ten yuan a sale, or all of it."""
NUMBER_LENGTH_MAX = 60
REASON_LENGTH_MAX = 100
CASHIERS = (Role.FINANCE,)
"""Who records what shops paid, and agrees to it as the second person; donations are taken in by staff, too."""
DOCUMENT_LENGTH_MAX = 60
LINES_MAX = 1000
"""Lines of one request. The door lets 4,096 wait, so that a few shops do not keep the others out."""


class Basis(StrEnum):
    """Of what the gift is measured."""

    PER_SALE = "per_sale"
    """So many fen for each sale."""
    PER_MILLE = "per_mille"
    """So many thousandths of what was taken in, each line rounded down to whole fen."""


class RateState(StrEnum):
    """A rate is proposed by one person and agreed, refused or withdrawn."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Way(StrEnum):
    """How sales arrived."""

    PAGE = "page"
    TILL = "till"
    FILE = "file"
    DESK = "desk"


class Outcome(StrEnum):
    """What became of a line."""

    GIVEN = "given"
    AGAIN = "again"
    """The very line was here before: nothing twice."""
    NOTHING = "nothing"
    """By this rate it gives less than one fen: nothing is kept of it."""
    REFUSED = "refused"
    UNSURE = "unsure"
    """Not known, or not even tried: send the same again."""


class IncomeKind(StrEnum):
    """Where money came from."""

    SHOP = "shop"
    """A caring merchant paid what it had promised; the document is the bank's reference."""
    DONATION = "donation"
    """Somebody brought it to the desk; the document is the receipt's number."""


class IncomeState(StrEnum):
    """Waits for a second person; in the books; refused."""

    PROPOSED = "proposed"
    POSTED = "posted"
    REFUSED = "refused"


class IncomeNotFound(NotFound):
    """No such payment or donation."""

    code: ClassVar[str] = "fund.income_not_found"


class IncomeDecided(Conflict):
    """Somebody decided about it meanwhile."""

    code: ClassVar[str] = "fund.income_decided"


class DocumentReused(Conflict):
    """Money was recorded under this number before."""

    code: ClassVar[str] = "fund.document_reused"


class ReceivedAhead(Conflict):
    """The day on which money came has not begun."""

    code: ClassVar[str] = "fund.received_ahead"


class NameNeeded(Conflict):
    """Who wants to be named in public has to say how."""

    code: ClassVar[str] = "fund.name_needed"


class NeverGave(Conflict):
    """The shop has no rate, so there is nothing that it could pay."""

    code: ClassVar[str] = "fund.never_gave"


class ShopNotFound(NotFound):
    """No such shop, or not theirs."""

    code: ClassVar[str] = "fund.shop_not_found"


class RateNotFound(NotFound):
    """No such rate."""

    code: ClassVar[str] = "fund.rate_not_found"


class RateDecided(Conflict):
    """Somebody decided about it meanwhile."""

    code: ClassVar[str] = "fund.rate_decided"


class RateWaits(Conflict):
    """Another rate of this shop waits for its second person."""

    code: ClassVar[str] = "fund.rate_waits"


@dataclass(eq=False)
class RateTooEarly(Conflict):
    """A rate begins tomorrow at the earliest, so that no sale is measured by two."""

    code: ClassVar[str] = "fund.rate_too_early"
    earliest: date


class RateTaken(Conflict):
    """Another rate was agreed for the same day."""

    code: ClassVar[str] = "fund.rate_taken"


class SecondPersonNeeded(Conflict):
    """Whoever proposed does not agree."""

    code: ClassVar[str] = "fund.second_person_needed"


class NoRate(Conflict):
    """No rate held on that day."""

    code: ClassVar[str] = "fund.no_rate"


class SaleAhead(Conflict):
    """The day of the sale has not begun."""

    code: ClassVar[str] = "fund.sale_ahead"


@dataclass(eq=False)
class SaleTooOld(Conflict):
    """The sale is longer ago than a line may come late."""

    code: ClassVar[str] = "fund.sale_too_old"
    days: int


class NumberReused(Conflict):
    """A line with this number and other content is there."""

    code: ClassVar[str] = "fund.number_reused"


class NotYetKnown(Unavailable):
    """Whether the line is posted is not known; the same again will tell."""

    code: ClassVar[str] = "fund.not_yet_known"


class SaleNotFound(NotFound):
    """No such line."""

    code: ClassVar[str] = "fund.sale_not_found"


@dataclass(eq=False)
class TooLateToCorrect(Conflict):
    """The shop itself takes a line back within a few days; afterwards staff do."""

    code: ClassVar[str] = "fund.too_late_to_correct"
    days: int


class CorrectedBefore(Conflict):
    """The line was taken back before, for another reason."""

    code: ClassVar[str] = "fund.corrected_before"


class LineUnreadable(Invalid):
    """A line of a batch cannot be read; only that line is refused."""

    code: ClassVar[str] = "fund.line_unreadable"


@dataclass(frozen=True, slots=True)
class Line:
    """One sale, or the sales of a day. The number is the till's own, and tells lines of a shop apart for ever."""

    number: str
    sold_on: date
    sales: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Rate:
    """What a shop gives, from a day on until the next rate; a value of 0 ends it."""

    rate_id: UUID
    basis: Basis
    value: int
    effective_from: date


def gift_fen(line: Line, basis: Basis, value: int) -> int:
    """What a line gives, in whole fen; a thousandth rate is rounded down."""
    return line.sales * value if basis is Basis.PER_SALE else line.amount_fen * value // 1000


def rate_on(rates: Sequence[Rate], day: date) -> Rate | None:
    """The rate that holds on a day; `rates` are the agreed ones, in any order. None too when it says nothing is given."""
    held = [rate for rate in rates if rate.effective_from <= day]
    newest = max(held, key=lambda rate: rate.effective_from, default=None)
    return newest if newest is not None and newest.value else None


def check_line(line: Line, rates: Sequence[Rate], *, today: date, days_back: int) -> Rate:
    """The rate of a line; raises SaleAhead, SaleTooOld, NoRate, in this order."""
    if line.sold_on > today:
        raise SaleAhead
    if line.sold_on < today - timedelta(days=days_back):
        raise SaleTooOld(days_back)
    rate = rate_on(rates, line.sold_on)
    if rate is None:
        raise NoRate
    return rate


def check_begin(effective_from: date, *, today: date) -> None:
    """A rate begins on a day that has not begun: whatever a line is measured by can then never change under it."""
    if effective_from <= today:
        raise RateTooEarly(today + timedelta(days=1))


def check_rate_decision(
    *, state: RateState, proposed_by: UUID, decider: UUID, effective_from: date, today: date
) -> None:
    """Two people agree to a rate before its first day."""
    if state is not RateState.PROPOSED:
        raise RateDecided
    if decider == proposed_by:
        raise SecondPersonNeeded
    check_begin(effective_from, today=today)


def check_correction(*, received_on: date, today: date, days: int, by_staff: bool) -> None:
    """The shop corrects within some days of sending; staff do so afterwards."""
    if not by_staff and today > received_on + timedelta(days=days):
        raise TooLateToCorrect(days)


def check_income_decision(*, state: IncomeState, recorded_by: UUID, decider: UUID) -> None:
    """Somebody else agrees."""
    if state is not IncomeState.PROPOSED:
        raise IncomeDecided
    if decider == recorded_by:
        raise SecondPersonNeeded


def number_of_day(day: date, taken_back: int) -> str:
    """The number of a typed day: one line for each day, and another only when the one before was taken back."""
    return f"day:{day.isoformat()}" + (f":{taken_back + 1}" if taken_back else "")


def sale_reference(organisation_id: UUID, number: str) -> str:
    """Under which a line is posted, once for ever."""
    return f"fund.sale:{organisation_id.hex}:{number}"


def correction_reference(organisation_id: UUID, number: str) -> str:
    """Under which it is taken back."""
    return f"fund.correction:{organisation_id.hex}:{number}"


def income_reference(income_id: UUID) -> str:
    """Under which money that came in is posted."""
    return f"fund.income:{income_id}"
