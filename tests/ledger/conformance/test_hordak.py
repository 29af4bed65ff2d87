"""django-hordak's cases: legs add up to nothing, in each currency, and no leg is nothing.

Where ours says it otherwise: theirs checks the sum of free legs when the transaction commits; ours has no leg without its
other side, so the sum cannot be anything else, and there is no deferred check to be late for.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
simple
    pay li chen 10 = ok
    has li 90, chen 10
three legs
    pay li chen 10; pay li bakery 20 = ok
    has li 70, chen 10, bakery 20
both sides of each leg are there
    pay li nobody 10; pay nobody chen 10 = account_not_found:1
    has li 100
nothing is no leg
    pay li chen 0 = amount_out_of_bounds
    pay li chen 10; pay li chen 0 = amount_out_of_bounds:2
    has li 100, chen 0
a leg is not negative
    pay li chen -10 = amount_out_of_bounds
a leg is not both
    pay li li 10 = same_account
currencies are kept apart
    pay issued li 10 minute = ok
    has li 100, li 10 minute
    pay li chen 11 minute = insufficient_balance
    pay li chen 11 = ok
    has li 89, chen 11, li 10 minute, chen 0 minute
a currency that an account does not have
    pay li bakery 5 minute = account_not_found
transfer to, there and back
    pay li bakery 100 = ok
    pay bakery li 100 = ok
    has li 100, bakery 0
exchange over a trading account
    pay li bakery 60 = ok
    pay issued li 90 minute = ok
    has li 40, bakery 60, li 90 minute
the balance as of a moment
    +1 pay li chen 10 = ok
    +2 pay li chen 20 = ok
    +3 had chen 0 +1
    +3 had chen 10 +2
    +3 had chen 30 +3
balances after legs that came out of order
    +3 ^1 pay li chen 10 = ok
    +4 ^0 pay li chen 5 = ok  # ours: running balances follow the order of posting
    passbook chen 10 15
a bulk
    pay li chen 1 = ok
    pay li chen 2 = ok
    pay li chen 3 = ok
    passbook chen 1 3 6
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
