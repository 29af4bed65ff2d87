"""Who may do what in which state, from a table that a person can read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from service.kit.refusals import Invalid, Refusal
from service.wishes import rules
from service.wishes.kinds import WishKind
from service.wishes.rules import Verb, Who, WishState

STATES = ("posted", "approved", "returned", "claimed", "served", "disputed", "confirmed", "withdrawn", "expired")

# A asker, H the helper once there is one, S staff, V another volunteer. Empty: nobody.
TABLE = """
edit      | AS |    | AS |    |    |    |    |    |
approve   | S  |    |    |    |    |    |    |    |
return    | S  | S  |    |    |    |    |    |    |
recall    |    | S  | S  |    |    |    |    |    |
appraise  |    | S  |    | S  | S  | S  |    |    |
claim     |    | HV |    |    |    |    |    |    |
release   |    |    |    | HS |    | HS |    |    |
serve     |    |    |    | H  |    | H  |    |    |
dispute   |    |    |    |    | AS |    |    |    |
confirm   |    |    |    |    | AS | AS |    |    |
thank     |    |    |    |    |    |    | A  |    |
withdraw  | AS | AS | AS | AS |    |    |    |    |
restore   |    |    |    |    |    |    |    | AS |
"""

ASKER, HELPER, STAFF, VOLUNTEER, NOBODY = (uuid4() for _ in range(5))
PEOPLE = {
    "A": Who(ASKER),
    "H": Who(HELPER, is_volunteer=True),
    "S": Who(STAFF, is_staff=True),
    "V": Who(VOLUNTEER, is_volunteer=True),
    "N": Who(NOBODY),
}
NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
NEVER_ON_THE_WALL = {"posted", "returned"}


@dataclass
class Standing:
    """A wish as far as the rules look at it."""

    state: str
    revision: int = 3
    asked_by: UUID = ASKER
    posted_by: UUID = STAFF
    volunteer_id: UUID | None = None
    approved_at: datetime | None = NOW
    changed_at: datetime = NOW


def wish_in(state: str) -> Standing:
    taken = state in {"claimed", "served", "disputed", "confirmed"}
    return Standing(
        state=state,
        volunteer_id=HELPER if taken else None,
        approved_at=None if state in NEVER_ON_THE_WALL else NOW,
    )


def cases() -> list[tuple[str, str, str, bool]]:
    found = []
    for line in TABLE.strip().splitlines():
        verb, *cells = (cell.strip() for cell in line.split("|"))
        assert len(cells) == len(STATES)
        for state, allowed in zip(STATES, cells, strict=True):
            found += [(verb, state, person, person in allowed) for person in PEOPLE]
    return found


def check(verb: str, wish: Standing, who: Who, revision: int | None = None) -> None:
    """The check that the action of this verb asks."""
    match verb:
        case "claim":
            rules.check_claim(wish, who, None, revision)
        case "confirm":
            rules.check_confirmation(wish, who, revision)
        case "edit":
            rules.check_edit(wish, who, revision)
        case "approve" | "return" | "recall" | "appraise":
            rules.check_decision(Verb(verb), wish, who, revision)
        case _:
            rules.check_move(Verb(verb), wish, who, revision)


@pytest.mark.parametrize(("verb", "state", "person", "allowed"), cases())
def test_everybody_may_do_exactly_what_the_table_says(verb: str, state: str, person: str, allowed: bool) -> None:
    wish, who = wish_in(state), PEOPLE[person]
    if allowed:
        check(verb, wish, who)
        return
    with pytest.raises(Refusal) as refusal:
        check(verb, wish, who)
    assert refusal.value.code.startswith("wishes.")


@pytest.mark.parametrize(("verb", "state", "person", "allowed"), cases())
def test_a_button_is_offered_exactly_to_whom_it_will_obey(verb: str, state: str, person: str, allowed: bool) -> None:
    assert (Verb(verb) in rules.verbs_for(PEOPLE[person], wish_in(state), NOW)) is allowed


@pytest.mark.parametrize("state", STATES)
def test_the_others_see_the_wall_and_what_just_left_it(state: str) -> None:
    if state in ("approved", "claimed"):
        rules.check_visible(wish_in(state), PEOPLE["N"])
        return
    expected = rules.WishNotFound if state in NEVER_ON_THE_WALL else rules.WishOffTheWall
    with pytest.raises(expected):
        rules.check_visible(wish_in(state), PEOPLE["N"])


@pytest.mark.parametrize(
    ("wish", "who", "household", "revision", "expected"),
    [
        (wish_in("approved"), PEOPLE["A"], None, None, rules.CannotClaimOwnWish),
        (wish_in("posted"), PEOPLE["V"], None, None, rules.WishNotFound),
        (wish_in("expired"), PEOPLE["V"], None, None, rules.WishOffTheWall),
        (wish_in("approved"), PEOPLE["N"], None, None, rules.NotYours),
        (wish_in("claimed"), PEOPLE["V"], None, 1, rules.WishAlreadyClaimed),
        (wish_in("approved"), PEOPLE["V"], None, 1, rules.ChangedMeanwhile),
        (wish_in("approved"), PEOPLE["V"], None, 3, None),
    ],
)
def test_a_claim_is_refused_in_this_order(
    wish: Standing, who: Who, household: UUID | None, revision: int | None, expected: type[Refusal] | None
) -> None:
    if expected is None:
        rules.check_claim(wish, who, household, revision)
        return
    with pytest.raises(expected):
        rules.check_claim(wish, who, household, revision)


def test_nobody_helps_their_own_household() -> None:
    home = uuid4()
    neighbour = Who(VOLUNTEER, household_id=home, is_volunteer=True)

    with pytest.raises(rules.CannotClaimHouseholdWish):
        rules.check_claim(wish_in("approved"), neighbour, home)

    rules.check_claim(wish_in("approved"), neighbour, uuid4())
    rules.check_claim(wish_in("approved"), Who(VOLUNTEER, is_volunteer=True), None)


def test_who_helped_never_confirms_even_as_staff() -> None:
    with pytest.raises(rules.CannotConfirmOwnService):
        rules.check_confirmation(wish_in("served"), Who(HELPER, is_volunteer=True, is_staff=True))


def test_staff_never_decide_on_their_own_wish() -> None:
    with pytest.raises(rules.CannotDecideOwnWish):
        rules.check_decision(Verb.APPROVE, wish_in("posted"), Who(ASKER, is_staff=True))


def test_staff_only_change_words_that_staff_wrote_down() -> None:
    wish = wish_in("returned")
    wish.posted_by = ASKER

    with pytest.raises(rules.NotYours):
        rules.check_edit(wish, PEOPLE["S"])


@pytest.mark.parametrize(
    ("changes", "reachable", "due_in_days", "refused"),
    [
        ({"posted_by": ASKER}, True, 1, True),
        ({"posted_by": ASKER}, True, 0, False),
        ({"posted_by": ASKER}, False, 1, False),
        ({"posted_by": STAFF}, True, 1, False),
        ({"posted_by": ASKER, "state": "disputed"}, True, 1, False),
    ],
    ids=["can still confirm", "let the time pass", "has no phone", "staff wrote it down", "disagreed"],
)
def test_staff_speak_for_the_asker_only_when(
    changes: dict[str, object], reachable: bool, due_in_days: int, refused: bool
) -> None:
    wish = wish_in("served")
    for name, value in changes.items():
        setattr(wish, name, value)
    due_at = NOW + timedelta(days=due_in_days)
    if refused:
        with pytest.raises(rules.ConfirmationNotDue) as refusal:
            rules.check_confirmation_for(wish, due_at, NOW, reachable=reachable)
        assert refusal.value.due_at == due_at
    else:
        rules.check_confirmation_for(wish, due_at, NOW, reachable=reachable)


@pytest.mark.parametrize(
    ("open_wishes", "urgent", "kind", "expected"),
    [
        (4, 0, WishKind.TIME, None),
        (5, 0, WishKind.TIME, rules.TooManyOpenWishes),
        (5, 1, WishKind.URGENT, rules.TooManyOpenWishes),
        (1, 1, WishKind.URGENT, rules.UrgentWishOpen),
        (1, 1, WishKind.GOODS, None),
    ],
)
def test_only_so_many_wishes_at_once(
    open_wishes: int, urgent: int, kind: WishKind, expected: type[Refusal] | None
) -> None:
    if expected is None:
        rules.check_count(open_wishes, 5, kind, urgent)
        return
    with pytest.raises(expected):
        rules.check_count(open_wishes, 5, kind, urgent)


@pytest.mark.parametrize(
    ("points", "has_budget", "expected"),
    [
        (0, False, None),
        (100, True, None),
        (101, True, rules.RewardTooLarge),
        (-1, True, rules.RewardTooLarge),
        (1, False, rules.RewardNeedsBudget),
    ],
)
def test_a_reward_is_bounded_and_comes_from_somewhere(
    points: int, has_budget: bool, expected: type[Refusal] | None
) -> None:
    if expected is None:
        rules.check_reward(points, has_budget, 100)
        return
    with pytest.raises(expected):
        rules.check_reward(points, has_budget, 100)


@pytest.mark.parametrize(
    ("title", "text", "minutes", "problems"),
    [
        ("换灯泡", "厨房的灯泡坏了", 30, {}),
        ("", "厨房的灯泡坏了", 30, {"title": "required"}),
        ("换", "厨房的灯泡坏了", 30, {"title": "too_short"}),
        ("换" * 41, "坏" * 501, 30, {"title": "too_long", "text": "too_long"}),
        ("换灯泡", "坏" * 5000, 30, {"text": "too_long"}),
        ("换\n灯泡", "厨房的灯泡坏了", 30, {"title": "text"}),
        ("换灯泡", "第一行\n第二行也好", 30, {}),
        ("换灯泡", "看不见的\u202e字也不行", 30, {"text": "text"}),
        ("换灯泡", "厨房的灯泡坏了", 4, {"expected_minutes": "wish_minutes"}),
        ("换灯泡", "厨房的灯泡坏了", 481, {"expected_minutes": "wish_minutes"}),
    ],
)
def test_what_a_wish_may_say(title: str, text: str, minutes: int, problems: dict[str, str]) -> None:
    if not problems:
        rules.check_texts(title, text, "", minutes)
        return
    with pytest.raises(Invalid) as refusal:
        rules.check_texts(title, text, "", minutes)
    assert refusal.value.problems == problems


@pytest.mark.parametrize(
    ("text", "too_much"),
    [
        ("请打 13800001234", True),
        ("电话 138-0000-1234", True),
        ("三单元 502 室", True),
        ("2单元301", True),
        ("买 2 盒药，20 元以内", False),
        ("2026 年以前的照片", False),
    ],
)
def test_a_phone_or_door_number_is_noticed(text: str, too_much: bool) -> None:
    assert rules.tells_too_much("换灯泡", text) is too_much


@pytest.mark.parametrize(
    ("started", "minutes", "expected"),
    [
        (NOW - timedelta(hours=1), 60, None),
        (NOW - timedelta(hours=1), 61, rules.ServiceInFuture),
        (NOW - timedelta(hours=10), 60, None),
        (NOW - timedelta(hours=10, minutes=1), 60, rules.ServiceBeforeClaim),
        (NOW - timedelta(days=1), 60, rules.ServiceBeforeClaim),
        (NOW - timedelta(hours=1), 0, Invalid),
        (NOW - timedelta(days=3), 1441, Invalid),
    ],
)
def test_a_service_is_over_and_not_older_than_the_claim(
    started: datetime, minutes: int, expected: type[Refusal] | None
) -> None:
    claimed_at = NOW - timedelta(hours=10) + timedelta(seconds=59)
    if expected is None:
        rules.check_service(started, minutes, claimed_at, NOW)
        return
    with pytest.raises(expected):
        rules.check_service(started, minutes, claimed_at, NOW)


def test_undoing_is_for_slips() -> None:
    rules.check_undo(NOW - rules.UNDO, NOW)
    with pytest.raises(rules.UndoTooLate):
        rules.check_undo(NOW - rules.UNDO - timedelta(seconds=1), NOW)


def test_every_state_is_somewhere_in_the_table() -> None:
    assert set(STATES) == {state.value for state in WishState}
    assert {verb for verb, *_ in cases()} == {verb.value for verb in Verb} - {"post", "expire"}
