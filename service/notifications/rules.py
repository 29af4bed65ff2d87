"""Who hears of a fact, and where its message leads; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from service import facts
from service.kit.access import Role
from service.kit.outbox import Fact

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Letter:
    """To whom: people by id, everybody with one of the roles, or everybody who acts for an organisation."""

    url: str
    members: tuple[UUID, ...] = ()
    roles: tuple[Role, ...] = ()
    organisation: UUID | None = None


Letters = Callable[[Fact], Sequence[Letter]]


def _wish(fact: facts.WishPosted) -> Sequence[Letter]:
    return [Letter(f"/desk/wishes/{fact.wish_id}", roles=(Role.STAFF,))]


def _urgent(fact: facts.UrgentWishPosted) -> Sequence[Letter]:
    return [Letter(f"/wishes/{fact.wish_id}", roles=(Role.VOLUNTEER,))]


def _disputed(fact: facts.WishDisputed) -> Sequence[Letter]:
    return [
        Letter(f"/desk/wishes/{fact.wish_id}", roles=(Role.STAFF,)),
        Letter(f"/wishes/{fact.wish_id}", members=(fact.volunteer_id,)),
    ]


def _due(fact: facts.WishConfirmationDue) -> Sequence[Letter]:
    return [
        Letter(f"/wishes/{fact.wish_id}", members=(fact.asked_by,)),
        Letter(f"/desk/wishes/{fact.wish_id}", roles=(Role.STAFF,)),
    ]


def _withdrawn(fact: facts.WishWithdrawn) -> Sequence[Letter]:
    helper = (fact.volunteer_id,) if fact.volunteer_id is not None else ()
    return [Letter(f"/wishes/{fact.wish_id}", members=helper)]


def _to_asker(fact: Fact) -> Sequence[Letter]:
    return [Letter(f"/wishes/{fact.wish_id}", members=(fact.asked_by,))]  # type: ignore[attr-defined] # every wish fact has both


def _to_helper(fact: facts.WishConfirmed) -> Sequence[Letter]:
    return [Letter("/passbook", members=(fact.volunteer_id,))]


def _shift(fact: facts.ShiftSignedUp | facts.ShiftPlaceFreed) -> Sequence[Letter]:
    return [Letter(f"/shifts/{fact.shift_id}", members=(fact.member_id,))]


def _cancelled(fact: facts.ActivityCancelled) -> Sequence[Letter]:
    return [Letter("/activities", members=fact.member_ids)]


def _hours(fact: facts.AttendanceApproved | facts.PointsExpiring) -> Sequence[Letter]:
    return [Letter("/passbook", members=(fact.member_id,))]


def _shift_cancelled(fact: facts.ShiftCancelled) -> Sequence[Letter]:
    return [Letter(f"/shifts/{fact.shift_id}", members=fact.member_ids)]


def _hours_returned(fact: facts.AttendanceReturned | facts.AttendanceApprovalUndone) -> Sequence[Letter]:
    return [Letter("/activities/mine", members=(fact.member_id,))]


_VoucherFact = (
    facts.VoucherIssued
    | facts.VoucherReturned
    | facts.VoucherExpiring
    | facts.VoucherFrozen
    | facts.VoucherUnfrozen
    | facts.VoucherExtended
    | facts.VoucherTakenOver
    | facts.VoucherGiven
)


def _voucher(fact: _VoucherFact) -> Sequence[Letter]:
    return [Letter(f"/vouchers/{fact.voucher_id}", members=(fact.member_id,))]


def _receipt(fact: facts.VoucherRedeemed | facts.VoucherUseReversed) -> Sequence[Letter]:
    return [Letter(f"/vouchers/{fact.voucher_id}", members=(fact.member_id,))]


def _owed(fact: facts.OwedTold | facts.OwedCollected) -> Sequence[Letter]:
    return [Letter("/owed", members=(fact.member_id,))]


def _objected(fact: facts.OwedObjected) -> Sequence[Letter]:
    del fact
    return [Letter("/desk/books/debts", roles=(Role.STAFF,))]


def _shop(fact: facts.SettlementClosed | facts.DisputeResolved | facts.SettlementPaid) -> Sequence[Letter]:
    return [Letter(f"/shop/settlements/{fact.settlement_id}", organisation=fact.merchant_id)]


def _year(fact: facts.YearClosed) -> Sequence[Letter]:
    return [Letter(f"/desk/books/years/{fact.year}", roles=(Role.FINANCE, Role.APPROVER, Role.AUDITOR))]


def _clearing(fact: facts.ClearingSettled | facts.ClearingReturned | facts.ClearingArrived) -> Sequence[Letter]:
    return [Letter(f"/clearing/{fact.transfer_id}", members=(fact.member_id,))]


def _agreement(fact: facts.ClearingOffered | facts.ClearingAgreed | facts.ClearingClosed) -> Sequence[Letter]:
    del fact
    return [Letter("/desk/clearing", roles=(Role.ADMIN,))]


def _netting(fact: facts.NettingDue | facts.NettingDone | facts.NettingDropped) -> Sequence[Letter]:
    return [Letter(f"/desk/clearing/nettings/{fact.netting_id}", roles=(Role.FINANCE,))]


def _exchange(fact: facts.ExchangeAsked) -> Sequence[Letter]:
    return [Letter(f"/exchange/{fact.exchange_id}", members=(fact.member_id,))]


def _gift(fact: facts.GiftReceived) -> Sequence[Letter]:
    return [Letter("/exchange/gifts", members=(fact.member_id,))]


def _repair(fact: facts.RepairTaken) -> Sequence[Letter]:
    return [Letter(f"/repairs/{fact.order_id}", members=(fact.member_id,))]


def _repair_gone(fact: facts.RepairReassigned) -> Sequence[Letter]:
    # The order is not theirs to see any more.
    return [Letter("/repairs/jobs", members=(fact.member_id,))]


def _repair_at_desk(fact: facts.RepairReported) -> Sequence[Letter]:
    return [Letter(f"/desk/repairs/{fact.order_id}", roles=(Role.STAFF,))]


def _exchange_disputed(fact: facts.ExchangeDisputed) -> Sequence[Letter]:
    return [
        Letter(f"/exchange/{fact.exchange_id}", members=(fact.member_id,)),
        Letter(f"/desk/exchange/{fact.exchange_id}", roles=(Role.STAFF,)),
    ]


def _second_factor(fact: facts.SecondFactorSet | facts.SecondFactorEnded) -> Sequence[Letter]:
    return [Letter("/me/second-factor", members=(fact.member_id,))]


def _removal(fact: facts.FactorRemovalProposed) -> Sequence[Letter]:
    return [Letter("/desk/second-factors", members=(fact.member_id,))]


def _guessed(fact: facts.CodesGuessed) -> Sequence[Letter]:
    return [Letter("/me/secret", members=(fact.member_id,))]


POST: dict[type[Fact], Callable[..., Sequence[Letter]]] = {
    facts.WishPosted: _wish,
    facts.WishApproved: _to_asker,
    facts.WishReturned: _to_asker,
    facts.WishClaimed: _to_asker,
    facts.WishReleased: _to_asker,
    facts.WishServed: _to_asker,
    facts.WishConfirmed: _to_helper,
    facts.UrgentWishPosted: _urgent,
    facts.WishDisputed: _disputed,
    facts.WishConfirmationDue: _due,
    facts.WishWithdrawn: _withdrawn,
    facts.WishExpired: _to_asker,
    facts.ShiftSignedUp: _shift,
    facts.ShiftPlaceFreed: _shift,
    facts.ActivityCancelled: _cancelled,
    facts.AttendanceApproved: _hours,
    facts.AttendanceReturned: _hours_returned,
    facts.AttendanceApprovalUndone: _hours_returned,
    facts.ShiftCancelled: _shift_cancelled,
    facts.VoucherIssued: _voucher,
    facts.VoucherRedeemed: _receipt,
    facts.VoucherUseReversed: _receipt,
    facts.VoucherReturned: _voucher,
    facts.VoucherExpiring: _voucher,
    facts.VoucherFrozen: _voucher,
    facts.VoucherUnfrozen: _voucher,
    facts.VoucherExtended: _voucher,
    facts.VoucherTakenOver: _voucher,
    facts.VoucherGiven: _voucher,
    facts.PointsExpiring: _hours,
    facts.OwedTold: _owed,
    facts.OwedCollected: _owed,
    facts.OwedObjected: _objected,
    facts.SettlementClosed: _shop,
    facts.DisputeResolved: _shop,
    facts.SettlementPaid: _shop,
    facts.YearClosed: _year,
    facts.ClearingArrived: _clearing,
    facts.ClearingSettled: _clearing,
    facts.ClearingReturned: _clearing,
    facts.ClearingOffered: _agreement,
    facts.ClearingAgreed: _agreement,
    facts.ClearingClosed: _agreement,
    facts.NettingDue: _netting,
    facts.NettingDone: _netting,
    facts.NettingDropped: _netting,
    facts.ExchangeAsked: _exchange,
    facts.ExchangeAccepted: _exchange,
    facts.ExchangeDeclined: _exchange,
    facts.ExchangeDone: _exchange,
    facts.ExchangeConfirmed: _exchange,
    facts.ExchangeReturned: _exchange,
    facts.ExchangeWithdrawn: _exchange,
    facts.ExchangeDisputed: _exchange_disputed,
    facts.ExchangeDecided: _exchange,
    facts.ExchangeThanked: _exchange,
    facts.RepairReported: _repair_at_desk,
    facts.RepairAssigned: _repair,
    facts.RepairReassigned: _repair_gone,
    facts.RepairDeclined: _repair_at_desk,
    facts.RepairTaken: _repair,
    facts.RepairQuoted: _repair,
    facts.RepairAgreed: _repair,
    facts.RepairOnWay: _repair,
    facts.RepairDone: _repair,
    facts.RepairPriceChanged: _repair,
    facts.RepairPriceAnswered: _repair,
    facts.RepairAccepted: _repair,
    facts.RepairUnderWarranty: _repair,
    facts.RepairCancelled: _repair,
    facts.RepairClaimed: _repair_at_desk,
    facts.RepairDecided: _repair,
    facts.GiftReceived: _gift,
    facts.SecondFactorSet: _second_factor,
    facts.SecondFactorEnded: _second_factor,
    facts.FactorRemovalProposed: _removal,
    facts.CodesGuessed: _guessed,
}
