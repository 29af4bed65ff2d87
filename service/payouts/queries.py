"""What finance sees of each shop: how often it is settled, where its money goes, what waits for a second person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import OrganisationKind, organisations
from service.kit.db import keyring
from service.payouts.rules import AccountNotFound, ShopNotFound, account_context


@dataclass(frozen=True, slots=True)
class Shop:
    """One shop. `account` is in force, `proposed` waits; `changes` are choices of days to come."""

    shop_id: UUID
    name: str
    rhythm: redemption.Rhythm
    changes: Sequence[redemption.RhythmChoice]
    account: redemption.Payee | None
    proposed: redemption.Payee | None


async def shops(session: AsyncSession, community_id: int, today: date) -> Sequence[Shop]:
    """Every shop, by name, in three queries."""
    every = await organisations(session, community_id)
    choices = await redemption.rhythms(session, community_id, since=today)
    accounts = await redemption.payees(session, community_id)
    shown = []
    for each in every:
        if each.kind not in (OrganisationKind.MERCHANT, OrganisationKind.REPAIR_TEAM):
            continue
        own = [choice for choice in choices if choice.merchant_id == each.organisation_id]
        now_ = [choice.rhythm for choice in own if choice.effective_from <= today]
        agreed = [one for one in accounts if one.merchant_id == each.organisation_id and one.number is not None]
        waiting = [
            one
            for one in accounts
            if one.merchant_id == each.organisation_id and one.state is redemption.PayeeState.PROPOSED
        ]
        shown.append(
            Shop(
                each.organisation_id,
                each.name,
                now_[0] if now_ else redemption.Rhythm.WEEKLY,
                [choice for choice in own if choice.effective_from > today],
                max(agreed, key=lambda one: one.number or 0, default=None),
                waiting[0] if waiting else None,
            )
        )
    return sorted(shown, key=lambda shop: shop.name)


async def shop_of(session: AsyncSession, community_id: int, shop_id: UUID, today: date) -> Shop:
    """One shop of this community."""
    for shop in await shops(session, community_id, today):
        if shop.shop_id == shop_id:
            return shop
    raise ShopNotFound


async def account_of(session: AsyncSession, community_id: int, payee_id: UUID) -> redemption.Payee:
    """One account of this community, whatever became of it."""
    for account in await redemption.payees(session, community_id):
        if account.payee_id == payee_id:
            return account
    raise AccountNotFound


def opened(session: AsyncSession, community_id: int, account: redemption.Payee) -> str:
    """The whole number."""
    return keyring(session).open(account.sealed, account_context(community_id, account.payee_id))
