"""pgledger's cases: accounts that may not fall or rise, transfers that come together, entries with the balance after them.

Where ours says it otherwise: a new account may not fall below nothing unless it is opened so; exchange between units goes by a
journal of two legs over accounts in both, as theirs does; an account's history is read by the time of posting, and the
time of effect only stands beside it.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
an account that may not be negative
    open kiosk 0 - = ok
    pay kiosk chen 1 = insufficient_balance
    pay issued kiosk 5 = ok
    pay kiosk chen 5 = ok
    has kiosk 0
an account that may not be positive
    open debt - 0 = ok
    pay issued debt 1 = over_ceiling
    pay debt chen 5 = ok
    pay chen debt 5 = ok
    pay li debt 1 = over_ceiling
an account without bounds
    open free - - = ok
    pay free chen 50 = ok
    pay li free 100 = ok
    has free 50, chen 50
one transfer
    pay li chen 10 = ok
    has li 90, chen 10
many transfers at once
    pay li chen 10; pay chen bakery 5; pay bakery jar 5 = ok
    has li 90, chen 5, bakery 0, jar 5
one bad transfer takes the others with it
    pay li bakery 10; pay bakery jar 20; pay li jar 81 = over_ceiling:3
    has li 100, bakery 0, jar 0
many transfers roll back at the first that cannot be
    pay li bakery 50; pay chen bakery 1; pay li bakery 50 = insufficient_balance:2
    has li 100, bakery 0
an account that is not there
    pay li nowhere 1 = account_not_found
    pay nowhere li 1 = account_not_found
entries say the balance after them, in order
    pay li chen 10 = ok
    pay chen li 4 = ok
    pay li bakery 50 = ok
    passbook li 100 90 94 44
    passbook chen 10 6
amounts are positive
    pay li chen 0 = amount_out_of_bounds
    pay li chen -5 = amount_out_of_bounds
no transfer between currencies
    pay bakery li 5 minute = account_not_found  # ours: an account has one unit, and its name may stand in another
exchange by accounts in both currencies
    pay li bakery 60; pay issued li 90 minute = ok
    has li 40, bakery 60, li 90 minute
an exchange stands or falls as one
    pay issued li 90 minute; pay li bakery 101 = insufficient_balance:2
    has li 100, li 0 minute
from an account to itself
    pay li li 5 = same_account
with and without the time of the event
    +5 ^1 pay li chen 5 = ok
    +5 pay li chen 5 = ok
    +5 ^6 pay li chen 5 = effective_in_future
the balance at a moment of the past
    +1 pay li chen 10 = ok
    +2 pay li chen 20 = ok
    +3 pay chen li 5 = ok
    +4 had li 100 +1
    +4 had li 90 +2
    +4 had li 70 +3
    +4 had li 75 +9
    +4 had chen 0 +1
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
