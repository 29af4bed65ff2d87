"""How numbers and times are said, cursors, keys and languages: what needs no app."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from service.kit import paging, words
from service.kit.crypto import (
    KEY_FILE,
    Keyring,
    KeysUnreadable,
    load_keyring,
    load_or_make_keyring,
    new_keyring,
    save_keyring,
)
from service.kit.i18n import _, current_locale, negotiate, ngettext, translate
from service.kit.ids import new_id
from service.kit.pages import safe_path
from service.kit.refusals import Invalid


@pytest.fixture
def english() -> Iterator[None]:
    chosen = current_locale.set("en")
    yield
    current_locale.reset(chosen)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0"),
        (1, "0.02"),
        (6, "0.1"),
        (30, "0.5"),
        (59, "0.98"),
        (60, "1"),
        (90, "1.5"),
        (100, "1.67"),
        (-90, "-1.5"),
        (61, "1.02"),
        (72, "1.2"),
        (60000, "1,000"),
        (60030, "1,000.5"),
        (-1, "-0.02"),
    ],
)
def test_minutes_are_said_as_hours(minutes: int, said: str) -> None:
    assert words.hours(minutes) == said


@pytest.mark.parametrize(
    ("hundredths", "said"),
    [(0, "0"), (1, "0.01"), (10, "0.1"), (1250, "12.5"), (100_000, "1,000"), (-5, "-0.05"), (-1250, "-12.5")],
)
def test_hundredths_are_said_as_points(hundredths: int, said: str) -> None:
    assert words.points(hundredths) == said


@pytest.mark.parametrize(
    ("fen", "said"), [(0, "0.00"), (5, "0.05"), (100, "1.00"), (123_456_789, "1,234,567.89"), (-5, "-0.05")]
)
def test_money_is_shown_whole(fen: int, said: str) -> None:
    assert words.yuan(fen) == said


def test_a_day_in_chinese() -> None:
    assert words.day(date(2026, 11, 29)) == "11 月 29 日 周日"
    assert words.day(date(2026, 1, 5), year=True) == "2026 年 1 月 5 日 周一"


def test_a_day_in_english(english: None) -> None:
    assert words.day(date(2026, 11, 29)) == "Sun 29 Nov"
    assert words.day(date(2026, 1, 5), year=True) == "Mon 5 Jan 2026"


def test_an_instant_is_said_on_the_communitys_clock(english: None) -> None:
    assert words.clock(datetime(2026, 11, 28, 16, 5, tzinfo=UTC)) == "0:05"
    assert words.when(datetime(2026, 11, 28, 16, 5, tzinfo=UTC)) == "Sun 29 Nov 0:05"


@pytest.mark.parametrize(("name", "masked"), [("", ""), ("李", "李*"), ("李心愿", "李**"), ("欧阳", "欧*")])
def test_names_are_masked(name: str, masked: str) -> None:
    assert words.masked_name(name) == masked


@pytest.mark.parametrize(("phone", "masked"), [("13812345678", "138****5678"), ("1234567", "****"), ("", "****")])
def test_phones_are_masked(phone: str, masked: str) -> None:
    assert words.masked_phone(phone) == masked


def test_a_message_without_a_translation_is_said_as_it_stands(english: None) -> None:
    assert _("这句话没有人翻译") == "这句话没有人翻译"
    assert translate("refusal.there.is.none") == "refusal.there.is.none"
    assert ngettext("{n} 件没有人翻译", "{n} 件没有人翻译", 2) == "{n} 件没有人翻译"


@pytest.mark.parametrize(
    ("accepted", "chosen", "locale"),
    [
        (None, None, "zh-CN"),
        ("", None, "zh-CN"),
        ("en-GB,en;q=0.9", None, "en"),
        ("zh-TW", None, "zh-CN"),
        ("fr, en;q=0.3, zh;q=0.8", None, "zh-CN"),
        ("zh;q=0.2,en;q=0.7", None, "en"),
        ("en;q=0", None, "zh-CN"),
        ("en;q=nonsense", None, "zh-CN"),
        ("fr", None, "zh-CN"),
        ("en", "zh-CN", "zh-CN"),
        ("zh", "en", "en"),
        ("en", "fr", "en"),
        (";;;,,,q=", None, "zh-CN"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(accepted: str | None, chosen: str | None, locale: str) -> None:
    assert negotiate(accepted, chosen) == locale


@pytest.mark.parametrize("path", ["/", "/me", "/desk?kind=wish&x=%2F", "/心愿", "/a//b", "/%5Cevil.example"])
def test_a_path_of_this_site_is_followed(path: str) -> None:
    assert safe_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        None,
        "me",
        "//evil.example",
        "/\\evil.example",
        "\\/evil",
        "/a\\b",
        "https://evil.example",
        "javascript:x",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\x00",
        "/\u2028",
        " /me",
        "/\u202e",
        "///evil.example",
    ],
)
def test_a_path_that_might_leave_the_site_is_not(path: str | None) -> None:
    assert safe_path(path) == "/"


def test_a_cursor_comes_back_as_it_went() -> None:
    cursor = paging.encode_cursor("中 文", 2**63 - 1)

    assert paging.decode_cursor(cursor, str, int) == ("中 文", 2**63 - 1)
    assert paging.decode_cursor(None, str) is None
    assert paging.decode_cursor("", str) is None


def _unsealed(values: object) -> str:
    return base64.urlsafe_b64encode(b"123456789" + json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "====",
        "中文",
        "a" * 9999,
        "\x00",
        _unsealed(["a", 2]),
        _unsealed(["a", 10**30]),
        _unsealed(["a", True]),
        _unsealed({"a": 1}),
        _unsealed(["\x00", 2]),
        "W" * 40000,
        base64.urlsafe_b64encode(b"[" * 50000).decode(),
    ],
)
def test_a_made_up_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refused:
        paging.decode_cursor(cursor, str, int)

    assert refused.value.problems == {"after": "cursor"}


def test_a_changed_cursor_and_one_of_another_list_are_refused() -> None:
    ours = paging.encode_cursor("a", 2)
    for wrong in (ours[:-1], ours + "A", ("B" if ours[0] == "A" else "A") + ours[1:]):
        with pytest.raises(Invalid):
            paging.decode_cursor(wrong, str, int)
    for types in ((str,), (int, str), (str, int, int)):
        with pytest.raises(Invalid):
            paging.decode_cursor(ours, *types)


def test_a_page_knows_whether_more_follows() -> None:
    full = paging.page_of([1, 2, 3], str, size=2)
    last = paging.page_of([1, 2], str, size=2)

    assert (full.rows, full.next) == ([1, 2], "2")
    assert (last.rows, last.next) == ([1, 2], None)
    assert paging.page_of([], str).next is None


ONE = Keyring(current=1, roots={1: bytes(range(32))})
TWO = Keyring(current=2, roots={1: bytes(range(32)), 2: bytes(range(1, 33))})


def test_a_sealed_field_opens_in_its_own_place_only() -> None:
    sealed = ONE.seal("李心愿", "member:1:name")

    assert ONE.open(sealed, "member:1:name") == "李心愿"
    assert "李心愿".encode() not in sealed
    assert ONE.seal("李心愿", "member:1:name") != sealed
    with pytest.raises(InvalidTag):
        ONE.open(sealed, "member:2:name")
    with pytest.raises(InvalidTag):
        ONE.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "member:1:name")


def test_after_a_rotation_old_fields_open_and_new_ones_are_sealed_by_the_new_root() -> None:
    old = ONE.seal("李心愿", "x")

    assert TWO.open(old, "x") == "李心愿"
    assert (old[0], TWO.seal("李心愿", "x")[0]) == (1, 2)


def test_indexes_and_tokens_stay_the_same_through_a_rotation() -> None:
    assert ONE.blind("phone", "13812345678") == TWO.blind("phone", "13812345678")
    assert ONE.token_hash("token") == TWO.token_hash("token")
    assert ONE.blind("phone", "1") != ONE.blind("card", "1")
    assert set(TWO.keys("voucher")) == {1, 2}


def test_a_key_file_is_private_and_comes_back(tmp_path: Path) -> None:
    made = load_or_make_keyring(tmp_path / "keys")

    assert load_or_make_keyring(tmp_path / "keys") == load_keyring(tmp_path / "keys") == made
    assert (tmp_path / "keys" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert [file.name for file in (tmp_path / "keys").iterdir()] == [KEY_FILE]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"current": 1}',
        '{"current": 2, "keys": {"1": "' + "A" * 43 + '="}}',
        '{"current": 1, "keys": {"1": "c2hvcnQ="}}',
        '{"current": 1, "keys": [1]}',
        '{"current": 1, "keys": {"1": 5}}',
    ],
)
def test_a_damaged_key_file_is_refused_and_kept(tmp_path: Path, text: str) -> None:
    (tmp_path / KEY_FILE).write_text(text)

    with pytest.raises(KeysUnreadable):
        load_or_make_keyring(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == text


def test_a_fresh_keyring_is_like_no_other(tmp_path: Path) -> None:
    first, second = new_keyring(), new_keyring()
    save_keyring(first, tmp_path)

    assert first.roots != second.roots
    assert load_keyring(tmp_path) == first


def test_ids_are_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(100)]

    assert {value.version for value in made} == {7}
    assert len(set(made)) == 100
    assert [value.int >> 80 for value in made] == sorted(value.int >> 80 for value in made)


@pytest.mark.parametrize(
    ("number", "read_out"),
    [("+8619900000001", "199 0000 0001"), ("19900000001", "199 0000 0001"), ("+85212345678", "+85212345678")],
)
def test_a_phone_number_is_read_out_in_groups(number: str, read_out: str) -> None:
    assert words.phone(number) == read_out
