"""Columns of a batch as PostgreSQL's array literals.

The driver looks at every element of every array, to learn its shape, before it packs it: a third of the time that a posting
costs this process. A literal is one string; the server takes it apart faster than it was put together.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

_HARD = str.maketrans({"\\": "\\\\", '"': '\\"'})


def storable(text: str) -> str:
    """The text, or one that is refused just as surely, or found as little, and fits the wire.

    A database takes no NUL and no half of a pair, and no name, reference or reason has a control character.
    """
    if text.isascii() and "\0" not in text:
        return text
    return "".join("\x01" if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)


def of_texts(values: Sequence[str | None]) -> str:
    """An array of texts, each made storable."""
    if not values:
        return "{}"
    if None in values:
        parts = ("NULL" if value is None else f'"{value.translate(_HARD)}"' for value in values)
        return storable("{" + ",".join(parts) + "}")
    joined = '","'.join(values)  # type: ignore[arg-type]  # None was looked for.
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join(value.translate(_HARD) for value in values if value is not None)
    return storable('{"' + joined + '"}')


def of_values(values: Sequence[int | UUID | datetime | None]) -> str:
    """An array of numbers, ids or times, which need no quotes."""
    if values.count(None) == len(values):
        return "{" + ",".join(["NULL"] * len(values)) + "}"
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def of_times(values: Sequence[datetime | None]) -> str:
    """An array of instants."""
    if values.count(None) == len(values):
        return of_values(values)
    return "{" + ",".join(["NULL" if value is None else value.isoformat() for value in values]) + "}"
