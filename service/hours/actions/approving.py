"""Approving hours: every row is a journal of its own at the ledger's door, and is decided in the statement that posts it.

A press of the button is planned in a short transaction that locks nobody, and asks at the door with no connection in its
hands. What the rows say then, under their locks, decides (`sql/approval.sql`): a row that changed is stale, and one whose
worth changed is planned again. Nothing is decided twice, because the journal's reference has the revision in it, and an
approval that broke off half-way is finished by asking again with the same review.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.hours import queries
from service.hours.rules import (
    REVIEW_ROWS_MAX,
    AttendanceState,
    NothingChosen,
    TooManyRows,
    Verdict,
    check_approval,
)
from service.hours.tables import Activity, Attendance, HoursReview, Shift
from service.identity import lock_people
from service.kit.access import Actor
from service.kit.db import Sessions, transaction
from service.kit.ids import new_id
from service.records import Planned, RecordKind, Service, ServiceClass, plan_services

KIND = "public.approval"
TRIES = 5
"""How often a row is planned again whose person got other minutes meanwhile; each time somebody else was faster."""

_CODES = {"hours.stale": Verdict.STALE, "records.time_taken": Verdict.TIME_TAKEN}
"""What the functions of `sql/` say, but for 'records.plan_changed': such a row is still open."""
_TYPES = (sa.bindparam("now", type_=sa.DateTime(timezone=True)), sa.bindparam("references", type_=sa.ARRAY(sa.Text)))
_LOCK = sa.text("SELECT approval_lock(:book, :now, :references, CAST(:rows AS jsonb))").bindparams(*_TYPES)
_WRITE = sa.text("SELECT approval_write(:book, :now, :references, NULL, CAST(:rows AS jsonb))").bindparams(*_TYPES)

Found = tuple[Attendance, Shift, Activity]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one review did, row by row."""

    review_id: UUID
    verdicts: Mapping[UUID, Verdict]

    @property
    def done(self) -> int:
        """How many rows were decided."""
        return sum(verdict is Verdict.DONE for verdict in self.verdicts.values())

    @property
    def is_final(self) -> bool:
        """False when the same may be asked again for some rows."""
        return Verdict.AGAIN not in self.verdicts.values()


@dataclass(frozen=True, slots=True)
class _Draft:
    """One row that may be approved, and what it will bring."""

    attendance_id: UUID
    planned: Planned
    effect: ledger.Effect


def check_choice(items: Mapping[UUID, int]) -> None:
    """So many rows may be decided in one act."""
    if not items:
        raise NothingChosen
    if len(items) > REVIEW_ROWS_MAX:
        raise TooManyRows


async def approve_attendances(
    sessions: Sessions,
    poster: ledger.GroupPoster,
    *,
    actor: Actor,
    items: Mapping[UUID, int],
    review_id: UUID,
    now: datetime,
) -> Reviewed:
    """Approve many attendances, each with the revision the reviewer saw: every row gets its own verdict.

    A row that somebody else decided or changed meanwhile is left alone and said so; the others go through. Call it with
    no transaction open. The same review again finishes what was begun and says the same of what was done.
    """
    check_choice(items)
    verdicts: dict[UUID, Verdict] = {}
    for tried in range(TRIES + 1):
        async with transaction(sessions) as session:
            if not tried:
                await _begin(session, actor, review_id, now)
            undecided = {key: revision for key, revision in items.items() if key not in verdicts}
            judged, drafts = await _plan(session, actor, review_id, undecided)
        verdicts |= judged
        if tried == TRIES:
            verdicts |= {draft.attendance_id: Verdict.AGAIN for draft in drafts}
        if not drafts or tried == TRIES:
            break
        verdicts |= await _ask(poster, actor.community_id, [each for each in drafts if each.planned.journal], now)
        # After the others: what the cap leaves nothing of is only true when they are posted.
        if unpaid := [each for each in drafts if each.planned.journal is None]:
            async with transaction(sessions) as session:
                verdicts |= await _decide(session, actor.community_id, unpaid, now)
        if len(verdicts) == len(items):
            break
    verdicts = {key: verdicts[key] for key in items}
    async with transaction(sessions) as session:
        await _close(session, actor, review_id, verdicts)
    return Reviewed(review_id, verdicts)


async def approve_in_one(session: AsyncSession, *, actor: Actor, items: Mapping[UUID, int], now: datetime) -> Reviewed:
    """The same in the caller's transaction, which holds the rows and the people from here on: for a whole story at once."""
    check_choice(items)
    review_id = new_id()
    await _begin(session, actor, review_id, now)
    rows = await queries.lock_attendances(session, actor.community_id, ids=items.keys())
    await lock_people(session, actor.community_id, [row.member_id for row, _, _ in rows.values()])
    verdicts, drafts = await _plan(session, actor, review_id, items)
    await session.flush()
    verdicts |= await _decide(session, actor.community_id, [each for each in drafts if not each.planned.journal], now)
    paid = [(each, journal) for each in drafts if (journal := each.planned.journal)]
    await _close(session, actor, review_id, verdicts | {each.attendance_id: Verdict.DONE for each, _ in paid})
    if paid:
        journals, effects = [journal for _, journal in paid], [each.effect for each, _ in paid]
        for answer in await ledger.post_many_with(session, actor.community_id, journals, effects, now=now):
            if isinstance(answer, Exception):
                raise answer
    return Reviewed(review_id, verdicts | {each.attendance_id: Verdict.DONE for each, _ in paid})


async def _begin(session: AsyncSession, actor: Actor, review_id: UUID, now: datetime) -> None:
    """The review stands before its rows; when it is asked for again it is there."""
    await session.execute(
        insert(HoursReview)
        .values(
            community_id=actor.community_id,
            review_id=review_id,
            verb="approve",
            actor_id=actor.member_id,
            at=now,
            verdicts={},
        )
        .on_conflict_do_nothing()
    )


async def _close(session: AsyncSession, actor: Actor, review_id: UUID, verdicts: Mapping[UUID, Verdict]) -> None:
    """Write down what became of each row, for the page that says it."""
    await session.execute(
        sa.update(HoursReview)
        .where(col(HoursReview.community_id) == actor.community_id, col(HoursReview.review_id) == review_id)
        .values(verdicts={key.hex: verdict.value for key, verdict in verdicts.items()})
        .execution_options(synchronize_session=False)
    )


async def _plan(
    session: AsyncSession, actor: Actor, review_id: UUID, items: Mapping[UUID, int]
) -> tuple[dict[UUID, Verdict], list[_Draft]]:
    """What can be said of rows before anybody is asked, and what the others will bring. A look: nothing is locked.

    Whether another service counts the time is only asked under the locks: a look could find what this very row has just brought.
    """
    rows = await queries.attendances_by_ids(session, actor.community_id, items.keys())
    verdicts = {key: _judge(rows.get(key), actor, review_id, revision) for key, revision in items.items()}
    chosen = [rows[key] for key, verdict in verdicts.items() if verdict is Verdict.DONE and _waits(rows[key])]
    planned = await plan_services(
        session, community_id=actor.community_id, services=[_service(*found) for found in chosen], actor=actor
    )
    drafts = [_draft(row, review_id, worth) for (row, _, _), worth in zip(chosen, planned, strict=True)]
    open_ids = {draft.attendance_id for draft in drafts}
    return {key: verdict for key, verdict in verdicts.items() if key not in open_ids}, drafts


def _waits(found: Found) -> bool:
    return found[0].state == AttendanceState.DONE


def _judge(found: Found | None, actor: Actor, review_id: UUID, revision: int) -> Verdict:
    if found is None:
        return Verdict.STALE
    row = found[0]
    if row.review_id == review_id and row.state == AttendanceState.APPROVED:
        return Verdict.DONE  # by this very review: the first answer was lost on its way
    if row.revision != revision:
        return Verdict.STALE
    return check_approval(
        state=AttendanceState(row.state),
        member_id=row.member_id,
        actor_id=actor.member_id,
        awaits_confirmation=row.awaits_confirmation,
        minutes=row.minutes,
    )


def _service(row: Attendance, shift: Shift, activity: Activity) -> Service:
    """The revision is part of the reference: after an undo the next approval is another posting, a retry the same."""
    service_class = ServiceClass(activity.service_class)
    span = queries.span_of(row, shift)
    return Service(
        member_id=row.member_id,
        minutes=row.minutes,
        kind=RecordKind.TRAINING if service_class is ServiceClass.TRAINING else RecordKind.CREDITED,
        service_class=service_class,
        title=activity.title,
        source=f"attendance:{row.attendance_id.hex}",
        reference=f"attendance:{row.attendance_id.hex}:approved:{row.revision}",
        served_on=row.served_on,
        served_from_at=span.starts_at if span else None,
        served_until_at=span.ends_at if span else None,
    )


def _draft(row: Attendance, review_id: UUID, planned: Planned) -> _Draft:
    values = {"attendance": str(row.attendance_id), "revision": row.revision, "review": str(review_id)}
    # One person's rows never share a batch: each is judged by the minutes that stand before it.
    return _Draft(row.attendance_id, planned, ledger.Effect(KIND, row.member_id.hex, {**planned.values, **values}))


async def _ask(
    poster: ledger.GroupPoster, community_id: int, drafts: Sequence[_Draft], now: datetime
) -> dict[UUID, Verdict]:
    """Ask for all at once, for one person's rows one after the other. Who is left out of the answer is still open."""
    chains: dict[UUID, list[_Draft]] = defaultdict(list)
    for draft in drafts:
        chains[draft.planned.service.member_id].append(draft)
    asked = (_ask_for_one(poster, community_id, chain, now) for chain in chains.values())
    answers = await asyncio.gather(*asked, return_exceptions=True)
    verdicts: dict[UUID, Verdict] = {}
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer  # everybody was answered: what was done stands, and is found when the same is asked again
        verdicts |= answer
    return verdicts


async def _ask_for_one(
    poster: ledger.GroupPoster, community_id: int, chain: Sequence[_Draft], now: datetime
) -> dict[UUID, Verdict]:
    verdicts: dict[UUID, Verdict] = {}
    for draft in chain:
        journal = draft.planned.journal
        assert journal is not None, "what earns nothing is decided without the door"
        try:
            posted = await poster.post(community_id, journal, now=now, effect=draft.effect)
        except ledger.EffectRefused as refused:
            if refused.code not in _CODES:
                break  # 'records.plan_changed': what follows was planned upon it
            verdicts[draft.attendance_id] = _CODES[refused.code]
        except ledger.TooBusy:
            verdicts[draft.attendance_id] = Verdict.AGAIN
        except (ledger.ReferenceReused, ledger.OutcomeUnknown):
            continue  # somebody was faster, or we were: the row says it when it is looked at again
        except ledger.LedgerRefusal:
            verdicts[draft.attendance_id] = Verdict.NOT_POSTED
        else:
            # A replay is ours or another reviewer's: the row says whose.
            if not posted.replayed:
                verdicts[draft.attendance_id] = Verdict.DONE
    return verdicts


async def _decide(
    session: AsyncSession, community_id: int, drafts: Sequence[_Draft], now: datetime
) -> dict[UUID, Verdict]:
    """Decide about rows that earn nothing, by the functions that decide about all. Who is left out is still open."""
    if not drafts:
        return {}
    codes = (await session.execute(_LOCK, _columns(community_id, drafts, now))).scalar_one()
    good = [draft for draft, code in zip(drafts, codes, strict=True) if code is None]
    if good:
        await session.execute(_WRITE, _columns(community_id, good, now))
    told = zip(drafts, codes, strict=True)
    refused = {draft.attendance_id: _CODES[code] for draft, code in told if code in _CODES}
    return refused | {draft.attendance_id: Verdict.DONE for draft in good}


def _columns(community_id: int, drafts: Sequence[_Draft], now: datetime) -> dict[str, object]:
    return {
        "book": community_id,
        "now": now,
        "references": [draft.planned.service.reference for draft in drafts],
        "rows": json.dumps([draft.effect.values for draft in drafts]),
    }
