"""Drawing a sample, and noting what was found."""

import secrets
from datetime import date, datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.audits import queries, rules
from service.audits.rules import Strata, Verdict
from service.audits.tables import AuditFinding, AuditSample, AuditSampleItem
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import LAST_DAY, day_begins
from service.kit.ids import new_id

LOOKED_UP_AT_ONCE = 2_000
SEED_BYTES = 16


async def draw_sample(
    session: AsyncSession, *, actor: Actor, since: date, until: date, wanted: int, strata: Strata, now: datetime
) -> UUID:
    """Draw so many journals of these days with a seed that nobody chose. What is drawn stays listed for ever.

    Numbers of the book are looked up one by one, never the book read through: at most `rules.NUMBERS_MAX` of them.
    """
    rules.check_draw(since=since, until=until, wanted=wanted)
    after_last = min(until, LAST_DAY) + timedelta(days=1)
    first, last = await queries.span(session, actor.community_id, day_begins(since), day_begins(after_last))
    if last < first:
        raise rules.NothingPosted
    seed = secrets.token_hex(SEED_BYTES)
    drawn: list[rules.Drawn] = []
    looked_up = 0
    numbers = rules.numbers(seed, first, last)
    # Spread samples look at all the numbers they may, so that a rare group is found at all; a plain one stops when it is full.
    while batch := list(islice(numbers, LOOKED_UP_AT_ONCE)):
        looked_up += len(batch)
        drawn += await queries.drawn_journals(session, actor.community_id, batch)
        if strata is Strata.NONE and len(drawn) >= wanted:
            break
    sample_id = new_id()
    session.add(
        AuditSample(
            community_id=actor.community_id,
            sample_id=sample_id,
            seed=seed,
            since=since,
            until=until,
            first_seq=first,
            last_seq=last,
            wanted=wanted,
            strata=strata,
            looked_up=looked_up,
            drawn_by=actor.member_id,
            drawn_at=now,
        )
    )
    await session.flush()  # the items point at it
    session.add_all(
        AuditSampleItem(
            community_id=actor.community_id,
            sample_id=sample_id,
            place=place,
            journal_id=each.journal_id,
            stratum=stratum,
        )
        for place, (each, stratum) in enumerate(rules.chosen(strata, drawn, wanted), 1)
    )
    detail = {"seed": seed, "since": since.isoformat(), "until": until.isoformat(), "wanted": wanted}
    audit.record(session, actor, "audits.sample_drawn", kind="audit_sample", id=sample_id, now=now, detail=detail)
    return sample_id


async def note_finding(
    session: AsyncSession,
    *,
    actor: Actor,
    sample_id: UUID,
    journal_id: int,
    verdict: Verdict,
    note: str,
    now: datetime,
) -> UUID:
    """Write down what was found of one journal; what was written before stays beside it."""
    rules.check_note(verdict, note)
    await queries.sample(session, actor.community_id, sample_id)
    drawn = await queries.items(session, actor.community_id, sample_id)
    if journal_id not in {item.journal_id for item in drawn}:
        raise rules.NotInSample
    finding_id = new_id()
    session.add(
        AuditFinding(
            community_id=actor.community_id,
            finding_id=finding_id,
            sample_id=sample_id,
            journal_id=journal_id,
            verdict=verdict,
            note=note.strip(),
            found_by=actor.member_id,
            found_at=now,
        )
    )
    detail = {"journal": journal_id, "verdict": verdict.value}
    audit.record(session, actor, "audits.finding_noted", kind="audit_sample", id=sample_id, now=now, detail=detail)
    return finding_id
