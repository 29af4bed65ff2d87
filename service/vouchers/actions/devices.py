"""Shops' phones that scan without a network: enrolled by a ticket, known by their signature, believed record by record."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeKeys, CodeVerdict
from service.communities import offline_terms, organisation, settings_on
from service.identity import organisation_people, people_by_ids
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.vouchers.rules import DeviceNotFound, DeviceSignatureWrong, ShopClosed, key_for
from service.vouchers.uploads import RecordIn, UndoIn, is_signed

SERVING = frozenset({Role.CLERK, Role.MERCHANT_OWNER})
GOOD = (CodeVerdict.PHONE, CodeVerdict.SIGNED)
"""What a phone can check by itself. A printed code or a typed one is good online only."""
_FAULTS = {CodeVerdict.REVOKED: "key_revoked"}
_RECORD: msgspec.json.Decoder[RecordIn | UndoIn] = msgspec.json.Decoder(RecordIn | UndoIn)
UNDO_TERMS = ("voucher_reverse_minutes", "voucher_reversals_per_day_max")

_ACCEPTED = sa.text("""
WITH used AS (
    SELECT (u ->> 'voucher_id')::bigint AS voucher_id, (u ->> 'seq')::int AS seq, (u ->> 'points')::bigint AS points,
           (u ->> 'member_id')::uuid AS member_id, (u ->> 'clerk_id')::uuid AS clerk_id
      FROM jsonb_array_elements(CAST(:used AS jsonb)) u
), logged AS (
    INSERT INTO audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    SELECT :community_id, :now, 'vouchers.redeemed', clerk_id, NULL, 'voucher', voucher_id::text,
           jsonb_build_object('shop', CAST(:shop AS text), 'seq', seq, 'points', points), :request_id FROM used
)
INSERT INTO outbox (community_id, fact, payload, recorded_at)
SELECT :community_id, 'VoucherRedeemed', jsonb_build_object(
           'community_id', CAST(:community_id AS bigint), 'voucher_id', voucher_id, 'member_id', member_id,
           'merchant_id', CAST(:shop_id AS uuid), 'seq', seq), :now
  FROM used
""")
_TAKEN_BACK = sa.text("""
WITH back AS (
    SELECT (u ->> 'voucher_id')::bigint AS voucher_id, (u ->> 'reversed_seq')::int AS seq,
           (u ->> 'member_id')::uuid AS member_id, (u ->> 'clerk_id')::uuid AS clerk_id
      FROM jsonb_array_elements(CAST(:used AS jsonb)) u
), logged AS (
    INSERT INTO audit (community_id, at, action, actor_id, on_behalf_of, object_kind, object_id, detail, request_id)
    SELECT :community_id, :now, 'vouchers.use_reversed', clerk_id, NULL, 'voucher', voucher_id::text,
           jsonb_build_object('shop', CAST(:shop AS text), 'seq', seq), :request_id FROM back
)
INSERT INTO outbox (community_id, fact, payload, recorded_at)
SELECT :community_id, 'VoucherUseReversed', jsonb_build_object(
           'community_id', CAST(:community_id AS bigint), 'voucher_id', voucher_id, 'member_id', member_id,
           'merchant_id', CAST(:shop_id AS uuid), 'seq', seq), :now
  FROM back
""")


@dataclass(frozen=True, slots=True)
class Clerk:
    """Somebody who serves at a shop."""

    member_id: UUID
    name: str
    household_id: UUID | None


async def make_ticket(session: AsyncSession, *, actor: Actor, shop_id: UUID, now: datetime) -> tuple[str, datetime]:
    """Let one phone become a device of a shop; the ticket is told once."""
    shop = await organisation(session, actor.community_id, shop_id)
    if not shop.is_open:
        raise ShopClosed
    ticket = redemption.new_ticket(actor.community_id)
    read = redemption.read_ticket(ticket)
    assert read is not None, "we read what we write"
    audit.record(session, actor, "vouchers.device_ticket", kind="organisation", id=shop_id, now=now)
    await session.flush()
    ends_at = await redemption.make_ticket(
        session, actor.community_id, read[1], merchant_id=shop_id, actor_id=actor.member_id, now=now
    )
    return ticket, ends_at


async def enrol(
    session: AsyncSession, *, ticket: str, public_key: bytes, proof: str, label: str, now: datetime
) -> tuple[int, UUID, UUID]:
    """Make a phone a device of the ticket's shop: its community, its id and the shop's.

    Whoever asks must have the key: the ticket is signed with it.
    """
    read = redemption.read_ticket(ticket)
    if read is None:
        raise redemption.TicketUnknown
    if len(public_key) != 32 or not is_signed(public_key, proof, ticket.encode()):
        raise DeviceSignatureWrong
    community_id, digest = read
    device_id, shop_id = await redemption.enrol_device(
        session, community_id, digest, device_id=new_id(), public_key=public_key, label=label, now=now
    )
    audit.record(
        session,
        None,
        "vouchers.device_enrolled",
        kind="device",
        id=device_id,
        now=now,
        community_id=community_id,
        detail={"shop": shop_id.hex},
    )
    return community_id, device_id, shop_id


async def device_of_call(
    session: AsyncSession, *, community_id: int, device_id: UUID, signature: str, body: bytes, now: datetime
) -> redemption.ShopDevice:
    """The phone that made a call, known by its signature over the exact bytes."""
    found = await redemption.device(session, community_id, device_id, now=now)
    if found is None or not is_signed(found.public_key, signature, body):
        raise DeviceSignatureWrong
    return found


async def clerks_of(session: AsyncSession, community_id: int, shop_id: UUID, *days: date) -> Mapping[UUID, Clerk]:
    """Who served at a shop on some of these days."""
    serving: set[UUID] = set()
    for day in days:  # two at most: the first record's and today
        serving |= {
            member_id
            for member_id, role in await organisation_people(session, community_id, shop_id, day)
            if role in SERVING
        }
    people = await people_by_ids(session, community_id, serving)
    return {each.member_id: Clerk(each.member_id, each.name, each.household_id) for each in people.values()}


def _decoded(text: str) -> RecordIn | UndoIn | None:
    try:
        return _RECORD.decode(text.encode())
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError):
        return None


def _chained(record: RecordIn | UndoIn, text: str) -> dict[str, Any]:
    """What every record says: its place in the log, of which voucher, when and by whom."""
    voucher_id = int(record.voucher)
    return {
        "seq": record.seq,
        "prev": record.prev,
        "nonce": str(record.nonce),
        "voucher": voucher_id if voucher_id < 2**63 else None,
        "quantity": record.quantity,
        "mono": record.mono,
        "trusted_at": record.trusted_at,
        "clerk": str(record.clerk),
        "flags": record.flags,
        "text": text.replace("\x00", ""),
        "hash": hashlib.sha256(text.encode()).hexdigest(),
    }


def read_undo(record: UndoIn, text: str, limits: Mapping[str, int]) -> dict[str, Any]:
    """What takes an earlier scan back. Used already, it is taken back as at the counter, by the same limits."""
    return _chained(record, text) | {
        "undoes": str(record.undoes),
        "minutes": limits["voucher_reverse_minutes"],
        "per_day": limits["voucher_reversals_per_day_max"],
    }


def read_record(
    record: RecordIn, text: str, keys: CodeKeys, clerks: Mapping[UUID, Clerk], *, community_id: int
) -> dict[str, Any]:
    """What a record says and what its code was worth at its time."""
    at = datetime.fromtimestamp(record.trusted_at / 1000, UTC)
    code = redemption.read_code(record.code, keys, community_id=community_id, now=at)
    fault = None
    if code.verdict not in GOOD:
        fault = _FAULTS.get(code.verdict, str(code.verdict))
    elif code.voucher_id != int(record.voucher):
        fault = "forged"
    clerk = clerks.get(record.clerk)
    return _chained(record, text) | {
        "lease": str(record.lease) if record.lease else None,
        "code_seq": code.code_seq,
        "fault": fault,
        "is_clerk": clerk is not None,
        "group": str(clerk.household_id) if clerk and clerk.household_id else None,
    }


def _unread(text: str) -> dict[str, Any]:
    """What still can be said of a record that cannot be read: its hash, so that the one after it is no gap."""
    return {"is_unread": True, "nonce": None, "hash": hashlib.sha256(text.encode(errors="replace")).hexdigest()}


def _day_of_first(found: Sequence[RecordIn | UndoIn | None], now: datetime) -> date:
    first = next((one for one in found if one is not None), None)
    return local_day(min(now, datetime.fromtimestamp(first.trusted_at / 1000, UTC)) if first else now)


async def sync(
    session: AsyncSession,
    device: redemption.ShopDevice,
    *,
    community_id: int,
    keys: CodeKeys,
    texts: Sequence[str],
    written: int | None = None,
    is_brought: bool = False,
    now: datetime,
) -> tuple[Sequence[Mapping[str, Any]], list[int]]:
    """Take a phone's records in one call of the database: an answer for each that could be read, and the places of the others."""
    found = [_decoded(text) for text in texts]
    days = {_day_of_first(found, now), local_day(now)}
    clerks = await clerks_of(session, community_id, device.merchant_id, *sorted(days))
    takes_back = any(isinstance(one, UndoIn) for one in found)
    limits = await settings_on(session, community_id, UNDO_TERMS, local_day(now)) if takes_back else {}
    records = []
    for one, text in zip(found, texts, strict=True):
        if isinstance(one, RecordIn):
            records.append(read_record(one, text, keys, clerks, community_id=community_id))
        else:
            records.append(_unread(text) if one is None else read_undo(one, text, limits))
    terms = await offline_terms(session, community_id, now)
    answers = await redemption.sync_records(
        session,
        community_id,
        device.device_id,
        records,
        terms=terms,
        written=written,
        is_brought=is_brought,
        now=now,
    )
    told = {
        "community_id": community_id,
        "shop": device.merchant_id.hex,
        "shop_id": device.merchant_id,
        "request_id": audit.request_id.get(),
        "now": now,
    }
    if used := [each for each in answers if each["verdict"] == each["reason"] == "accepted"]:
        await session.execute(_ACCEPTED, {"used": json.dumps(used), **told})
    if back := [each for each in answers if "reversed_seq" in each]:
        await session.execute(_TAKEN_BACK, {"used": json.dumps(back), **told})
    answered = {each["nonce"] for each in answers}
    return answers, [place for place, one in enumerate(records) if one["nonce"] not in answered]


Shops = Collection[UUID] | None
"""The shops whose phones somebody may see: those they own, or every one."""


async def revoke(
    session: AsyncSession, *, actor: Actor, shops: Shops, device_id: UUID, reason: str, now: datetime
) -> None:
    """The phone is lost: it redeems nothing more, its lease is broken, and what it uploads later is held."""
    found = await _own(session, actor, shops, device_id, now)
    audit.record(session, actor, "vouchers.device_revoked", kind="device", id=device_id, now=now)
    await session.flush()
    await redemption.revoke_device(session, actor.community_id, device_id, actor_id=actor.member_id, now=now)
    if found.lease_id is not None:
        await break_lease(session, actor=actor, shops=shops, device_id=device_id, reason=reason, now=now)


async def break_lease(
    session: AsyncSession, *, actor: Actor, shops: Shops, device_id: UUID, reason: str, now: datetime
) -> None:
    """The phone is dead or out of reach: its vouchers work online at once."""
    found = await _own(session, actor, shops, device_id, now)
    if found.lease_id is None:
        raise redemption.LeaseOver
    audit.record(session, actor, "vouchers.lease_broken", kind="device", id=device_id, now=now)
    await session.flush()
    await redemption.break_lease(
        session,
        actor.community_id,
        found.lease_id,
        key=key_for(actor.member_id, f"break:{found.lease_id}"),
        reason=reason,
        actor_id=actor.member_id,
        now=now,
    )


async def _own(
    session: AsyncSession, actor: Actor, shops: Shops, device_id: UUID, now: datetime
) -> redemption.ShopDevice:
    """The phone, if it is for these eyes; another's looks as if it were not there."""
    found = await redemption.device(session, actor.community_id, device_id, now=now)
    if found is None or (shops is not None and found.merchant_id not in shops):
        raise DeviceNotFound
    return found
