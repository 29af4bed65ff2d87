"""The redemption library does what its model does, whatever is asked in whatever order, with a network and without."""

import random

import pytest

from tests.redemption.market import Market
from tests.redemption.model.steps import live
from tests.redemption.model.story import Story

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(1, 6))
async def test_the_library_does_what_the_model_does(market: Market, seed: int):
    """Stories that were drawn once, so that they are the same everywhere; `./dev bench vouchers` draws new ones."""
    story = await Story(Market(market.sessions, book=100 + seed), random.Random(seed)).begin()

    await live(story, 400)

    # They are about something: vouchers were used with a network and without, and much was refused for many reasons.
    assert story.met["scan redeemed"] > 0
    assert story.met["record accepted accepted None"] > 0
    assert len(story.met) > 50
