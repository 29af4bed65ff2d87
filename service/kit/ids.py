"""Identifiers that sort by the moment they were made."""

import secrets
import time
from uuid import UUID, uuid5

_ACTS = UUID("0199f0a4-5d3c-7b1e-9c52-6a0d1f4e8b27")


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness.

    The time inside only keeps index pages together; nothing may read an order or an instant out of it.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def id_of_act(community_id: int, member_id: UUID, key: str) -> UUID:
    """The same id whenever the same person asks for the same thing again (UUIDv5, RFC 9562)."""
    return uuid5(_ACTS, f"{community_id} {member_id.hex} {key}")
