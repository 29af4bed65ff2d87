"""An offer's terms as forms and clients write them, turned into what redemption promises."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from redemption import OfferTerms
from service.kit.clock import FIRST_DAY, LAST_DAY, day_begins, local_day
from service.kit.refusals import Invalid
from service.vouchers.payloads import OfferForm, OfferIn
from service.vouchers.rules import RULE_LINES_MAX


def fen_of(yuan: str) -> int:
    """Yuan as typed, with at most two digits after the point, in fen."""
    return int(Decimal(yuan) * 100)


def settled_until(day: date, now: datetime, *, undo_minutes: int) -> datetime:
    """The end of a day, or the last moment whose uses can no longer be undone at the counter, whichever is earlier.

    So a period may be closed today, and the shop keeps its way back: what it can still undo is left for the next
    statement. Raises Invalid for a day that has not come, or out of all reason.
    """
    if day < FIRST_DAY:
        raise Invalid({"until": "date_range"})
    if day > local_day(now):
        raise Invalid({"until": "date_to_come"})
    return min(day_begins(day + timedelta(days=1)), now - timedelta(minutes=undo_minutes))


def terms_of(offer_id: UUID, given: OfferIn, *, default_days: int) -> OfferTerms:
    """The terms that were written down; raises Invalid with every field that contradicts another."""
    problems: dict[str, str] = {}
    rules = tuple(line.strip() for line in given.rules if line.strip())
    if not given.shops:
        problems["shops"] = "required"
    for name, day in (("valid_from", given.valid_from), ("valid_until", given.valid_until)):
        if not FIRST_DAY <= day <= LAST_DAY:
            problems[name] = "date_range"
    if "valid_until" not in problems and given.valid_until < given.valid_from:
        problems["valid_until"] = "date"
    if given.subsidy_points > given.price_points:
        problems["subsidy_points"] = "subsidy"
    if given.pieces > given.stock:
        problems["stock"] = "too_few_pieces"
    if given.per_member is not None and given.pieces > given.per_member:
        problems["per_member"] = "too_few_pieces"
    if len(rules) > RULE_LINES_MAX:
        problems["rules"] = "too_long"
    if problems:
        raise Invalid(problems)
    return OfferTerms(
        offer_id=offer_id,
        sponsor_id=given.sponsor,
        merchant_ids=tuple(given.shops),
        title=given.title,
        kind=given.kind,
        pieces=given.pieces,
        price_points=given.price_points,
        subsidy_points=given.subsidy_points,
        payable_fen=given.payable_fen,
        cash_fen=given.cash_fen,
        stock_total=given.stock,
        per_member_cap=given.per_member,
        cap_period=given.per_period,
        valid_from=day_begins(given.valid_from),
        valid_until=day_begins(given.valid_until + timedelta(days=1)),
        voucher_days=given.voucher_days or default_days,
        rules=rules,
    )


def offer_in(form: OfferForm) -> OfferIn:
    """The desk's form as the same terms."""
    return OfferIn(
        sponsor=form.sponsor,
        shops=form.shops,
        title=form.title,
        kind=form.kind,
        price_points=form.price_points,
        stock=form.stock,
        valid_from=form.valid_from,
        valid_until=form.valid_until,
        pieces=form.pieces,
        subsidy_points=form.subsidy_points,
        payable_fen=fen_of(form.payable_yuan),
        cash_fen=fen_of(form.cash_yuan),
        per_member=form.per_member,
        per_period=form.per_period,
        voucher_days=form.voucher_days,
        rules=form.rules.split("\n"),
    )
