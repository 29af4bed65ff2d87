"""Clearing between the books of two communities: minutes and points that a member takes along or sends next door.

No transaction touches two books. What is sent leaves the member for the account `clearing:<partner>` and waits there;
the other community takes it from its own `clearing:<us>`, or says why not, and then it is given back. Each step is one
transaction in one book, carried to the other side by a fact, harmless when it comes twice, and told again until it is
answered. Both sides keep a row under one reference, so each can be held against the other; once a month the two
positions are set to zero by a netting that one side's finance proposes and the other's confirms (decision 0021).
"""

from service.clearing.queries.positions import Position, positions, verify_positions
from service.clearing.rules import Unit

__all__ = ["Position", "Unit", "positions", "verify_positions"]
