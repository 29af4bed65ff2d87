"""Steps as the model looks at them: whom they name, what turns them round, and whether two are the same."""

import re
from collections.abc import Sequence

from ledger.rules import Capture, Hold, Leg, Refund, Release, Step


def named(step: Step) -> tuple[str, ...]:
    """The accounts that a step names."""
    match step:
        case Leg():
            return step.debit, step.credit
        case Hold():
            return (step.account,)
        case Capture():
            return (step.credit,)
        case Refund():
            return (step.debit,)
        case Release():
            return ()


def turned_round(steps: Sequence[Step]) -> tuple[Step, ...]:
    """What undoes them, the last first."""
    return tuple(
        Leg(step.credit, step.debit, step.unit, step.amount) for step in reversed(steps) if isinstance(step, Leg)
    )


def totals(steps: Sequence[Step]) -> dict[tuple[str, str, str], int]:
    """How much goes which way: from, to, unit."""
    found: dict[tuple[str, str, str], int] = {}
    for step in steps:
        if isinstance(step, Leg) and step.amount > 0:
            way = (step.debit, step.credit, step.unit)
            found[way] = found.get(way, 0) + step.amount
    return found


def same_step(first: Step, again: Step) -> bool:
    """Whether a retry means what was posted; an amount left out stands for the one that came out."""
    if isinstance(first, Release) and isinstance(again, Release) and again.amount is None:
        return first.hold_id == again.hold_id
    return first == again


def is_line(text: str) -> bool:
    """What may be a reference or a reason."""
    return 1 <= len(text) <= 200 and re.search(r"[\x01-\x1f\x7f]", text) is None
