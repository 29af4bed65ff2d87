"""Identifiers that sort by the moment they were made."""

import secrets
import time
from uuid import UUID


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness.

    The time inside only keeps index pages together; nothing may read an order or an instant out of it.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
