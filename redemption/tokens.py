"""Voucher codes: made and checked with a key and the time, without a database.

Six things look alike and are told apart by shape:

- the phone's code, `/V/R…`: changes every minute and is accepted a minute before and after its own;
- the printed code, `/V/P…`: stays the same until the voucher's code_seq moves on, good online only;
- the signed code, `/V/S…`: printed too, for what a shop may take without a network; anybody with the public key checks it;
- a member's card, `/V/C…`: says who somebody is and is worth nothing without their PIN, online only;
- the short code, nine characters that are typed: a random handle with a check character, good online only;
- everything else, which is malformed.

All but the short one carry the number of their key. R and P are one integer in base 31: digits and letters without 0, 1, I, L
and O, so that a person can read them aloud; S is base 32. All keep a QR code in its alphanumeric mode. The community is
mixed into the key, or what is signed, and not written down: a code of one community is a forgery in every other.

The phone's value is a link of a hash chain (docs/decisions/0030). A day has six windows of 240 minutes; each window has a
seed, the value at its minute k is the seed hashed 239 - k times, and hashing it k + 1 times more gives the window's anchor. Who
knows the anchor can check every minute and make none; who saw one minute's value knows only those before it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from redemption.letters import is_short_code, is_spelled, letters, number_of

if TYPE_CHECKING:
    from uuid import UUID

STEP_SECONDS: Final = 60
STEPS_AROUND: Final = 1
"""A code is accepted this many steps before and after its own: phones' clocks differ, and a queue takes its time."""
WINDOW_STEPS: Final = 240

CODE_SEQ_MAX: Final = 2**16 - 1
KEY_NUMBER_MAX: Final = 2**8 - 1
PATH: Final = "/V/"

_PHONE, _PRINTED, _SIGNED, _CARD = "R", "P", "S", "C"
_HEAD_BITS: Final = 8 + 64 + 16
_VALUE_BITS: Final = 64
_PACKED_LENGTH: Final = 31
"""As many characters of base 31 as the bits of head and value need."""
_SIGNATURE_BYTES: Final = 64
_SIGNED_BYTES: Final = 1 + 8 + 2 + 4 + 4 + 1 + _SIGNATURE_BYTES
_SIGNED_LENGTH: Final = -(-_SIGNED_BYTES * 8 // 5)


class CodeVerdict(StrEnum):
    """What a scanned or typed text turned out to be."""

    PHONE = "phone"
    PRINTED = "printed"
    SIGNED = "signed"
    CARD = "card"
    SHORT = "short"
    MALFORMED = "malformed"
    FORGED = "forged"
    STALE = "stale"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class CodeKeys:
    """The keys that make and check codes, by number 1 to 255. Old ones stay until the last voucher under them is over."""

    current: int
    keys: Mapping[int, bytes]
    since: Mapping[int, int] = field(default_factory=dict)
    """The Unix second from which a number makes codes; a number that is not here always could."""
    revoked: frozenset[int] = frozenset()
    """Numbers whose key got out: every code under them is refused, genuine or not."""

    def in_force(self, second: int) -> int:
        """The number that makes a code of this second. Whoever was told the next key in time need not be told the change."""
        if not self.since:
            return self.current
        usable = [(self.since.get(number, 0), number) for number in self.keys if number not in self.revoked]
        assert usable, "one key is always good"
        begun = [each for each in usable if each[0] <= second]
        return max(begun)[1] if begun else min(usable)[1]


@dataclass(frozen=True, slots=True)
class ReadCode:
    """A phone or printed code names voucher_id and code_seq, a short code only itself; all else names nothing.

    A card's voucher_id is the card's handle, its code_seq how often it was printed.
    """

    verdict: CodeVerdict
    voucher_id: int | None = None
    code_seq: int | None = None
    short_code: str | None = None


def phone_code(keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int, now: datetime) -> str:
    """The code to show now, without the path; `code_url` makes the text of the QR."""
    window, minute = divmod(_step(now), WINDOW_STEPS)
    number = keys.in_force(_began(window))
    seed = _seed(_voucher_key(keys.keys[number], community_id, voucher_id), community_id, voucher_id, code_seq, window)
    return _packed(_PHONE, number, voucher_id, code_seq, _hashed(voucher_id, seed, WINDOW_STEPS - 1 - minute))


def printed_code(keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int) -> str:
    """The code for paper. It never changes; printing again raises code_seq, which makes this one outdated."""
    number = keys.current
    return _packed(
        _PRINTED,
        number,
        voucher_id,
        code_seq,
        _printed_value(_PRINTED, _voucher_key(keys.keys[number], community_id, voucher_id), code_seq),
    )


def card_code(keys: CodeKeys, *, community_id: int, handle: int, card_seq: int) -> str:
    """The code on a member's card. The handle is random, of 63 bits, and says nothing about anybody."""
    number = keys.current
    key = _voucher_key(keys.keys[number], community_id, handle)
    return _packed(_CARD, number, handle, card_seq, _printed_value(_CARD, key, card_seq))


def signed_code(
    keys: CodeKeys,
    *,
    community_id: int,
    voucher_id: int,
    code_seq: int,
    offer_id: UUID,
    expires_at: datetime,
    quantity: int,
) -> str:
    """The code for paper that a shop may take without a network.

    key number 8 bits · voucher id 64 · code_seq 16 · number of the offer 32 · expiry in Unix minutes, rounded down, 32 ·
    quantity 8 · Ed25519 signature 512, over `linli voucher 1|COMMUNITY|` and the bytes before it. `quantity` is how many
    pieces the voucher had when it was printed, at most 255.
    """
    _checked(voucher_id, code_seq, keys.current)
    head = (
        keys.current.to_bytes(1, "big")
        + voucher_id.to_bytes(8, "big")
        + code_seq.to_bytes(2, "big")
        + offer_number(offer_id).to_bytes(4, "big")
        + (int(expires_at.timestamp()) // 60).to_bytes(4, "big")
        + min(quantity, 255).to_bytes(1, "big")
    )
    signature = _signing_key(keys.keys[keys.current]).sign(_signed_text(community_id, head))
    return _SIGNED + base64.b32encode(head + signature).decode().rstrip("=")


def offer_number(offer_id: UUID) -> int:
    """What a signed code calls an offer: 32 bits of SHA-256 over the id's bytes. A shop's phone has a list of those it takes."""
    return int.from_bytes(hashlib.sha256(offer_id.bytes).digest()[:4], "big")


def public_key(keys: CodeKeys, number: int) -> bytes:
    """The 32 bytes that check signed codes of this number."""
    return _signing_key(keys.keys[number]).public_key().public_bytes_raw()


def window_of(now: datetime) -> int:
    """The window of 240 minutes in which an instant lies, counted from 1970."""
    return _step(now) // WINDOW_STEPS


def seeds(
    keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int, first_window: int, count: int
) -> tuple[bytes, ...]:
    """The seeds of so many windows, 8 bytes each: for the member's own phone, which makes its codes of them with no network."""
    return tuple(
        _seed(
            _voucher_key(keys.keys[keys.in_force(_began(window))], community_id, voucher_id),
            community_id,
            voucher_id,
            code_seq,
            window,
        )
        for window in range(first_window, first_window + count)
    )


def anchors(
    keys: CodeKeys, *, community_id: int, voucher_id: int, code_seq: int, first_window: int, count: int
) -> tuple[bytes, ...]:
    """The anchors of so many windows, 8 bytes each: for a shop's phone, which checks codes with them and can make none.

    About 0.1 ms of one processor for each window.
    """
    made = seeds(
        keys,
        community_id=community_id,
        voucher_id=voucher_id,
        code_seq=code_seq,
        first_window=first_window,
        count=count,
    )
    return tuple(_hashed(voucher_id, seed, WINDOW_STEPS) for seed in made)


def key_numbers(keys: CodeKeys, *, first_window: int, count: int) -> tuple[int, ...]:
    """The numbers of the keys that make a phone's codes in these windows."""
    return tuple(keys.in_force(_began(window)) for window in range(first_window, first_window + count))


def code_url(origin: str, code: str) -> str:
    """The text of the QR: an upper-case URL at the community's own origin (scheme and host), which any camera can open."""
    return f"{origin.upper()}{PATH}{code}"


def next_step_at(now: datetime) -> int:
    """The Unix second in which the phone's code changes next."""
    return (_step(now) + 1) * STEP_SECONDS


def read_code(text: str, keys: CodeKeys, *, community_id: int, now: datetime) -> ReadCode:
    """Say what was scanned or typed: a whole URL, its path, or the bare code, in any case, with blanks or dashes.

    A forged code and one whose key is gone are the same to the outside; one under a revoked number says so, whatever it is.
    A stale one is genuine, but its minute is over. A phone's code costs at most 240 short hashes, a false one 20 more.
    """
    code = _tidy(text)
    if is_short_code(code):
        return ReadCode(CodeVerdict.SHORT, short_code=code)
    if code[:1] == _SIGNED:
        return _read_signed(code, keys, community_id)
    packed = _unpacked(code)
    if packed is None:
        return ReadCode(CodeVerdict.MALFORMED)
    marker, number, voucher_id, code_seq, value = packed
    if number in keys.revoked:
        return ReadCode(CodeVerdict.REVOKED)
    root = keys.keys.get(number)
    if root is None or not voucher_id:
        return ReadCode(CodeVerdict.FORGED)
    key = _voucher_key(root, community_id, voucher_id)
    if marker != _PHONE:
        same = hmac.compare_digest(_printed_value(marker, key, code_seq), value)
        genuine = CodeVerdict.PRINTED if marker == _PRINTED else CodeVerdict.CARD
        verdict = genuine if same else CodeVerdict.FORGED
    else:
        verdict = _check_phone(key, community_id, voucher_id, code_seq, value, _step(now))
    return ReadCode(verdict) if verdict is CodeVerdict.FORGED else ReadCode(verdict, voucher_id, code_seq)


def _read_signed(code: str, keys: CodeKeys, community_id: int) -> ReadCode:
    try:
        raw = base64.b32decode(code[1:] + "=" * (-len(code[1:]) % 8))
    except (binascii.Error, ValueError):
        return ReadCode(CodeVerdict.MALFORMED)
    # A last character with stray bits would be a second writing of the same code.
    if len(raw) != _SIGNED_BYTES or base64.b32encode(raw).decode().rstrip("=") != code[1:]:
        return ReadCode(CodeVerdict.MALFORMED)
    head, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    if head[0] in keys.revoked:
        return ReadCode(CodeVerdict.REVOKED)
    root = keys.keys.get(head[0])
    if root is None:
        return ReadCode(CodeVerdict.FORGED)
    try:
        _signing_key(root).public_key().verify(signature, _signed_text(community_id, head))
    except InvalidSignature:
        return ReadCode(CodeVerdict.FORGED)
    return ReadCode(CodeVerdict.SIGNED, int.from_bytes(head[1:9], "big"), int.from_bytes(head[9:11], "big"))


def _check_phone(key: bytes, community_id: int, voucher_id: int, code_seq: int, value: bytes, here: int) -> CodeVerdict:
    near = _values(key, community_id, voucher_id, code_seq, here - STEPS_AROUND, here + STEPS_AROUND)
    if any(hmac.compare_digest(each, value) for each in near):
        return CodeVerdict.PHONE
    # The steps further out are looked at only to tell a late code from a false one; neither is accepted.
    far = _values(key, community_id, voucher_id, code_seq, here - _STALE_STEPS, here + _STALE_STEPS)
    return CodeVerdict.STALE if any(hmac.compare_digest(each, value) for each in far) else CodeVerdict.FORGED


_STALE_STEPS: Final = 20
"""Twenty minutes: how far back a code is still recognised as one that was genuine once."""


def _values(key: bytes, community_id: int, voucher_id: int, code_seq: int, first: int, last: int) -> list[bytes]:
    """The chain's values of the steps from first to last, which may lie in two windows."""
    found = []
    for window in range(first // WINDOW_STEPS, last // WINDOW_STEPS + 1):
        low, high = max(first - window * WINDOW_STEPS, 0), min(last - window * WINDOW_STEPS, WINDOW_STEPS - 1)
        seed = _seed(key, community_id, voucher_id, code_seq, window)
        value = _hashed(voucher_id, seed, WINDOW_STEPS - 1 - high)
        found.append(value)
        for _ in range(high - low):
            value = _hashed(voucher_id, value, 1)
            found.append(value)
    return found


def _seed(key: bytes, community_id: int, voucher_id: int, code_seq: int, window: int) -> bytes:
    text = b"%d|%d|%d|%d" % (community_id, voucher_id, code_seq, window)
    return hmac.digest(key, text, "sha256")[:8]


def _hashed(voucher_id: int, value: bytes, times: int) -> bytes:
    prefix = voucher_id.to_bytes(8, "big")
    for _ in range(times):
        value = hashlib.sha256(prefix + value).digest()[:8]
    return value


def _checked(voucher_id: int, code_seq: int, number: int) -> None:
    assert 0 < voucher_id < 2**63, "a voucher id has 63 bits"
    assert 0 < code_seq <= CODE_SEQ_MAX, "a code_seq has 16 bits"
    assert 0 < number <= KEY_NUMBER_MAX, "a key number has 8 bits"


def _packed(marker: str, number: int, voucher_id: int, code_seq: int, value: bytes) -> str:
    _checked(voucher_id, code_seq, number)
    head = number << 80 | voucher_id << 16 | code_seq
    return marker + letters(head << _VALUE_BITS | int.from_bytes(value, "big"), _PACKED_LENGTH)


def _unpacked(code: str) -> tuple[str, int, int, int, bytes] | None:
    """Marker, key number, voucher id, code_seq and value; None for what is no such code."""
    if code[:1] not in {_PHONE, _PRINTED, _CARD} or len(code) != 1 + _PACKED_LENGTH or not is_spelled(code):
        return None
    number = number_of(code[1:])
    if number >> (_HEAD_BITS + _VALUE_BITS):
        return None
    head, value = number >> _VALUE_BITS, number & (1 << _VALUE_BITS) - 1
    return code[0], head >> 80, head >> 16 & (1 << 64) - 1, head & 0xFFFF, value.to_bytes(8, "big")


def _voucher_key(root: bytes, community_id: int, voucher_id: int) -> bytes:
    return hmac.digest(root, b"linli voucher code 1|%d|%d" % (community_id, voucher_id), "sha256")


def _printed_value(marker: str, key: bytes, code_seq: int) -> bytes:
    return hmac.digest(key, b"%s|%d|0" % (marker.encode(), code_seq), "sha256")[:8]


@lru_cache(maxsize=256)
def _signing_key(root: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(root, b"linli voucher signature 1", "sha256"))


def _signed_text(community_id: int, head: bytes) -> bytes:
    return b"linli voucher 1|%d|" % community_id + head


def _step(now: datetime) -> int:
    assert now.tzinfo is not None, "an instant needs its zone"
    return int(now.timestamp()) // STEP_SECONDS


def _began(window: int) -> int:
    return window * WINDOW_STEPS * STEP_SECONDS


def _tidy(text: str) -> str:
    """The code inside what a camera, a hardware scanner or a person gave us."""
    upper = "".join(text.split()).upper()
    _, _, after = upper.rpartition(PATH)
    return after.replace("-", "")
