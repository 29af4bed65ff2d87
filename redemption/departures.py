"""A shop that leaves: by two people, in steps that anybody can carry on, until nothing of it is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.refusals import DepartureUnknown
from redemption.rules import DepartureState

__all__ = [
    "Carried",
    "Departure",
    "DepartureOpen",
    "MovedVoucher",
    "carry_departure",
    "decide_departure",
    "departure_open",
    "departures",
    "departures_due",
    "finish_departure",
    "propose_departure",
]

STEP = 100
"""How many vouchers one transaction moves at most: each is a posting, and the books' head is held for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One shop's leaving, whatever became of it."""

    departure_id: UUID
    merchant_id: UUID
    successor_id: UUID | None
    """Who takes its vouchers over, at the same price and in the same scope; without one they are refunded."""
    leaves_at: datetime
    state: DepartureState
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    agreed_by: UUID | None
    agreed_at: datetime | None
    locked_at: datetime | None
    ended_by: UUID | None
    ended_at: datetime | None
    moved: int
    """Vouchers that another shop has taken over, or that were refunded."""
    points: int
    """Whole points of members that went back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartureOpen:
    """What keeps a departure from being finished."""

    vouchers: int
    """Open vouchers that were to be had at this shop alone and are not moved yet."""
    movable: int
    """Those of them that can be moved at once; the others are in somebody's hands, stopped, or on a phone without a network."""
    leases: int
    """Phones that may still accept vouchers without a network."""
    reviews: int
    """Scans without a network that people have not decided."""
    uses: int
    """Uses that no statement has."""
    disputes: int
    """Lines that nobody decided, or that the next statement will carry."""
    adjustments: int
    """Corrections of confirmed lines that no statement has borne yet."""
    settlements: int
    """Statements that are not paid."""

    @property
    def is_nothing(self) -> bool:
        """Whether the departure can be finished."""
        return not any(
            (self.vouchers, self.leases, self.reviews, self.uses, self.disputes, self.adjustments, self.settlements),
        )


@dataclass(frozen=True, slots=True)
class MovedVoucher:
    """A voucher that was moved, and whose it is."""

    voucher_id: int
    member_id: UUID
    payer_id: UUID
    """Whose points went back, if any did."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What one step did."""

    moved: tuple[MovedVoucher, ...]
    locked: bool
    """Whether this step locked the shop out."""
    successor_id: UUID | None


async def propose_departure(
    session: AsyncSession,
    book: int,
    *,
    departure_id: UUID,
    merchant_id: UUID,
    successor_id: UUID | None,
    leaves_at: datetime,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Ask a second person to let a shop leave at `leaves_at`, now at the earliest. departure_id is the caller's key."""
    await act(
        session,
        "propose_departure",
        book,
        departure_id,
        merchant_id,
        successor_id,
        aware(leaves_at),
        reason,
        actor_id,
        aware(now),
    )


async def decide_departure(
    session: AsyncSession,
    book: int,
    departure_id: UUID,
    *,
    key: UUID,
    is_agreed: bool,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Agree as somebody else than proposed it: what can be had at the shop alone is offered no more. Or take it back.

    Taken back by anybody until the shop is locked out. Offers that stopped are not published again by that.
    """
    await act(session, "decide_departure", book, key, departure_id, is_agreed, actor_id, aware(now))


async def carry_departure(
    session: AsyncSession, book: int, departure_id: UUID, *, now: datetime, limit: int = STEP
) -> Carried:
    """Lock the shop out if its day has come, then move the next vouchers. Nothing is moved twice; call it until nothing is left."""
    _, detail = await act(session, "carry_departure", book, departure_id, aware(now), limit)
    successor = detail.get("successor_id")
    return Carried(
        tuple(
            MovedVoucher(int(each["voucher_id"]), UUID(each["member_id"]), UUID(each["payer_id"]))
            for each in detail["moved"]
        ),
        detail["locked"],
        UUID(successor) if successor else None,
    )


async def finish_departure(
    session: AsyncSession, book: int, departure_id: UUID, *, key: UUID, actor_id: UUID, now: datetime
) -> None:
    """The shop is gone; its phones are revoked. Refuses DepartureUnfinished while anything of it is open."""
    await act(session, "finish_departure", book, key, departure_id, actor_id, aware(now))


async def departure_open(session: AsyncSession, book: int, departure_id: UUID, *, now: datetime) -> DepartureOpen:
    """What is still open of it, kind by kind."""
    [found] = await rows(
        session,
        "SELECT redemption.departure_open(:book, :departure_id, :now) AS open",
        book=book,
        departure_id=departure_id,
        now=aware(now),
    )
    return DepartureOpen(**found["open"])


_DEPARTURE = """
SELECT d.departure_id, d.merchant_id, d.successor_id, d.leaves_at, d.state, d.reason, d.proposed_by, d.proposed_at, d.agreed_by,
       d.agreed_at, d.locked_at, d.ended_by, d.ended_at, m.moved, m.points
  FROM redemption.departure d
 CROSS JOIN LATERAL (SELECT count(*) AS moved, coalesce(sum(v.points), 0)::bigint AS points FROM redemption.departure_voucher v
                      WHERE v.community_id = d.community_id AND v.departure_id = d.departure_id) m
 WHERE d.community_id = :book
"""


async def departures(
    session: AsyncSession, book: int, *, departure_id: UUID | None = None, limit: int = 200
) -> tuple[Departure, ...]:
    """Every shop that leaves or left, the last proposed first; or one of them, or DepartureUnknown."""
    found = await rows(
        session,
        _DEPARTURE
        + """
           AND (CAST(:departure_id AS uuid) IS NULL OR d.departure_id = :departure_id)
         ORDER BY d.proposed_at DESC, d.departure_id LIMIT :limit
        """,
        book=book,
        departure_id=departure_id,
        limit=limit,
    )
    if departure_id is not None and not found:
        raise DepartureUnknown
    return tuple(_departure(row) for row in found)


async def departures_due(session: AsyncSession, book: int, *, now: datetime) -> tuple[UUID, ...]:
    """Shops whose day has come, or of which vouchers wait to be moved."""
    found = await rows(
        session,
        """
        SELECT departure_id FROM redemption.departure
         WHERE community_id = :book AND (state = 'LOCKED' OR (state = 'LEAVING' AND leaves_at <= :now))
         ORDER BY leaves_at, departure_id
        """,
        book=book,
        now=aware(now),
    )
    return tuple(row["departure_id"] for row in found)


def _departure(row: RowMapping) -> Departure:
    values = dict(row)
    values["state"] = DepartureState(values["state"])
    return Departure(**values)
