"""An offer's terms as forms and clients write them, turned into what redemption promises."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from redemption import OfferKind, OfferTerms, OfflineClass
from service.households import care_tag
from service.kit.clock import FIRST_DAY, LAST_DAY, day_begins, local_day
from service.kit.refusals import Invalid
from service.vouchers.days import mask_of
from service.vouchers.payloads import OfferForm, OfferIn
from service.vouchers.rules import ROLES_ASKED, RULE_LINES_MAX, OfflineWay, role_tag, stars_tag

HABITS = ("voucher_days", "offline_voucher_fen_max")
"""The settings that an offer's terms are measured by."""


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


def _times_wrong(given: OfferIn) -> dict[str, str]:
    problems: dict[str, str] = {}
    for name, day in (
        ("valid_from", given.valid_from),
        ("valid_until", given.valid_until),
        ("usable_on", given.usable_on),
    ):
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            problems[name] = "date_range"
    if "valid_until" not in problems and given.valid_until < given.valid_from:
        problems["valid_until"] = "date"
    return problems


def _perk_wrong(given: OfferIn) -> dict[str, str]:
    """A perk costs nothing, is for some only, and is not given away."""
    if given.kind is not OfferKind.ENTITLEMENT:
        return {}
    problems: dict[str, str] = {}
    if given.price_points:
        problems["price_points"] = "perk_is_free"
    if given.cash_fen:
        problems["cash_yuan"] = "perk_is_free"
    if not given.for_roles and not given.for_stars and not given.for_words:
        problems["for_roles"] = "perk_for_whom"
    if given.is_giftable:
        problems["is_giftable"] = "perk_not_given"
    return problems


def _numbers_wrong(given: OfferIn) -> dict[str, str]:
    """A subsidy above the price; a stock or cap that is not enough for one voucher."""
    problems: dict[str, str] = {}
    if given.subsidy_points > given.price_points:
        problems["subsidy_points"] = "subsidy"
    for name, most in (("stock", given.stock), ("per_member", given.per_member), ("period_cap", given.period_cap)):
        if most is not None and given.pieces > most:
            problems[name] = "too_few_pieces"
    return problems


def _offline_wrong(given: OfferIn, fen_max: int) -> dict[str, str]:
    """Without a network nobody can be asked: one shop's phone has a lease, or all pieces of the paper are worth little."""
    if given.offline is OfflineWay.ONLINE_ONLY:
        return {}
    if given.kind is OfferKind.REPAIR:
        # A job is locked until its resident accepts, and a part of it for the warranty: no phone may have it on its list.
        return {"offline": "offline_not_repair"}
    if given.is_giftable:
        return {"offline": "offline_not_given"}
    if given.offline is OfflineWay.LEASED and len(set(given.shops)) > 1:
        return {"offline": "offline_one_shop"}
    worth = given.pieces * (given.payable_fen + given.cash_fen or 100 * given.price_points)
    return {"offline": "offline_small"} if given.offline is OfflineWay.ROAMING and worth > fen_max else {}


def terms_of(offer_id: UUID, given: OfferIn, habits: Mapping[str, int]) -> OfferTerms:
    """The terms that were written down, by the day's HABITS; raises Invalid with every field that contradicts another."""
    rules = tuple(line.strip() for line in given.rules if line.strip())
    problems = {**_times_wrong(given), **_numbers_wrong(given), **_perk_wrong(given)}
    problems |= _offline_wrong(given, habits["offline_voucher_fen_max"])
    if not given.shops:
        problems["shops"] = "required"
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
        period_cap=given.period_cap,
        period_cap_per=given.period_cap_per if given.period_cap is not None else None,
        weekdays=mask_of(given.weekdays),
        usable_from=day_begins(given.usable_on) if given.usable_on else None,
        requires=requires_of(given),
        is_giftable=given.is_giftable,
        offline_class=OfflineClass[given.offline.name],
        price_list_version=given.price_list_version or None,
        valid_from=day_begins(given.valid_from),
        valid_until=day_begins(given.valid_until + timedelta(days=1)),
        voucher_days=given.voucher_days or habits["voucher_days"],
        rules=rules,
    )


def requires_of(given: OfferIn) -> tuple[str, ...]:
    """The tags of which one is enough; none when the offer is for everybody."""
    roles = [role_tag(role) for role in ROLES_ASKED if role in given.for_roles]
    words = [care_tag(word) for word in dict.fromkeys(given.for_words)]
    return (*roles, *([stars_tag(given.for_stars)] if given.for_stars else []), *words)


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
        period_cap=form.period_cap,
        period_cap_per=form.period_cap_per,
        weekdays=form.weekdays,
        usable_on=form.usable_on,
        for_roles=form.for_roles,
        for_stars=form.for_stars,
        for_words=form.for_words.split(),
        price_list_version=form.price_list_version.strip() or None,
        is_giftable=form.is_giftable,
        offline=form.offline,
        voucher_days=form.voucher_days,
        rules=form.rules.split("\n"),
    )
