"""Checking a sheet of balances, proposing it, approving it, giving it up, having it taken back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import members_by_card, people_by_ids
from service.imports.openings import queries
from service.imports.openings.cells import Column, Problem, Row, read_balances
from service.imports.openings.queries import Known, SealedRow, place, same_figures
from service.imports.openings.rules import (
    BroughtMeanwhile,
    NothingToBring,
    OpeningDecided,
    OpeningState,
    OpeningVerdict,
    check_day,
    check_second,
    record_reference,
)
from service.imports.openings.tables import OpeningBatch, OpeningRow
from service.kit import audit
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import broken_constraint, keyring
from service.kit.ids import new_id
from service.kit.sheets.cells import repeated
from service.records import take_back_carried

AT_ONCE = 2_000
"""Rows in one statement; the driver sends them as one batch."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row, what approving would do with it, and whose it is."""

    row: Row
    verdict: OpeningVerdict
    member_id: UUID | None


async def check_balances(
    session: AsyncSession,
    *,
    actor: Actor,
    file_name: str,
    content: bytes,
    effective_on: date,
    source: str,
    now: datetime,
) -> UUID:
    """Read a sheet and judge every row. Nothing is posted by this."""
    check_day(effective_on, closed_until=await queries.closed_until(session, actor.community_id), now=now)
    read = await anyio.to_thread.run_sync(read_balances, content, source)
    judged = judge(read.rows, await _known_to(session, actor.community_id, read.rows))
    batch = _batch(actor, file_name[-120:], read.unused, effective_on, judged, now)
    session.add(batch)
    await session.flush()
    rows = await anyio.to_thread.run_sync(_rows, keyring(session), actor.community_id, batch.opening_id, judged)
    for start in range(0, len(rows), AT_ONCE):
        await session.execute(sa.insert(OpeningRow), rows[start : start + AT_ONCE])
    _record(session, actor, "openings.checked", batch, now)
    return batch.opening_id


async def _known_to(session: AsyncSession, community_id: int, rows: Sequence[Row]) -> Known:
    members = await members_by_card(session, community_id, {row.card_no for row in rows if row.card_no})
    named = {card: row.member_id for card, row in members.items()}
    with_names = {row.card_no for row in rows if row.name}
    people = await people_by_ids(session, community_id, {named[card] for card in with_names if card in named})
    return Known(
        {
            card: (
                row.member_id,
                people[row.member_id].name if row.member_id in people else "",
                row.closed_at is None,
            )
            for card, row in members.items()
        },
        await queries.brought_by(session, community_id, list(named.values())),
    )


def judge(rows: Sequence[Row], known: Known) -> Sequence[Judged]:
    """The verdict on every row: a person once, somebody who is here, under their own name, nothing brought before."""
    again = repeated([(row.row_no, row.card_no) for row in rows])
    return [_judged(row, known, again) for row in rows]


def _judged(row: Row, known: Known, again: Mapping[int, int]) -> Judged:
    problems = list(row.problems)
    if row.row_no in again:
        problems.append(Problem(Column.CARD, "card_twice", {"row": str(again[row.row_no])}))
    member_id, name, is_here = known.people.get(row.card_no, (None, "", False))
    if row.card_no and member_id is None:
        problems.append(Problem(Column.CARD, "card_unknown"))
    elif row.card_no and not is_here:
        problems.append(Problem(Column.CARD, "card_closed"))
    elif row.name and name and row.name.replace(" ", "") != name.replace(" ", ""):
        problems.append(Problem(Column.NAME, "other_name"))
    row = replace(row, problems=tuple(problems))
    if problems:
        return Judged(row, OpeningVerdict.ERROR, member_id)
    assert member_id is not None, "a card that is not known is a problem"
    brought = known.brought.get(member_id)
    if brought is None:
        return Judged(row, OpeningVerdict.NEW, member_id)
    is_same = same_figures(row, brought)
    return Judged(row, OpeningVerdict.BROUGHT if is_same else OpeningVerdict.CONFLICT, member_id)


def _batch(
    actor: Actor,
    file_name: str,
    unused: Sequence[str],
    effective_on: date,
    judged: Sequence[Judged],
    now: datetime,
) -> OpeningBatch:
    counts = Counter(item.verdict for item in judged)
    new = [item.row for item in judged if item.verdict is OpeningVerdict.NEW]
    return OpeningBatch(
        community_id=actor.community_id,
        opening_id=new_id(),
        state=OpeningState.CHECKED,
        file_name=file_name,
        unused=list(unused),
        effective_on=effective_on,
        new_rows=counts[OpeningVerdict.NEW],
        brought_rows=counts[OpeningVerdict.BROUGHT],
        conflict_rows=counts[OpeningVerdict.CONFLICT],
        error_rows=counts[OpeningVerdict.ERROR],
        minutes=sum(row.minutes for row in new),
        points=sum(row.points for row in new),
        record_minutes=sum(row.record_minutes for row in new),
        uploaded_by=actor.member_id,
        uploaded_at=now,
    )


def _rows(keys: Keyring, community_id: int, opening_id: UUID, judged: Sequence[Judged]) -> list[dict[str, object]]:
    encode = msgspec.json.Encoder().encode
    return [
        {
            "community_id": community_id,
            "opening_id": opening_id,
            "row_no": item.row.row_no,
            "verdict": item.verdict.value,
            "member_id": item.member_id,
            "minutes": item.row.minutes,
            "points": item.row.points,
            "record_minutes": item.row.record_minutes,
            "source": item.row.source if item.verdict is not OpeningVerdict.ERROR else "",
            "is_live": False,
            "row_sealed": keys.seal(
                encode(SealedRow(dict(item.row.typed), item.row.problems)).decode(),
                place(community_id, opening_id, item.row.row_no),
            ),
        }
        for item in judged
    ]


async def propose(session: AsyncSession, *, actor: Actor, opening_id: UUID, now: datetime) -> None:
    """Ask a second person to let the checked sheet be posted."""
    batch = await queries.lock_opening(session, actor.community_id, opening_id)
    if batch.state == OpeningState.PROPOSED and batch.proposed_by == actor.member_id:
        return
    if batch.state != OpeningState.CHECKED:
        raise OpeningDecided
    if not batch.new_rows:
        raise NothingToBring
    check_day(batch.effective_on, closed_until=await queries.closed_until(session, actor.community_id), now=now)
    batch.state, batch.proposed_by, batch.proposed_at = OpeningState.PROPOSED, actor.member_id, now
    _record(session, actor, "openings.proposed", batch, now)


async def approve(session: AsyncSession, *, actor: Actor, opening_id: UUID, now: datetime) -> None:
    """Let a proposed sheet be posted, by somebody who had no part in it; pressed twice it happens once.

    From here on the rows are the people's opening balances: a unique index lets one sheet bring one person's. Two sheets with
    the same person that are approved at once wait for each other there, and the second is refused whole.
    """
    batch = await queries.lock_opening(session, actor.community_id, opening_id)
    if batch.approved_by == actor.member_id and batch.state in (OpeningState.POSTING, OpeningState.POSTED):
        return
    if batch.state != OpeningState.PROPOSED:
        raise OpeningDecided
    check_second(uploaded_by=batch.uploaded_by, proposed_by=batch.proposed_by, decided_by=actor.member_id)
    check_day(batch.effective_on, closed_until=await queries.closed_until(session, actor.community_id), now=now)
    batch.state, batch.approved_by, batch.approved_at = OpeningState.POSTING, actor.member_id, now
    _record(session, actor, "openings.approved", batch, now)
    await _let_go_of_undone(session, actor, opening_id, now)
    await session.flush()
    try:
        await session.execute(
            sa.update(OpeningRow)
            .where(
                col(OpeningRow.community_id) == actor.community_id,
                col(OpeningRow.opening_id) == opening_id,
                col(OpeningRow.verdict) == OpeningVerdict.NEW,
            )
            .values(is_live=True)
            .execution_options(synchronize_session=False)
        )
    except IntegrityError as error:
        if broken_constraint(error) == "uq_opening_row_live":
            raise BroughtMeanwhile from error
        raise


async def _let_go_of_undone(session: AsyncSession, actor: Actor, opening_id: UUID, now: datetime) -> None:
    """Rows of these people that finance undid by hand make room, and their hours leave the record: nothing counts twice."""
    undone = await queries.lock_undone(session, actor.community_id, opening_id)
    for row in undone:
        row.is_live = False
    await take_back_carried(
        session,
        community_id=actor.community_id,
        references=[record_reference(row.opening_id, row.row_no) for row in undone if row.record_minutes],
        confirmed_by=actor.member_id,
        now=now,
    )


async def withdraw(session: AsyncSession, *, actor: Actor, opening_id: UUID, now: datetime) -> None:
    """Give a sheet up that nobody has approved."""
    batch = await queries.lock_opening(session, actor.community_id, opening_id)
    if batch.state == OpeningState.WITHDRAWN and batch.ended_by == actor.member_id:
        return
    if batch.state not in (OpeningState.CHECKED, OpeningState.PROPOSED):
        raise OpeningDecided
    batch.state, batch.ended_by, batch.ended_at = OpeningState.WITHDRAWN, actor.member_id, now
    _record(session, actor, "openings.withdrawn", batch, now)


async def take_back(session: AsyncSession, *, actor: Actor, opening_id: UUID, now: datetime) -> None:
    """Have a posted sheet taken back: the worker reverses each row whose person has spent nothing of it."""
    batch = await queries.lock_opening(session, actor.community_id, opening_id)
    if batch.ended_by == actor.member_id and batch.state in (OpeningState.RETURNING, OpeningState.RETURNED):
        return
    if batch.state != OpeningState.POSTED:
        raise OpeningDecided
    batch.state, batch.ended_by, batch.ended_at = OpeningState.RETURNING, actor.member_id, now
    _record(session, actor, "openings.taken_back", batch, now)


async def take_out_errors(
    session: AsyncSession, *, actor: Actor, opening_id: UUID, now: datetime
) -> Sequence[queries.RowView]:
    """The rows with errors, to leave the house as a file; that they left is written down."""
    batch = await queries.lock_opening(session, actor.community_id, opening_id)
    _record(session, actor, "openings.errors_taken_out", batch, now)
    return await queries.all_rows(session, actor.community_id, opening_id, OpeningVerdict.ERROR)


def _record(session: AsyncSession, actor: Actor, action: str, batch: OpeningBatch, now: datetime) -> None:
    """The audit line of a sheet: figures, never what it says of whom."""
    audit.record(
        session,
        actor,
        action,
        kind="opening",
        id=batch.opening_id,
        now=now,
        detail={"new": batch.new_rows, "minutes": batch.minutes, "points": batch.points},
    )
