"""Phones of shops: tickets that enrol them, leases, and what one may know before it goes without a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.offline.sync import Terms

TICKET_MINUTES = 15
LEASE_HOURS_MAX = 72


@dataclass(frozen=True, slots=True)
class ShopDevice:
    """A phone of a shop. `uploaded` is the number of its last record we have, `clean` whether their chain never broke."""

    device_id: UUID
    merchant_id: UUID
    label: str
    public_key: bytes
    registered_by: UUID
    registered_at: datetime
    revoked_at: datetime | None
    seen_at: datetime | None
    uploaded: int
    lease_id: UUID | None
    lease_ends_at: datetime | None
    lease_frozen_reason: str | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one phone to redeem leased vouchers without a network, until `ends_at`; none while it is frozen."""

    lease_id: UUID
    ends_at: datetime
    is_frozen: bool


@dataclass(frozen=True, slots=True)
class LeasedVoucher:
    """A voucher that the lease's holder may redeem without a network."""

    voucher_id: int
    offer_id: UUID
    title: str
    open: int
    points_each: int
    cash_fen_each: int
    value_fen: int
    code_seq: int
    offline_class: int
    expires_at: datetime
    usable_from: datetime | None
    weekdays: int


@dataclass(frozen=True, slots=True)
class RoamingOffer:
    """An offer whose signed codes a shop's phone may take without a network."""

    offer_id: UUID
    title: str
    points: int
    value_fen: int
    offline_class: int
    usable_from: datetime | None
    weekdays: int


async def make_ticket(
    session: AsyncSession, book: int, ticket: bytes, *, merchant_id: UUID, actor_id: UUID, now: datetime
) -> datetime:
    """Let one phone become a device of a shop within fifteen minutes. The ticket is a digest of 32 bytes; answers its end."""
    _, detail = await act(session, "make_ticket", book, ticket, merchant_id, actor_id, aware(now), TICKET_MINUTES)
    return datetime.fromisoformat(detail["ends_at"])


async def enrol_device(
    session: AsyncSession, book: int, ticket: bytes, *, device_id: UUID, public_key: bytes, label: str, now: datetime
) -> tuple[UUID, UUID]:
    """Make a phone a device of the ticket's shop, once: its id and the shop's. The same phone again gets the same answer."""
    _, detail = await act(session, "enrol_device", book, ticket, device_id, public_key, label, aware(now))
    return UUID(detail["device_id"]), UUID(detail["merchant_id"])


async def take_lease(
    session: AsyncSession, book: int, device_id: UUID, *, lease_id: UUID, hours: int = LEASE_HOURS_MAX, now: datetime
) -> Lease:
    """Give a phone the lease of its shop's leased offers, or make its own longer; refused while another phone holds them."""
    _, detail = await act(session, "take_lease", book, device_id, lease_id, aware(now), hours)
    return Lease(UUID(detail["lease_id"]), datetime.fromisoformat(detail["ends_at"]), detail["frozen"])


async def tell_floor(session: AsyncSession, book: int, device_id: UUID, *, terms: Terms, now: datetime) -> None:
    """Write down what a phone is told that it may take without us. Commit it before the phone is told."""
    await act(session, "tell_floor", book, device_id, terms.vouchers, terms.fen, terms.voucher_fen, aware(now))


async def return_lease(
    session: AsyncSession, book: int, device_id: UUID, *, seq: int | None, lease_id: UUID | None = None, now: datetime
) -> None:
    """Give a phone's lease back. `seq` is the number of its last record: refused while one of them waits on the phone.

    Whoever names the lease ends that one or nothing: what was sent of an earlier lease and comes late ends no later one.
    """
    await act(session, "return_lease", book, device_id, seq, aware(now), lease_id)


async def break_lease(
    session: AsyncSession, book: int, lease_id: UUID, *, key: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """End the lease of a phone that is lost or dead. Its vouchers work online at once; what it uploads later is held."""
    await act(session, "break_lease", book, key, lease_id, reason, actor_id, aware(now))


async def leased_vouchers(
    session: AsyncSession, book: int, device_id: UUID, *, now: datetime
) -> tuple[LeasedVoucher, ...]:
    """What the lease's holder may redeem without a network. Call it after the lease was committed."""
    found = await rows(
        session,
        """
        SELECT * FROM redemption.leased_vouchers(:book, :device_id, :now) ORDER BY voucher_id
        """,
        book=book,
        device_id=device_id,
        now=aware(now),
    )
    return tuple(LeasedVoucher(**row) for row in found)


async def roaming_offers(session: AsyncSession, book: int, merchant_id: UUID) -> tuple[RoamingOffer, ...]:
    """The offers whose signed codes a shop may take without a network."""
    found = await rows(
        session,
        """
        SELECT o.offer_id, o.title, o.price_points AS points,
               coalesce(nullif(o.payable_fen + o.cash_fen, 0), 100 * o.price_points) AS value_fen,
               o.offline_class, o.usable_from, o.weekdays
          FROM redemption.offer o
          JOIN redemption.offer_merchant m ON m.community_id = o.community_id AND m.offer_id = o.offer_id
         WHERE o.community_id = :book AND m.merchant_id = :merchant_id AND o.offline_class = 2 AND o.state <> 'draft'
         ORDER BY o.title, o.offer_id
        """,
        book=book,
        merchant_id=merchant_id,
    )
    return tuple(RoamingOffer(**row) for row in found)


async def revoked_since(session: AsyncSession, book: int, *, after: datetime | None, now: datetime) -> tuple[int, ...]:
    """Roaming vouchers that are not to be accepted without a network, of those that changed since; all when never asked before.

    Those of whoever has two strikes are among them, and of whoever owes for a voucher used twice: what they hold of this class
    was issued before, and each could be used twice again. A transaction that began before and ends after an answer is in the
    next one: ten minutes are told twice.
    """
    found = await session.execute(
        text("""
        SELECT v.voucher_id FROM redemption.voucher v
         WHERE v.community_id = :book AND v.offline_class = 2 AND (v.state NOT IN ('ISSUED', 'PART_USED') OR v.code_seq > 1)
           AND v.expires_at > :now AND v.changed_at > coalesce(CAST(:after AS timestamptz), '-infinity') - interval '10 minutes'
         UNION
        SELECT v.voucher_id FROM redemption.voucher v
          JOIN (SELECT s.community_id, s.member_id FROM redemption.strike s
                  LEFT JOIN ledger.account a ON a.community_id = s.community_id AND a.unit = 'point'
                   AND a.code = 'owed:' || replace(CAST(s.member_id AS text), '-', '')
                 WHERE s.community_id = :book AND s.withdrawn_at IS NULL
                 GROUP BY s.community_id, s.member_id, a.balance
                HAVING (count(*) >= 2 OR a.balance < 0)
                   AND max(s.at) > coalesce(CAST(:after AS timestamptz), '-infinity') - interval '10 minutes') struck
            ON v.community_id = struck.community_id AND v.member_id = struck.member_id
         WHERE v.offline_class = 2 AND v.state IN ('ISSUED', 'PART_USED') AND v.expires_at > :now
         ORDER BY 1
        """).bindparams(book=book, after=after, now=aware(now))
    )
    return tuple(found.scalars())


_DEVICES = """
SELECT d.device_id, d.merchant_id, coalesce(d.label, '') AS label, d.public_key, d.registered_by, d.registered_at, d.revoked_at,
       d.seen_at, d.log_seq AS uploaded, l.lease_id, l.ends_at AS lease_ends_at, l.frozen_reason AS lease_frozen_reason
  FROM redemption.device d
  LEFT JOIN redemption.lease l ON l.community_id = d.community_id AND l.device_id = d.device_id
       AND l.state = 'out' AND l.ends_at > :now
 WHERE d.community_id = :book AND d.kind = 'enrolled'
"""


async def device(session: AsyncSession, book: int, device_id: UUID, *, now: datetime) -> ShopDevice | None:
    """One phone; nothing when nobody enrolled it."""
    found = await rows(session, f"{_DEVICES} AND d.device_id = :device_id", book=book, device_id=device_id, now=now)
    return ShopDevice(**found[0]) if found else None


async def devices(
    session: AsyncSession, book: int, *, merchants: tuple[UUID, ...] | None = None, now: datetime
) -> tuple[ShopDevice, ...]:
    """The phones of some shops, or of all; those in use first, the newest first."""
    found = await rows(
        session,
        f"""{_DEVICES} AND (CAST(:merchants AS uuid[]) IS NULL OR d.merchant_id = ANY (:merchants))
        ORDER BY d.revoked_at IS NOT NULL, d.registered_at DESC, d.device_id LIMIT 500""",
        book=book,
        merchants=None if merchants is None else list(merchants),
        now=now,
    )
    return tuple(ShopDevice(**row) for row in found)
