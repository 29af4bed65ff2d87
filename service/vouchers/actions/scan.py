"""The counter: one scan is one call of the database in autocommit. And undoing it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CodeVerdict
from service.communities import settings_on
from service.facts import VoucherUseReversed
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.clock import HOME_ZONE, local_day
from service.kit.crypto import Keyring
from service.kit.db import autocommit_connection
from service.kit.issuers import code_keys
from service.kit.together import Kind, Together
from service.vouchers.queries.counter import Shop, use_at
from service.vouchers.rules import UndoNeedsReason, UndoOver, UseNotFound, key_for, undo_until

_REDEEM = """
SELECT redeem_at_desk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)::text
"""
_REDEEM_STATIC = """
SELECT redeem_static_at_desk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)::text
"""
_REDEEM_MANY = """
SELECT redeem_many_at_desk($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)::text[]
"""
_FAULTS = {
    CodeVerdict.MALFORMED: "malformed",
    CodeVerdict.FORGED: "forged",
    CodeVerdict.STALE: "stale",
    CodeVerdict.REVOKED: "revoked",
}
STATIC = (CodeVerdict.PRINTED, CodeVerdict.SIGNED, CodeVerdict.SHORT)
"""Codes that do not change: for them the name is compared above a value, and a day has a most."""
BUTTON = "button"
"""The reason that stands in the history when the undo button was pressed at once."""
UNDO_GRACE = timedelta(seconds=15)
"""A slow phone's press may arrive a little later than it was made."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a phone says when it scanned something."""

    nonce: UUID
    code: str
    device_id: UUID | None
    shop_id: UUID | None
    quantity: int | None
    scanned_at: datetime
    is_compared: bool = False
    """The clerk has compared the name of who shows the paper."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the counter needs of the app: a scan brings no session of its own."""

    engine: AsyncEngine
    keyring: Keyring
    together: Together


@dataclass(frozen=True, slots=True)
class _Question:
    """A scan as the database is asked about it."""

    engine: AsyncEngine
    community_id: int
    token_hash: bytes
    device_id: UUID
    read: redemption.ReadCode
    scan: Scan
    request_id: str | None
    now: datetime


async def redeem_scan(desk: Desk, cookie: str, scan: Scan, now: datetime) -> Mapping[str, Any]:
    """Redeem what was scanned, in exactly one round trip, and answer with the verdict as the database gave it.

    The code's seal and minute are checked before; a false code goes to the database all the same, where it is counted.
    The session is authenticated there. A browser without a device cookie is known by its session. Scans that wait for each
    other go together; what cannot be used plainly is then asked about alone.
    """
    number, _, token = cookie.partition(".")
    if not (number.isascii() and number.isdecimal() and len(number) <= 18 and token):  # a bigint's digits
        return {"code": "kit.not_signed_in"}
    community_id, token_hash = int(number), desk.keyring.token_hash(token)
    question = _Question(
        engine=desk.engine,
        community_id=community_id,
        token_hash=token_hash,
        device_id=scan.device_id or UUID(bytes=token_hash[:16]),
        read=redemption.read_code(scan.code, code_keys(desk.keyring, now), community_id=community_id, now=now),
        scan=scan,
        request_id=audit.request_id.get(),
        now=now,
    )
    if question.read.verdict in STATIC:
        return await _redeem(question, _REDEEM_STATIC, scan.is_compared, day_began(now))
    if question.read.voucher_id is None or question.read.verdict in _FAULTS or (scan.quantity or 1) != 1:
        return await _redeem(question)
    rows = frozenset((question.device_id, question.read.voucher_id))
    return await desk.together.ask(_KIND, (community_id, local_day(now)), question, rows)


async def _redeem(asked: _Question, query: str = _REDEEM, *more: object) -> Mapping[str, Any]:
    async with autocommit_connection(asked.engine) as connection:
        verdict = await connection.fetchval(
            query,
            asked.community_id,
            asked.token_hash,
            asked.device_id,
            asked.scan.nonce,
            asked.scan.shop_id,
            asked.read.voucher_id,
            asked.read.code_seq,
            asked.read.short_code,
            _FAULTS.get(asked.read.verdict),
            hashlib.sha256("".join(asked.scan.code.split()).upper().encode()).digest(),
            asked.scan.quantity,
            min(asked.scan.scanned_at, asked.now),
            local_day(asked.now),
            asked.request_id,
            asked.now,
            *more,
        )
    return cast("Mapping[str, Any]", json.loads(verdict))


async def _redeem_many(asked: Sequence[_Question]) -> Sequence[Mapping[str, Any] | None]:
    now = max(one.now for one in asked)
    async with autocommit_connection(asked[0].engine) as connection:
        verdicts = await connection.fetchval(
            _REDEEM_MANY,
            asked[0].community_id,
            [one.token_hash for one in asked],
            [one.device_id for one in asked],
            [one.scan.nonce for one in asked],
            [one.scan.shop_id for one in asked],
            [one.read.voucher_id for one in asked],
            [one.read.code_seq for one in asked],
            [one.scan.quantity for one in asked],
            [min(one.scan.scanned_at, one.now) for one in asked],
            local_day(now),
            [one.request_id for one in asked],
            now,
        )
    return [None if verdict is None else json.loads(verdict) for verdict in verdicts]


_KIND = Kind(alone=_redeem, many=_redeem_many)


def day_began(now: datetime) -> datetime:
    """The midnight from which a member's and a shop's day is counted."""
    return datetime.combine(local_day(now), time(), HOME_ZONE)


def device_of(keyring: Keyring, cookie: str, device_id: UUID | None) -> UUID:
    """The device that a scan of this session was counted for."""
    _, _, token = cookie.partition(".")
    return device_id or UUID(bytes=keyring.token_hash(token)[:16])


UNDO_TERMS = ("voucher_reverse_minutes", "voucher_reversals_per_day_max")


async def undo_scan(
    session: AsyncSession, *, actor: Actor, shops: Mapping[UUID, Shop], device_id: UUID, nonce: UUID, now: datetime
) -> redemption.Use:
    """Undo one's own scan with one press, within the minute; the same press again changes nothing."""
    use = await use_at(session, actor.community_id, device_id, nonce)
    if use is None or use.merchant_id not in shops:
        raise UseNotFound
    if use.state is not redemption.UseState.REVERSED and now > undo_until(use.received_at) + UNDO_GRACE:
        raise UndoNeedsReason
    await _reverse(session, actor=actor, shops=shops, use=use, reason=BUTTON, now=now)
    return use


async def undo_use(
    session: AsyncSession,
    *,
    actor: Actor,
    shops: Mapping[UUID, Shop],
    voucher_id: int,
    seq: int,
    reason: str,
    now: datetime,
) -> redemption.Use:
    """Undo a use of today's list with a reason, within the hour: by the clerk who scanned, or the shop's owner."""
    uses = await redemption.uses_of(session, actor.community_id, voucher_id)
    use = next((use for use in uses if use.seq == seq and use.merchant_id in shops), None)
    if use is None:
        raise UseNotFound
    await _reverse(session, actor=actor, shops=shops, use=use, reason=reason, now=now)
    return use


async def _reverse(
    session: AsyncSession, *, actor: Actor, shops: Mapping[UUID, Shop], use: redemption.Use, reason: str, now: datetime
) -> None:
    terms = await settings_on(session, actor.community_id, UNDO_TERMS, local_day(now))
    if use.state is not redemption.UseState.REVERSED and now > use.received_at + timedelta(
        minutes=terms["voucher_reverse_minutes"]
    ):
        raise UndoOver
    reversed_ = await redemption.reverse_use(
        session,
        actor.community_id,
        use.voucher_id,
        use.seq,
        key=key_for(actor.member_id, f"undo:{use.voucher_id}:{use.seq}"),
        as_owner=shops[use.merchant_id].is_owner,
        reason=reason,
        actor_id=actor.member_id,
        reversible_minutes=terms["voucher_reverse_minutes"],
        reversals_per_day=terms["voucher_reversals_per_day_max"],
        now=now,
    )
    if reversed_.replayed:
        return
    audit.record(
        session,
        actor,
        "vouchers.use_reversed",
        kind="voucher",
        id=use.voucher_id,
        now=now,
        detail={"seq": use.seq, "shop": use.merchant_id.hex},
    )
    fact = VoucherUseReversed(
        community_id=actor.community_id,
        voucher_id=use.voucher_id,
        member_id=use.member_id,
        merchant_id=use.merchant_id,
        seq=use.seq,
    )
    outbox.record(session, fact, now=now)
