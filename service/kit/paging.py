"""Keyset paging: a page costs the same wherever it lies, and a cursor is opaque to whoever carries it."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.kit.refusals import Invalid

T = TypeVar("T")

PAGE_SIZE = 50
"""Rows on one page of any list."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows and the cursor that leads to the rest, or None at the end."""

    rows: Sequence[T]
    next: str | None


def encode_cursor(*values: str | int) -> str:
    """The values of the last row's sort key, as one URL-safe word."""
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: type[str] | type[int]) -> tuple[str | int, ...] | None:
    """The values of a cursor, or None for the first page; anything but our own cursor is refused as invalid."""
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, UnicodeDecodeError) as problem:
        raise Invalid({"after": "cursor"}) from problem
    if not isinstance(values, list) or [type(value) for value in values] != list(types):
        raise Invalid({"after": "cursor"})
    return tuple(values)


def page_of(rows: Sequence[T], cursor_of: Callable[[T], str], size: int = PAGE_SIZE) -> Page[T]:
    """A page from a query that asked for one row more than `size`."""
    shown = rows[:size]
    return Page(rows=shown, next=cursor_of(shown[-1]) if len(rows) > size else None)
