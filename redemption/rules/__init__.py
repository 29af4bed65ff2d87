"""The life of a voucher and of a settlement, as tables a person can read. Pure: no database, no clock.

The functions in sql/ keep these rules; tests/redemption compares both, state by state and action by action.
"""

from redemption.rules.states import (
    OVER,
    REDEEM_ORDER,
    SETTLEMENT_STEPS,
    USABLE,
    USED_UP,
    AlarmRule,
    AlarmState,
    CapPeriod,
    DeviceKind,
    DisputeState,
    LineKind,
    OfferKind,
    OfferState,
    OfflineClass,
    PayeeState,
    RequestState,
    Rhythm,
    SettlementState,
    StaffStep,
    UseState,
    VoucherState,
)
from redemption.rules.transitions import TRANSITIONS, Party, Stands, Transition
from redemption.rules.watch import WATCH, Watch, WatchRule

__all__ = [
    "OVER",
    "REDEEM_ORDER",
    "SETTLEMENT_STEPS",
    "TRANSITIONS",
    "USABLE",
    "USED_UP",
    "WATCH",
    "AlarmRule",
    "AlarmState",
    "CapPeriod",
    "DeviceKind",
    "DisputeState",
    "LineKind",
    "OfferKind",
    "OfferState",
    "OfflineClass",
    "Party",
    "PayeeState",
    "RequestState",
    "Rhythm",
    "SettlementState",
    "StaffStep",
    "Stands",
    "Transition",
    "UseState",
    "VoucherState",
    "Watch",
    "WatchRule",
]
