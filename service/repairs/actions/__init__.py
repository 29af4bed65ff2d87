"""Writes: one function per verb. Each locks the order, asks the rules and leaves a line."""

from service.repairs.actions.accepting import accept, accept_by_card, claim_warranty, decide_claim, release_warranties
from service.repairs.actions.cards import card_at_door, names_a_card, prove
from service.repairs.actions.pricing import QuoteLine, agree, answer_change, change_price, quote
from service.repairs.actions.showing import add_photo
from service.repairs.actions.skills import write_skills
from service.repairs.actions.working import assign, cancel, decline, move_on, report, take

__all__ = [
    "QuoteLine",
    "accept",
    "accept_by_card",
    "add_photo",
    "agree",
    "answer_change",
    "assign",
    "cancel",
    "card_at_door",
    "change_price",
    "claim_warranty",
    "decide_claim",
    "decline",
    "move_on",
    "names_a_card",
    "prove",
    "quote",
    "release_warranties",
    "report",
    "take",
    "write_skills",
]
