"""The codes that prove a moment at a place; pure, the key and the time are arguments.

Nothing of them is stored: the leader's phone and the check both compute them from the installation's key, the shift and
the number of the time step. A photo of the code is worthless a minute later.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from service.hours.rules import CODE_ALPHABET, PROOF_LENGTH, SHORT_CODE_LENGTH, TICKET_SECONDS

PURPOSE = "checkin"
"""The key ring's purpose behind every code here."""
MOMENT_DIGITS_MAX = 12


def new_short_code() -> str:
    """A fresh reference of a shift or a poster; the database keeps it unique in the community."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(SHORT_CODE_LENGTH))


def step_of(now: datetime, seconds: int) -> int:
    """The number of the time step an instant falls in."""
    return int(now.timestamp()) // seconds


def seconds_left(now: datetime, seconds: int) -> int:
    """How long the code that is shown now stays the newest one."""
    return seconds - int(now.timestamp()) % seconds


def _mac(key: bytes, *parts: object) -> int:
    text = "|".join(str(part) for part in parts).encode()
    return int.from_bytes(hmac.new(key, text, hashlib.sha256).digest()[:16])


def _spelt(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, len(CODE_ALPHABET))
        letters.append(CODE_ALPHABET[digit])
    return "".join(letters)


def proof(key: bytes, community_id: int, shift_id: UUID, step: int) -> str:
    """The changing part of the code in the QR."""
    return _spelt(_mac(key, "proof", community_id, shift_id.hex, step), PROOF_LENGTH)


def typed(key: bytes, community_id: int, shift_id: UUID, step: int) -> str:
    """The short code beside the QR, for typing; it changes with it."""
    return _spelt(_mac(key, "typed", community_id, shift_id.hex, step), SHORT_CODE_LENGTH)


def is_fresh(code: str, expected: Iterable[str]) -> bool:
    """True when the code is one of those that are good now; compares all of them in constant time."""
    found = [hmac.compare_digest(code, each) for each in expected]
    return any(found)


def good_steps(now: datetime, seconds: int) -> tuple[int, int, int]:
    """The steps whose codes are taken: the current one and one on either side, for slow hands and differing clocks."""
    step = step_of(now, seconds)
    return (step, step - 1, step + 1)


def ticket(key: bytes, community_id: int, shift_id: UUID, member_id: UUID, now: datetime) -> str:
    """What the page hands to somebody who opened it with a good code: time to read and to press the button.

    It is bound to the person and the shift, so passing it on helps nobody.
    """
    moment = int(now.timestamp())
    return f"{moment}-{_spelt(_mac(key, 'ticket', community_id, shift_id.hex, member_id.hex, moment), 16)}"


def ticket_is_good(text: str, key: bytes, community_id: int, shift_id: UUID, member_id: UUID, now: datetime) -> bool:
    """True while a ticket made for this person and shift has not run out."""
    head, _, tail = text.partition("-")
    if not (head.isascii() and head.isdigit() and len(head) <= MOMENT_DIGITS_MAX):
        return False
    moment = int(head)
    expected = _spelt(_mac(key, "ticket", community_id, shift_id.hex, member_id.hex, moment), 16)
    right = hmac.compare_digest(tail.encode(), expected.encode())
    return right and 0 <= int(now.timestamp()) - moment < TICKET_SECONDS
