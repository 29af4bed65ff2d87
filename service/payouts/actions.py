"""Choose how often a shop is settled; propose, agree to or refuse its bank account; look at the whole number."""

from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import setting
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import keyring
from service.kit.ids import new_id
from service.payouts.queries import account_of, opened, shop_of
from service.payouts.rules import TAIL, account_context, account_number


async def choose_rhythm(
    session: AsyncSession,
    *,
    actor: Actor,
    shop_id: UUID,
    rhythm: redemption.Rhythm,
    effective_from: date,
    now: datetime,
) -> None:
    """Settle a shop so often from a day on, tomorrow at the earliest."""
    await shop_of(session, actor.community_id, shop_id, local_day(now))
    audit.record(
        session,
        actor,
        "payouts.rhythm_chosen",
        kind="shop",
        id=shop_id,
        now=now,
        detail={"rhythm": rhythm.value, "from": effective_from.isoformat()},
    )
    await session.flush()
    await redemption.choose_rhythm(
        session,
        actor.community_id,
        shop_id,
        rhythm,
        effective_from=effective_from,
        today=local_day(now),
        actor_id=actor.member_id,
        now=now,
    )


async def propose_account(
    session: AsyncSession,
    *,
    actor: Actor,
    shop_id: UUID,
    holder: str,
    bank: str,
    account: str,
    reason: str,
    now: datetime,
) -> UUID:
    """Propose a bank account for a shop; the number is sealed before it is stored. Returns the account's id."""
    await shop_of(session, actor.community_id, shop_id, local_day(now))
    number, payee_id = account_number(account), new_id()
    audit.record(session, actor, "payouts.account_proposed", kind="shop", id=shop_id, now=now)
    await session.flush()
    await redemption.propose_payee(
        session,
        actor.community_id,
        payee_id=payee_id,
        merchant_id=shop_id,
        holder=holder,
        bank=bank,
        tail=number[-TAIL:],
        sealed=keyring(session).seal(number, account_context(actor.community_id, payee_id)),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )
    return payee_id


async def decide_account(
    session: AsyncSession, *, actor: Actor, payee_id: UUID, is_agreed: bool, reason: str, now: datetime
) -> None:
    """Agree to an account or refuse it, as a second person. A change stops the shop's payments for some days."""
    account = await account_of(session, actor.community_id, payee_id)
    days = await setting(session, actor.community_id, "settlement_freeze_days", local_day(now))
    audit.record(
        session,
        actor,
        "payouts.account_decided",
        kind="shop",
        id=account.merchant_id,
        now=now,
        detail={"agreed": is_agreed},
    )
    await session.flush()
    await redemption.decide_payee(
        session,
        actor.community_id,
        payee_id,
        key=new_id(),
        agreed=is_agreed,
        reason=reason,
        freeze_days=days,
        actor_id=actor.member_id,
        now=now,
    )


async def look(session: AsyncSession, *, actor: Actor, payee_id: UUID, now: datetime) -> str:
    """The whole number of an account; that somebody looked is written down."""
    account = await account_of(session, actor.community_id, payee_id)
    audit.record(session, actor, "payouts.account_read", kind="shop", id=account.merchant_id, now=now)
    return opened(session, actor.community_id, account)
