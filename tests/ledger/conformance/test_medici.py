"""medici's cases: voiding, voiding a void, and voids that are dated back.

Where ours says it otherwise: a void of a void is refused, whoever wants the journal again posts it again; a void takes effect
when it is posted unless it is told otherwise, and never in a period that is closed.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
voided
    [a] pay li chen 70 = ok
    [b] undo [a] = ok
    has li 100, chen 0
voided twice
    [a] pay li chen 70 = ok
    [b] undo [a] = ok
    [c] undo [a] = already_reversed
void of a void
    [a] pay li chen 70 = ok
    [b] undo [a] = ok
    [c] undo [b] = original_is_reversal
    [d] pay li chen 70 = ok
    has li 30, chen 70
a journal that is not there
    [b] undo [a] = original_not_found
a journal of another book
    /2 [a] pay li chen 70 = ok
    [b] undo [a] = original_not_found
    /2 [b] undo [a] = ok
a journal of many legs
    [a] pay li chen 50; pay li jar 20; pay issued li 10 = ok
    [b] undo [a] = ok
    has li 100, chen 0, jar 0
voided in part, and no second time
    [a] pay li chen 70 = ok
    [b] undo [a]: pay chen li 20 = ok
    [c] undo [a]: pay chen li 50 = already_reversed
    has li 50, chen 50
voided beyond, or elsewhere
    [a] pay li chen 70 = ok
    [b] undo [a]: pay chen li 71 = reversal_exceeds
    [b] undo [a]: pay chen jar 70 = reversal_exceeds
    [b] undo [a]: pay li chen 1 = reversal_exceeds
    [b] undo [a]: pay chen li 40; pay chen li 31 = reversal_exceeds
    [b] undo [a]: pay chen li 40; pay chen li 30 = ok
a void takes effect when it is posted
    +1 [a] pay li chen 70 = ok
    +5 [b] undo [a] = ok
    +6 had chen 70 +2
    +6 had chen 0 +6
a void that is dated back keeps its place in the book
    +1 [a] pay li chen 70 = ok
    +5 ^1 [b] undo [a] = ok
    +6 had chen 70 +2  # theirs reads by the date of the void
    +6 had chen 0 +6
a void dated ahead
    +1 [a] pay li chen 70 = ok
    +1 ^2 [b] undo [a] = effective_in_future
a void in a closed period
    +1 [a] pay li chen 70 = ok
    +4 shut 3 = ok
    +5 ^2 [b] undo [a] = period_closed
    +5 ^3 [b] undo [a] = ok
a void without a date after the period was closed
    +1 [a] pay li chen 70 = ok
    +4 shut 3 = ok
    +5 [b] undo [a] = ok
a journal that does not balance cannot be written down
    pay li chen 70; pay chen nobody 70 = account_not_found:2
    has li 100, chen 0
paged by the passbook
    pay li chen 1 = ok
    pay li chen 1 = ok
    pay chen li 1 = ok
    passbook chen 1 2 1
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
