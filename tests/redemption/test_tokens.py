"""Codes on a phone, on paper and typed. No database, no luck."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redemption.tokens import (
    ALPHABET,
    CodeKeys,
    CodeVerdict,
    ReadCode,
    code_url,
    in_groups,
    is_short_code,
    new_short_code,
    next_step_at,
    phone_code,
    printed_code,
    read_code,
)

KEYS = CodeKeys(current=1, keys={1: b"k" * 32})
NOW = datetime(2025, 11, 22, 6, 0, 0, tzinfo=UTC)
VOUCHER, SEQ, TOWN = 2**63 - 5, 3, 7


def shown(now: datetime = NOW, keys: CodeKeys = KEYS) -> str:
    return phone_code(keys, community_id=TOWN, voucher_id=VOUCHER, code_seq=SEQ, now=now)


def printed(keys: CodeKeys = KEYS) -> str:
    return printed_code(keys, community_id=TOWN, voucher_id=VOUCHER, code_seq=SEQ)


def read(text: str, *, now: datetime = NOW, keys: CodeKeys = KEYS, town: int = TOWN) -> ReadCode:
    return read_code(text, keys, community_id=town, now=now)


@pytest.mark.parametrize("code", [shown(), printed()], ids=["phone", "printed"])
def test_a_code_is_read_in_every_writing(code: str) -> None:
    verdict = CodeVerdict.PHONE if code.startswith("R") else CodeVerdict.PRINTED
    url = code_url("https://linli.example.cn", code)
    for text in (code, url, url.lower(), f"/V/{code}", in_groups(code), f"  {code.lower()}\r\n", in_groups(url)):
        assert read(text) == ReadCode(verdict, VOUCHER, SEQ), text


def test_a_phones_code_lives_sixty_to_ninety_seconds() -> None:
    code = shown()
    for seconds in (-60, -30, 0, 29, 60, 89):
        assert read(code, now=NOW + timedelta(seconds=seconds)).verdict is CodeVerdict.PHONE, seconds
    for seconds in (-61, 90, 600):
        assert read(code, now=NOW + timedelta(seconds=seconds)).verdict is CodeVerdict.STALE, seconds
    late_in_its_step = shown(NOW + timedelta(seconds=29))
    assert read(late_in_its_step, now=NOW + timedelta(seconds=89)).verdict is CodeVerdict.PHONE


def test_an_old_screenshot_is_as_good_as_a_forgery() -> None:
    assert read(shown(), now=NOW + timedelta(days=1)) == ReadCode(CodeVerdict.FORGED)


def test_paper_does_not_age_but_is_not_a_phone() -> None:
    assert read(printed(), now=NOW + timedelta(days=6)).verdict is CodeVerdict.PRINTED
    assert read("R" + printed()[1:]).verdict is CodeVerdict.MALFORMED
    assert read("P" + shown()[1:]).verdict is CodeVerdict.MALFORMED


def test_a_code_of_one_community_is_a_forgery_in_another() -> None:
    assert read(shown(), town=TOWN + 1).verdict is CodeVerdict.FORGED
    assert read(printed(), town=TOWN + 1).verdict is CodeVerdict.FORGED


def test_keys_change_and_old_codes_are_read_until_the_old_key_goes() -> None:
    rotated = CodeKeys(current=2, keys={1: b"k" * 32, 2: b"n" * 32})
    assert read(printed(), keys=rotated).verdict is CodeVerdict.PRINTED
    assert read(printed(rotated), keys=rotated).verdict is CodeVerdict.PRINTED
    assert printed(rotated) != printed()
    assert read(printed(), keys=CodeKeys(current=2, keys={2: b"n" * 32})).verdict is CodeVerdict.FORGED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "R",
        "hello",
        "/V/",
        "HTTPS://LINLI.EXAMPLE.CN/V/",
        shown()[:-1],
        shown() + "2",
        "X" + shown()[1:],
        "0" * 29,
        "券码",
        "R" + "Z" * 28,
        "P" + "Z" * 31,
    ],
)
def test_what_is_no_code_is_malformed(text: str) -> None:
    assert read(text) == ReadCode(CodeVerdict.MALFORMED)


@given(place=st.integers(1, 28), character=st.sampled_from(ALPHABET))
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
    for code in (phone_code(KEYS, **who, now=NOW), printed_code(KEYS, **who)):
        found = read(code, town=town)
        assert (found.voucher_id, found.code_seq) == (voucher_id, code_seq)
        assert len(code) == (29 if code[0] == "R" else 32)


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
    assert next_step_at(NOW) == int(NOW.timestamp()) + 30
    assert next_step_at(NOW + timedelta(seconds=29)) == int(NOW.timestamp()) + 30
