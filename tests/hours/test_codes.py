"""The code on the leader's phone proves a moment at a place, and nothing else opens the door."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from service.hours import codes
from service.hours.rules import CODE_ALPHABET, TICKET_SECONDS

KEY, OTHER_KEY = bytes(32), bytes([1]) * 32
SHIFT, OTHER_SHIFT, CHEN, SUN = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)
NOW = datetime(2026, 11, 23, 1, 0, 10, tzinfo=UTC)
SECONDS = 30


def shown(now: datetime, *, key: bytes = KEY, community: int = 7, shift: UUID = SHIFT) -> str:
    return codes.proof(key, community, shift, codes.step_of(now, SECONDS))


def is_good(code: str, now: datetime = NOW) -> bool:
    return codes.is_fresh(code, [codes.proof(KEY, 7, SHIFT, step) for step in codes.good_steps(now, SECONDS)])


@pytest.mark.parametrize("seconds", [0, -10, -30, 30])
def test_the_code_of_this_step_and_its_neighbours_is_taken(seconds: int) -> None:
    assert is_good(shown(NOW + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-61, -3600, 61, 3600])
def test_an_old_or_a_future_code_is_not(seconds: int) -> None:
    assert not is_good(shown(NOW + timedelta(seconds=seconds)))


def test_a_code_belongs_to_its_shift_its_community_and_its_installation() -> None:
    assert not is_good(shown(NOW, shift=OTHER_SHIFT))
    assert not is_good(shown(NOW, community=8))
    assert not is_good(shown(NOW, key=OTHER_KEY))
    assert not is_good("22222222")


def test_the_scanned_and_the_typed_code_say_nothing_about_each_other() -> None:
    step = codes.step_of(NOW, SECONDS)

    assert not codes.proof(KEY, 7, SHIFT, step).startswith(codes.typed(KEY, 7, SHIFT, step))


def test_codes_can_be_read_aloud() -> None:
    letters = {letter for step in range(500) for letter in codes.proof(KEY, 7, SHIFT, step)}

    assert letters == set(CODE_ALPHABET)
    assert not letters & set("01OIL")
    assert len(codes.new_short_code()) == 6


def test_a_ticket_gives_its_owner_a_few_minutes_and_nobody_else_any() -> None:
    ticket = codes.ticket(KEY, 7, SHIFT, CHEN, NOW)
    later = NOW + timedelta(seconds=TICKET_SECONDS)

    assert codes.ticket_is_good(ticket, KEY, 7, SHIFT, CHEN, NOW)
    assert codes.ticket_is_good(ticket, KEY, 7, SHIFT, CHEN, later - timedelta(seconds=1))
    assert not codes.ticket_is_good(ticket, KEY, 7, SHIFT, CHEN, later)
    assert not codes.ticket_is_good(ticket, KEY, 7, SHIFT, SUN, NOW)
    assert not codes.ticket_is_good(ticket, KEY, 7, OTHER_SHIFT, CHEN, NOW)
    assert not codes.ticket_is_good(ticket, OTHER_KEY, 7, SHIFT, CHEN, NOW)


@pytest.mark.parametrize("junk", ["", "-", "x", "1-", "9" * 5000 + "-AAAA", "１２３-ＡＢＣ", "12345678-ÄÖ"])
def test_junk_is_no_ticket(junk: str) -> None:
    assert not codes.ticket_is_good(junk, KEY, 7, SHIFT, CHEN, NOW)
