"""What crosses the wire."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec

from service.fund.actions.delivering import LineAnswer
from service.fund.queries.account import Account
from service.fund.queries.income import IncomeView
from service.fund.queries.sales import Month, SaleView
from service.fund.queries.shops import RateView, ShopView
from service.fund.rules import (
    AMOUNT_FEN_MAX,
    DOCUMENT_LENGTH_MAX,
    LINES_MAX,
    NUMBER_LENGTH_MAX,
    REASON_LENGTH_MAX,
    SALES_MAX,
    VALUE_MAX,
    Basis,
    Line,
    LineUnreadable,
    Outcome,
)
from service.identity import NAME_LENGTH_MAX
from service.kit.clock import FIRST_DAY, LAST_DAY
from service.kit.pages import refusal_sentence
from service.kit.refusals import Invalid, Refusal

Money = Annotated[str, msgspec.Meta(pattern=r"^\d{1,7}(\.\d{1,2})?$", extra={"problem": "money", "digits": 7})]
Sales = Annotated[int, msgspec.Meta(ge=1, le=SALES_MAX)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
Number = Annotated[str, msgspec.Meta(min_length=1, max_length=NUMBER_LENGTH_MAX)]
Value = Annotated[int, msgspec.Meta(ge=0, le=VALUE_MAX)]


Document = Annotated[str, msgspec.Meta(min_length=1, max_length=DOCUMENT_LENGTH_MAX)]
Donor = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX)]
AmountFen = Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_FEN_MAX)]


class PaymentIn(msgspec.Struct):
    """What a merchant paid, with the bank's reference."""

    shop: UUID
    amount_fen: AmountFen
    document: Document
    received_on: date


class DonationIn(msgspec.Struct):
    """What somebody gave, with the receipt's number; the name is shown in public only when that is wished."""

    amount_fen: AmountFen
    document: Document
    received_on: date
    donor: Donor = ""
    is_named: bool = False


class PaymentForm(msgspec.Struct):
    """A payment as finance types it, in yuan."""

    shop: UUID
    amount_yuan: Money
    document: Document
    received_on: date


class DonationForm(msgspec.Struct):
    """A donation as the desk types it, in yuan."""

    donation_yuan: Money
    receipt: Document
    donated_on: date
    donor: Donor = ""
    is_named: bool = False


class SaleLineIn(msgspec.Struct):
    """One sale of a till, or several that it sums up. The number is the till's own."""

    number: Number
    sold_on: date
    amount_fen: Annotated[int, msgspec.Meta(ge=1, le=AMOUNT_FEN_MAX)]
    sales: Sales = 1


class SalesIn(msgspec.Struct):
    """A batch. Each line is read for itself (`SaleLineIn`), so that one that cannot be read keeps out no other."""

    lines: Annotated[list[Any], msgspec.Meta(min_length=1, max_length=LINES_MAX)]


class CorrectionIn(msgspec.Struct):
    """Which line is taken back, and why."""

    number: Number
    reason: Reason


class RateIn(msgspec.Struct):
    """What a shop will give from a day on: fen for each sale, or thousandths of what it takes in; 0 for nothing more."""

    basis: Basis
    value: Value
    effective_from: date


class DayForm(msgspec.Struct):
    """A day as its owner knows it: how many sales, and how much in yuan."""

    sold_on: date
    sales: Sales
    amount_yuan: Money


class RateForm(RateIn):
    """The same, with the shop."""

    shop: UUID


class LineOut(msgspec.Struct):
    """What became of a line; `row` counts from 1 in the order of the batch."""

    row: int
    number: str | None
    outcome: Outcome
    gift_fen: int
    code: str | None
    reason: str | None


class SalesOut(msgspec.Struct):
    """A batch's answer. Lines that are `unsure` are simply sent again with the others: nothing counts twice."""

    given: int
    again: int
    nothing: int
    refused: int
    unsure: int
    gift_fen: int
    """Given now, not before."""
    lines: list[LineOut]


class SaleOut(msgspec.Struct):
    """One line that is kept."""

    number: str
    sold_on: date
    sales: int
    amount_fen: int
    gift_fen: int
    way: str
    received_at: datetime
    corrected_at: datetime | None
    corrected_reason: str | None


class SalePageOut(msgspec.Struct):
    """A page of lines and the cursor of the next."""

    items: list[SaleOut]
    next: str | None


class RateOut(msgspec.Struct):
    """One rate."""

    rate_id: UUID
    effective_from: date
    basis: Basis
    value: int
    state: str
    proposed_by: UUID
    decided_by: UUID | None


class MonthOut(msgspec.Struct):
    """A month of a shop, by the day of the sale, without what was taken back."""

    month: date
    sales: int
    amount_fen: int
    gift_fen: int


class ShopOut(msgspec.Struct):
    """A shop with what it gives and owes."""

    organisation_id: UUID
    name: str
    open_fen: int
    rates: list[RateOut]
    months: list[MonthOut]


class ShopLineOut(msgspec.Struct):
    """A shop in the list of the desk."""

    organisation_id: UUID
    name: str
    basis: Basis | None
    value: int | None
    open_fen: int


class ShopsOut(msgspec.Struct):
    """Every shop, and the rates that wait for a second person."""

    items: list[ShopLineOut]
    waiting: list[RateOut]


class IncomeOut(msgspec.Struct):
    """One payment or donation."""

    income_id: UUID
    kind: str
    organisation_id: UUID | None
    amount_fen: int
    document: str
    received_on: date
    is_named: bool
    state: str
    recorded_by: UUID
    decided_by: UUID | None


class IncomePageOut(msgspec.Struct):
    """What waits, a page of everything, and the cursor of the next."""

    waiting: list[IncomeOut]
    items: list[IncomeOut]
    next: str | None


class FromShopOut(msgspec.Struct):
    """What one shop paid in."""

    name: str
    payments: int
    amount_fen: int


class DonationOut(msgspec.Struct):
    """One donation; no name where none is wished."""

    received_on: date
    name: str | None
    amount_fen: int


class AccountOut(msgspec.Struct):
    """The public account; `is_whole` says that the ledger has the same figures."""

    since: date
    until: date
    before_fen: int
    shops_fen: int
    shops: list[FromShopOut]
    donations_fen: int
    donations_count: int
    donations: list[DonationOut]
    lost_uses: int
    lost_fund_fen: int
    lost_other_fen: int
    lost_points: int
    after_fen: int
    promised_fen: int
    is_whole: bool


_FIELD = re.compile(r"(?:\$\.|field `)(\w+)")


def line_of(raw: object) -> Line | Refusal:
    """A line as it was sent, or why it cannot be read: the field is named."""
    try:
        read = msgspec.convert(raw, SaleLineIn)
    except msgspec.ValidationError as problem:
        found = _FIELD.search(str(problem))
        return LineUnreadable({found[1] if found else "line": "unreadable"})
    number = read.number.strip()
    if not number or not number.isprintable():
        return LineUnreadable({"number": "text"})
    return Line(number, read.sold_on, read.sales, read.amount_fen)


def fen_of(yuan: str) -> int:
    """Yuan with at most two digits behind the point, as fen."""
    whole, _point, rest = yuan.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0") or "0")


def sales_out(answers: Sequence[LineAnswer]) -> SalesOut:
    """A batch's answer."""
    counts = Counter(answer.outcome for answer in answers)
    return SalesOut(
        given=counts[Outcome.GIVEN],
        again=counts[Outcome.AGAIN],
        nothing=counts[Outcome.NOTHING],
        refused=counts[Outcome.REFUSED],
        unsure=counts[Outcome.UNSURE],
        gift_fen=sum(answer.gift_fen for answer in answers if answer.outcome is Outcome.GIVEN),
        lines=[
            LineOut(
                row,
                answer.line.number if answer.line else None,
                answer.outcome,
                answer.gift_fen,
                getattr(answer.refusal, "code", None),
                refusal_sentence(answer.refusal) if answer.refusal is not None else None,
            )
            for row, answer in enumerate(answers, 1)
        ],
    )


def sale_out(view: SaleView) -> SaleOut:
    """One line."""
    return msgspec.convert(view, SaleOut, from_attributes=True)


def rate_out(view: RateView) -> RateOut:
    """One rate."""
    return msgspec.convert(view, RateOut, from_attributes=True)


def shop_line_out(view: ShopView) -> ShopLineOut:
    """A shop in the list."""
    return ShopLineOut(
        view.organisation_id,
        view.name,
        view.rate.basis if view.rate else None,
        view.rate.value if view.rate else None,
        view.open_fen,
    )


def month_out(view: Month) -> MonthOut:
    """One month."""
    return msgspec.convert(view, MonthOut, from_attributes=True)


def income_out(view: IncomeView) -> IncomeOut:
    """One payment or donation, without the donor's name."""
    return msgspec.convert(view, IncomeOut, from_attributes=True)


def account_out(found: Account) -> AccountOut:
    """The public account."""
    return AccountOut(
        found.since,
        found.until,
        found.before_fen,
        found.shops_fen,
        [FromShopOut(each.name, each.payments, each.amount_fen) for each in found.shops],
        found.donations_fen,
        found.donations_count,
        [DonationOut(each.received_on, each.name or None, each.amount_fen) for each in found.donations],
        found.lost.uses,
        found.lost.fund_fen,
        found.lost.other_fen,
        found.lost.points // 100,
        found.after_fen,
        found.promised_fen,
        found.is_whole,
    )


_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")


def period_of(named: str | None, today: date) -> tuple[date, date]:
    """The first day of a month (`2026-11`) or a year (`2026`) and the one after it; this month when none is named."""
    found = _MONTH.fullmatch(named) if named else None
    if named and found is None:
        raise Invalid({"of": "date"})
    try:
        if found is not None and found[2] is None:
            since, until = date(int(found[1]), 1, 1), date(int(found[1]) + 1, 1, 1)
        else:
            since = date(int(found[1]), int(found[2]), 1) if found is not None else today.replace(day=1)
            until = (since + timedelta(days=31)).replace(day=1)
    except (ValueError, OverflowError) as problem:
        raise Invalid({"of": "date"}) from problem
    if not FIRST_DAY <= since <= LAST_DAY:
        raise Invalid({"of": "date"})
    return since, until
