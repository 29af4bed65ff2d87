"""What can happen to a voucher."""

from uuid import UUID

from service.kit.outbox import Fact


class VoucherIssued(Fact, frozen=True, kw_only=True):
    """A member holds a voucher; their points are set aside."""

    voucher_id: int
    member_id: UUID


class VoucherRedeemed(Fact, frozen=True, kw_only=True):
    """A shop took a voucher, or a piece of one; the member gets a receipt for each."""

    voucher_id: int
    member_id: UUID
    merchant_id: UUID
    seq: int = 0
    """Which use of the voucher. What was recorded before uses had a receipt each says none."""


class VoucherUseReversed(Fact, frozen=True, kw_only=True):
    """A use was undone at the counter; the voucher is good again."""

    voucher_id: int
    member_id: UUID
    merchant_id: UUID
    seq: int = 0
    """Which use of the voucher, as in VoucherRedeemed."""


class VoucherReturned(Fact, frozen=True, kw_only=True):
    """A voucher was cancelled or ran out; the points are back."""

    voucher_id: int
    member_id: UUID
    reason: str


class VoucherFrozen(Fact, frozen=True, kw_only=True):
    """Staff stopped a voucher while they look into something."""

    voucher_id: int
    member_id: UUID


class VoucherUnfrozen(Fact, frozen=True, kw_only=True):
    """A stopped voucher is good again."""

    voucher_id: int
    member_id: UUID


class VoucherExtended(Fact, frozen=True, kw_only=True):
    """Two of staff gave a voucher more days."""

    voucher_id: int
    member_id: UUID


class VoucherTakenOver(Fact, frozen=True, kw_only=True):
    """The shop of a voucher left; another one honours it, at the same price."""

    voucher_id: int
    member_id: UUID
    merchant_id: UUID


class VoucherGiven(Fact, frozen=True, kw_only=True):
    """A member gave a voucher to this one."""

    voucher_id: int
    member_id: UUID


class OwedTold(Fact, frozen=True, kw_only=True):
    """A member owes for a voucher used twice, and is told when it is paid from their points."""

    notice_id: UUID
    member_id: UUID
    points_hundredths: int
    days: int


class OwedCollected(Fact, frozen=True, kw_only=True):
    """What a member owed was paid from their points by itself."""

    collection_id: UUID
    member_id: UUID
    points_hundredths: int


class OwedObjected(Fact, frozen=True, kw_only=True):
    """A member does not agree that they owe: nothing is collected until people have decided."""

    notice_id: UUID


class VoucherExpiring(Fact, frozen=True, kw_only=True):
    """A voucher ends soon."""

    voucher_id: int
    member_id: UUID
