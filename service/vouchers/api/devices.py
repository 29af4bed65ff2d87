"""What shops' phones say: signed, and without a session."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import offline_terms, organisation, setting
from service.kit.access import PUBLIC
from service.kit.clock import HOME_ZONE, local_day
from service.kit.crypto import Keyring
from service.kit.db import Sessions, transaction
from service.kit.edge import DEVICE_COOKIE
from service.kit.ids import new_id
from service.kit.issuers import code_keys, issuers
from service.kit.refusals import Invalid
from service.vouchers.actions import devices as phones
from service.vouchers.anchors import Anchors, secrets_of_windows
from service.vouchers.payloads.devices import (
    AnchorsOut,
    CallIn,
    ClerkOut,
    EnrolIn,
    EnrolOut,
    FloorOut,
    IssuerOut,
    LeaseDone,
    LeasedOut,
    LeaseIn,
    LeaseOut,
    RoamingOut,
    ShopOut,
    SnapshotIn,
    SnapshotOut,
    SyncIn,
    SyncOut,
)
from service.vouchers.said import uploaded
from service.vouchers.uploads import from_base64url, milliseconds, to_base64url

AnyRequest = Request[Any, Any, Any]
Call = TypeVar("Call", bound=CallIn)
Answer = TypeVar("Answer")
SIGNED = {**PUBLIC, "authentication": "none", "exclude_from_csrf": True}
"""A phone's call: its signature says who it is, and no cookie counts."""
WINDOW = timedelta(minutes=240)
FAR = datetime(2999, 1, 1, tzinfo=UTC)
YEAR = 365 * 24 * 3600
OLD_MS = 3_600_000
ANCHORS = Anchors()
"""Of this process: whatever other processes computed is computed here once more."""


async def _call(
    request: AnyRequest, session: AsyncSession, kind: type[Call], now: datetime
) -> tuple[Call, redemption.ShopDevice]:
    """What a phone says, and which phone says it."""
    body = await request.body()
    try:
        said = msgspec.json.decode(body, type=kind)
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        raise Invalid({"body": "malformed"}) from problem
    device = await phones.device_of_call(
        session,
        community_id=said.community_id,
        device_id=said.device_id,
        signature=request.headers.get("linli-signature", ""),
        body=body,
        now=now,
    )
    return said, device


@post("/api/devices/enrol", opt=SIGNED, status_code=200)
async def enrol(
    data: JSONBody[EnrolIn], state: State, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[EnrolOut]:
    """Make this phone a device of the ticket's shop. From then on its scans with a network are the device's as well."""
    community_id, device_id, shop_id = await phones.enrol(
        session,
        ticket=data.ticket,
        public_key=from_base64url(data.public_key),
        proof=data.proof,
        label=data.label,
        now=now,
    )
    shop = await organisation(session, community_id, shop_id)
    done = EnrolOut(device_id, community_id, ShopOut(shop_id, shop.name), milliseconds(now))
    return _known(Response(done, status_code=200), state, device_id)


def _known(answer: Response[Answer], state: State, device_id: UUID) -> Response[Answer]:
    """The same answer, by which the browser is the device for another year: a phone in use is never forgotten."""
    answer.set_cookie(
        DEVICE_COOKIE,
        str(device_id),
        path="/",
        httponly=True,
        secure=state.settings.is_secure,
        samesite="lax",
        max_age=YEAR,
    )
    return answer


@post("/api/devices/snapshot", opt=SIGNED, status_code=200)
async def snapshot(request: AnyRequest, state: State, now: NamedDependency[datetime]) -> Response[SnapshotOut]:
    """All that the phone needs without a network; and the lease, unless another phone of the shop has it."""
    keyring, sessions = cast("Keyring", state.keyring), cast("Sessions", state.sessions)
    async with transaction(sessions) as session:
        said, device = await _call(request, session, SnapshotIn, now)
        if device.revoked_at is not None:
            raise redemption.DeviceRefused
        terms = await offline_terms(session, said.community_id, now)
        await redemption.tell_floor(session, said.community_id, device.device_id, terms=terms, now=now)
        lease = await _lease(session, keyring, device, said, terms, now)
    # Limits and lease are committed by now: whoever scans elsewhere sees it, and the list waits for whoever had begun before.
    async with transaction(sessions) as session:
        told, leased = await _snapshot(session, keyring, device, said, lease, terms, now)
    if lease is not None:
        # The codes of days to come take a while, and nobody at a counter waits for them: the vouchers are let go of by now.
        vouchers = await asyncio.to_thread(all_leased, keyring, said.community_id, leased, lease, now)
        told = msgspec.structs.replace(told, vouchers=vouchers)
    return _known(Response(told, status_code=200), state, device.device_id)


async def _snapshot(
    session: AsyncSession,
    keyring: Keyring,
    device: redemption.ShopDevice,
    said: SnapshotIn,
    lease: LeaseOut | None,
    terms: redemption.Terms,
    now: datetime,
) -> tuple[SnapshotOut, Sequence[redemption.LeasedVoucher]]:
    """All but the leased vouchers, and these beside it."""
    book, after = said.community_id, said.revocations_after
    leased = await redemption.leased_vouchers(session, book, device.device_id, now=now) if lease else ()
    offers = await redemption.roaming_offers(session, book, device.merchant_id)
    revoked = await redemption.revoked_since(
        session, book, after=datetime.fromtimestamp(int(after) / 1000, UTC) if after else None, now=now
    )
    shop = await organisation(session, book, device.merchant_id)
    clerks = await phones.clerks_of(session, book, device.merchant_id, local_day(now))
    compare_fen = await setting(session, book, "voucher_compare_fen", local_day(now))
    found = SnapshotOut(
        server_time=milliseconds(now),
        community_id=book,
        time_zone=HOME_ZONE.key,
        shop=ShopOut(device.merchant_id, shop.name),
        lease=lease,
        vouchers=[],
        offers=[_roaming(each) for each in offers],
        issuer_keys=_issuer_keys(keyring, now),
        revoked=[str(each) for each in revoked],
        revocation_mark=str(milliseconds(now)),
        floor=FloorOut(terms.vouchers, terms.fen, terms.voucher_fen, terms.soft_hours, terms.hard_hours),
        compare_fen=compare_fen,
        clerks=[ClerkOut(each.member_id, each.name) for each in clerks.values()],
    )
    return found, leased


async def _lease(
    session: AsyncSession,
    keyring: Keyring,
    device: redemption.ShopDevice,
    said: SnapshotIn,
    terms: redemption.Terms,
    now: datetime,
) -> LeaseOut | None:
    if not said.lease:
        return None
    try:
        lease = await redemption.take_lease(
            session, said.community_id, device.device_id, lease_id=new_id(), hours=terms.lease_hours, now=now
        )
    except redemption.VoucherLeased:
        return None
    ends = milliseconds(lease.ends_at)
    text = f"linli lease 1|{said.community_id}|{device.device_id}|{lease.lease_id}|{ends}"
    signature = keyring.book_keys()[keyring.current].sign(text.encode())
    return LeaseOut(lease.lease_id, ends, lease.is_frozen, to_base64url(signature))


def all_leased(
    keyring: Keyring, book: int, leased: Sequence[redemption.LeasedVoucher], lease: LeaseOut, now: datetime
) -> list[LeasedOut]:
    """The vouchers of a lease with what their codes are checked with, until the lease or the voucher is over."""
    keys, first = code_keys(keyring, now), redemption.window_of(now)
    count = redemption.window_of(datetime.fromtimestamp(lease.ends_at / 1000, UTC)) - first + 1
    secrets = secrets_of_windows(keys, first_window=first, count=max(1, count))
    return [_leased(keys, book, each, first, secrets) for each in leased]


def _leased(
    keys: redemption.CodeKeys, book: int, voucher: redemption.LeasedVoucher, first: int, secrets: tuple[bytes, ...]
) -> LeasedOut:
    windows = max(1, redemption.window_of(voucher.expires_at) - first + 1)
    values = ANCHORS.of(
        keys,
        community_id=book,
        voucher_id=voucher.voucher_id,
        code_seq=voucher.code_seq,
        first_window=first,
        secrets=secrets[:windows],
    )
    return LeasedOut(
        id=str(voucher.voucher_id),
        title=voucher.title,
        open=voucher.open,
        points_each=voucher.points_each,
        cash_fen_each=voucher.cash_fen_each,
        value_fen=voucher.value_fen,
        expires_at=milliseconds(voucher.expires_at),
        usable_from=milliseconds(voucher.usable_from) if voucher.usable_from else 0,
        weekdays=voucher.weekdays,
        code_seq=voucher.code_seq,
        anchors=AnchorsOut(first, [to_base64url(each) for each in values]),
        offline_class=voucher.offline_class,
    )


def _roaming(offer: redemption.RoamingOffer) -> RoamingOut:
    return RoamingOut(
        number=redemption.offer_number(offer.offer_id),
        title=offer.title,
        points=offer.points,
        value_fen=offer.value_fen,
        usable_from=milliseconds(offer.usable_from) if offer.usable_from else 0,
        weekdays=offer.weekdays,
        offline_class=offer.offline_class,
    )


def _issuer_keys(keyring: Keyring, now: datetime) -> list[IssuerOut]:
    keys = code_keys(keyring, now)
    return [
        IssuerOut(
            each.number,
            to_base64url(redemption.public_key(keys, each.number)),
            milliseconds(each.valid_from),
            milliseconds(each.valid_until or FAR),
        )
        for each in issuers(keyring)
        if each.number in keys.keys
    ]


@post("/api/devices/sync", opt=SIGNED, status_code=200)
async def sync(
    request: AnyRequest, state: State, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> Response[SyncOut]:
    """Take the phone's records: each gets its own answer, once and for ever. One that cannot be read stays on the phone.

    What was written an hour ago or more may be an export that somebody else sends: it does not say that the phone is there.
    """
    said, device = await _call(request, session, SyncIn, now)
    is_old = milliseconds(now) - said.sent_at >= OLD_MS
    answers, unread = await phones.sync(
        session,
        device,
        community_id=said.community_id,
        keys=code_keys(cast("Keyring", state.keyring), now),
        texts=said.records,
        written=said.written,
        is_brought=is_old,
        now=now,
    )
    told = Response(SyncOut(milliseconds(now), [uploaded(each) for each in answers], unread), status_code=200)
    return told if is_old else _known(told, state, device.device_id)


@post("/api/devices/lease", opt=SIGNED, status_code=200)
async def lease(
    request: AnyRequest, session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> LeaseDone:
    """Give the lease back, so that another phone of the shop can have it: all vouchers work online at once."""
    said, device = await _call(request, session, LeaseIn, now)
    await redemption.return_lease(
        session, said.community_id, device.device_id, seq=said.seq, lease_id=said.lease, now=now
    )
    return LeaseDone(milliseconds(now))
