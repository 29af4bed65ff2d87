"""The seventeen steps of a voucher's life as one table: who, from where to where, under which guard, with which effect."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from redemption.rules.states import UseState, VoucherState


class Party(StrEnum):
    """Who may move a voucher. One person may be several: staff who act for a member are both S and P."""

    MEMBER = "M"
    PROXY = "P"
    CLERK = "C"
    OWNER = "O"
    REPAIRER = "V"
    LEADER = "L"
    STAFF = "S"
    SECOND = "S2"
    FINANCE = "F"
    SYSTEM = "SYS"


_S, _U = VoucherState, UseState


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the life of a voucher: who may do it, from where to where, and what it does to the money."""

    number: int
    """Its number in the rules of redemption; 0 for what leaves the state as it is and moves something else."""
    action: str
    who: frozenset[Party]
    guard: str
    effect: str
    moves: dict[VoucherState | None, tuple[VoucherState, ...]]
    """From a state to what may come of it; None is no voucher yet."""
    uses: dict[UseState | None, UseState] = field(default_factory=dict)
    """What becomes of a use by it; None is no use yet."""


def _who(letters: str) -> frozenset[Party]:
    return frozenset(Party(letter) for letter in letters.split())


TRANSITIONS: Final = (
    Transition(
        1,
        "reserve",
        _who("M P"),
        "offer open; stock; balance; caps of member, offer and budget",
        "member points into escrow for ten minutes; stock reserved; price list version, discount class and split frozen",
        {None: (_S.RESERVED,)},
    ),
    Transition(
        2,
        "issue",
        _who("M P"),
        "offer published and in time; stock; the member's cap; points; the sponsor's budget",
        "member points, sponsor points and sponsor fen into escrow; stock taken; price and split frozen; a code of its own",
        {None: (_S.ISSUED,)},
    ),
    Transition(
        2,
        "confirm",
        _who("M P"),
        "within the ten minutes; for a repair, the quote accepted",
        "a code of its own; the offline class is fixed",
        {_S.RESERVED: (_S.ISSUED,)},
    ),
    Transition(
        3,
        "cancel",
        _who("M P"),
        "a reason",
        "all of it goes back to member and sponsor; stock returns",
        {_S.RESERVED: (_S.CANCELLED,)},
    ),
    Transition(
        4,
        "lock",
        _who("C L"),
        "genuine code; in scope; not expired; no other phone's lease; for two minutes at a counter, or to the end of a job and "
        "a day",
        "a token; the member cannot cancel alone",
        {_S.ISSUED: (_S.LOCKED,), _S.PART_USED: (_S.LOCKED,)},
    ),
    Transition(
        5,
        "unlock",
        _who("C L SYS"),
        "no use recorded",
        "the lock is gone; what ran out meanwhile expires",
        {_S.LOCKED: (_S.ISSUED, _S.PART_USED, _S.EXPIRED)},
    ),
    Transition(
        6,
        "redeem",
        _who("C O S2"),
        "of a shop in scope, not of the owner's household; not expired; the newest code; enough left; device and nonce new; "
        "at the desk, one of staff proposed it and another decides, or the member types the PIN",
        "escrow to the merchant's points and fen; a use; a receipt",
        {_S.ISSUED: (_S.PART_USED, _S.USED), _S.PART_USED: (_S.PART_USED, _S.USED)},
        {None: _U.ACCEPTED},
    ),
    Transition(
        6,
        "redeem_locked",
        _who("C V"),
        "as above, with the lock's token; while the lock lasts, in time if it was when locked; no change waits",
        "as above",
        {_S.LOCKED: (_S.PART_USED, _S.USED)},
        {None: _U.ACCEPTED},
    ),
    Transition(
        6,
        "change",
        _who("C V M P"),
        "locked, by its token; nothing used; dearer in any part only when the member says yes",
        "escrow moves to the new price in one journal; the split is frozen anew; proposal and answer are kept",
        {_S.LOCKED: (_S.LOCKED,)},
    ),
    Transition(
        7,
        "merge",
        _who("SYS"),
        "a scan that was made without a network, uploaded; the lock of the phone itself ends with it",
        "as redeeming, or the loss is allocated",
        {_S.ISSUED: (_S.PART_USED, _S.USED), _S.PART_USED: (_S.PART_USED, _S.USED)},
        {_U.PENDING_DEVICE: _U.ACCEPTED, None: _U.CONFLICT},
    ),
    Transition(
        8,
        "reverse",
        _who("C O"),
        "the clerk who scanned, or the shop's owner; within the hour; no batch has it; a reason; three in 24 hours for a device",
        "merchant back to escrow, exactly; older codes are dead",
        {_S.USED: (_S.ISSUED, _S.PART_USED), _S.PART_USED: (_S.ISSUED, _S.PART_USED)},
        {_U.ACCEPTED: _U.REVERSED},
    ),
    Transition(
        9,
        "cancel",
        _who("M P"),
        "not expired; a reason; no shop holds it",
        "the rest goes back to member and sponsor; stock returns; its codes are dead",
        {_S.ISSUED: (_S.CANCELLED,), _S.PART_USED: (_S.CANCELLED,)},
    ),
    Transition(
        10,
        "ask_to_cancel",
        _who("M P"),
        "a shop holds a lease",
        "nothing moves until the shop has answered, or its lease is over",
        {_S.ISSUED: (_S.CANCEL_PENDING,), _S.PART_USED: (_S.CANCEL_PENDING,)},
    ),
    Transition(
        11,
        "end_cancelling",
        _who("SYS"),
        "the lease came back or is over, or its holder has heard of it; or the holder uploads a use",
        "the rest goes back, or the member is shown when and where it was used",
        {_S.CANCEL_PENDING: (_S.CANCELLED, _S.USED, _S.CANCEL_PENDING)},
    ),
    Transition(
        12,
        "expire",
        _who("SYS"),
        "past the expiry, and for the offline classes the grace that was frozen at issue",
        "the rest goes back to member and sponsor; stock returns",
        {_S.RESERVED: (_S.EXPIRED,), _S.ISSUED: (_S.EXPIRED,), _S.PART_USED: (_S.EXPIRED,)},
    ),
    Transition(
        13,
        "freeze",
        _who("S"),
        "a reason",
        "nothing moves",
        dict.fromkeys((_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING), (_S.FROZEN,)),
    ),
    Transition(
        13,
        "unfreeze",
        _who("S"),
        "a reason",
        "nothing moves",
        {_S.FROZEN: (_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING)},
    ),
    Transition(
        14,
        "void",
        _who("S2"),
        "one of staff proposed it and another decides; a reason",
        "the rest goes back to member and sponsor; stock returns",
        dict.fromkeys((_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING, _S.FROZEN), (_S.VOID,)),
    ),
    Transition(
        0,
        "give",
        _who("M P"),
        "the offer allows it; to another member whom it is for; not given before; not expired",
        "nothing moves; older codes are dead; what is not used goes back to who paid",
        {_S.ISSUED: (_S.ISSUED,), _S.PART_USED: (_S.PART_USED,)},
    ),
    Transition(
        0,
        "extend",
        _who("S2"),
        "one of staff proposed it and another decides; later than before; a reason",
        "nothing moves; the expiry is later, the grace after it as long",
        {state: (state,) for state in (_S.RESERVED, _S.ISSUED, _S.LOCKED, _S.PART_USED, _S.CANCEL_PENDING, _S.FROZEN)},
    ),
    Transition(
        15,
        "close",
        _who("F"),
        "accepted and in no batch; three sums agree",
        "the use is in one batch, which no longer changes",
        {},
        {_U.ACCEPTED: _U.SETTLED},
    ),
    Transition(
        16,
        "refund",
        _who("F S2"),
        "never who closed the batch or objected; the line is in dispute; a reason",
        "merchant back to member and sponsor, exactly; the pieces count as returned; stock returns",
        {_S.USED: (_S.USED, _S.CANCELLED), _S.PART_USED: (_S.ISSUED, _S.PART_USED)},
        {_U.SETTLED: _U.REVERSED},
    ),
    Transition(
        16,
        "adjust",
        _who("F S2"),
        "proposed by one, agreed to by another; the shop has confirmed the batch; the line is not in dispute; once for a use; "
        "a reason",
        "merchant back to member and sponsor, exactly; the pieces count as returned; stock returns; the next batch has the line "
        "with its sign turned, the batch itself stays",
        {_S.USED: (_S.USED, _S.CANCELLED), _S.PART_USED: (_S.ISSUED, _S.PART_USED)},
        {_U.SETTLED: _U.ADJUSTED},
    ),
    Transition(
        17,
        "reopen",
        _who("SYS"),
        "a late use whose scan lies provably inside the time",
        "the use is in conflict; who pays is decided by table",
        {_S.EXPIRED: (_S.EXPIRED,), _S.CANCELLED: (_S.CANCELLED,)},
        {None: _U.CONFLICT},
    ),
)
"""The seventeen steps of a voucher's life (docs/decisions/0003).

Nothing else moves one: tests/redemption/test_states.py tries every action in every state, tests/vouchers/test_who.py
every action by everybody.
"""
