"""Tickets that enrol a shop's phone: letters with the community inside, so that no session is needed. Without a database."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from redemption.letters import is_spelled, letters, number_of

TICKET_LENGTH: Final = 20
_SECRET_BITS: Final = 51
_COMMUNITY_BITS: Final = 48


def new_ticket(community_id: int) -> str:
    """Twenty letters: the community and 51 random bits, which are good for one phone and fifteen minutes."""
    assert 0 < community_id < 1 << _COMMUNITY_BITS, "a community's number has twelve digits"
    return letters(community_id << _SECRET_BITS | secrets.randbits(_SECRET_BITS), TICKET_LENGTH)


def read_ticket(text: str) -> tuple[int, bytes] | None:
    """The community of a ticket and the digest that is kept of it, in any case and with blanks; nothing when it is none."""
    typed = "".join(text.split()).upper()
    if len(typed) != TICKET_LENGTH or not is_spelled(typed):
        return None
    community_id = number_of(typed) >> _SECRET_BITS
    return (community_id, hashlib.sha256(typed.encode()).digest()) if 0 < community_id < 1 << _COMMUNITY_BITS else None
