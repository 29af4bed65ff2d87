"""The numbers of voucher keys: given, rotated, withdrawn, and never in the database."""

from datetime import timedelta
from pathlib import Path

import pytest

from service.kit import issuers
from service.kit.crypto import Keyring, KeysUnreadable, load_keyring, new_keyring, save_keyring
from tests.cast import START


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """A fresh installation's keys, in their folder."""
    save_keyring(new_keyring(), tmp_path)
    return load_keyring(tmp_path)


def test_without_a_file_each_root_has_its_number_and_makes_the_codes_it_always_made(keyring: Keyring) -> None:
    assert [each.number for each in issuers.issuers(keyring)] == [1]
    assert issuers.secrets_of(keyring) == keyring.keys("voucher")
    assert [each.number for each in issuers.issuers(Keyring(2, {1: bytes(32), 2: bytes(32)}))] == [1, 2]


def test_a_new_number_waits_for_the_leases_and_the_old_one_is_kept_for_its_papers(keyring: Keyring) -> None:
    made = issuers.rotate(keyring, now=START)
    first, second = issuers.issuers(keyring)

    assert second == made
    assert made.valid_from - START == issuers.ROTATION_AHEAD > timedelta(hours=72 + 4)
    assert first.valid_until == made.valid_from + issuers.OLD_KEPT
    assert first.is_good(made.valid_from)
    assert not first.is_good(made.valid_from + issuers.OLD_KEPT)
    assert len(set(issuers.secrets_of(keyring).values())) == 2
    assert (keyring.folder / issuers.ISSUER_FILE).stat().st_mode & 0o777 == 0o600  # type: ignore[operator]


def test_a_withdrawn_number_leaves_another_that_makes_codes_at_once(keyring: Keyring) -> None:
    made = issuers.revoke(keyring, 1, reason="sent by mail", now=START)

    assert made is not None
    assert (made.number, made.valid_from, made.is_good(START)) == (2, START, True)
    gone = issuers.issuers(keyring)[0]
    assert (gone.revoked_at, gone.reason, gone.is_good(START)) == (START, "sent by mail", False)
    with pytest.raises(issuers.IssuerUnknown):
        issuers.revoke(keyring, 1, reason="again", now=START)
    with pytest.raises(issuers.IssuerUnknown):
        issuers.revoke(keyring, 9, reason="unknown", now=START)


def test_an_older_number_is_withdrawn_and_the_newer_goes_on(keyring: Keyring) -> None:
    issuers.rotate(keyring, now=START, ahead=timedelta(0))

    assert issuers.revoke(keyring, 1, reason="old", now=START + timedelta(days=1)) is None
    assert [each.number for each in issuers.issuers(keyring)] == [1, 2]


def test_a_number_is_never_given_twice_and_there_are_255(keyring: Keyring) -> None:
    for _ in range(254):
        issuers.rotate(keyring, now=START)
    with pytest.raises(issuers.NumbersUsedUp):
        issuers.rotate(keyring, now=START)
    assert len(set(issuers.secrets_of(keyring).values())) == 255


def test_the_same_roots_make_the_same_secret_again(keyring: Keyring, tmp_path: Path) -> None:
    issuers.rotate(keyring, now=START)
    before = issuers.secrets_of(keyring)
    file = tmp_path / issuers.ISSUER_FILE
    text = file.read_text()
    other = tmp_path / "other"
    save_keyring(keyring, other)
    (other / issuers.ISSUER_FILE).write_text(text)

    assert issuers.secrets_of(load_keyring(other)) == before


def test_a_damaged_file_is_never_taken_for_none(keyring: Keyring, tmp_path: Path) -> None:
    (tmp_path / issuers.ISSUER_FILE).write_text("{")

    with pytest.raises(KeysUnreadable):
        issuers.issuers(keyring)
