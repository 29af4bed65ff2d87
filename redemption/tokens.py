"""Voucher codes: made and checked with a key and the time, without a database.

Four things look alike and are told apart by shape:

- the phone's code, `/V/R…`: changes every 30 seconds and is accepted for 60 to 90 of them;
- the printed code, `/V/P…`: stays the same until the voucher's code_seq moves on;
- the short code, nine characters that are typed: a random handle with a check character, good online only;
- everything else, which is malformed.

The first two carry the key's number, the voucher id, code_seq and a truncated HMAC, as one integer in base 31: digits and
letters without 0, 1, I, L and O, so that a person can read them aloud and a QR code stays in its alphanumeric mode. The
community is mixed into the key and not written down: a code of one community is a forgery in every other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 2
"""A code is accepted this many steps before and after its own: phones' clocks differ, and a queue takes its time."""

SHORT_CODE_LENGTH: Final = 9
CODE_SEQ_MAX: Final = 2**16 - 1
KEY_NUMBER_MAX: Final = 2**8 - 1
PATH: Final = "/V/"

_PHONE, _PRINTED = "R", "P"
_MAC_BITS: Final[Mapping[str, int]] = {_PHONE: 48, _PRINTED: 64}
"""A printed code lives for days, a phone's for a minute."""
_HEAD_BITS: Final = 8 + 64 + 16
_VALUES: Final[Mapping[str, int]] = {character: value for value, character in enumerate(ALPHABET)}


class CodeVerdict(StrEnum):
    """What a scanned or typed text turned out to be."""

    PHONE = "phone"
    PRINTED = "printed"
    SHORT = "short"
    MALFORMED = "malformed"
    FORGED = "forged"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """The keys that make and check codes, by number 1 to 255. Old ones stay until the last voucher under them is over."""

    current: int
    keys: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class ReadCode:
    """A phone or printed code names voucher_id and code_seq, a short code only itself; all else names nothing."""

    verdict: CodeVerdict
    voucher_id: int | None = None
    code_seq: int | None = None
    short_code: str | None = None


def phone_code(keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int, now: datetime) -> str:
    """The code to show now, without the path; `code_url` makes the text of the QR."""
    return _make(_PHONE, keys, community_id, voucher_id, code_seq, _step(now))


def printed_code(keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int) -> str:
    """The code for paper. It never changes; printing again raises code_seq, which makes this one outdated."""
    return _make(_PRINTED, keys, community_id, voucher_id, code_seq, 0)


def code_url(origin: str, code: str) -> str:
    """The text of the QR: an upper-case URL at the community's own origin (scheme and host), which any camera can open."""
    return f"{origin.upper()}{PATH}{code}"


def next_step_at(now: datetime) -> int:
    """The Unix second in which the phone's code changes next."""
    return (_step(now) + 1) * STEP_SECONDS


def read_code(text: str, keys: CodeKeys, *, community_id: int, now: datetime) -> ReadCode:
    """Say what was scanned or typed: a whole URL, its path, or the bare code, in any case, with blanks or dashes.

    A forged code and one whose key is gone are the same to the outside. A stale one is genuine, but its minute is over.
    """
    code = _tidy(text)
    if is_short_code(code):
        return ReadCode(CodeVerdict.SHORT, short_code=code)
    marker, mac_bits = code[:1], _MAC_BITS.get(code[:1])
    if mac_bits is None or len(code) != _code_length(mac_bits) or any(character not in _VALUES for character in code):
        return ReadCode(CodeVerdict.MALFORMED)
    packed = _number(code[1:])
    if packed >> (_HEAD_BITS + mac_bits):
        return ReadCode(CodeVerdict.MALFORMED)
    head, mac = packed >> mac_bits, packed & ((1 << mac_bits) - 1)
    key_number, voucher_id, code_seq = head >> 80, head >> 16 & (1 << 64) - 1, head & 0xFFFF
    root = keys.keys.get(key_number)
    verdict = CodeVerdict.FORGED
    if root is not None:
        verdict = _check(marker, _voucher_key(root, community_id, voucher_id), code_seq, mac, _step(now))
    return ReadCode(verdict) if verdict is CodeVerdict.FORGED else ReadCode(verdict, voucher_id, code_seq)


def _check(marker: str, key: bytes, code_seq: int, mac: int, here: int) -> CodeVerdict:
    if marker == _PRINTED:
        return CodeVerdict.PRINTED if _same(_mac(key, marker, code_seq, 0), mac) else CodeVerdict.FORGED
    # The steps further out are looked at only to tell a late code from a false one; neither is accepted.
    for distance in range(_STALE_STEPS + 1):
        for step in {here - distance, here + distance}:
            if _same(_mac(key, marker, code_seq, step), mac):
                return CodeVerdict.PHONE if distance <= STEPS_AROUND else CodeVerdict.STALE
    return CodeVerdict.FORGED


_STALE_STEPS: Final = 40
"""Twenty minutes: how far back a code is still recognised as one that was genuine once."""


def new_short_code() -> str:
    """Eight random characters and their check character."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(SHORT_CODE_LENGTH - 1))
    return body + _check_character(body)


def is_short_code(code: str) -> bool:
    """Whether the check character fits: one wrong character, or two swapped ones, never pass."""
    if len(code) != SHORT_CODE_LENGTH or any(character not in _VALUES for character in code):
        return False
    return _check_character(code[:-1]) == code[-1]


def in_groups(code: str) -> str:
    """A code as people read it, in groups of four."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def _make(marker: str, keys: CodeKeys, community_id: int, voucher_id: int, code_seq: int, step: int) -> str:
    assert 0 < voucher_id < 2**63, "a voucher id has 63 bits"
    assert 0 < code_seq <= CODE_SEQ_MAX, "a code_seq has 16 bits"
    assert 0 < keys.current <= KEY_NUMBER_MAX, "a key number has 8 bits"
    mac_bits = _MAC_BITS[marker]
    key = _voucher_key(keys.keys[keys.current], community_id, voucher_id)
    head = keys.current << 80 | voucher_id << 16 | code_seq
    return marker + _letters(head << mac_bits | _mac(key, marker, code_seq, step), _code_length(mac_bits) - 1)


def _voucher_key(root: bytes, community_id: int, voucher_id: int) -> bytes:
    return hmac.new(root, b"linli voucher code 1|%d|%d" % (community_id, voucher_id), hashlib.sha256).digest()


def _mac(key: bytes, marker: str, code_seq: int, step: int) -> int:
    digest = hmac.new(key, b"%s|%d|%d" % (marker.encode(), code_seq, step), hashlib.sha256).digest()
    return int.from_bytes(digest, "big") >> (256 - _MAC_BITS[marker])


def _same(one: int, other: int) -> bool:
    return hmac.compare_digest(one.to_bytes(8, "big"), other.to_bytes(8, "big"))


def _step(now: datetime) -> int:
    assert now.tzinfo is not None, "an instant needs its zone"
    return int(now.timestamp()) // STEP_SECONDS


def _code_length(mac_bits: int) -> int:
    """The marker, and as many characters of base 31 as the bits need."""
    length, room = 0, 1
    while room < 1 << (_HEAD_BITS + mac_bits):
        length, room = length + 1, room * len(ALPHABET)
    return 1 + length


def _letters(number: int, length: int) -> str:
    characters = []
    for _ in range(length):
        number, value = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[value])
    return "".join(reversed(characters))


def _number(characters: str) -> int:
    number = 0
    for character in characters:
        number = number * len(ALPHABET) + _VALUES[character]
    return number


def _check_character(body: str) -> str:
    """31 is prime and the weights differ, so a swap or a slip always changes the sum."""
    total = sum(weight * _VALUES[character] for weight, character in enumerate(body, start=1))
    return ALPHABET[total % len(ALPHABET)]


def _tidy(text: str) -> str:
    """The code inside what a camera, a hardware scanner or a person gave us."""
    upper = "".join(text.split()).upper()
    _, _, after = upper.rpartition(PATH)
    return after.replace("-", "")
