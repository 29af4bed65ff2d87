"""Reading on, sealing, walking over what was sealed; and what happens at the first difference."""

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.facts import YearClosed
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import HOME_ZONE
from service.kit.ids import new_id
from service.kit.sealing import copies, publish, signer, trusted_keys
from service.seals import queries
from service.seals.rules import AlarmNotFound, AlarmStands
from service.seals.tables import BookAlarm

PROVED_AT_ONCE = 50_000
"""A book up to this size is proved as a whole whenever the patrol has come round."""

READ_AT_ONCE = 10_000
"""A look that has read so many leaves the other books to the next one, which comes at once."""

log = structlog.get_logger("linli.seals")


async def raise_alarm(session: AsyncSession, fault: ledger.Fault, *, now: datetime) -> bool:
    """Write down that the books are not as they were: an alarm for the inbox, an audit line, a log line; once for each fault.

    Two who find it at once write one alarm: the unique index over the open ones decides.
    """
    log.error("seals.alarm", community=fault.book, fault=fault.kind, place=fault.place, detail=fault.detail)
    alarm_id = new_id()
    raised = await session.execute(
        insert(BookAlarm)
        .values(
            community_id=fault.book,
            alarm_id=alarm_id,
            kind=fault.kind,
            place=fault.place,
            detail=fault.detail,
            raised_at=now,
        )
        .on_conflict_do_nothing(
            index_elements=["community_id", "kind", "place"], index_where=col(BookAlarm.closed_at).is_(None)
        )
        .returning(col(BookAlarm.alarm_id))
    )
    if raised.scalar_one_or_none() is None:
        return False
    detail = {"fault": fault.kind, "place": fault.place}
    audit.record(
        session, None, "seals.alarm", kind="alarm", id=alarm_id, now=now, community_id=fault.book, detail=detail
    )
    return True


async def close_alarm(session: AsyncSession, *, actor: Actor, alarm_id: UUID, now: datetime) -> None:
    """Say that an alarm was looked into. If the difference is still there it is raised again."""
    found = await queries.lock_alarm(session, actor.community_id, alarm_id)
    if found is None:
        raise AlarmNotFound
    found.closed_at, found.closed_by = now, actor.member_id
    audit.record(session, actor, "seals.alarm_closed", kind="alarm", id=alarm_id, now=now)


async def seal_now(session: AsyncSession, community_id: int, *, actor: Actor | None, now: datetime) -> ledger.Sealing:
    """Seal what is posted. At a fault the alarm is raised and no seal made; with an open alarm it is refused."""
    if await queries.alarms(session, community_id, only_open=True):
        raise AlarmStands
    made = await ledger.seal(session, community_id, signer(session), trusted_keys(session), now=now)
    if made.fault is not None:
        await raise_alarm(session, made.fault, now=now)
    if made.seal is not None and made.is_new:
        detail = {"size": made.seal.size, "root": made.seal.root.hex()}
        audit.record(
            session,
            actor,
            "seals.sealed",
            kind="seal",
            id=made.seal.number,
            now=now,
            community_id=community_id,
            detail=detail,
        )
    return made


async def catch_up(session: AsyncSession, community_id: int, *, now: datetime) -> ledger.Growth:
    """Read the next batch of one book into its tree, and raise the alarm at a fault."""
    growth = await ledger.extend(session, community_id)
    if growth.fault is not None:
        await raise_alarm(session, growth.fault, now=now)
    return growth


async def read_on(session: AsyncSession, now: datetime) -> int:
    """Read what is new, at most a batch of each book and the books that are furthest behind first; answers how much there was."""
    done = 0
    for behind in await ledger.most_behind(session, but=await queries.alarmed(session)):
        growth = await catch_up(session, behind.book, now=now)
        done += 1 if growth.fault is not None else growth.read
        if done >= READ_AT_ONCE:
            break
    return done


async def seal_daily(session: AsyncSession, now: datetime) -> int:
    """Seal a book with something new in it, once a day of the community."""
    day_began = now.astimezone(HOME_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    community_id = await queries.due_for_seal(session, day_began)
    if community_id is None:
        return 0
    await seal_now(session, community_id, actor=None, now=now)
    return 1


async def patrol(session: AsyncSession, now: datetime) -> int:
    """Look at a piece of the book that was looked at longest ago, and publish its new seals. One piece a turn: answers 0."""
    community_id = await ledger.least_patrolled(session, but=await queries.alarmed(session))
    if community_id is None:
        return 0
    published = copies(session, community_id)
    seen = await ledger.patrol(session, community_id, trusted_keys(session), copies=published, now=now)
    fault = seen.fault
    if fault is None and seen.came_round:
        for seal in await ledger.seals(session, community_id):
            if seal.number not in published:
                publish(session, seal)
        if seen.after <= PROVED_AT_ONCE:
            fault = next(iter(await ledger.verify(session, community_id)), None)
    if fault is not None:
        await raise_alarm(session, fault, now=now)
    return 0


async def seal_year(session: AsyncSession, fact: YearClosed, now: datetime) -> None:
    """Seal the books when a year was closed, so that a seal stands behind its figures at once and not at midnight.

    With an open alarm it waits like every seal: whoever closes the alarm seals, or the day does.
    """
    if await queries.alarms(session, fact.community_id, only_open=True):
        return
    while (growth := await catch_up(session, fact.community_id, now=now)).read and growth.fault is None:
        pass
    if growth.fault is None:
        await seal_now(session, fact.community_id, actor=None, now=now)
