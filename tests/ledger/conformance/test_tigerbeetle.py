"""TigerBeetle's table of transfers: one transfer a line, its verdict beside it, faults in the order in which they are told.

Theirs has pending transfers that are posted or voided once, linked chains, ids that exist with other content or have
failed already, and transfers that close an account. Where ours says it otherwise: a hold may be captured many times and its
rest released; a chain is one journal, and the first step that is refused is told instead of one verdict for each; whatever
differs under a known reference is one refusal; a reference that was refused is free, because nothing stands under it; the
release of an expired hold is a posting that somebody makes.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, can_be_batched, play, stories

TOLD = """
posted wholly
    hold 1 li 30 = ok
    capture 1 chen 30 = ok
    capture 1 chen 1 = hold_closed
    release 1 = hold_closed
posted in part, the rest given back
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    release 1 = ok
    release 1 = hold_closed
posted in many parts
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    capture 1 jar 10 = ok
    capture 1 li 10 = ok
posted beyond
    hold 1 li 30 = ok
    capture 1 chen 31 = hold_exceeded
    capture 1 chen 30 = ok
voided
    hold 1 li 30 = ok
    release 1 = ok
    capture 1 chen 1 = hold_closed
    release 1 = hold_closed
voided in part
    hold 1 li 30 = ok
    release 1 10 = ok
    capture 1 chen 21 = hold_exceeded
    capture 1 chen 20 = ok
voided beyond
    hold 1 li 30 = ok
    release 1 31 = hold_exceeded
never pending
    capture 1 chen 1 = hold_not_found
    release 1 = hold_not_found
pending twice
    hold 1 li 30 = ok
    hold 1 li 30 = hold_exists
    hold 1 chen 5 = hold_exists
pending again after it was closed
    hold 1 li 30 = ok
    release 1 = ok
    hold 1 li 30 = hold_exists
pending counts as spent
    hold 1 li 90 = ok
    pay li chen 11 = insufficient_balance
    pay li chen 10 = ok
pending does not fill the receiver
    pay li jar 60 = ok
    hold 1 li 40 = ok
    pay issued jar 40 = ok
    capture 1 jar 40 = over_ceiling
refused capture leaves the hold
    hold 1 li 30 = ok
    capture 1 gone 30 = account_closed
    capture 1 chen 30 = ok
zero
    hold 1 li 0 = amount_out_of_bounds
    hold 1 li 30 = ok
    capture 1 chen 0 = amount_out_of_bounds
    release 1 0 = amount_out_of_bounds
expires at the very moment
    hold 1 li 30 @2 = ok
    +1 capture 1 chen 10 = ok
    +2 capture 1 chen 10 = hold_expired
    +2 release 1 = ok
expired and closed is closed
    hold 1 li 30 @2 = ok
    capture 1 chen 30 = ok
    +3 capture 1 chen 1 = hold_closed
expired before exceeded
    hold 1 li 30 @2 = ok
    +3 capture 1 chen 31 = hold_expired
the clock of the book does not run back
    hold 1 li 30 @2 = ok
    +3 pay issued li 1 = ok
    capture 1 chen 1 = hold_expired
expired money is not free until given back
    hold 1 li 90 @2 = ok
    +3 pay li chen 50 = insufficient_balance
    +3 release 1 = ok
    +3 pay li chen 50 = ok
the same again
    [a] hold 1 li 30 = ok
    [a] hold 1 li 30 = again
    [b] capture 1 chen 9 = ok
    [b] capture 1 chen 9 = again
all that was left, again
    hold 1 li 30 = ok
    [a] release 1 = ok
    [a] release 1 = again
    [a] release 1 30 = again
the same after it expired
    [a] hold 1 li 30 @2 = ok
    [b] capture 1 chen 9 = ok
    +3 [b] capture 1 chen 9 = again
    +3 [a] hold 1 li 30 @2 = again
same reference, other amount
    [a] hold 1 li 30 = ok
    [a] hold 1 li 31 = reference_reused
same reference, other account
    [a] hold 1 li 30 = ok
    [a] hold 1 chen 30 = reference_reused
same reference, other hold
    [a] hold 1 li 30 = ok
    [a] hold 2 li 30 = reference_reused
same reference, other expiry
    [a] hold 1 li 30 @2 = ok
    [a] hold 1 li 30 @3 = reference_reused
    [a] hold 1 li 30 = reference_reused
same reference, other receiver
    hold 1 li 30 = ok
    [a] capture 1 chen 9 = ok
    [a] capture 1 jar 9 = reference_reused
same reference, other kind
    hold 1 li 30 = ok
    [a] capture 1 li 9 = ok
    [a] release 1 9 = reference_reused
other content comes before every other fault
    [a] hold 1 li 30 = ok
    [a] hold 1 nobody 0 = reference_reused
refused, then the same
    [a] pay chen li 5 = insufficient_balance
    pay li chen 5 = ok
    [a] pay chen li 5 = ok
    [a] pay chen li 5 = again
refused, then another
    [a] capture 1 chen 5 = hold_not_found
    [a] pay li chen 5 = ok
a chain
    pay li chen 50; pay chen jar 50; pay jar li 50 = ok
a chain breaks at its end
    pay li chen 50; pay chen jar 51 = insufficient_balance:2
    pay li chen 100 = ok
a chain breaks at its beginning
    pay chen li 1; pay li chen 1 = insufficient_balance:1
the first fault of a chain is told
    pay li chen 5; pay li li 5; pay li chen 0 = same_account:2
a chain sees its own steps
    pay li chen 50; pay chen jar 50 = ok
    pay chen jar 1 = insufficient_balance
a hold in a chain that breaks never was
    hold 1 li 30; pay chen li 1 = insufficient_balance:2
    release 1 = hold_not_found
    hold 1 li 30 = ok
a capture in a chain that breaks is taken back
    hold 1 li 30 = ok
    capture 1 chen 30; capture 1 chen 1 = hold_closed:2
    capture 1 chen 30 = ok
pending and posted in one chain
    hold 1 li 30; capture 1 chen 10; release 1 = ok
    capture 1 chen 1 = hold_closed
pending twice in one chain
    hold 1 li 30; hold 1 li 30 = hold_exists:2
shared out
    hold 1 li 30 = ok
    capture 1 chen 10; capture 1 jar 10; capture 1 bakery 10 = ok
shared out beyond
    hold 1 li 30 = ok
    capture 1 chen 10; capture 1 jar 21 = hold_exceeded:2
    release 1 30 = ok
exists is told before the clock, the hold and the balance are looked at
    [a] hold 1 li 90 @2 = ok
    capture 1 chen 90 = ok
    +9 [a] hold 1 li 90 @2 = again
the same with other accounts
    [a] pay li chen 5 = ok
    [a] pay chen li 5 = reference_reused
    [a] pay li jar 5 = reference_reused
    [a] pay issued chen 5 = reference_reused
the same with another amount
    [a] pay li chen 5 = ok
    [a] pay li chen 4 = reference_reused
    [a] pay li chen 6 = reference_reused
    [a] pay li chen 5 = again
the same in another unit
    [a] pay issued li 5 = ok
    [a] pay issued li 5 minute = reference_reused
the same with one step less or more
    [a] pay li chen 5; pay li jar 5 = ok
    [a] pay li chen 5 = reference_reused
    [a] pay li chen 5; pay li jar 5; pay li bakery 5 = reference_reused
    [a] pay li jar 5; pay li chen 5 = reference_reused
    [a] pay li chen 5; pay li jar 5 = again
a capture again with another amount or hold
    hold 1 li 30 = ok
    hold 2 li 30 = ok
    [a] capture 1 chen 13 = ok
    [a] capture 1 chen 14 = reference_reused
    [a] capture 2 chen 13 = reference_reused
    [a] capture 1 chen 13 = again
a capture of what was posted at once
    [a] pay li chen 15 = ok
    capture 1 chen 15 = hold_not_found  # ours: a hold has a name of its own and is no posting
already failed: the reference is free
    [a] pay li nobody 5 = account_not_found  # theirs: an id that failed for a passing reason stays dead
    [a] pay li chen 5 = ok
the largest amount
    pay issued bakery 1000000000000000 = ok
    pay issued bakery 1000000000000001 = amount_out_of_bounds
an empty journal
    nothing = journal_empty
chains do not touch their neighbours
    pay li chen 15; pay li chen 0 = amount_out_of_bounds:2
    pay li chen 15 = ok
    pay li chen 90; pay li chen 1 = insufficient_balance:1
    pay li chen 85 = ok
limits of both sides
    pay li jar 100 = ok
    pay bakery jar 1 = over_ceiling
    pay li chen 1 = insufficient_balance
closed, then closed again
    pay li bakery 100 = ok
    close li = ok
    close li = ok
    pay issued li 1 = account_closed
    pay li chen 1 = account_closed
    hold 1 li 1 = account_closed
closed only when empty
    close li = account_not_empty  # theirs: any balance may be closed in
    pay li bakery 100 = ok
    close li = ok
closed with something on hold
    hold 1 li 100 = ok
    close li = ok
    capture 1 li 40 = account_closed
    capture 1 chen 40 = ok
    release 1 = ok  # what was held before still comes home, and theirs may reopen; ours never does
    has li 60, chen 40, escrow 0
expired holds are given back by whoever sweeps
    hold 1 li 11 @1 = ok
    hold 2 li 12 @2 = ok
    hold 3 li 13 @3 = ok
    hold 4 li 10 = ok
    has li 54
    +1 expire = 1:ok
    has li 65
    +2 expire = 2:ok
    +3 expire = 3:ok
    has li 90
    capture 2 chen 12 = hold_closed
    capture 4 chen 10 = ok
"""
STORIES = stories(TOLD)
IN_A_BATCH = {name: story for name, story in STORIES.items() if can_be_batched(story)}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)


@pytest.mark.parametrize("story", IN_A_BATCH.values(), ids=IN_A_BATCH.keys())
async def test_it_goes_the_same_in_one_batch(sessions: Sessions, book: int, story: Story):
    await play(sessions, story, batched=True)
