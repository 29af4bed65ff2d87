"""What crosses the wire about a month of repairs: numbers only. Amounts are in fen."""

from datetime import date

import msgspec


class SheetOut(msgspec.Struct, frozen=True):
    """What one repairer did in a month; numbers only."""

    repairer: str
    jobs: int
    normal: int
    reduced: int
    free: int
    minutes: int
    cash_fen: int
    payable_fen: int
    claimed: int


class MonthOut(msgspec.Struct, frozen=True):
    """The month's sheet, most jobs first."""

    begins: date
    until: date
    items: list[SheetOut]


class ClassCountOut(msgspec.Struct, frozen=True):
    """What was done for households of one class; `kind` may be "none", or "rest": small groups together."""

    kind: str
    households: int
    jobs: int
    cash_fen: int
    payable_fen: int


class ClassMonthOut(msgspec.Struct, frozen=True):
    """A month that is over by class of household. Groups of fewer than three households stand in no line of their own."""

    begins: date
    until: date
    items: list[ClassCountOut]
