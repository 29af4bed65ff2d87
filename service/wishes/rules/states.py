"""Where a wish can be, what can be done to it, and who may take it from where to where. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

TITLE_LENGTH_MIN, TITLE_LENGTH_MAX = 2, 40
TEXT_LENGTH_MIN, TEXT_LENGTH_MAX = 5, 500
TIME_LENGTH_MAX = 60
NOTE_LENGTH_MIN, NOTE_LENGTH_MAX = 2, 200
EXPECTED_MINUTES_MIN, EXPECTED_MINUTES_MAX = 5, 480
SERVED_MINUTES_MAX = 24 * 60
"""A service lies within a day; what of it counts is the records' dated daily cap."""
UNDO = timedelta(minutes=2)
"""The button is shown for seconds; a slow phone and a slow thumb may take longer."""
BULK_MAX = 200


class WishState(StrEnum):
    """Where a wish is. Each has a word under `state.wish.<value>`."""

    POSTED = "posted"
    APPROVED = "approved"
    RETURNED = "returned"
    CLAIMED = "claimed"
    SERVED = "served"
    DISPUTED = "disputed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


KEEPS_REWARD = frozenset({WishState.APPROVED, WishState.CLAIMED, WishState.SERVED, WishState.DISPUTED})
"""While a wish is here, its promised reward lies aside."""
OPEN = frozenset(WishState) - {WishState.CONFIRMED, WishState.WITHDRAWN, WishState.EXPIRED}
"""Wishes that somebody still has to do something about."""
TAKEN = frozenset({WishState.CLAIMED, WishState.SERVED, WishState.DISPUTED, WishState.CONFIRMED})
"""Wishes that have a volunteer."""
ON_THE_WALL_ONCE = TAKEN | {WishState.APPROVED}


class Verb(StrEnum):
    """What can be done to a wish. Each has a word for the timeline under `wish.event.<value>`."""

    POST = "post"
    EDIT = "edit"
    APPROVE = "approve"
    RETURN = "return"
    RECALL = "recall"
    APPRAISE = "appraise"
    CLAIM = "claim"
    RELEASE = "release"
    SERVE = "serve"
    DISPUTE = "dispute"
    CONFIRM = "confirm"
    THANK = "thank"
    WITHDRAW = "withdraw"
    RESTORE = "restore"
    EXPIRE = "expire"


class Part(StrEnum):
    """What a person is to one wish."""

    ASKER = "asker"
    HELPER = "helper"
    """The volunteer who has it."""
    STAFF = "staff"
    VOLUNTEER = "volunteer"
    """Any volunteer who is not the asker."""


@dataclass(frozen=True, slots=True)
class Move:
    """From which states a verb leads where, and for whom."""

    before: frozenset[WishState]
    after: WishState | None
    """None: the state stays, or (for undo) goes back to what it was."""
    parts: frozenset[Part]


def _move(parts: set[Part], before: set[WishState] | frozenset[WishState], after: WishState | None) -> Move:
    return Move(frozenset(before), after, frozenset(parts))


_S = WishState
MOVES: Mapping[Verb, Move] = {
    Verb.EDIT: _move({Part.ASKER, Part.STAFF}, {_S.POSTED, _S.RETURNED}, _S.POSTED),
    Verb.APPROVE: _move({Part.STAFF}, {_S.POSTED}, _S.APPROVED),
    Verb.RETURN: _move({Part.STAFF}, {_S.POSTED, _S.APPROVED}, _S.RETURNED),
    Verb.RECALL: _move({Part.STAFF}, {_S.APPROVED, _S.RETURNED}, _S.POSTED),
    Verb.APPRAISE: _move({Part.STAFF}, {_S.APPROVED, _S.CLAIMED, _S.SERVED, _S.DISPUTED}, None),
    Verb.CLAIM: _move({Part.VOLUNTEER}, {_S.APPROVED}, _S.CLAIMED),
    Verb.RELEASE: _move({Part.HELPER, Part.STAFF}, {_S.CLAIMED, _S.DISPUTED}, _S.APPROVED),
    Verb.SERVE: _move({Part.HELPER}, {_S.CLAIMED, _S.DISPUTED}, _S.SERVED),
    Verb.DISPUTE: _move({Part.ASKER, Part.STAFF}, {_S.SERVED}, _S.DISPUTED),
    Verb.CONFIRM: _move({Part.ASKER, Part.STAFF}, {_S.SERVED, _S.DISPUTED}, _S.CONFIRMED),
    Verb.THANK: _move({Part.ASKER}, {_S.CONFIRMED}, None),
    Verb.WITHDRAW: _move({Part.ASKER, Part.STAFF}, {_S.POSTED, _S.APPROVED, _S.RETURNED, _S.CLAIMED}, _S.WITHDRAWN),
    Verb.RESTORE: _move({Part.ASKER, Part.STAFF}, {_S.WITHDRAWN}, None),
}
"""Everything people may do. Time alone moves CLAIMED back to the wall and old wishes to EXPIRED."""


class Standing(Protocol):
    """What the rules look at; a row of the table is one, and so is the face of one."""

    @property
    def state(self) -> str:
        """Where it is."""

    @property
    def revision(self) -> int:
        """How often it was moved."""

    @property
    def asked_by(self) -> UUID:
        """Whose wish it is."""

    @property
    def posted_by(self) -> UUID:
        """Who wrote it down."""

    @property
    def volunteer_id(self) -> UUID | None:
        """Who has taken it on."""

    @property
    def approved_at(self) -> datetime | None:
        """Since when it is on the wall."""

    @property
    def changed_at(self) -> datetime:
        """When it was last moved."""


@dataclass(frozen=True, slots=True)
class Who:
    """The person in front of the wish."""

    member_id: UUID
    household_id: UUID | None = None
    is_volunteer: bool = False
    is_staff: bool = False
    is_reader: bool = False
    """An auditor: sees what staff see and moves nothing."""
