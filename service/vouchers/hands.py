"""Whose hands may take a use back: neither the own household's, nor two of one household."""

from datetime import datetime
from typing import ClassVar

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import people_by_ids, person, roles_by_member
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.refusals import Conflict
from service.vouchers.rules import ServesThere


class OwnUse(Conflict):
    """Nobody decides whether a use of their own or their household's voucher is taken back."""

    code: ClassVar[str] = "vouchers.own_use"


class OneHousehold(Conflict):
    """Who proposes and who agrees are not of one household."""

    code: ClassVar[str] = "vouchers.one_household"


async def check_own(session: AsyncSession, actor: Actor, voucher_id: int) -> None:
    """Raises OwnUse when the voucher is the actor's, or of somebody they live with: who holds it and who paid for it."""
    voucher = await redemption.voucher(session, actor.community_id, voucher_id)
    theirs = {voucher.member_id, voucher.payer_id or voucher.member_id}
    homes = {voucher.owner_group}
    homes |= {each.household_id for each in (await people_by_ids(session, actor.community_id, theirs)).values()}
    if actor.member_id in theirs or (actor.household_id is not None and actor.household_id in homes):
        raise OwnUse


async def check_review(session: AsyncSession, actor: Actor, review: redemption.Review, *, now: datetime) -> None:
    """Raises OwnUse, ServesThere or OneHousehold when this person may not say who bears a held record.

    It is not of their household, they do not serve at its shop, and the two who say so do not live together.
    """
    if review.voucher_id is not None and review.title is not None:
        await check_own(session, actor, review.voucher_id)
    roles = await roles_by_member(session, actor.community_id, [actor.member_id], local_day(now))
    if any(
        shop == review.merchant_id and role in (Role.CLERK, Role.MERCHANT_OWNER)
        for role, shop in roles.get(actor.member_id, [])
    ):
        raise ServesThere
    if review.proposed_by is not None and review.proposed_by != actor.member_id:
        first = await person(session, actor.community_id, review.proposed_by)
        if actor.household_id is not None and actor.household_id == first.household_id:
            raise OneHousehold


async def check_second(session: AsyncSession, actor: Actor, adjustment: redemption.Adjustment) -> None:
    """Raises OwnUse or OneHousehold when this person is not the second one; that it is another one the library says."""
    await check_own(session, actor, adjustment.voucher_id)
    first = await person(session, actor.community_id, adjustment.proposed_by)
    lives_with = actor.household_id is not None and actor.household_id == first.household_id
    if lives_with and actor.member_id != first.member_id:
        raise OneHousehold
