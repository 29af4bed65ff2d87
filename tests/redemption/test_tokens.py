"""Codes on a phone, on paper and typed. No database, no luck."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from redemption.letters import ALPHABET, in_groups, is_short_code, new_short_code
from redemption.tokens import (
    CodeKeys,
    CodeVerdict,
    ReadCode,
    anchors,
    code_url,
    key_numbers,
    next_step_at,
    offer_number,
    phone_code,
    printed_code,
    public_key,
    read_code,
    seeds,
    signed_code,
    window_of,
)

KEYS = CodeKeys(current=1, keys={1: b"k" * 32})
NOW = datetime(2025, 11, 22, 6, 0, 0, tzinfo=UTC)
VOUCHER, SEQ, TOWN = 2**63 - 5, 3, 7


def shown(now: datetime = NOW, keys: CodeKeys = KEYS) -> str:
    return phone_code(keys, community_id=TOWN, voucher_id=VOUCHER, code_seq=SEQ, now=now)


def printed(keys: CodeKeys = KEYS) -> str:
    return printed_code(keys, community_id=TOWN, voucher_id=VOUCHER, code_seq=SEQ)


OFFER = UUID("0195d000-0000-7000-8000-000000000001")
ENDS = datetime(2025, 12, 31, 16, 0, 30, tzinfo=UTC)


def signed(keys: CodeKeys = KEYS) -> str:
    return signed_code(
        keys, community_id=TOWN, voucher_id=VOUCHER, code_seq=SEQ, offer_id=OFFER, expires_at=ENDS, quantity=2
    )


def read(text: str, *, now: datetime = NOW, keys: CodeKeys = KEYS, town: int = TOWN) -> ReadCode:
    return read_code(text, keys, community_id=town, now=now)


@pytest.mark.parametrize("code", [shown(), printed(), signed()], ids=["phone", "printed", "signed"])
def test_a_code_is_read_in_every_writing(code: str) -> None:
    verdict = {"R": CodeVerdict.PHONE, "P": CodeVerdict.PRINTED, "S": CodeVerdict.SIGNED}[code[0]]
    url = code_url("https://linli.example.cn", code)
    for text in (code, url, url.lower(), f"/V/{code}", in_groups(code), f"  {code.lower()}\r\n", in_groups(url)):
        assert read(text) == ReadCode(verdict, VOUCHER, SEQ), text


def test_a_phones_code_lives_a_minute_and_one_to_each_side() -> None:
    code = shown()
    for seconds in (-60, -30, 0, 29, 60, 119):
        assert read(code, now=NOW + timedelta(seconds=seconds)).verdict is CodeVerdict.PHONE, seconds
    for seconds in (-61, 120, 600):
        assert read(code, now=NOW + timedelta(seconds=seconds)).verdict is CodeVerdict.STALE, seconds
    late_in_its_step = shown(NOW + timedelta(seconds=59))
    assert read(late_in_its_step, now=NOW + timedelta(seconds=119)).verdict is CodeVerdict.PHONE


def test_the_last_minute_of_a_window_is_good_in_the_first_of_the_next_and_the_other_way_round() -> None:
    edge = datetime.fromtimestamp((window_of(NOW) + 1) * 240 * 60, UTC)
    before, after = edge - timedelta(seconds=1), edge + timedelta(seconds=1)

    assert window_of(after) == window_of(before) + 1
    assert read(shown(before), now=after).verdict is CodeVerdict.PHONE
    assert read(shown(after), now=before).verdict is CodeVerdict.PHONE
    assert read(shown(before), now=after + timedelta(minutes=5)).verdict is CodeVerdict.STALE


def chain_value(code: str) -> bytes:
    number = 0
    for character in code[1:]:
        number = number * 31 + ALPHABET.index(character)
    return (number & 2**64 - 1).to_bytes(8, "big")


def hashed(value: bytes, times: int) -> bytes:
    for _ in range(times):
        value = hashlib.sha256(VOUCHER.to_bytes(8, "big") + value).digest()[:8]
    return value


def test_who_has_the_anchor_checks_every_minute_and_who_has_the_seed_makes_it() -> None:
    first = window_of(NOW)
    known = {"community_id": TOWN, "voucher_id": VOUCHER, "code_seq": SEQ, "first_window": first, "count": 2}
    ends, begins = anchors(KEYS, **known), seeds(KEYS, **known)

    for minute in (0, 1, 119, 239):
        at = datetime.fromtimestamp((first * 240 + minute) * 60, UTC)
        value = chain_value(shown(at))
        assert hashed(value, minute + 1) == ends[0]
        assert hashed(begins[0], 239 - minute) == value
    assert chain_value(shown(datetime.fromtimestamp((first + 1) * 14400, UTC))) == hashed(begins[1], 239)
    assert {len(each) for each in (*ends, *begins)} == {8}


@pytest.mark.parametrize("minute", [0, 1, 120, 238, 239])
def test_a_good_code_costs_at_most_240_hashes_and_a_false_one_twenty_more(minute: int) -> None:
    at = datetime.fromtimestamp(window_of(NOW) * 14400 + minute * 60, UTC)
    good, false = shown(at), shown(at + timedelta(days=1))
    with patch("redemption.tokens.hashlib.sha256", wraps=hashlib.sha256) as counted:
        assert read(good, now=at).verdict is CodeVerdict.PHONE
        assert counted.call_count <= 240
        counted.reset_mock()
        assert read(false, now=at).verdict is CodeVerdict.FORGED
        assert counted.call_count <= 2 * 240 + 20


def test_an_old_screenshot_is_as_good_as_a_forgery() -> None:
    assert read(shown(), now=NOW + timedelta(days=1)) == ReadCode(CodeVerdict.FORGED)


def test_paper_does_not_age_but_is_not_a_phone() -> None:
    assert read(printed(), now=NOW + timedelta(days=6)).verdict is CodeVerdict.PRINTED
    assert read("R" + printed()[1:]).verdict is CodeVerdict.FORGED
    assert read("P" + shown()[1:]).verdict is CodeVerdict.FORGED


def test_a_code_of_one_community_is_a_forgery_in_another() -> None:
    assert read(shown(), town=TOWN + 1).verdict is CodeVerdict.FORGED
    assert read(printed(), town=TOWN + 1).verdict is CodeVerdict.FORGED
    assert read(signed(), town=TOWN + 1).verdict is CodeVerdict.FORGED


def test_keys_change_and_old_codes_are_read_until_the_old_key_goes() -> None:
    rotated = CodeKeys(current=2, keys={1: b"k" * 32, 2: b"n" * 32})
    assert read(printed(), keys=rotated).verdict is CodeVerdict.PRINTED
    assert read(printed(rotated), keys=rotated).verdict is CodeVerdict.PRINTED
    assert printed(rotated) != printed()
    assert read(printed(), keys=CodeKeys(current=2, keys={2: b"n" * 32})).verdict is CodeVerdict.FORGED


def test_a_withdrawn_key_says_so_and_names_nothing() -> None:
    keys = CodeKeys(current=2, keys={2: b"n" * 32}, revoked=frozenset({1}))
    for code in (shown(), printed(), signed()):
        assert read(code, keys=keys) == ReadCode(CodeVerdict.REVOKED)
    assert read(shown(keys=keys), keys=keys).verdict is CodeVerdict.PHONE


def test_a_new_key_begins_with_a_window_so_that_anchors_that_were_given_stay_true() -> None:
    begins = window_of(NOW) + 3
    second = begins * 14400 - 100
    keys = CodeKeys(current=2, keys={1: b"k" * 32, 2: b"n" * 32}, since={1: 0, 2: second})

    assert key_numbers(keys, first_window=begins - 2, count=4) == (1, 1, 2, 2)
    for at, number in ((second - 1, 1), (second + 1, 1), (begins * 14400, 2)):
        now = datetime.fromtimestamp(at, UTC)
        assert shown(now, keys) == shown(now, CodeKeys(number, keys.keys))
        assert read(shown(now, keys), keys=keys, now=now).verdict is CodeVerdict.PHONE
    gone = CodeKeys(current=2, keys=keys.keys, since=keys.since, revoked=frozenset({1}))
    assert key_numbers(gone, first_window=begins - 2, count=2) == (2, 2)


def test_a_signed_code_is_checked_with_the_public_key_alone() -> None:
    raw = base64.b32decode(signed()[1:] + "=" * (-len(signed()[1:]) % 8))
    head, signature = raw[:-64], raw[-64:]
    key = Ed25519PublicKey.from_public_bytes(public_key(KEYS, 1))

    key.verify(signature, b"linli voucher 1|7|" + head)
    with pytest.raises(InvalidSignature):
        key.verify(signature, b"linli voucher 1|8|" + head)
    assert head[0] == 1
    assert int.from_bytes(head[1:9], "big") == VOUCHER
    assert int.from_bytes(head[9:11], "big") == SEQ
    assert int.from_bytes(head[11:15], "big") == offer_number(OFFER)
    assert int.from_bytes(head[15:19], "big") * 60 == ENDS.timestamp() - 30
    assert head[19] == 2
    assert len(head) == 20
    assert len(signed()) == 136


@given(place=st.integers(1, 135), character=st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_no_single_change_makes_another_signed_code(place: int, character: str) -> None:
    code = signed()
    changed = code[:place] + character + code[place + 1 :]
    if changed != code:
        assert read(changed).verdict in (CodeVerdict.FORGED, CodeVerdict.MALFORMED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "R",
        "S",
        "S" + "A" * 134,
        "S" + "1" * 135,
        signed()[:-1],
        signed() + "A",
        "hello",
        "/V/",
        "HTTPS://LINLI.EXAMPLE.CN/V/",
        shown()[:-1],
        shown() + "2",
        "X" + shown()[1:],
        "0" * 29,
        "券码",
        "R" + "Z" * 31,
        "P" + "Z" * 31,
    ],
)
def test_what_is_no_code_is_malformed(text: str) -> None:
    assert read(text) == ReadCode(CodeVerdict.MALFORMED)


@given(place=st.integers(1, 31), character=st.sampled_from(ALPHABET))
def test_no_single_change_makes_another_valid_code(place: int, character: str) -> None:
    code = shown()
    changed = code[:place] + character + code[place + 1 :]
    if changed != code:
        assert read(changed).verdict in (CodeVerdict.FORGED, CodeVerdict.MALFORMED)


@given(st.text(max_size=80))
def test_nothing_that_anybody_types_breaks_the_reader(text: str) -> None:
    assert read(text).verdict not in (CodeVerdict.PHONE, CodeVerdict.PRINTED)


@given(voucher_id=st.integers(1, 2**63 - 1), code_seq=st.integers(1, 2**16 - 1), town=st.integers(1, 2**62))
def test_every_voucher_has_readable_codes(voucher_id: int, code_seq: int, town: int) -> None:
    who = {"community_id": town, "voucher_id": voucher_id, "code_seq": code_seq}
    paper = signed_code(KEYS, **who, offer_id=OFFER, expires_at=ENDS, quantity=1)
    for code in (phone_code(KEYS, **who, now=NOW), printed_code(KEYS, **who), paper):
        found = read(code, town=town)
        assert (found.voucher_id, found.code_seq) == (voucher_id, code_seq)
        assert len(code) == (136 if code[0] == "S" else 32)


def test_a_short_code_knows_a_slip_of_the_finger() -> None:
    for _ in range(200):
        code = new_short_code()
        assert is_short_code(code)
        assert read(in_groups(code).lower()) == ReadCode(CodeVerdict.SHORT, short_code=code)
        for place in range(8):
            swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            assert swapped == code or not is_short_code(swapped)
            for character in ALPHABET:
                changed = code[:place] + character + code[place + 1 :]
                assert changed == code or not is_short_code(changed)
    assert read("234567890").verdict is CodeVerdict.MALFORMED


def test_the_page_knows_when_the_next_code_comes() -> None:
    assert next_step_at(NOW) == int(NOW.timestamp()) + 60
    assert next_step_at(NOW + timedelta(seconds=59)) == int(NOW.timestamp()) + 60
