"""What the office and a shop's owner do about phones, and about what they uploaded, as JSON."""

from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.issuers import code_keys
from service.kit.once import once
from service.vouchers.actions import devices as phones
from service.vouchers.actions import exports
from service.vouchers.actions import reviews as reviewing
from service.vouchers.payloads.devices import (
    EXPORT_BYTES_MAX,
    DecisionIn,
    DeviceOut,
    DevicesOut,
    ExportIn,
    ExportOut,
    OfflineReviewOut,
    OfflineReviewsOut,
    ProposalIn,
    TicketIn,
    TicketOut,
)
from service.vouchers.payloads.kinds import ReasonIn
from service.vouchers.queries.counter import shops_of
from service.vouchers.queries.devices import held_records, phones_seen
from service.vouchers.said import uploaded

AnyRequest = Request[Any, Any, Any]
KEEPERS = allow(Role.STAFF, Role.MERCHANT_OWNER)
SEERS = allow(Role.STAFF, Role.MERCHANT_OWNER, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
OFFICE = allow(Role.STAFF, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
DECIDERS = allow(Role.FINANCE, Role.APPROVER)


def ticket_url(state: State, ticket: str) -> str:
    """The text of a ticket's QR: upper-case, so that it stays small."""
    return f"{state.settings.origin}/E/{ticket}".upper()


async def shops_kept(session: AsyncSession, actor: Actor, now: datetime) -> frozenset[UUID] | None:
    """The shops whose phones somebody may see: every one for the office, the own ones for an owner."""
    if actor.has(Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN):
        return None
    return await shops_run(session, actor, now)


async def shops_run(session: AsyncSession, actor: Actor, now: datetime) -> frozenset[UUID] | None:
    """The shops whose phones somebody may revoke: every one for staff; who only looks on is an owner like any other."""
    if actor.has(Role.STAFF):
        return None
    served = await shops_of(session, actor, local_day(now))
    return frozenset(shop.organisation_id for shop in served.values() if shop.is_owner)


@get("/api/devices", opt=SEERS)
async def devices(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> DevicesOut:
    """The phones, and this month's losses."""
    found = await phones_seen(session, actor.community_id, await shops_kept(session, actor, now), now)
    items = [
        DeviceOut(
            device_id=each.device_id,
            shop_id=each.merchant_id,
            shop=found.shops.get(each.merchant_id, ""),
            label=each.label,
            enrolled_at=each.registered_at,
            revoked_at=each.revoked_at,
            seen_at=each.seen_at,
            records=each.uploaded,
            lease_id=each.lease_id,
            lease_ends_at=each.lease_ends_at,
            lease_frozen=each.lease_frozen_reason,
        )
        for each in found.devices
    ]
    lost = found.losses
    return DevicesOut(
        items, lost.lost_fen if lost else 0, lost.allowed_fen if lost else 0, lost.is_alarming if lost else False
    )


@post("/api/device-tickets", opt=allow(Role.STAFF))
async def ticket(
    data: JSONBody[TicketIn],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> TicketOut:
    """A ticket for one phone, good for fifteen minutes. It is told this once."""
    made, ends_at = await phones.make_ticket(session, actor=actor, shop_id=data.shop, now=now)
    return TicketOut(made, ticket_url(state, made), ends_at)


@post("/api/device-exports", opt=allow(Role.STAFF), status_code=200, request_max_body_size=EXPORT_BYTES_MAX)
async def take_export(
    data: JSONBody[ExportIn],
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ExportOut:
    """Take the exported queue of a phone that is dead: each record is answered as one that came late, once and for ever."""
    keys = code_keys(cast("Keyring", state.keyring), now)
    taken = await exports.take_export(sessions_of_app(state), actor=actor, keys=keys, text=data.text, now=now)
    verdicts = [uploaded(each) for each in taken.answers]
    return ExportOut(taken.device.merchant_id, taken.device.label, verdicts, taken.unread)


@post("/api/devices/{device_id:uuid}/revocation", opt=KEEPERS, status_code=204)
async def revoke(
    request: AnyRequest,
    device_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """The phone is lost: it redeems nothing more, and its vouchers work online at once."""

    async def work() -> None:
        shops = await shops_run(session, actor, now)
        await phones.revoke(session, actor=actor, shops=shops, device_id=device_id, reason=data.reason, now=now)

    return await once(request, session, actor, now, work, status=204)


@post("/api/devices/{device_id:uuid}/lease-breaking", opt=KEEPERS, status_code=204)
async def break_lease(
    request: AnyRequest,
    device_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """The phone is out of reach: its vouchers work online at once, and what it uploads later is held."""

    async def work() -> None:
        shops = await shops_run(session, actor, now)
        await phones.break_lease(session, actor=actor, shops=shops, device_id=device_id, reason=data.reason, now=now)

    return await once(request, session, actor, now, work, status=204)


@get("/api/offline-reviews", opt=OFFICE)
async def reviews(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    view: FromQuery[Literal["waiting", "decided"]] = "waiting",
    shop: FromQuery[UUID | None] = None,
    reason: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
) -> OfflineReviewsOut:
    """Records that wait for people, the one that is due first at the top; or those that were decided, the newest first."""
    found = await held_records(
        session, actor.community_id, is_open=view == "waiting", shop_id=shop, reason=reason, after=after
    )
    return OfflineReviewsOut(
        [
            OfflineReviewOut(
                device_id=each.device_id,
                nonce=each.nonce,
                shop=found.shops.get(each.merchant_id, ""),
                label=each.label,
                voucher_id=str(each.voucher_id) if each.voucher_id else None,
                title=each.title,
                quantity=each.quantity,
                value_fen=each.value_fen,
                scanned_at=each.scanned_at,
                received_at=each.received_at,
                reason=each.reason,
                state=each.state.value,
                due_at=each.due_at,
                is_paid=each.is_paid,
                note=each.note,
                proposed_by=each.proposed_by,
                decided_by=each.decided_by,
                decided_at=each.decided_at,
                undone_at=each.undone_at,
                is_undo=each.is_undo,
            )
            for each in found.reviews
        ],
        found.next,
    )


@post("/api/offline-reviews/{device_id:uuid}/{nonce:uuid}/proposal", opt=allow(Role.STAFF), status_code=204)
async def propose(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    data: JSONBody[ProposalIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Say whether the shop should be paid."""

    async def work() -> None:
        await reviewing.propose_review(
            session,
            actor=actor,
            device_id=device_id,
            nonce=nonce,
            is_paid=data.is_paid,
            note=data.note,
            now=now,
        )

    return await once(request, session, actor, now, work, status=204)


@post("/api/offline-reviews/{device_id:uuid}/{nonce:uuid}/decision", opt=DECIDERS, status_code=204)
async def decide(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    data: JSONBody[DecisionIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[None]:
    """Do what was proposed, as the second person, or put it back."""

    async def work() -> None:
        await reviewing.decide_review(
            session, actor=actor, device_id=device_id, nonce=nonce, is_agreed=data.is_agreed, now=now
        )

    return await once(request, session, actor, now, work, status=204)
