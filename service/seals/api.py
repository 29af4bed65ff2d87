"""The same reads and acts as JSON, and the files that linli-check reads."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.communities import community
from service.kit.access import PUBLIC, SIGNED_IN, Actor, allow
from service.kit.once import once
from service.seals.actions import close_alarm, seal_now
from service.seals.payloads import AlarmOut, SealingOut, SealOut, SealsOut
from service.seals.queries import Alarm, alarms
from service.seals.receipts import receipt_of
from service.seals.rules import READERS, WATCHERS

AnyRequest = Request[Any, Any, Any]
SEALS_ON_A_PAGE = 50


@get("/api/seals/{community_id:int}/{number:int}", opt=dict(PUBLIC))
async def seal_file(
    community_id: FromPath[int], number: FromPath[int], session: NamedDependency[AsyncSession]
) -> dict[str, Any]:
    """A seal as linli-check reads it. It says what hangs on the notice board, and names nobody."""
    await community(session, community_id)
    return dict((await ledger.seal_by_number(session, community_id, number)).as_file())


@get("/api/seals/{community_id:int}/{number:int}/continued", opt=dict(PUBLIC))
async def continued(
    community_id: FromPath[int],
    number: FromPath[int],
    session: NamedDependency[AsyncSession],
    by: FromQuery[int | None] = None,
) -> dict[str, Any]:
    """The proof that a later seal, or the newest, closes everything that this one closed."""
    await community(session, community_id)
    return dict((await ledger.prove_continues(session, community_id, number, by)).as_file())


@get("/api/wallet/lines/{seq:int}/proof", opt=SIGNED_IN)
async def proof(
    seq: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> dict[str, Any]:
    """The proof that a line of one's own passbook stands in a sealed book, as linli-check reads it."""
    return dict((await receipt_of(session, actor, seq)).as_file())


def _out(seal: ledger.Seal) -> SealOut:
    return SealOut(
        number=seal.number,
        size=seal.size,
        root=seal.root.hex(),
        previous=seal.previous.hex(),
        sealed_at=seal.sealed_at,
        key=seal.key,
        totals=list(seal.totals),
        url=f"/seals/{seal.book}/{seal.number}",
    )


def _alarm(alarm: Alarm) -> AlarmOut:
    return AlarmOut(alarm.alarm_id, alarm.kind, alarm.place, alarm.detail, alarm.raised_at, alarm.closed_at)


@get("/api/books/seals", opt=allow(*READERS))
async def seals(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], before: FromQuery[int | None] = None
) -> SealsOut:
    """The seals of the book, newest first, with how far the tree is behind and the alarms."""
    found = await ledger.seals(session, actor.community_id, before=before, limit=SEALS_ON_A_PAGE)
    lag = await ledger.lag(session, actor.community_id)
    return SealsOut(
        items=[_out(seal) for seal in found],
        posted=lag.posted,
        read=lag.size,
        alarms=[_alarm(alarm) for alarm in await alarms(session, actor.community_id)],
        next=found[-1].number if len(found) == SEALS_ON_A_PAGE and found[-1].number > 1 else None,
    )


@post("/api/books/seals", opt=allow(*READERS), status_code=200)
async def seal(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SealingOut]:
    """Seal what is posted; with nothing new, the last seal is the answer, and at a fault an alarm instead of a seal."""

    async def work() -> SealingOut:
        made = await seal_now(session, actor.community_id, actor=actor, now=now)
        left = await alarms(session, actor.community_id, only_open=True)
        return SealingOut(_out(made.seal) if made.seal else None, made.is_new, [_alarm(alarm) for alarm in left])

    return await once(request, session, actor, now, work)


@post("/api/books/alarms/{alarm_id:uuid}/close", opt=allow(*WATCHERS), status_code=200)
async def close(
    request: AnyRequest,
    alarm_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[list[AlarmOut]]:
    """Say that an alarm was looked into; answers the alarms that are left."""

    async def work() -> list[AlarmOut]:
        await close_alarm(session, actor=actor, alarm_id=alarm_id, now=now)
        return [_alarm(alarm) for alarm in await alarms(session, actor.community_id)]

    return await once(request, session, actor, now, work)


HANDLERS = [seal_file, continued, proof, seals, seal, close]
