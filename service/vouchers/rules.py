"""Every no of this slice, how amounts are written out on paper, and which days count for an objection. Pure."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

import chinese_calendar

from service.kit.access import Role
from service.kit.refusals import Conflict, Gone, Invalid, NotAllowed, NotFound, TooMany

UNDO_SECONDS = 60
"""How long the counter offers to undo with one press; later it takes a reason."""
REMINDER_DAYS = (7, 1)
PRINTED_CARDS_MAX = 400
PER_SHEET = 8
RESERVED_MINUTES = 10
"""How long an offer is kept for whoever looks at its price. Source: the rules of redemption, transition 1."""
RULE_LINES_MAX = 3
TAKEN_AT_ONCE_MAX = 200
SATURDAY = 5
NAMESPACE = UUID("6f9e1a52-3b59-5d0c-9c58-0f5b8a3f6a11")
"""Makes keys out of what a browser sent: the same form again is the same key, another person's never is."""


ROLES_ASKED = (Role.STEWARD, Role.VOLUNTEER, Role.LEADER, Role.GRID_WORKER, Role.REPAIRER)
"""The roles that an offer may be for."""
STARS_MOST = 5


class ScanState(StrEnum):
    """The colour of an answer at the counter."""

    OK = "ok"
    USED = "used"
    REFUSED = "refused"
    QUESTION = "question"


class Tab(StrEnum):
    """The three tabs of a member's vouchers."""

    USABLE = "usable"
    USED = "used"
    OVER = "over"


class Decision(StrEnum):
    """What becomes of a line in dispute."""

    FOR_SHOP = "for_shop"
    REVERSED = "reversed"


class FileKind(StrEnum):
    """What a statement can be kept as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


class OfflineWay(StrEnum):
    """Who may take an offer's vouchers without a network; the names are those of redemption.OfflineClass."""

    ONLINE_ONLY = "online_only"
    LEASED = "leased"
    ROAMING = "roaming"


class Pledge(StrEnum):
    """What a sponsor can promise."""

    POINT = "point"
    FEN = "fen"


class VoucherNotFound(NotFound):
    """No such voucher, or somebody else's: both look the same."""

    code: ClassVar[str] = "vouchers.not_found"


class OfferNotFound(NotFound):
    """No such offer, or not one that residents may see."""

    code: ClassVar[str] = "vouchers.offer_not_found"


class StatementNotFound(NotFound):
    """No such settlement, or another shop's."""

    code: ClassVar[str] = "vouchers.statement_not_found"


class RequestNotFound(NotFound):
    """Nobody proposed this."""

    code: ClassVar[str] = "vouchers.request_not_found"


class DeviceNotFound(NotFound):
    """No such phone, or another shop's."""

    code: ClassVar[str] = "vouchers.device_not_found"


class DeviceSignatureWrong(NotAllowed):
    """No phone of ours signed this: nothing is said about why."""

    code: ClassVar[str] = "vouchers.device_signature_wrong"


class ShopClosed(Conflict):
    """The shop is closed, so no phone of it is enrolled."""

    code: ClassVar[str] = "vouchers.shop_closed"


class RecipientUnknown(NotFound):
    """No member has this card and this name together."""

    code: ClassVar[str] = "vouchers.recipient_unknown"


class BatchNotFound(NotFound):
    """No such batch of paper."""

    code: ClassVar[str] = "vouchers.batch_not_found"


class DeskUseNotFound(NotFound):
    """Nobody asked for this use at the desk."""

    code: ClassVar[str] = "vouchers.desk_use_not_found"


class DeskUseDecided(Conflict):
    """A second person has decided already."""

    code: ClassVar[str] = "vouchers.desk_use_decided"


class DeskUseWaits(Conflict):
    """For this voucher somebody has asked a second person already."""

    code: ClassVar[str] = "vouchers.desk_use_waits"


class HolderChanged(Conflict):
    """The voucher is somebody else's than when the second person was asked."""

    code: ClassVar[str] = "vouchers.holder_changed"


class NotUsableNow(Conflict):
    """The voucher cannot be used now, or not so many pieces of it."""

    code: ClassVar[str] = "vouchers.not_usable_now"


class OwnHousehold(Conflict):
    """Nobody uses a voucher at the desk that they or their household hold or paid for."""

    code: ClassVar[str] = "vouchers.own_household"


class ServesThere(Conflict):
    """Whoever serves at a shop uses no voucher for it from the desk."""

    code: ClassVar[str] = "vouchers.serves_there"


class NotForThisShop(Conflict):
    """The voucher is not good at this shop."""

    code: ClassVar[str] = "vouchers.not_for_this_shop"


class OtherHandsNeeded(Conflict):
    """Who asked for it does not agree to it."""

    code: ClassVar[str] = "vouchers.other_hands_needed"


class ScanItsCode(Conflict):
    """Only a code of this moment, scanned off a phone or paper, is kept for a counter: no typed one, which could be guessed."""

    code: ClassVar[str] = "vouchers.scan_its_code"


class NameNotCompared(Conflict):
    """A paper above the value is kept for a counter only when the clerk has compared the name."""

    code: ClassVar[str] = "vouchers.scan_compare"


@dataclass(eq=False)
class StaticDayFull(Conflict):
    """The member's day has no room for this paper, so no counter keeps it."""

    code: ClassVar[str] = "vouchers.scan_static_day"
    yuan: str


class DisputeNotFound(NotFound):
    """Nobody objected to this line, or there is no such line."""

    code: ClassVar[str] = "vouchers.dispute_not_found"


@dataclass(eq=False)
class PointsMissing(Conflict):
    """The offer costs more than the member has; in whole points, rounded up."""

    code: ClassVar[str] = "vouchers.points_missing"
    missing: int


@dataclass(eq=False)
class PointsOwed(Conflict):
    """A correction took the member below zero: nothing is taken until new points have made it good. Whole points, rounded up."""

    code: ClassVar[str] = "vouchers.points_owed"
    owed: int


class ChooseShop(Conflict):
    """The clerk serves several shops and did not say which."""

    code: ClassVar[str] = "vouchers.choose_shop"


@dataclass(eq=False)
class TooManyInvalidScans(TooMany):
    """So many false codes that somebody may be guessing."""

    code: ClassVar[str] = "vouchers.too_many_invalid_scans"
    minutes: int


class UndoNeedsReason(Conflict):
    """The minute for undoing with one press is over; today's list takes a reason."""

    code: ClassVar[str] = "vouchers.undo_needs_reason"


class UseNotFound(NotFound):
    """No such use at this shop."""

    code: ClassVar[str] = "vouchers.use_not_found"


class UndoOver(Gone):
    """Too long ago to undo; the next settlement may carry a correction."""

    code: ClassVar[str] = "vouchers.undo_over"


class NothingToPledge(Invalid):
    """A pledge is more than nothing."""

    code: ClassVar[str] = "vouchers.nothing_to_pledge"


def check_desk_hands(
    *,
    member_id: UUID,
    household_id: UUID | None,
    serves_at: Collection[UUID],
    holder_id: UUID,
    payer_id: UUID | None,
    owner_group: UUID | None,
    shop_id: UUID,
) -> None:
    """Whose hands may use a voucher at the desk: never the own household's, nor those that serve at the shop."""
    if member_id in (holder_id, payer_id) or (household_id is not None and household_id == owner_group):
        raise OwnHousehold
    if shop_id in serves_at:
        raise ServesThere


def role_tag(role: Role) -> str:
    """How an offer names a role."""
    return f"role:{role}"


def stars_tag(count: int) -> str:
    """How an offer names so many stars or more."""
    return f"stars:{count}"


def tags_of(roles: Iterable[Role], stars: int) -> frozenset[str]:
    """What somebody is, as an offer may require it. Who has three stars has two."""
    return frozenset({*map(role_tag, roles), *(stars_tag(count) for count in range(1, stars + 1))})


def key_for(owner: UUID, text: str) -> UUID:
    """The library's key for what a form or client calls by `text`: the same for the same person and text."""
    return uuid.uuid5(NAMESPACE, f"{owner.hex}:{text}")


def points_missing(price_points: int, points_hundredths: int) -> int:
    """How many whole points are still needed; 0 when it is enough."""
    return max(0, -((points_hundredths - price_points * 100) // 100))


def objection_over(closed_on: date, today: date, working_days: int) -> bool:
    """True when so many working days have passed since a statement was closed."""
    passed, day = 0, closed_on
    while day < today and passed <= working_days:
        day += timedelta(days=1)
        passed += is_working_day(day)
    return passed > working_days


def is_working_day(day: date) -> bool:
    """Whether offices work: the State Council's holidays and the weekends it moves, where it has announced them.

    The year's list comes with a release of the calendar; before it does, and before 2004, Monday to Friday.
    """
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < SATURDAY


def undo_until(received_at: datetime) -> datetime:
    """Until when one press undoes a use."""
    return received_at + timedelta(seconds=UNDO_SECONDS)


_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_SMALL = ("", "拾", "佰", "仟")
_TEN_THOUSAND, _HUNDRED_MILLION = 10_000, 100_000_000


def _section(number: int) -> str:
    """Four digits in words, a run of zeros said once, none at the end."""
    text, gap = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit == 0:
            gap = bool(text)
            continue
        text += ("零" if gap else "") + _DIGITS[digit] + _SMALL[place]
        gap = False
    return text


def _whole_in_words(number: int) -> str:
    """A whole number in words, nothing for nothing: 亿 takes any number before it, 万 up to four digits."""
    for size, word in ((_HUNDRED_MILLION, "亿"), (_TEN_THOUSAND, "万")):
        high, low = divmod(number, size)
        if not high:
            continue
        zero = "零" if 0 < low < size // 10 else ""
        return _whole_in_words(high) + word + zero + _whole_in_words(low)
    return _section(number)


def yuan_in_words(fen: int) -> str:
    """Money as Chinese accounts write it, so that no digit can be added later: 1050 → 壹拾元伍角整.

    The source is the central bank's rule for filling in bills (支付结算办法, annex 1): 整 after yuan and jiao, none after
    fen; one 零 for zeros in a row between two digits, none at the end of a place; a zero at the place of yuan or of 万
    with more digits before and after it may go unsaid, and does.
    """
    sign, fen = ("负" if fen < 0 else ""), abs(fen)
    yuan, jiao, rest = fen // 100, fen // 10 % 10, fen % 10
    text = f"{_whole_in_words(yuan)}元" if yuan else ""
    if jiao:
        text += _DIGITS[jiao] + "角"
    elif rest and text:
        text += "零"
    if rest:
        text += _DIGITS[rest] + "分"
    return sign + ((text if rest else f"{text}整") if text else "零元整")
