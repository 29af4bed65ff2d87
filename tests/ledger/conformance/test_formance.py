"""Formance's cases: creating with references and idempotency keys, reverting, and bulks.

Where ours says it otherwise: the reference is the idempotency key, so the same content again is an answer and not a
conflict; a reversal cannot be forced below a floor, except by a debt that was allowed beforehand for this very reason; no
part of a bulk is dropped at the first error, each journal has its own verdict, and what must stand or fall together is one
journal.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
the same reference twice
    [a] pay li chen 10 = ok
    [a] pay li chen 10 = again
    has li 90
the same reference with other data
    [a] pay li chen 10 = ok
    [a] pay li chen 11 = reference_reused
    has li 90
the same reference in another ledger
    [a] pay li chen 10 = ok
    /2 [a] pay li chen 10 = ok
    /2 [a] pay li chen 11 = reference_reused
    has li 90
    /2 has li 90
insufficient funds
    pay li bakery 101 = insufficient_balance
    has li 100
a negative amount
    pay li bakery -1 = amount_out_of_bounds
no postings
    nothing = journal_empty
an unknown asset
    pay li bakery 1 yuan = account_not_found
through an account that has nothing and keeps nothing
    pay li chen 50; pay chen bakery 50 = ok
    has li 50, chen 0, bakery 50
    passbook chen 50 0
reverted through such an account  # theirs goes back in the posted order of legs as well
    [a] pay li bakery 50; pay bakery jar 50 = ok
    [b] undo [a] = ok
    has li 100, bakery 0, jar 0
reverted
    [a] pay li chen 10 = ok
    [b] undo [a] = ok
    has li 100, chen 0
reverted again
    [a] pay li chen 10 = ok
    [b] undo [a] = ok
    [c] undo [a] = already_reversed
    [b] undo [a] = again
    has li 100
reverted after the money went on
    [a] pay li chen 10 = ok
    pay chen bakery 10 = ok
    [b] undo [a] = insufficient_balance  # theirs can be forced
    pay issued chen 3 = ok
    [b] undo [a]: pay chen li 3 = ok  # ours takes back what is there
    has li 93, chen 0
reverted at the date of the original
    +1 [a] pay li chen 10 = ok
    +5 ^1 [b] undo [a] = ok
    +6 ^0 [c] pay li chen 1 = ok
two reverts under one key
    [a] pay li chen 10 = ok
    [b] pay li chen 20 = ok
    [r] undo [a] = ok
    [r] undo [b] = reference_reused
    has chen 20
what does not exist cannot be reverted
    [b] undo [a] = original_not_found
a refused one cannot be reverted
    [a] pay chen li 10 = insufficient_balance
    [b] undo [a] = original_not_found
a bulk in which one is wrong
    pay li chen 10 = ok
    pay chen li 11 = insufficient_balance
    pay li chen 10 = ok
    has li 80, chen 20
a bulk that is atomic
    pay li chen 10; pay chen li 11; pay li chen 10 = insufficient_balance:2
    has li 100, chen 0
a bulk that reverts what it posted
    [a] pay li chen 10 = ok
    [b] undo [a] = ok
    [c] undo [a] = already_reversed
    [d] undo [b] = original_is_reversal
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
