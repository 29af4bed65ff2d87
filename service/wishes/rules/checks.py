"""Who may do what to which wish: each check returns nothing or raises the first no that holds. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from service.kit.refusals import Invalid
from service.wishes.kinds import WishKind
from service.wishes.rules.refusals import (
    CannotClaimHouseholdWish,
    CannotClaimOwnWish,
    CannotConfirmOwnService,
    CannotDecideOwnWish,
    ChangedMeanwhile,
    ConfirmationNotDue,
    NotYours,
    RewardNeedsBudget,
    RewardTooLarge,
    ServiceBeforeClaim,
    ServiceInFuture,
    TooManyOpenWishes,
    UndoTooLate,
    UrgentWishOpen,
    WishAlreadyClaimed,
    WishInOtherState,
    WishNotFound,
    WishOffTheWall,
)
from service.wishes.rules.states import (
    EXPECTED_MINUTES_MAX,
    EXPECTED_MINUTES_MIN,
    MOVES,
    NOTE_LENGTH_MAX,
    NOTE_LENGTH_MIN,
    SERVED_MINUTES_MAX,
    TAKEN,
    TEXT_LENGTH_MAX,
    TEXT_LENGTH_MIN,
    TIME_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    TITLE_LENGTH_MIN,
    UNDO,
    Part,
    Standing,
    Verb,
    Who,
    WishState,
)

TELLS_TOO_MUCH = re.compile(r"(\d[ -]?){7,}|\d{3,4} *室|\d+ *单元 *\d+")


def parts_of(who: Who, wish: Standing) -> frozenset[Part]:
    """What somebody is to a wish; one person may be several things."""
    parts: set[Part] = set()
    if who.member_id == wish.asked_by:
        parts.add(Part.ASKER)
    elif who.is_volunteer:
        parts.add(Part.VOLUNTEER)
    if who.member_id == wish.volunteer_id:
        parts.add(Part.HELPER)
    if who.is_staff:
        parts.add(Part.STAFF)
    return frozenset(parts)


def verbs_for(who: Who, wish: Standing, now: datetime) -> frozenset[Verb]:
    """What to offer somebody who looks at a wish: a button that would be refused is not shown."""
    found = set()
    for verb, move in MOVES.items():
        if wish.state in move.before and not parts_of(who, wish).isdisjoint(move.parts):
            found.add(verb)
    if who.member_id == wish.asked_by:
        found -= {Verb.APPROVE, Verb.RETURN, Verb.RECALL, Verb.APPRAISE}
    elif wish.posted_by == wish.asked_by:
        found.discard(Verb.EDIT)
    if who.member_id == wish.volunteer_id:
        found -= {Verb.CONFIRM, Verb.APPRAISE}
    if now > wish.changed_at + UNDO:
        found -= {Verb.RECALL, Verb.RESTORE}
    return frozenset(found)


def check_visible(wish: Standing, who: Who) -> None:
    """The wall is for everybody here; everything else for those whom it concerns."""
    if who.is_staff or who.is_reader or who.member_id in (wish.asked_by, wish.posted_by):
        return
    if wish.volunteer_id is not None and who.member_id == wish.volunteer_id:
        return
    if wish.approved_at is None:
        raise WishNotFound
    if wish.state not in (WishState.APPROVED, WishState.CLAIMED):
        raise WishOffTheWall


def check_move(verb: Verb, wish: Standing, who: Who, revision: int | None = None) -> None:
    """Refuse, in this order: what they may not see, what is not theirs to do, a stale form, a wrong state."""
    move = MOVES[verb]
    check_visible(wish, who)
    if parts_of(who, wish).isdisjoint(move.parts):
        raise NotYours
    check_revision(wish, revision)
    if wish.state not in move.before:
        raise WishInOtherState(WishState(wish.state))


def check_revision(wish: Standing, revision: int | None) -> None:
    """A form says which version of the wish it showed; whoever sends none (a program) takes the wish as it is."""
    if revision is not None and revision != wish.revision:
        raise ChangedMeanwhile(WishState(wish.state), wish.revision)


def check_claim(wish: Standing, who: Who, asker_household: UUID | None, revision: int | None = None) -> None:
    """Volunteers take on what is on the wall, but neither their own wish nor one of their own household."""
    if who.member_id == wish.asked_by:
        raise CannotClaimOwnWish
    check_visible(wish, who)
    if Part.VOLUNTEER not in parts_of(who, wish):
        raise NotYours
    if who.household_id is not None and who.household_id == asker_household:
        raise CannotClaimHouseholdWish
    if wish.state in TAKEN:
        raise WishAlreadyClaimed
    check_move(Verb.CLAIM, wish, who, revision)


def check_decision(verb: Verb, wish: Standing, who: Who, revision: int | None = None) -> None:
    """Approving, returning, appraising: by staff, and not on their own wish."""
    check_move(verb, wish, who, revision)
    if who.member_id == wish.asked_by:
        raise CannotDecideOwnWish


def check_edit(wish: Standing, who: Who, revision: int | None = None) -> None:
    """The asker finds other words; staff only for words that staff wrote down."""
    check_move(Verb.EDIT, wish, who, revision)
    if who.member_id != wish.asked_by and wish.posted_by == wish.asked_by:
        raise NotYours


def check_confirmation(wish: Standing, who: Who, revision: int | None = None) -> None:
    """The asker says that it was done, or staff for them; never the helper."""
    if who.member_id == wish.volunteer_id:
        raise CannotConfirmOwnService
    check_move(Verb.CONFIRM, wish, who, revision)


def check_confirmation_for(wish: Standing, due_at: datetime, now: datetime, *, reachable: bool) -> None:
    """Staff speak for an asker without a phone, whose wish they wrote down, who disagreed, or who let the time pass."""
    if wish.state == WishState.DISPUTED or wish.posted_by != wish.asked_by or not reachable:
        return
    if now < due_at:
        raise ConfirmationNotDue(due_at)


def check_count(open_wishes: int, limit: int, kind: WishKind, urgent_open: int) -> None:
    """Only so many at once, and one urgent call."""
    if open_wishes >= limit:
        raise TooManyOpenWishes(limit)
    if kind is WishKind.URGENT and urgent_open:
        raise UrgentWishOpen


def check_reward(points: int, has_budget: bool, points_max: int) -> None:  # noqa: FBT001  (one plain question among three)
    """Points on top are bounded and come from somewhere."""
    if points < 0 or points > points_max:
        raise RewardTooLarge(points_max)
    if points and not has_budget:
        raise RewardNeedsBudget


def check_texts(title: str, text: str, preferred_time: str, expected_minutes: int) -> None:
    """What a wish says: short, readable, one line of title."""
    problems = {
        "title": _length(title, TITLE_LENGTH_MIN, TITLE_LENGTH_MAX) or _one_line(title),
        "text": _length(text, TEXT_LENGTH_MIN, TEXT_LENGTH_MAX) or _readable(text),
        "preferred_time": _length(preferred_time, 0, TIME_LENGTH_MAX) or _one_line(preferred_time),
        "expected_minutes": None
        if EXPECTED_MINUTES_MIN <= expected_minutes <= EXPECTED_MINUTES_MAX
        else "wish_minutes",
    }
    _refuse(problems)


def tells_too_much(title: str, text: str) -> bool:
    """True when a text that everybody will read seems to hold a phone, identity or door number."""
    return TELLS_TOO_MUCH.search(f"{title}\n{text}") is not None


def check_note(name: str, note: str, *, required: bool) -> None:
    """A reason or a remark in a few words."""
    _refuse({name: _length(note, NOTE_LENGTH_MIN if required or note else 0, NOTE_LENGTH_MAX) or _readable(note)})


def check_service(started_at: datetime, minutes: int, claimed_at: datetime, now: datetime) -> None:
    """Somebody helped for some minutes, not before they took it on, and it is over.

    The form asks for a minute, so the minute of the claim itself counts as after it.
    """
    if not 1 <= minutes <= SERVED_MINUTES_MAX:
        raise Invalid({"minutes": "wish_served_minutes"})
    # Counted back from now: a day at the end of the calendar has no minutes after it.
    if started_at > now - timedelta(minutes=minutes):
        raise ServiceInFuture
    if started_at < claimed_at.replace(second=0, microsecond=0):
        raise ServiceBeforeClaim(claimed_at)


def check_undo(done_at: datetime, now: datetime) -> None:
    """Taking back is for slips."""
    if now > done_at + UNDO:
        raise UndoTooLate


def _length(text: str, least: int, most: int) -> str | None:
    if len(text) > most:
        return "too_long"
    if len(text) < least:
        return "too_short" if text else "required"
    return None


def _one_line(text: str) -> str | None:
    return None if text.isprintable() else "text"


def _readable(text: str) -> str | None:
    return None if text.replace("\n", "").isprintable() else "text"


def _refuse(problems: Mapping[str, str | None]) -> None:
    found = {name: code for name, code in problems.items() if code is not None}
    if found:
        raise Invalid(found)
