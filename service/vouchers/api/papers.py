"""Vouchers on paper, as JSON."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, Role, allow
from service.kit.crypto import Keyring
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once
from service.kit.refusals import Invalid
from service.vouchers.actions import papers
from service.vouchers.browser import batch_cursor, batch_mark
from service.vouchers.payloads import ReasonIn
from service.vouchers.payloads.papers import (
    BatchesOut,
    BatchMade,
    BatchOut,
    BatchVoided,
    BatchWhole,
    PaperOut,
    PrintIn,
)
from service.vouchers.queries.catalogue import usable_by_ids
from service.vouchers.queries.paper import Batch, batch_for, named, paper_code, paper_rows

AnyRequest = Request[Any, Any, Any]
HELPERS = allow(Role.STAFF)
READERS = allow(Role.STAFF, Role.AUDITOR)
ID_MOST = 2**63 - 1


@get("/api/paper-batches", opt=READERS)
async def batches(
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> BatchesOut:
    """What was printed, newest first."""
    keys = code_keys(cast("Keyring", state.keyring), now)
    found = await redemption.paper_batches(session, actor.community_id, before=batch_mark(after))
    return BatchesOut(
        [_out(each) for each in await named(session, actor.community_id, found, keys)], batch_cursor(found)
    )


@get("/api/paper-batches/{batch_id:uuid}", opt=HELPERS)
async def batch(
    batch_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> BatchWhole:
    """One batch, and what stands on each live paper."""
    keys = code_keys(cast("Keyring", state.keyring), now)
    found = await batch_for(session, actor.community_id, batch_id, keys)
    rows = await paper_rows(session, actor.community_id, batch_id, now)
    live = [row.voucher_id for row in rows if row.is_live and not found.is_dead]
    cards = await usable_by_ids(session, actor.community_id, live, now=now)
    codes = {
        card.voucher_id: redemption.code_url(state.settings.origin, paper_code(keys, actor.community_id, card))
        for _member_id, card in cards
    }
    items = [
        PaperOut(
            row.number,
            str(row.voucher_id),
            row.title,
            row.card_no,
            row.name,
            row.expires_at,
            row.voucher_id in codes,
            codes.get(row.voucher_id),
        )
        for row in rows
    ]
    return BatchWhole(_out(found), items)


@post("/api/paper-batches", opt=HELPERS, status_code=201)
async def print_batch(
    request: AnyRequest,
    data: JSONBody[PrintIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[BatchMade]:
    """Print these vouchers: each gets a new code, and whatever was printed of it before is dead."""
    ids = [int(text) for text in data.voucher_ids]
    if max(ids) > ID_MOST:
        raise Invalid({"voucher_ids": "invalid"})

    async def work() -> BatchMade:
        key = request.headers.get("idempotency-key") or new_id().hex
        return BatchMade(await papers.print_batch(session, actor=actor, voucher_ids=ids, key=key, now=now))

    return await once(request, session, actor, now, work, status=201)


@post("/api/paper-batches/{batch_id:uuid}/voiding", opt=HELPERS, status_code=200)
async def void_batch(
    request: AnyRequest,
    batch_id: FromPath[UUID],
    data: JSONBody[ReasonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[BatchVoided]:
    """Kill every paper of a batch at once."""

    async def work() -> BatchVoided:
        key = request.headers.get("idempotency-key") or new_id().hex
        return BatchVoided(
            await papers.void_batch(session, actor=actor, batch_id=batch_id, reason=data.reason, key=key, now=now)
        )

    return await once(request, session, actor, now, work)


def _out(each: Batch) -> BatchOut:
    printed = each.batch
    return BatchOut(
        printed.batch_id,
        printed.papers,
        each.sheets,
        0 if each.is_key_gone else printed.live,
        printed.key_number,
        each.is_key_gone,
        each.printed_by,
        printed.printed_at,
        each.voided_by,
        printed.voided_at,
        printed.void_reason,
    )
