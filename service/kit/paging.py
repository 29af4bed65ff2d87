"""Keyset paging: a page costs the same wherever it lies, and a cursor is opaque to whoever carries it."""

import base64
import hmac
import json
import secrets
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


_MAC_BYTES = 9
_key = secrets.token_bytes(32)


def seal_cursors_with(key: bytes) -> None:
    """Let every process of an installation accept the others' cursors. Until then each knows only its own."""
    global _key  # noqa: PLW0603 (one installation has one key; handing it through every query would gain nothing)
    _key = key


def _mac(body: bytes) -> bytes:
    return hmac.digest(_key, body, "sha256")[:_MAC_BYTES]


def encode_cursor(*values: str | int) -> str:
    """The values of the last row's sort key, as one URL-safe word."""
    body = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mac(body) + body).decode().rstrip("=")


def decode_cursor(cursor: str | None, *types: type[str] | type[int]) -> tuple[str | int, ...] | None:
    """The values of a cursor, or None for the first page; anything but our own cursor is refused as invalid.

    It is sealed, so that queries may take its values as they come: what a person made up never reaches them.
    """
    if not cursor:
        return None
    try:
        whole = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError as problem:
        raise Invalid({"after": "cursor"}) from problem
    mac, body = whole[:_MAC_BYTES], whole[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(body)):
        raise Invalid({"after": "cursor"})
    values = json.loads(body)
    if [type(value) for value in values] != list(types):  # ours, and of another list
        raise Invalid({"after": "cursor"})
    return tuple(values)


def page_of(rows: Sequence[T], cursor_of: Callable[[T], str], size: int = PAGE_SIZE) -> Page[T]:
    """A page from a query that asked for one row more than `size`."""
    shown = rows[:size]
    return Page(rows=shown, next=cursor_of(shown[-1]) if len(rows) > size else None)
