"""How numbers, times and names are said to people, in both languages."""

from collections.abc import Sequence
from datetime import date, datetime

from service.kit.clock import HOME_ZONE
from service.kit.i18n import current_locale, translate

WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def is_english() -> bool:
    """True when the reader chose English."""
    return current_locale.get() == "en"


def hours(minutes: int) -> str:
    """Minutes as hours with at most one digit where it is exact, two where it must be: 90 → 1.5, 100 → 1.67."""
    sign, minutes = ("-" if minutes < 0 else ""), abs(minutes)
    whole, rest = divmod(minutes, 60)
    hundredths = (rest * 100 + 30) // 60  # 59 minutes are 98, so this never carries
    text = f"{whole:,}" if hundredths == 0 else f"{whole:,}.{hundredths:02d}".rstrip("0")
    return sign + text


def points(hundredths: int) -> str:
    """Hundredths of a point as points: 1250 → 12.5."""
    sign, hundredths = ("-" if hundredths < 0 else ""), abs(hundredths)
    whole, rest = divmod(hundredths, 100)
    return sign + (f"{whole:,}" if rest == 0 else f"{whole:,}.{rest:02d}".rstrip("0"))


def yuan(fen: int) -> str:
    """Fen as yuan with two digits: money is always shown whole."""
    sign, fen = ("-" if fen < 0 else ""), abs(fen)
    return f"{sign}{fen // 100:,}.{fen % 100:02d}"


def day(value: date, *, year: bool = False) -> str:
    """A day as people say it: 11 月 29 日 周六."""
    if is_english():
        text = f"{WEEKDAYS_EN[value.weekday()]} {value.day} {MONTHS_EN[value.month - 1]}"
        return f"{text} {value.year}" if year else text
    text = f"{value.month} 月 {value.day} 日 {WEEKDAYS[value.weekday()]}"
    return f"{value.year} 年 {text}" if year else text


def clock(value: datetime) -> str:
    """The time of day on the community's clock: 9:05."""
    local = value.astimezone(HOME_ZONE)
    return f"{local.hour}:{local.minute:02d}"


def when(value: datetime, *, year: bool = False) -> str:
    """An instant as people say it: 11 月 29 日 周六 9:05."""
    return f"{day(value.astimezone(HOME_ZONE).date(), year=year)} {clock(value)}"


def masked_name(name: str) -> str:
    """A name as strangers may see it: the first character, then stars."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""


def masked_phone(phone: str) -> str:
    """A phone number as colleagues may see it: 138****1234."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 8 else "****"


def phone(number: str) -> str:
    """A phone number as people read it out: +8619900000001 → 199 0000 0001; others stay as they are."""
    local = number.removeprefix("+86")
    return (
        f"{local[:3]} {local[3:7]} {local[7:]}" if len(local) == 11 and local.isdigit() and local[0] == "1" else number
    )


def said(value: object) -> object:
    """A value as it stands inside a sentence."""
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, date):
        return day(value)
    return value


def sentence(key: str, **values: object) -> str:
    """A coded message with its values said in the reader's language."""
    return translate(key, **{name: said(value) for name, value in values.items()})


def in_groups(text: str, size: int = 4) -> Sequence[str]:
    """A long row of letters in groups that an eye can compare."""
    return [text[start : start + size] for start in range(0, len(text), size)]
