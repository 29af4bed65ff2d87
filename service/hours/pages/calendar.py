"""A shift as a calendar file (RFC 5545), so that it can be kept beside everything else one has promised."""

from datetime import UTC, datetime

from service.hours.queries import ShiftView

_LINE_OCTETS = 74


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(escaped.splitlines())


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _folded(line: str) -> str:
    """Lines are at most 75 octets; a continuation begins with a space and never splits a character."""
    pieces, piece = [], ""
    for character in line:
        if len((piece + character).encode()) > _LINE_OCTETS:
            pieces.append(piece)
            piece = " "
        piece += character
    return "\r\n".join([*pieces, piece])


def calendar_file(shift: ShiftView, *, url: str, now: datetime) -> bytes:
    """The shift with its place and contact; reading it twice updates the entry instead of doubling it."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Linli//hours//ZH",
        "BEGIN:VEVENT",
        f"UID:{shift.shift_id.hex}@linli",
        f"SEQUENCE:{shift.revision}",
        f"DTSTAMP:{_instant(now)}",
        f"DTSTART:{_instant(shift.starts_at)}",
        f"DTEND:{_instant(shift.ends_at)}",
        f"SUMMARY:{_text(shift.title)}",
        f"LOCATION:{_text(shift.place)}",
        f"DESCRIPTION:{_text(shift.contact_phone)}",
        f"URL:{url}",
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        "TRIGGER:-PT2H",
        f"DESCRIPTION:{_text(shift.title)}",
        "END:VALARM",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return ("\r\n".join(_folded(line) for line in lines) + "\r\n").encode()
