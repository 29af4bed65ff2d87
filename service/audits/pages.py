"""The samples, one sample to work through, and its working sheet on paper."""

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.audits import actions, queries
from service.audits.approvals import approvals
from service.audits.papers import papers
from service.audits.rules import AUDITORS, JOURNALS_MAX, READERS, Strata, Verdict
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.refusals import Invalid

AnyRequest = Request[Any, Any, Any]
SAMPLES = "/desk/books/samples"
DAYS_BEFORE = 90
"""Without days, so many are looked at."""


class DrawForm(msgspec.Struct):
    """From which days, how many, spread how."""

    since: date
    until: date
    wanted: int
    strata: Strata = Strata.NONE


class FindingForm(msgspec.Struct):
    """What was found."""

    verdict: Verdict
    note: str | None = None


@get(SAMPLES, opt=allow(*READERS), include_in_schema=False)
async def samples_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """Every sample that was ever drawn, and the form that draws another."""
    return page(request, "audits/samples.html", **await _listed(session, actor, local_day(now), after))


async def _listed(session: AsyncSession, actor: Actor, today: date, after: str | None = None) -> dict[str, Any]:
    found = await queries.samples(session, actor.community_id, after=after)
    last_month = today.replace(day=1) - timedelta(days=1)
    return {
        "title": _("抽查"),
        "samples": found.rows,
        "people": await people_by_ids(session, actor.community_id, {row.drawn_by for row in found.rows}),
        "next_url": f"{SAMPLES}?{urlencode({'after': found.next})}" if found.next else None,
        "first_url": SAMPLES if after else None,
        "may_draw": actor.has(*AUDITORS),
        "since": last_month.replace(day=1),
        "until": last_month,
        "most": JOURNALS_MAX,
        "kinds": [(each.value, translate(f"strata.{each.value}")) for each in Strata],
    }


@post(SAMPLES, opt=allow(*AUDITORS), include_in_schema=False)
async def draw(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Draw a sample."""
    with refill(request, "audits/samples.html", **await _listed(session, actor, local_day(now))):
        form = await form_of(request, DrawForm)

        async def work() -> str:
            sample_id = await actions.draw_sample(
                session,
                actor=actor,
                since=form.since,
                until=form.until,
                wanted=form.wanted,
                strata=form.strata,
                now=now,
            )
            return f"{SAMPLES}/{sample_id}"

        return await once_page(request, session, actor, now, work)


async def _shown(session: AsyncSession, actor: Actor, sample_id: UUID) -> dict[str, Any]:
    found = await queries.sample(session, actor.community_id, sample_id)
    drawn = await queries.items(session, actor.community_id, sample_id)
    told, people = await papers(session, actor.community_id, [item.journal_id for item in drawn])
    noted = await queries.findings(session, actor.community_id, sample_id)
    hands = {each.found_by for every in noted.values() for each in every} | {found.drawn_by}
    return {
        "title": _("抽查 {day}").format(day=found.drawn_at.date().isoformat()),
        "sample": found,
        "items": [(item, told[item.journal_id]) for item in drawn],
        "findings": noted,
        "people": {**people, **await people_by_ids(session, actor.community_id, hands)},
        "may_note": actor.has(*AUDITORS),
        "verdicts": [(each.value, translate(f"verdict.{each.value}")) for each in Verdict],
    }


@get(SAMPLES + "/{sample_id:uuid}", opt=allow(*READERS), include_in_schema=False)
async def sample_page(
    request: AnyRequest,
    sample_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One sample: each journal with its papers, and what was found of it."""
    return page(request, "audits/sample.html", **await _shown(session, actor, sample_id))


@get(SAMPLES + "/{sample_id:uuid}/print", opt=allow(*READERS), include_in_schema=False)
async def sheet_page(
    request: AnyRequest,
    sample_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The working sheet on paper, with room for the finding."""
    return page(request, "audits/sheet.html", now=now, **await _shown(session, actor, sample_id))


@post(SAMPLES + "/{sample_id:uuid}/journals/{journal_id:int}", opt=allow(*AUDITORS), include_in_schema=False)
async def note(
    request: AnyRequest,
    sample_id: FromPath[UUID],
    journal_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Note what was found."""
    shown = await _shown(session, actor, sample_id)
    with refill(request, "audits/sample.html", noting=journal_id, **shown):
        form = await form_of(request, FindingForm)

        async def work() -> str:
            await actions.note_finding(
                session,
                actor=actor,
                sample_id=sample_id,
                journal_id=journal_id,
                verdict=form.verdict,
                note=form.note or "",
                now=now,
            )
            return f"{SAMPLES}/{sample_id}?done=audits.noted#j{journal_id}"

        return await once_page(request, session, actor, now, work)


@get("/desk/books/approvals", opt=allow(*READERS), include_in_schema=False)
async def approvals_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    since: FromQuery[date | None] = None,
    until: FromQuery[date | None] = None,
) -> Template:
    """Who approved what, the same hands on both sides, and what stands out."""
    today = local_day(now)
    first, last = since or today - timedelta(days=DAYS_BEFORE), until or today
    try:
        found = await approvals(session, actor.community_id, first, last)
        problems = {}
    except Invalid as wrong:
        found = None
        problems = {name: translate(f"problem.{code}") for name, code in wrong.problems.items()}
    return page(
        request,
        "audits/approvals.html",
        status_code=422 if problems else 200,
        title=_("谁批了什么"),
        found=found,
        since=first,
        until=last,
        errors=problems,
    )


HANDLERS = [samples_page, draw, sample_page, sheet_page, note, approvals_page]
