"""What takes two of staff: calling a voucher back, and giving it more days. One proposes, another decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.calls import act, aware, rows
from redemption.rules import RequestState, StaffStep, VoucherState


@dataclass(frozen=True, slots=True)
class Request:
    """A step that waits for a second person, or what became of it."""

    request_id: UUID
    voucher_id: int
    title: str
    member_id: UUID
    step: StaffStep
    state: RequestState
    extend_until: datetime | None
    reason: str
    proposed_by: UUID
    proposed_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decided:
    """A request that was decided, and what came of the voucher."""

    voucher_id: int
    member_id: UUID
    step: StaffStep
    state: VoucherState
    points: int
    """Whole points that went back."""
    replayed: bool


async def propose_step(
    session: AsyncSession,
    book: int,
    voucher_id: int,
    step: StaffStep,
    *,
    request_id: UUID,
    extend_until: datetime | None = None,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Ask a second person for a step. One of a kind waits at a time. `extend_until` is the new expiry of an extension.

    The request's id is the client's key: the same again changes nothing. Nobody asks about a voucher of their own.
    """
    until = aware(extend_until) if extend_until else None
    await act(session, "propose_step", book, request_id, voucher_id, step.value, until, reason, actor_id, aware(now))


async def decide_step(
    session: AsyncSession,
    book: int,
    request_id: UUID,
    *,
    key: UUID,
    is_agreed: bool,
    actor_id: UUID,
    now: datetime,
) -> Decided:
    """Do what was proposed, by somebody else than proposed it; or not, by anybody. What a voided voucher held goes back."""
    replayed, detail = await act(session, "decide_step", book, key, request_id, is_agreed, actor_id, aware(now))
    return Decided(
        voucher_id=int(detail["voucher_id"]),
        member_id=UUID(detail["member_id"]),
        step=StaffStep(detail["step"]),
        state=VoucherState(detail["voucher_state"]),
        points=detail["points"],
        replayed=replayed,
    )


async def requests(
    session: AsyncSession,
    book: int,
    *,
    voucher_id: int | None = None,
    state: RequestState | None = None,
    limit: int = 200,
) -> tuple[Request, ...]:
    """Requests about one voucher or in one state, the longest waiting first."""
    found = await rows(
        session,
        """
        SELECT r.request_id, r.voucher_id, o.title, v.member_id, r.step, r.state, r.extend_until, r.reason,
               r.proposed_by, r.proposed_at, r.decided_by, r.decided_at
          FROM redemption.voucher_request r
          JOIN redemption.voucher v ON v.community_id = r.community_id AND v.voucher_id = r.voucher_id
          JOIN redemption.offer o ON o.community_id = v.community_id AND o.offer_id = v.offer_id
         WHERE r.community_id = :book
           AND (CAST(:voucher_id AS bigint) IS NULL OR r.voucher_id = :voucher_id)
           AND (CAST(:state AS text) IS NULL OR r.state = :state)
         ORDER BY r.proposed_at, r.request_id LIMIT :limit
        """,
        book=book,
        voucher_id=voucher_id,
        state=state.value if state else None,
        limit=limit,
    )
    return tuple(_request(row) for row in found)


async def request_voucher(session: AsyncSession, book: int, request_id: UUID) -> int | None:
    """The voucher that a request is about; nothing when nobody made it."""
    found = await rows(
        session,
        "SELECT voucher_id FROM redemption.voucher_request WHERE community_id = :book AND request_id = :request_id",
        book=book,
        request_id=request_id,
    )
    return found[0]["voucher_id"] if found else None


def _request(row: RowMapping) -> Request:
    values = dict(row)
    values["step"] = StaffStep(values["step"])
    values["state"] = RequestState(values["state"])
    return Request(**values)
