"""Blnk's cases: what is in flight, committed wholly, in part or too much, voided; refunds.

Where ours says it otherwise: what is in flight has left the giver and lies in escrow, so it cannot be spent twice and no
overdraft appears at the commit; a part that was committed does not stop the rest from being voided; a refund is a reversal.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
committed
    hold 1 li 30 = ok
    has li 70, escrow 30, chen 0
    capture 1 chen 30 = ok
    has li 70, escrow 0, chen 30
committed twice
    hold 1 li 30 = ok
    capture 1 chen 30 = ok
    capture 1 chen 30 = hold_closed
committed in part
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    has li 70, escrow 20, chen 10
committed in part, and then voided
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    release 1 = ok
    has li 90, escrow 0, chen 10
committed in part up to the whole
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    capture 1 chen 20 = ok
    capture 1 chen 1 = hold_closed
    release 1 = hold_closed
overcommitted
    hold 1 li 30 = ok
    capture 1 chen 31 = hold_exceeded
    has li 70, escrow 30, chen 0
overcommitted after a part
    hold 1 li 30 = ok
    capture 1 chen 20 = ok
    capture 1 chen 11 = hold_exceeded
    capture 1 chen 10 = ok
voided
    hold 1 li 30 = ok
    release 1 = ok
    has li 100, escrow 0
voided twice
    hold 1 li 30 = ok
    release 1 = ok
    release 1 = hold_closed
committed after it was voided
    hold 1 li 30 = ok
    release 1 = ok
    capture 1 chen 30 = hold_closed
one is voided, the other committed
    hold 1 li 30 = ok
    hold 2 li 40 = ok
    capture 1 chen 30 = ok
    release 2 = ok
    release 1 = hold_closed
    capture 2 chen 40 = hold_closed
    has li 70, chen 30, escrow 0
money in flight cannot be spent
    hold 1 li 80 = ok
    pay li chen 21 = insufficient_balance
    hold 2 li 21 = insufficient_balance
    pay li chen 20 = ok
the receiver has nothing before the commit
    hold 1 li 30 = ok
    pay chen jar 1 = insufficient_balance
    capture 1 chen 30 = ok
    pay chen jar 30 = ok
an overdraft in flight
    hold 1 bakery 500 = ok
    has bakery -500, escrow 500
    capture 1 chen 200 = ok
    release 1 = ok
    has bakery -200, escrow 0
many givers, one receiver
    pay li chen 40 = ok
    hold 1 li 60; hold 2 chen 40 = ok
    capture 1 jar 60; capture 2 jar 41 = hold_exceeded:2
    capture 1 jar 60; capture 2 jar 40 = ok
    has jar 100, escrow 0
one giver, many receivers
    hold 1 li 100 = ok
    capture 1 chen 30; capture 1 bakery 70 = ok
    has li 0, chen 30, bakery 70
a bulk in flight in which one is wrong
    hold 1 li 60; hold 2 li 60 = insufficient_balance:2
    release 1 = hold_not_found
    has li 100, escrow 0
refunded
    [a] pay li chen 10 = ok
    [b] undo [a] = ok
    has li 100, chen 0
refunded twice
    [a] pay li chen 10 = ok
    [b] undo [a] = ok
    [c] undo [a] = already_reversed
what was in flight is not refunded but released
    [a] hold 1 li 30 = ok
    [b] undo [a] = original_has_holds
    [c] capture 1 chen 30 = ok
    [d] undo [c] = original_has_holds
rejected, then refunded
    [a] pay chen li 10 = insufficient_balance
    [b] undo [a] = original_not_found
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
