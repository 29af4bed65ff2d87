"""What the books may be asked, and which journals may be undone by hand. Pure."""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import ClassVar

from ledger import AMOUNT_MAX
from service.chart import FEN, MINUTE, POINT, Reason
from service.kit.access import Role
from service.kit.refusals import Conflict, Invalid, NotFound

READERS = (Role.AUDITOR, Role.FINANCE, Role.APPROVER, Role.ADMIN)
"""Who may read the books."""
CORRECTORS = (Role.FINANCE, Role.APPROVER)
"""Who may undo a mistaken posting."""


class Unit(StrEnum):
    """What a passbook counts."""

    POINT = POINT
    MINUTE = MINUTE


class Proof(StrEnum):
    """How far the books are recomputed."""

    ALL = "all"
    SINCE_SEAL = "since_seal"


class BookUnit(StrEnum):
    """What the books count."""

    POINT = POINT
    MINUTE = MINUTE
    FEN = FEN


class Mistake(StrEnum):
    """Why a posting is undone. A code and no free text: the books are read by strangers."""

    WRONG_PERSON = "wrong_person"
    WRONG_AMOUNT = "wrong_amount"
    ENTERED_TWICE = "entered_twice"
    NOT_EARNED = "not_earned"


class LineNotFound(NotFound):
    """No such line in this person's passbook."""

    code: ClassVar[str] = "wallet.line_not_found"


class JournalNotFound(NotFound):
    """No such journal in this community's book."""

    code: ClassVar[str] = "wallet.journal_not_found"


class BelongsToVoucher(Conflict):
    """A voucher's or a settlement's posting is undone at the counter or in the next settlement, never here."""

    code: ClassVar[str] = "wallet.belongs_to_voucher"


class BelongsToClearing(Conflict):
    """What crossed to another community is undone there or called back, never in one book alone."""

    code: ClassVar[str] = "wallet.belongs_to_clearing"


class BelongsToExchange(Conflict):
    """A posting that put value aside is undone by its own opposite steps, never here."""

    code: ClassVar[str] = "wallet.has_holds"


class ReversalStands(Conflict):
    """A correction is not corrected again; post the right thing instead."""

    code: ClassVar[str] = "wallet.reversal_stands"


class ReversedAlready(Conflict):
    """Each journal is undone at most once."""

    code: ClassVar[str] = "wallet.reversed_already"


class ValueSpent(Conflict):
    """What the posting brought is spent already, so it cannot be taken back whole."""

    code: ClassVar[str] = "wallet.value_spent"


def check_reversible(*, reason: str, is_reversal: bool, is_reversed: bool, has_holds: bool) -> None:
    """Refuse to undo what belongs to another act, in the order of what is most useful to be told."""
    if is_reversal:
        raise ReversalStands
    if is_reversed:
        raise ReversedAlready
    if reason.startswith("voucher_") or reason == Reason.SETTLEMENT_PAID:
        raise BelongsToVoucher
    if reason.startswith("clearing_"):
        raise BelongsToClearing
    if has_holds:
        raise BelongsToExchange


def check_asked(*, unit: BookUnit | None, amount_min: int | None, amount_max: int | None) -> None:
    """An amount without a unit is no amount, and a range begins before it ends."""
    if unit is None and (amount_min is not None or amount_max is not None):
        raise Invalid({"unit": "required"})
    if amount_min is not None and amount_max is not None and amount_min > amount_max:
        raise Invalid({"amount_max": "below_least"})


SCALES = {BookUnit.POINT: 100, BookUnit.MINUTE: 60, BookUnit.FEN: 100}
"""So many of the smallest unit make one as people write it: hundredths of a point, minutes of an hour, fen of a yuan."""


def amount_typed(unit: BookUnit | None, text: str, field: str) -> int | None:
    """What somebody typed in points, hours or yuan, in the smallest unit; nothing finer than that is taken."""
    if not text:
        return None
    if unit is None:
        raise Invalid({"unit": "required"})
    try:
        exact = Decimal(text.replace("，", ",").replace(",", "")) * SCALES[unit]
    except InvalidOperation as problem:
        raise Invalid({field: "number"}) from problem
    if not exact.is_finite() or exact != exact.to_integral_value() or not 0 <= exact <= AMOUNT_MAX:
        raise Invalid({field: "number"})
    return int(exact)
