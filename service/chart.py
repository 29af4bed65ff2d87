"""The chart of accounts: every kind of ledger account, and every reason for which value may move.

A floor of 0 means the account can never be overdrawn; no floor means that its negative balance says something
(everything issued, everything owed to us from outside).
"""

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

from ledger import AccountSpec

MINUTE, POINT, FEN = "minute", "point", "fen"

ISSUED = "issued"
"""Counterpart of all that was ever earned: minus its balance is in circulation or burnt."""
OPENING = "opening"
"""Counterpart of what members brought along from the books before Linli: minus its balance is what was brought. Apart from
`issued`, so that what was earned here and what was taken over stay two figures. Opened with the first sheet of balances."""
ESCROW = "escrow"
"""Open holds: vouchers not yet used, exchanges not yet confirmed."""
PAID = "paid"
"""Money that left the community's bank account; Linli records it and never moves it."""
BANK = "bank"
"""Money that came in."""
EXPIRED = "expired"
WRITEOFF = "writeoff"
STORE = "pool:store"
"""Coins earned above the store's limit: given away to neighbours in need."""
CARE = "pool:care"
"""Donated minutes and points, granted to those in need."""
FUND = "fund:charity"
"""The community's charity fund, in fen: what has come in and is not set aside for a project."""
PROMISED = "fund:promised"
"""What caring merchants promised the fund by their sales and have not paid yet. Opened with the first agreed rate."""


ROOTS = {
    **dict.fromkeys(("member", "group", "merchant", "budget", "pool", "fund", "clearing", ESCROW), "Liabilities"),
    BANK: "Assets",
    "giver": "Assets",
    "owed": "Assets",
    "loss": "Expenses",
    PAID: "Expenses",
    "donor": "Income",
}
"""Where the first word of a code stands in an ordinary chart; the rest is equity. For exports."""


def owed(member_id: UUID) -> str:
    """What a person owes for vouchers used twice, below zero."""
    return f"owed:{member_id.hex}"


def member(member_id: UUID) -> str:
    """What a person can spend."""
    return f"member:{member_id.hex}"


def merchant(organisation_id: UUID) -> str:
    """Points redeemed at a shop, and fen owed to it."""
    return f"merchant:{organisation_id.hex}"


def budget(organisation_id: UUID) -> str:
    """What a sponsor pledged and has not spent."""
    return f"budget:{organisation_id.hex}"


def giver(organisation_id: UUID) -> str:
    """Below zero, what a caring merchant owes the fund by its sales; above, what it has paid too much."""
    return f"giver:{organisation_id.hex}"


def clearing(partner_id: int) -> str:
    """What this community owes another one; below zero, what the other owes us."""
    return f"clearing:{partner_id}"


def accounts_of_book() -> Sequence[AccountSpec]:
    """What every community's book has from the first day."""
    free = [(code, unit) for code in (ISSUED, EXPIRED, WRITEOFF) for unit in (MINUTE, POINT)]
    free += [(PAID, FEN), (BANK, FEN)]
    kept = [(ESCROW, unit) for unit in (MINUTE, POINT, FEN)]
    kept += [(STORE, MINUTE), (CARE, MINUTE), (CARE, POINT), (FUND, FEN)]
    return [AccountSpec(code, unit, floor=None) for code, unit in free] + [
        AccountSpec(code, unit, floor=0) for code, unit in kept
    ]


def accounts_of_member(member_id: UUID) -> Sequence[AccountSpec]:
    """A person's two accounts; neither can be overdrawn."""
    return [AccountSpec(member(member_id), unit, floor=0) for unit in (MINUTE, POINT)]


def accounts_of_giver(organisation_id: UUID) -> Sequence[AccountSpec]:
    """What a caring merchant's sales are booked on. Neither has a floor: together they are always zero."""
    return [AccountSpec(giver(organisation_id), FEN, floor=None), AccountSpec(PROMISED, FEN, floor=None)]


def accounts_of_organisation(organisation_id: UUID) -> Sequence[AccountSpec]:
    """A shop's two accounts and a sponsor's two budgets: any organisation may become either."""
    return [AccountSpec(merchant(organisation_id), unit, floor=None) for unit in (POINT, FEN)] + [
        AccountSpec(budget(organisation_id), unit, floor=0) for unit in (POINT, FEN)
    ]


class Reason(StrEnum):
    """Why value moved. Each has a sentence in both languages under `reason.<value>`."""

    SERVICE = "service"
    """Minutes and points for a service that its receiver or a second person confirmed."""
    WISH_REWARD = "wish_reward"
    """A sponsor's points set aside for a wish's helper from its approval on, and let go: paid with the service, or returned."""
    VOUCHER_ISSUED = "voucher_issued"
    """Points (and the sponsor's fen) set aside for a voucher."""
    VOUCHER_USED = "voucher_used"
    """Set-aside points and fen pass to the shop."""
    VOUCHER_CONFLICT = "voucher_conflict"
    """A scan without a network that came too late: the shop is paid by the member, the fund and the account of losses."""
    VOUCHER_CHANGED = "voucher_changed"
    """A change order: what was in escrow at the old price went back, and the new price went in."""
    VOUCHER_CANCELLED = "voucher_cancelled"
    """A voucher was given back: everything set aside returns."""
    VOUCHER_EXPIRED = "voucher_expired"
    """A voucher ran out: everything set aside returns by itself."""
    VOUCHER_VOIDED = "voucher_voided"
    """A voucher was voided by two of the office: everything set aside returns."""
    VOUCHER_USE_REVERSED = "voucher_use_reversed"
    """A use was undone at the counter within the hour."""
    SETTLEMENT_PAID = "settlement_paid"
    """Redeemed points are burnt and the shop's fen are paid, with the bank's reference."""
    SETTLEMENT_RETURNED = "settlement_returned"
    """The bank sent a payment back: it is owed to the shop again."""
    BUDGET_PLEDGED = "budget_pledged"
    """A sponsor promised money or points."""
    OPENING_BALANCE = "opening_balance"
    """Carried over from the books kept before Linli."""
    POINTS_EXPIRED = "points_expired"
    """Points that were not used by the day their community's rule gave them."""
    HOLD_EXPIRED = "hold_expired"
    """What was set aside until a day came back by itself when the day was over."""
    DEBT_WRITTEN_OFF = "debt_written_off"
    """What somebody owed, by a correction or for a voucher used twice, and will never make good, forgiven by two people."""
    CONFLICT_DEBT_PAID = "conflict_debt_paid"
    """What somebody owed for a voucher used twice, paid from their points as two people agreed with them."""
    CONFLICT_DEBT_COLLECTED = "conflict_debt_collected"
    """What somebody owed for a voucher used twice, paid from their points by itself, days after they were told."""
    CORRECTION = "correction"
    """A mistaken posting undone by its exact opposite."""
    CLEARING_SENT = "clearing_sent"
    """A member's minutes or points on their way to another community; owed to it from now on."""
    CLEARING_ARRIVED = "clearing_arrived"
    """Minutes or points that a member got from another community, which owes them to us."""
    CLEARING_RETURNED = "clearing_returned"
    """The other community could not take them: they are back with whoever sent them."""
    CLEARING_NETTED = "clearing_netted"
    """What two communities owed each other is set to zero: one has issued so much more, the other so much less."""
    GIFT = "gift"
    """Minutes that somebody gave to another one of the same household."""
    EXCHANGE_HELD = "exchange_held"
    """A neighbour's minutes set aside for help that was agreed on."""
    EXCHANGE_PAID = "exchange_paid"
    """Minutes that a neighbour gave for help, confirmed by them, by time, or by the staff's decision."""
    EXCHANGE_RETURNED = "exchange_returned"
    """Minutes set aside for a neighbour's help that came back: it did not take place, or not wholly."""
    FUND_GIFT = "fund_gift"
    """What a caring merchant promises the fund for a sale, by the rate it agreed to."""
    FUND_PAID_IN = "fund_paid_in"
    """A caring merchant paid what it had promised: it is the fund's to spend from now on."""
    FUND_DONATION = "fund_donation"
    """Money that somebody gave to the fund at the desk, under the number of its receipt."""
