"""Checking a sheet: reading it, judging every row, keeping the result sealed."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.imports import queries
from service.imports.cells import Row
from service.imports.compare import Judged, judge, new_places
from service.imports.queries import RowView, Sealed, place
from service.imports.reading import read_sheet
from service.imports.rules import BatchNotOpen, BatchState, Verdict
from service.imports.tables import ImportBatch, ImportRow
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.ids import new_id

AT_ONCE = 2_000
"""Rows in one statement; the driver sends them as one batch."""


async def check_sheet(session: AsyncSession, *, actor: Actor, file_name: str, content: bytes, now: datetime) -> UUID:
    """Read a sheet, judge every row and keep the result sealed. Nobody is enrolled or changed by this."""
    day = local_day(now)
    read = await anyio.to_thread.run_sync(read_sheet, content, day)
    judged, places = await judged_rows(session, actor.community_id, read.rows, day)
    batch = await keep(session, actor, file_name[-120:], read.unused, judged, places, now)
    record(session, actor, "imports.checked", batch, now)
    return batch.import_id


async def keep(
    session: AsyncSession,
    actor: Actor,
    file_name: str,
    unused: Sequence[str],
    judged: Sequence[Judged],
    places: list[str],
    now: datetime,
) -> ImportBatch:
    """Keep judged rows sealed, to be applied."""
    counts = _counts(judged)
    batch = ImportBatch(
        community_id=actor.community_id,
        import_id=new_id(),
        state=BatchState.CHECKED,
        file_name=file_name,
        unused=list(unused),
        new_places=places,
        uploaded_by=actor.member_id,
        uploaded_at=now,
        checked_at=now,
        new_rows=counts[Verdict.NEW],
        changed_rows=counts[Verdict.CHANGED],
        unchanged_rows=counts[Verdict.UNCHANGED],
        conflict_rows=counts[Verdict.CONFLICT],
        error_rows=counts[Verdict.ERROR],
    )
    session.add(batch)
    await session.flush()
    await _keep_rows(session, actor.community_id, batch.import_id, judged)
    return batch


async def check_again(session: AsyncSession, *, actor: Actor, import_id: UUID, now: datetime) -> None:
    """Judge the rows of a checked import once more, against the people of today."""
    batch = await queries.lock_batch(session, actor.community_id, import_id)
    if batch.state != BatchState.CHECKED:
        raise BatchNotOpen
    stored = await queries.all_rows(session, actor.community_id, import_id, list(Verdict))
    rows = [item.row for item in stored]
    judged, batch.new_places = await judged_rows(session, actor.community_id, rows, local_day(now))
    await session.execute(
        sa.delete(ImportRow).where(
            col(ImportRow.community_id) == actor.community_id, col(ImportRow.import_id) == import_id
        )
    )
    await _keep_rows(session, actor.community_id, import_id, judged)
    batch.checked_at = now
    counts = _counts(judged)
    batch.new_rows, batch.changed_rows = counts[Verdict.NEW], counts[Verdict.CHANGED]
    batch.unchanged_rows, batch.conflict_rows = counts[Verdict.UNCHANGED], counts[Verdict.CONFLICT]
    batch.error_rows = counts[Verdict.ERROR]
    record(session, actor, "imports.checked", batch, now)


async def take_out_errors(session: AsyncSession, *, actor: Actor, import_id: UUID, now: datetime) -> Sequence[RowView]:
    """The rows with errors, to leave the house as a file; that they left is written down."""
    batch = await queries.lock_batch(session, actor.community_id, import_id)
    record(session, actor, "imports.errors_taken_out", batch, now)
    return await queries.all_rows(session, actor.community_id, import_id, [Verdict.ERROR])


async def judged_rows(
    session: AsyncSession, community_id: int, rows: Sequence[Row], day: date
) -> tuple[Sequence[Judged], list[str]]:
    """Every row with its verdict, and the buildings that would be new."""
    known = await queries.known_to(session, community_id, rows, day)
    judged = await anyio.to_thread.run_sync(judge, rows, known, new_id)
    return judged, new_places(judged, known)


def _counts(judged: Sequence[Judged]) -> Counter[Verdict]:
    return Counter(item.verdict for item in judged)


async def _keep_rows(session: AsyncSession, community_id: int, import_id: UUID, judged: Sequence[Judged]) -> None:
    rows = await anyio.to_thread.run_sync(_sealed, keyring(session), community_id, import_id, judged)
    for start in range(0, len(rows), AT_ONCE):
        await session.execute(sa.insert(ImportRow), rows[start : start + AT_ONCE])


def _sealed(keys: Keyring, community_id: int, import_id: UUID, judged: Sequence[Judged]) -> list[dict[str, object]]:
    encode = msgspec.json.Encoder().encode
    rows = []
    for item in judged:
        where = (community_id, import_id, item.row.row_no)
        content = encode(Sealed(item.row, item.meant, item.changes, item.problems)).decode()
        keeps_before = item.before is not None and item.verdict in (Verdict.CHANGED, Verdict.CONFLICT)
        rows.append(
            {
                "community_id": community_id,
                "import_id": import_id,
                "row_no": item.row.row_no,
                "verdict": item.verdict.value,
                "member_id": item.member_id,
                "seen_revision": item.before.revision if item.before else None,
                "row_sealed": keys.seal(content, place(*where, "row")),
                "before_sealed": keys.seal(encode(item.before).decode(), place(*where, "before"))
                if keeps_before
                else None,
                "granted": [],
            }
        )
    return rows


def record(session: AsyncSession, actor: Actor, action: str, batch: ImportBatch, now: datetime) -> None:
    """The audit line of an import: how many rows of each kind, never what they say."""
    audit.record(
        session,
        actor,
        action,
        kind="import",
        id=batch.import_id,
        now=now,
        detail={
            "new": batch.new_rows,
            "changed": batch.changed_rows,
            "conflict": batch.conflict_rows,
            "error": batch.error_rows,
            "kept": batch.kept_rows,
        },
    )
