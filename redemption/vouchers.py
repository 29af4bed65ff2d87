"""The verbs of a voucher: issue, cancel, expire, freeze, void. Each is one SQL function, exactly once by the client's key."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, ask, aware, granted
from redemption.letters import new_short_code
from redemption.refusals import CodeTaken
from redemption.rules import VoucherState

_DRAWS = 3
"""How often issuing draws new random ids when one is taken; once in a billion is already strange."""


@dataclass(frozen=True, slots=True)
class Issued:
    """`replayed` when this key had issued it before."""

    voucher_id: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """What went back to who had paid: whole points for `quantity` pieces."""

    voucher_id: int
    offer_id: UUID
    member_id: UUID
    state: VoucherState
    quantity: int
    points: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Expiry:
    """One round of expiring. `found` equal to the limit means that there may be more; `refused` names faults to look into."""

    expired: tuple[Ended, ...]
    refused: tuple[int, ...]
    found: int


def new_voucher_id() -> int:
    """A random id that nobody can guess: 63 bits, never zero."""
    return secrets.randbelow(2**63 - 1) + 1


async def issue_voucher(
    session: AsyncSession,
    book: int,
    *,
    key: UUID,
    offer_id: UUID,
    member_id: UUID,
    owner_group: UUID | None,
    quantity: int | None = None,
    subsidy_points: int | None = None,
    discount_class: str | None = None,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    grace_hours: int,
    tags: Iterable[str] = (),
    reserved_minutes: int | None = None,
    now: datetime,
) -> Issued:
    """Put the price into escrow and give the member a voucher; the price and its split are frozen with it.

    Without a quantity the voucher has as many pieces as the offer says.

    owner_group is the member's household: its clerks may not redeem the voucher. subsidy_points replaces the offer's own
    share of the sponsor for a member with a discount. grace_hours, frozen with it, is how long after the expiry a
    voucher of the offline classes waits for late uploads before its rest goes back. tags say
    what the member is, for an offer that requires something; they are not kept. The same key again returns the same voucher.

    With reserved_minutes, from 1 on, it is only reserved: everything is frozen and in escrow, and goes back by itself
    unless confirm_voucher comes in that time.
    """
    assert reserved_minutes is None or reserved_minutes > 0
    terms = (
        offer_id,
        member_id,
        owner_group,
        quantity,
        subsidy_points,
        discount_class,
        actor_id,
        on_behalf_of,
        aware(now),
        grace_hours,
        list(tags),
        reserved_minutes,
    )
    taken = CodeTaken.code.removeprefix("redemption.")
    for _ in range(_DRAWS - 1):
        code, detail = await ask(session, "issue_voucher", book, key, new_voucher_id(), new_short_code(), *terms)
        if code != taken:
            break
    else:
        code, detail = await ask(session, "issue_voucher", book, key, new_voucher_id(), new_short_code(), *terms)
    granted((code, detail))
    return Issued(voucher_id=int(detail["voucher_id"]), replayed=code == "replayed")


async def confirm_voucher(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    grace_hours: int,
    now: datetime,
) -> bool:
    """Make a reserved voucher a voucher, at the price that was frozen; answers whether it had been done before."""
    replayed, _ = await act(
        session, "confirm_voucher", book, key, voucher_id, actor_id, on_behalf_of, aware(now), grace_hours
    )
    return replayed


async def cancel_voucher(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    quantity: int | None = None,
    now: datetime,
) -> Ended:
    """Give up what is not used yet, or `quantity` pieces of it; the points and the sponsor's share go back, the stock too."""
    replayed, detail = await act(
        session, "cancel_voucher", book, key, voucher_id, reason, actor_id, on_behalf_of, aware(now), quantity
    )
    return _ended(detail, replayed=replayed)


async def give_voucher(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    to_id: UUID,
    owner_group: UUID | None,
    tags: Iterable[str] = (),
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> bool:
    """Give what is left to another member, once; answers whether it had been done before.

    Every code shown before is dead. The points stay where they are: what is not used goes back to who paid. owner_group and
    tags are the recipient's.
    """
    replayed, _ = await act(
        session,
        "give_voucher",
        book,
        key,
        voucher_id,
        to_id,
        owner_group,
        list(tags),
        actor_id,
        on_behalf_of,
        aware(now),
        new_short_code(),
    )
    return replayed


async def expire_due(session: AsyncSession, book: int, *, now: datetime, limit: int = 200) -> Expiry:
    """Give back what is left of the vouchers whose time is over. Call again while `found` equals `limit`."""
    _, detail = await ask(session, "expire_due", book, aware(now), limit)
    return Expiry(
        expired=tuple(_ended(each, replayed=False) for each in detail["expired"]),
        refused=tuple(int(each["voucher_id"]) for each in detail["refused"]),
        found=detail["found"],
    )


async def end_cancelling(session: AsyncSession, book: int, *, now: datetime, limit: int = 200) -> Expiry:
    """Give back vouchers whose cancelling waited for a shop's phone. Call again while `found` equals `limit`."""
    _, detail = await ask(session, "end_cancelling", book, aware(now), limit)
    return Expiry(
        expired=tuple(_ended(each, replayed=False) for each in detail["ended"]), refused=(), found=detail["found"]
    )


async def freeze(
    session: AsyncSession, book: int, voucher_id: int, *, key: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Stop an open voucher while somebody looks into it. Nothing moves and it does not expire."""
    await act(session, "freeze_voucher", book, key, voucher_id, reason, actor_id, aware(now))


async def unfreeze(
    session: AsyncSession, book: int, voucher_id: int, *, key: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Back to the state before freezing."""
    await act(session, "unfreeze_voucher", book, key, voucher_id, reason, actor_id, aware(now))


async def void(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    key: UUID,
    reason: str,
    actor_id: UUID,
    second_id: UUID,
    now: datetime,
) -> Ended:
    """Call a voucher back for good, by two people; what is left returns to the member and the sponsor."""
    replayed, detail = await act(
        session, "void_voucher", book, key, voucher_id, reason, actor_id, second_id, aware(now)
    )
    return _ended(detail, replayed=replayed)


async def renew_code(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    *,
    reason: str,
    actor_id: UUID,
    on_behalf_of: UUID | None = None,
    now: datetime,
) -> int:
    """Make every code shown, printed or typed so far worthless and return the number of the next."""
    _, detail = await act(
        session, "renew_code", book, voucher_id, reason, actor_id, on_behalf_of, aware(now), new_short_code()
    )
    return int(detail["code_seq"])


def _ended(detail: object, *, replayed: bool) -> Ended:
    assert isinstance(detail, dict)
    return Ended(
        voucher_id=int(detail["voucher_id"]),
        offer_id=UUID(detail["offer_id"]),
        member_id=UUID(detail["member_id"]),
        state=VoucherState(detail["voucher_state"]),
        quantity=detail["quantity"],
        points=detail["points"],
        replayed=replayed,
    )
