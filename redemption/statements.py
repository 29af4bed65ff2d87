"""What can be read about vouchers and uses.

Every list is paged by key, so that a page costs the same for the newest and the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import rows
from redemption.refusals import VoucherUnknown
from redemption.rules import OfflineClass, UseState, VoucherState


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """A voucher as it stands, with what its page shows of the offer and of the last use that was not taken back."""

    voucher_id: int
    offer_id: UUID
    title: str
    kind: str
    rules: tuple[str, ...]
    weekdays: int
    usable_from: datetime | None
    merchant_ids: tuple[UUID, ...]
    sponsor_id: UUID
    member_id: UUID
    payer_id: UUID | None
    """Who gave it, and whose points come back; nobody when the holder paid."""
    is_giftable: bool
    owner_group: UUID | None
    short_code: str
    state: VoucherState
    quantity_total: int
    quantity_used: int
    quantity_returned: int
    points_each: int
    subsidy_points_each: int
    payable_fen_each: int
    cash_fen_each: int
    price_list_version: str | None
    discount_class: str | None
    offline_class: OfflineClass
    code_seq: int
    issued_at: datetime
    expires_at: datetime
    due_at: datetime
    changed_at: datetime
    lock_until: datetime | None
    """How long a counter or a job holds it; nothing when nobody does."""
    last_used_at: datetime | None
    last_merchant_id: UUID | None

    @property
    def quantity_open(self) -> int:
        """What can still be used."""
        return self.quantity_total - self.quantity_used - self.quantity_returned


@dataclass(frozen=True, slots=True)
class VoucherMark:
    """Where the next page of vouchers begins."""

    issued_at: datetime
    voucher_id: int


@dataclass(frozen=True, slots=True)
class VoucherPage:
    """Newest first."""

    vouchers: tuple[Voucher, ...]
    next: VoucherMark | None


@dataclass(frozen=True, slots=True)
class VoucherEvent:
    """One line of a voucher's history. No actor means the system."""

    number: int
    action: str
    from_state: str | None
    to_state: str
    actor_id: UUID | None
    second_id: UUID | None
    on_behalf_of: UUID | None
    reason: str
    quantity: int | None
    """Pieces given back while the voucher went on."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One scan that counted. Points are whole and already multiplied by the quantity."""

    voucher_id: int
    seq: int
    offer_id: UUID
    title: str
    member_id: UUID
    device_id: UUID
    merchant_id: UUID
    clerk_id: UUID
    on_behalf_of: UUID | None
    quantity: int
    points: int
    subsidy_points: int
    payable_fen: int
    cash_fen: int
    state: UseState
    scanned_at: datetime
    received_at: datetime
    reversed_at: datetime | None
    reversed_by: UUID | None
    reversal_reason: str | None


@dataclass(frozen=True, slots=True)
class UseMark:
    """Where the next page of uses begins."""

    received_at: datetime
    voucher_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class UsePage:
    """Newest first."""

    uses: tuple[Use, ...]
    next: UseMark | None


@dataclass(frozen=True, slots=True)
class Sums:
    """What some uses come to. `points` is what the shop took in, the sponsor's share included."""

    count: int
    points: int
    payable_fen: int
    cash_fen: int


_VOUCHER = """
SELECT v.voucher_id, v.offer_id, o.title, o.kind, o.rules, o.weekdays, o.usable_from,
       v.sponsor_id, v.member_id, v.payer_id, o.is_giftable, v.owner_group, v.short_code, v.state,
       v.quantity_total, v.quantity_used, v.quantity_returned,
       v.points_each, v.subsidy_points_each, v.payable_fen_each, v.cash_fen_each,
       v.price_list_version, v.discount_class, v.offline_class, v.code_seq, v.issued_at,
       v.expires_at, v.due_at, v.changed_at, v.lock_until,
       u.received_at AS last_used_at, u.merchant_id AS last_merchant_id,
       ARRAY(SELECT m.merchant_id FROM redemption.offer_merchant m
              WHERE m.community_id = v.community_id AND m.offer_id = v.offer_id ORDER BY m.merchant_id) AS merchant_ids
  FROM redemption.voucher v
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
  LEFT JOIN LATERAL (SELECT x.received_at, x.merchant_id FROM redemption.use x
                      WHERE x.community_id = v.community_id AND x.voucher_id = v.voucher_id
                        AND x.state NOT IN ('REVERSED', 'ADJUSTED') AND x.bearer IS NULL
                      ORDER BY x.seq DESC LIMIT 1) u ON true
 WHERE v.community_id = :book
"""

_USE = """
SELECT u.voucher_id, u.seq, v.offer_id, o.title, v.member_id, u.device_id, u.merchant_id, u.clerk_id, u.on_behalf_of, u.quantity,
       u.points, u.subsidy_points, u.payable_fen, u.cash_fen, u.state, u.scanned_at, u.received_at,
       u.reversed_at, u.reversed_by, u.reversal_reason
  FROM redemption.use u
  JOIN redemption.voucher v ON v.community_id = u.community_id AND v.voucher_id = u.voucher_id
  JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
 WHERE u.community_id = :book
"""


async def voucher(session: AsyncSession, book: int, voucher_id: int) -> Voucher:
    """One voucher, or the refusal VoucherUnknown."""
    found = await rows(session, _VOUCHER + "AND v.voucher_id = :voucher_id", book=book, voucher_id=voucher_id)
    if not found:
        raise VoucherUnknown
    return _voucher(found[0])


async def vouchers_of(
    session: AsyncSession,
    book: int,
    member_id: UUID,
    *,
    states: Iterable[VoucherState] | None = None,
    before: VoucherMark | None = None,
    limit: int = 50,
) -> VoucherPage:
    """A member's vouchers, newest first; rules.USABLE, rules.USED_UP and rules.OVER are the wallet's three tabs."""
    found = await rows(
        session,
        _VOUCHER
        + """
           AND v.member_id = :member_id
           AND (CAST(:states AS text[]) IS NULL OR v.state = ANY (:states))
           AND (CAST(:issued_at AS timestamptz) IS NULL OR (v.issued_at, v.voucher_id) < (:issued_at, :voucher_id))
         ORDER BY v.issued_at DESC, v.voucher_id DESC LIMIT :limit + 1
        """,
        book=book,
        member_id=member_id,
        states=None if states is None else [state.value for state in states],
        issued_at=before.issued_at if before else None,
        voucher_id=before.voucher_id if before else 0,
        limit=limit,
    )
    page = tuple(_voucher(row) for row in found[:limit])
    return VoucherPage(page, VoucherMark(page[-1].issued_at, page[-1].voucher_id) if len(found) > limit else None)


async def history(session: AsyncSession, book: int, voucher_id: int) -> tuple[VoucherEvent, ...]:
    """Everything that happened to a voucher, oldest first."""
    found = await rows(
        session,
        """
        SELECT number, action, from_state, to_state, actor_id, second_id, on_behalf_of, reason, quantity, at
          FROM redemption.voucher_event WHERE community_id = :book AND voucher_id = :voucher_id ORDER BY number
        """,
        book=book,
        voucher_id=voucher_id,
    )
    return tuple(VoucherEvent(**row) for row in found)


async def uses_of(session: AsyncSession, book: int, voucher_id: int) -> tuple[Use, ...]:
    """The uses of one voucher, oldest first, the reversed ones too."""
    found = await rows(
        session, _USE + "AND u.voucher_id = :voucher_id ORDER BY u.seq", book=book, voucher_id=voucher_id
    )
    return tuple(_use(row) for row in found)


async def takings(
    session: AsyncSession,
    book: int,
    merchant_id: UUID,
    *,
    received_from: datetime | None = None,
    received_until: datetime | None = None,
    before: UseMark | None = None,
    limit: int = 50,
) -> UsePage:
    """What a shop redeemed, newest first, reversed uses marked by their state."""
    found = await rows(
        session,
        _USE
        + """
           AND u.merchant_id = :merchant_id
           AND u.received_at >= coalesce(CAST(:received_from AS timestamptz), '-infinity')
           AND u.received_at < coalesce(CAST(:received_until AS timestamptz), 'infinity')
           AND (CAST(:mark_at AS timestamptz) IS NULL
                OR (u.received_at, u.voucher_id, u.seq) < (:mark_at, :mark_voucher, :mark_seq))
         ORDER BY u.received_at DESC, u.voucher_id DESC, u.seq DESC LIMIT :limit + 1
        """,
        book=book,
        merchant_id=merchant_id,
        received_from=received_from,
        received_until=received_until,
        mark_at=before.received_at if before else None,
        mark_voucher=before.voucher_id if before else 0,
        mark_seq=before.seq if before else 0,
        limit=limit,
    )
    page = tuple(_use(row) for row in found[:limit])
    last = page[-1] if len(found) > limit else None
    return UsePage(page, UseMark(last.received_at, last.voucher_id, last.seq) if last else None)


async def takings_sums(
    session: AsyncSession, book: int, merchant_id: UUID, *, received_from: datetime, received_until: datetime
) -> Sums:
    """What counts of a shop's uses in a period, without those that were taken back or corrected."""
    found = await rows(
        session,
        """
        SELECT count(*) AS count, coalesce(sum(points + subsidy_points), 0)::bigint AS points,
               coalesce(sum(payable_fen), 0)::bigint AS payable_fen, coalesce(sum(cash_fen), 0)::bigint AS cash_fen
          FROM redemption.use
         WHERE community_id = :book AND merchant_id = :merchant_id AND state NOT IN ('REVERSED', 'ADJUSTED')
           AND received_at >= :received_from AND received_at < :received_until
        """,
        book=book,
        merchant_id=merchant_id,
        received_from=received_from,
        received_until=received_until,
    )
    return Sums(**found[0])


def _voucher(row: RowMapping) -> Voucher:
    values = dict(row)
    values["state"] = VoucherState(values["state"])
    values["offline_class"] = OfflineClass(values["offline_class"])
    values["rules"] = tuple(values["rules"])
    values["merchant_ids"] = tuple(values["merchant_ids"])
    return Voucher(**values)


def _use(row: RowMapping) -> Use:
    values = dict(row)
    values["state"] = UseState(values["state"])
    return Use(**values)
