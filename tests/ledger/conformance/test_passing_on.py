"""What a journal passes on through an account goes back the same way, the last step first.

Formance and medici undo a journal that goes through an account which keeps nothing: the giver of the first step is the taker
of the last step back. Turned round in the order of posting, the first step back would ask the account for what it has not got
yet.
"""

import pytest

from tests.db import Sessions
from tests.ledger.conformance.stories import Story, play, stories

TOLD = """
through an account that keeps nothing
    [a] pay li chen 50; pay chen bakery 50 = ok
    [b] undo [a] = ok
    has li 100, chen 0, bakery 0
through many accounts
    [a] pay li chen 50; pay chen jar 20; pay jar bakery 10 = ok
    [b] undo [a] = ok
    has li 100, chen 0, jar 0, bakery 0
again
    [a] pay li chen 50; pay chen bakery 50 = ok
    [b] undo [a] = ok
    [b] undo [a] = again
"""
STORIES = stories(TOLD)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: Story):
    await play(sessions, story)
