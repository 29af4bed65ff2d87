"""How often each thing happens in a story, and a story told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.redemption.model import counter_steps, office_steps, phone_steps
from tests.redemption.model.story import Story

EVERY = 20
"""Steps between two looks at everything."""
STEPS: dict[Callable[[Story], Awaitable[None]], int] = {
    counter_steps.take: 18,
    counter_steps.earn: 3,
    counter_steps.confirm: 5,
    counter_steps.scan: 18,
    counter_steps.lock: 4,
    counter_steps.unlock: 2,
    counter_steps.scan_locked: 4,
    counter_steps.cancel: 5,
    counter_steps.let_time_act: 4,
    counter_steps.freeze: 3,
    counter_steps.unfreeze: 3,
    counter_steps.void: 2,
    counter_steps.extend: 2,
    counter_steps.renew_code: 2,
    counter_steps.give: 3,
    counter_steps.reverse: 5,
    counter_steps.settle: 2,
    office_steps.correct: 2,
    phone_steps.take_lease: 7,
    phone_steps.return_lease: 2,
    phone_steps.break_lease: 1,
    phone_steps.scan_offline: 14,
    phone_steps.undo_offline: 3,
    phone_steps.sync: 8,
    phone_steps.decide: 3,
    phone_steps.lose_phone: 1,
}


async def live(story: Story, steps: int) -> None:
    """So many steps, then everything is proved."""
    for number, step in enumerate(story.lot.choices(list(STEPS), list(STEPS.values()), k=steps)):
        story.time_goes_on()
        await step(story)
        if number % EVERY == 0:
            await story.compare()
    await story.compare()
    faults = await story.market.faults()
    assert faults == [], faults[:3]
