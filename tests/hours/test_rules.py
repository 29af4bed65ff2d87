"""What a presence is worth, and which word and which no come first."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.hours.rules import (
    AttendanceState,
    Check,
    ShiftFieldOdd,
    ShiftState,
    ShiftTimesOdd,
    SignUpState,
    Standing,
    TooEarly,
    TooLate,
    Verdict,
    WrongDay,
    check_approval,
    check_of,
    check_serves_today,
    check_shift_times,
    computed_minutes,
    normal_code,
    planned_minutes,
    served_on,
    standing,
)

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
ELEVEN = NINE + timedelta(hours=2)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("came", "left", "percent", "worth"),
    [
        pytest.param(0, 120, 60, 120, id="the whole shift"),
        pytest.param(-20, 140, 60, 120, id="early and late earn no more than the plan"),
        pytest.param(2, 118, 60, 116, id="what was there counts"),
        pytest.param(0, 72, 60, 72, id="exactly the least share"),
        pytest.param(0, 71.99, 60, 0, id="a second below the least share counts nothing"),
        pytest.param(0, 72.5, 60, 72, id="the rest of a minute is dropped"),
        pytest.param(0, 71, 0, 71, id="a community without a least share"),
        pytest.param(0, 119, 100, 0, id="a community that wants all of it"),
        pytest.param(0, None, 60, 0, id="nobody saw them leave"),
        pytest.param(-30, -1, 60, 0, id="gone before it began"),
        pytest.param(121, 180, 60, 0, id="came when it was over"),
        pytest.param(5, 5, 0, 0, id="in and out in one breath"),
    ],
)
def test_what_a_presence_is_worth(came: float, left: float | None, percent: int, worth: int) -> None:
    left_at = at(left) if left is not None else None

    assert (
        computed_minutes(
            came_at=at(came), left_at=left_at, starts_at=NINE, ends_at=ELEVEN, presence_percent_min=percent
        )
        == worth
    )


def test_a_night_patrol_is_one_stretch_and_belongs_to_the_evening_it_began() -> None:
    ten_at_night = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    two_in_the_morning = ten_at_night + timedelta(hours=4)

    assert planned_minutes(ten_at_night, two_in_the_morning) == 240
    assert served_on(ten_at_night).isoformat() == "2026-11-23"
    assert (
        computed_minutes(
            came_at=ten_at_night,
            left_at=two_in_the_morning,
            starts_at=ten_at_night,
            ends_at=two_in_the_morning,
            presence_percent_min=60,
        )
        == 240
    )


@given(
    came=st.integers(-10_000, 20_000),
    stayed=st.integers(0, 30_000),
    length=st.integers(60, 86_400),
    percent=st.integers(0, 100),
)
def test_worth_is_never_negative_nor_above_the_plan(came: int, stayed: int, length: int, percent: int) -> None:
    ends_at = NINE + timedelta(seconds=length)
    came_at = NINE + timedelta(seconds=came)
    worth = computed_minutes(
        came_at=came_at,
        left_at=came_at + timedelta(seconds=stayed),
        starts_at=NINE,
        ends_at=ends_at,
        presence_percent_min=percent,
    )

    assert 0 <= worth <= planned_minutes(NINE, ends_at)
    assert worth * 60 <= stayed


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"awaits_confirmation": True, "has_left": False}, Check.UNCONFIRMED),
        ({"has_left": False, "correction_asked": True}, Check.NO_CHECKOUT),
        ({"correction_asked": True, "overlaps": True}, Check.ASKED),
        ({"overlaps": True, "minutes": 10}, Check.OVERLAPS),
        ({"minutes": 109}, Check.SHORT),
        ({"minutes": 110}, Check.AGREES),
        ({}, Check.AGREES),
    ],
)
def test_the_weightiest_word_is_said(facts: dict[str, object], word: Check) -> None:
    calm: dict[str, object] = {
        "awaits_confirmation": False,
        "has_left": True,
        "correction_asked": False,
        "overlaps": False,
        "minutes": 120,
        "planned": 120,
    }

    assert check_of(**{**calm, **facts}) is word  # type: ignore[arg-type] # a table of keyword arguments


CHEN, ZHENG = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("state", "actor", "awaits", "minutes", "verdict"),
    [
        (AttendanceState.APPROVED, CHEN, True, 0, Verdict.OWN),
        (AttendanceState.OPEN, ZHENG, True, 0, Verdict.STALE),
        (AttendanceState.APPROVED, ZHENG, True, 0, Verdict.STALE),
        (AttendanceState.RETURNED, ZHENG, True, 0, Verdict.STALE),
        (AttendanceState.DONE, ZHENG, True, 0, Verdict.UNCONFIRMED),
        (AttendanceState.DONE, ZHENG, False, 0, Verdict.NOTHING_TO_CREDIT),
        (AttendanceState.DONE, ZHENG, False, 1, Verdict.DONE),
    ],
)
def test_the_order_in_which_an_approval_says_no(
    state: AttendanceState, actor: UUID, awaits: bool, minutes: int, verdict: Verdict
) -> None:
    assert (
        check_approval(state=state, member_id=CHEN, actor_id=actor, awaits_confirmation=awaits, minutes=minutes)
        is verdict
    )


@pytest.mark.parametrize(
    ("now", "refusal"),
    [
        (at(-31), TooEarly),
        (at(-30), None),
        (at(0), None),
        (at(119), None),
        (at(120), TooLate),
        (at(-60 * 24), WrongDay),
        (at(60 * 24), WrongDay),
    ],
)
def test_early_late_and_another_day_each_have_their_own_no(now: datetime, refusal: type[Exception] | None) -> None:
    window = {"opens_at": at(-30), "starts_at": NINE, "ends_at": ELEVEN}
    if refusal is None:
        check_serves_today(**window, now=now)
        return
    with pytest.raises(refusal):
        check_serves_today(**window, now=now)


@pytest.mark.parametrize(("starts", "ends"), [(120, 60), (-300, -180), (60, 60 + 12 * 60 + 1)])
def test_a_shift_lies_ahead_and_lasts_at_most_half_a_day(starts: int, ends: int) -> None:
    with pytest.raises(ShiftTimesOdd):
        check_shift_times(at(starts), at(ends), NINE)


@pytest.mark.parametrize(("starts", "ends"), [(60, 60), (732 * 1440, 732 * 1440 + 60)])
def test_a_shift_does_not_end_as_it_starts_and_is_not_years_away(starts: int, ends: int) -> None:
    with pytest.raises(ShiftFieldOdd):
        check_shift_times(at(starts), at(ends), NINE)


@pytest.mark.parametrize(
    ("state", "left", "mine", "now", "word"),
    [
        (ShiftState.CANCELLED, 2, SignUpState.PLACED, at(-60), Standing.CANCELLED),
        (ShiftState.OPEN, 2, SignUpState.PLACED, at(121), Standing.OVER),
        (ShiftState.CLOSED, 2, None, at(-60), Standing.OVER),
        (ShiftState.OPEN, 0, SignUpState.PLACED, at(-60), Standing.MINE),
        (ShiftState.OPEN, 2, None, at(5), Standing.STARTED),
        (ShiftState.OPEN, 0, SignUpState.WAITING, at(-60), Standing.WAITING),
        (ShiftState.OPEN, 0, SignUpState.CANCELLED, at(-60), Standing.FULL),
        (ShiftState.OPEN, 1, None, at(-60), Standing.FREE),
    ],
)
def test_what_a_shift_is_to_me(
    state: ShiftState, left: int, mine: SignUpState | None, now: datetime, word: Standing
) -> None:
    assert standing(shift_state=state, starts_at=NINE, ends_at=ELEVEN, places_left=left, mine=mine, now=now) is word


@pytest.mark.parametrize("text", ["ab2 3c4", "AB2-3C4", "ａｂ２３ｃ４", " ab23c4\n"])
def test_a_code_is_read_however_it_is_typed(text: str) -> None:
    assert normal_code(text) == "AB23C4"
