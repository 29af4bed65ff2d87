"""What crosses the wire about alarms, calls and hours."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

import redemption
from service.alarms.queries import AlarmView, CallView
from service.alarms.rules import DAYS, CallState, hours_of
from service.kit.i18n import translate

Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=200)]
Written = Annotated[str, msgspec.Meta(max_length=60)]


class DecisionIn(msgspec.Struct):
    """Which uses (`voucher-number`), whether they are let through, and why."""

    ids: list[str]
    reason: Reason
    cleared: bool = False


class DecidedOut(msgspec.Struct):
    """Of how many uses something was open and is decided."""

    uses: int


class AlarmOut(msgspec.Struct):
    """One alarm."""

    use: str
    rule: str
    words: str
    """The rule in a sentence, with its figures."""
    state: str
    shop_id: UUID
    shop: str
    member: str
    clerk: str
    title: str
    quantity: int
    points: int
    payable_fen: int
    received_at: datetime
    raised_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    reason: str | None


class AlarmsOut(msgspec.Struct):
    """Oldest first."""

    items: list[AlarmOut]
    next: str | None


class CallIn(msgspec.Struct):
    """What came of a call."""

    state: CallState
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class CallOut(msgspec.Struct):
    """One call."""

    use: str
    used_on: date
    member: str
    shop: str
    title: str
    received_at: datetime
    state: str
    note: str
    called_at: datetime | None


class CallsOut(msgspec.Struct):
    """Oldest first."""

    items: list[CallOut]


class PhoneOut(msgspec.Struct):
    """A number that was looked at."""

    phone: str


class HoursIn(msgspec.Struct):
    """From which day on, and of each weekday `08:00-12:00 14:00-20:00`, or nothing when closed."""

    effective_from: date
    monday: Written = ""
    tuesday: Written = ""
    wednesday: Written = ""
    thursday: Written = ""
    friday: Written = ""
    saturday: Written = ""
    sunday: Written = ""

    def hours(self) -> list[redemption.Hours]:
        """As data; raises Invalid for the first weekday that cannot be read."""
        return [
            each for number, name in enumerate(DAYS, 1) for each in hours_of(number, str(getattr(self, name)), name)
        ]


class OpeningOut(msgspec.Struct):
    """Hours from a day on: of each the weekday (1 is Monday) and two times in minutes since midnight."""

    effective_from: date
    hours: list[tuple[int, int, int]]
    set_by: UUID
    set_at: datetime


class ShopHoursOut(msgspec.Struct):
    """A shop and its hours, in force and to come."""

    shop_id: UUID
    name: str
    openings: list[OpeningOut]


class HoursOut(msgspec.Struct):
    """By name."""

    items: list[ShopHoursOut]


def told(alarm: redemption.Alarm) -> str:
    """A rule in the reader's words, with what was seen and what is allowed."""
    clock = f"{alarm.seen // 60:02}:{alarm.seen % 60:02}"
    yuan = f"{alarm.seen // 100}.{alarm.seen % 100:02}"
    most = f"{alarm.allowed // 100}.{alarm.allowed % 100:02}"
    return translate(f"alarm.{alarm.rule.value}").format(
        seen=alarm.seen, allowed=alarm.allowed, clock=clock, yuan=yuan, most=most
    )


def alarm_out(view: AlarmView) -> AlarmOut:
    """An alarm as it crosses the wire."""
    each = view.alarm
    return AlarmOut(
        use=f"{each.voucher_id}-{each.use_seq}",
        rule=each.rule.value,
        words=told(each),
        state=each.state.value.lower(),
        shop_id=each.merchant_id,
        shop=view.shop,
        member=view.member,
        clerk=view.clerk,
        title=each.title,
        quantity=each.quantity,
        points=each.points,
        payable_fen=each.payable_fen,
        received_at=each.received_at,
        raised_at=each.raised_at,
        decided_by=each.decided_by,
        decided_at=each.decided_at,
        reason=each.reason,
    )


def call_out(view: CallView) -> CallOut:
    """A call as it crosses the wire."""
    return CallOut(
        f"{view.voucher_id}-{view.use_seq}",
        view.used_on,
        view.member,
        view.shop,
        view.title,
        view.received_at,
        view.state.value,
        view.note,
        view.called_at,
    )


def opening_out(each: redemption.Opening) -> OpeningOut:
    """Hours as they cross the wire."""
    return OpeningOut(
        each.effective_from, [(h.weekday, h.opens, h.closes) for h in each.hours], each.set_by, each.set_at
    )
