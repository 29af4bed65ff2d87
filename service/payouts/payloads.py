"""What crosses the wire about shops' accounts and how often they are settled. Never a whole account number in a list."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

import redemption
from redemption import Rhythm
from service.payouts.queries import Shop

Reason = Annotated[str, msgspec.Meta(min_length=2, max_length=100)]
Name = Annotated[str, msgspec.Meta(min_length=2, max_length=60)]


class RhythmIn(msgspec.Struct):
    """How often, and from which day on."""

    rhythm: Rhythm
    effective_from: date


class AccountIn(msgspec.Struct):
    """A bank account: whose, at which bank, its number, and why it is new."""

    holder: Name
    bank: Name
    account: Annotated[str, msgspec.Meta(min_length=8, max_length=60)]
    reason: Reason


class DecisionIn(msgspec.Struct):
    """Whether a second person agrees, and why not."""

    agreed: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=100)] = ""


class AccountOut(msgspec.Struct):
    """An account, its number masked but for the end."""

    account_id: UUID
    holder: str
    bank: str
    tail: str
    state: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    frozen_until: datetime | None


class ChangeOut(msgspec.Struct):
    """From which day a shop will be settled how often."""

    rhythm: Rhythm
    effective_from: date


class ShopOut(msgspec.Struct):
    """One shop."""

    shop: UUID
    name: str
    rhythm: Rhythm
    changes: list[ChangeOut]
    account: AccountOut | None
    proposed: AccountOut | None


class ShopsOut(msgspec.Struct):
    """Every shop."""

    items: list[ShopOut]


class NumberOut(msgspec.Struct):
    """A whole account number."""

    account: str


def account_out(account: redemption.Payee | None) -> AccountOut | None:
    """An account as others may see it."""
    if account is None:
        return None
    return AccountOut(
        account.payee_id,
        account.holder,
        account.bank,
        account.tail,
        account.state.value.lower(),
        account.reason,
        account.proposed_by,
        account.proposed_at,
        account.decided_by,
        account.decided_at,
        account.frozen_until,
    )


def shop_out(shop: Shop) -> ShopOut:
    """One shop over the wire."""
    return ShopOut(
        shop.shop_id,
        shop.name,
        shop.rhythm,
        [ChangeOut(change.rhythm, change.effective_from) for change in shop.changes],
        account_out(shop.account),
        account_out(shop.proposed),
    )
