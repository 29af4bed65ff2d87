"""Samples and findings as JSON."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.audits import actions, queries
from service.audits.approvals import approvals as find_approvals
from service.audits.papers import papers
from service.audits.payloads import (
    ApprovalsOut,
    CountsOut,
    DeedOut,
    DrawIn,
    FactOut,
    FindingIn,
    FindingOut,
    FlagOut,
    ItemOut,
    SampleDetailOut,
    SampleOut,
    SamplesOut,
)
from service.audits.rules import AUDITORS, READERS
from service.kit.access import Actor, allow
from service.kit.i18n import translate
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/books/samples", opt=allow(*READERS))
async def samples(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> SamplesOut:
    """Every sample that was ever drawn, the newest first."""
    found = await queries.samples(session, actor.community_id, after=after)
    return SamplesOut([msgspec.convert(row, SampleOut, from_attributes=True) for row in found.rows], found.next)


@get("/api/books/samples/{sample_id:uuid}", opt=allow(*READERS))
async def sample(
    sample_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> SampleDetailOut:
    """One sample with its journals, their papers, and what was found."""
    return await _detail(session, actor, sample_id)


async def _detail(session: AsyncSession, actor: Actor, sample_id: UUID) -> SampleDetailOut:
    found = await queries.sample(session, actor.community_id, sample_id)
    drawn = await queries.items(session, actor.community_id, sample_id)
    told, _people = await papers(session, actor.community_id, [item.journal_id for item in drawn])
    noted = await queries.findings(session, actor.community_id, sample_id)
    items = [
        ItemOut(
            place=item.place,
            journal_id=item.journal_id,
            stratum=item.stratum,
            reference=told[item.journal_id].reference,
            reason=told[item.journal_id].reason,
            posted_at=told[item.journal_id].posted_at,
            facts=[FactOut(label, text) for label, text in told[item.journal_id].facts],
            deeds=[DeedOut(deed.at, deed.action, deed.actor_id) for deed in told[item.journal_id].deeds],
            findings=[
                msgspec.convert(each, FindingOut, from_attributes=True) for each in noted.get(item.journal_id, ())
            ],
        )
        for item in drawn
    ]
    return SampleDetailOut(msgspec.convert(found, SampleOut, from_attributes=True), items)


@post("/api/books/samples", opt=allow(*AUDITORS), status_code=201)
async def draw(
    request: AnyRequest,
    data: JSONBody[DrawIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SampleDetailOut]:
    """Draw a sample with a seed that nobody chose."""

    async def work() -> SampleDetailOut:
        sample_id = await actions.draw_sample(
            session,
            actor=actor,
            since=data.since,
            until=data.until,
            wanted=data.wanted,
            strata=data.strata,
            now=now,
        )
        await session.flush()
        return await _detail(session, actor, sample_id)

    return await once(request, session, actor, now, work, status=201)


@post("/api/books/samples/{sample_id:uuid}/journals/{journal_id:int}/findings", opt=allow(*AUDITORS), status_code=201)
async def note(
    request: AnyRequest,
    sample_id: FromPath[UUID],
    journal_id: FromPath[int],
    data: JSONBody[FindingIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[list[FindingOut]]:
    """Note what was found of one journal; answers everything noted of it so far."""

    async def work() -> list[FindingOut]:
        await actions.note_finding(
            session,
            actor=actor,
            sample_id=sample_id,
            journal_id=journal_id,
            verdict=data.verdict,
            note=data.note,
            now=now,
        )
        await session.flush()
        noted = await queries.findings(session, actor.community_id, sample_id)
        return [msgspec.convert(each, FindingOut, from_attributes=True) for each in noted[journal_id]]

    return await once(request, session, actor, now, work, status=201)


@get("/api/books/approvals", opt=allow(*READERS))
async def approvals(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    since: FromQuery[date],
    until: FromQuery[date],
) -> ApprovalsOut:
    """Decisions with the same hands on both sides, and how each person decides beside the others; both days included."""
    found = await find_approvals(session, actor.community_id, since, until)
    flags = [
        FlagOut(
            flag.kind,
            flag.thing_id,
            flag.at,
            flag.decider,
            flag.role,
            flag.hand,
            flag.is_self,
            translate("approval.self" if flag.is_self else "approval.household").format(
                role=translate(f"hand.{flag.role}")
            ),
            flag.url,
        )
        for flag in found.flags
    ]
    counts = [
        CountsOut(
            each.kind,
            each.decider,
            each.agreed,
            each.refused,
            each.refused_percent,
            each.seconds,
            list(found.oddities.get((each.kind, each.decider), ())),
        )
        for each in found.counts
    ]
    return ApprovalsOut(since, until, flags, found.is_cut, counts)


HANDLERS = [samples, sample, draw, note, approvals]
