"""Reads of imports: batches, their rows opened, and what rows are compared with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import anyio.to_thread
import msgspec
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart, communities, identity, records
from service.identity import Particulars
from service.imports.cells import Problem, Row
from service.imports.compare import Change, Known, Meant
from service.imports.rules import KEEP_DAYS, BatchNotFound, BatchState, Verdict
from service.imports.tables import ImportBatch, ImportRow
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.kit.tables import Audit

CHANGES_SHOWN = 20
_UUIDS = sa.ARRAY(sa.Uuid())


@dataclass(frozen=True, slots=True)
class BatchView:
    """An import as pages show it."""

    import_id: UUID
    state: BatchState
    file_name: str
    unused: Sequence[str]
    places: Sequence[str]
    """Buildings that applying opens, each with its grid: for the clerk to catch a typing error."""
    counts: Mapping[Verdict, int]
    kept: int
    uploaded_by: UUID
    uploaded_at: datetime
    applied_by: UUID | None
    applied_at: datetime | None
    undone_by: UUID | None
    undone_at: datetime | None

    def is_forgotten(self, now: datetime) -> bool:
        """What the sheet said is gone; only the counts are left."""
        return now - (self.applied_at or self.uploaded_at) > timedelta(days=KEEP_DAYS)

    @property
    def good(self) -> int:
        """Rows that applying would write or wrote."""
        return self.counts[Verdict.NEW] + self.counts[Verdict.CHANGED]


class Sealed(msgspec.Struct, frozen=True):
    """What is sealed of one row."""

    row: Row
    meant: Meant | None
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class RowView:
    """One row of an import, opened."""

    row_no: int
    verdict: Verdict
    member_id: UUID | None
    seen_revision: int | None
    row: Row
    meant: Meant | None
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...]
    before: Particulars | None
    granted: Sequence[str]
    kept: str | None


def place(community_id: int, import_id: UUID, row_no: int, column: str) -> str:
    """Where a sealed value lives, so that it opens nowhere else."""
    return f"import:{community_id}:{import_id.hex}:{row_no}:{column}"


def _view(row: ImportBatch) -> BatchView:
    counts = {
        Verdict.NEW: row.new_rows,
        Verdict.CHANGED: row.changed_rows,
        Verdict.UNCHANGED: row.unchanged_rows,
        Verdict.CONFLICT: row.conflict_rows,
        Verdict.ERROR: row.error_rows,
    }
    return BatchView(
        import_id=row.import_id,
        state=BatchState(row.state),
        file_name=row.file_name,
        unused=tuple(row.unused),
        places=tuple(row.new_places),
        counts=counts,
        kept=row.kept_rows,
        uploaded_by=row.uploaded_by,
        uploaded_at=row.uploaded_at,
        applied_by=row.applied_by,
        applied_at=row.applied_at,
        undone_by=row.undone_by,
        undone_at=row.undone_at,
    )


async def batch_for(session: AsyncSession, actor: Actor, import_id: UUID) -> BatchView:
    """One import of the actor's community; raises BatchNotFound for any other."""
    row = await session.get(ImportBatch, (actor.community_id, import_id))
    if row is None:
        raise BatchNotFound
    return _view(row)


async def lock_batch(session: AsyncSession, community_id: int, import_id: UUID) -> ImportBatch:
    """The batch's row, locked: two clerks who press the same button come one after the other."""
    row = await session.get(ImportBatch, (community_id, import_id), with_for_update=True, populate_existing=True)
    if row is None:
        raise BatchNotFound
    return row


async def batches(session: AsyncSession, community_id: int, *, after: str | None = None) -> Page[BatchView]:
    """Imports, the newest first."""
    query = sa.select(ImportBatch).where(col(ImportBatch.community_id) == community_id)
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(col(ImportBatch.import_id) < _uuid(cursor[0]))
    rows = await session.execute(query.order_by(col(ImportBatch.import_id).desc()).limit(PAGE_SIZE + 1))
    return page_of([_view(row) for row in rows.scalars()], lambda last: encode_cursor(last.import_id.hex))


def _uuid(text: str | int) -> UUID:
    try:
        return UUID(str(text))
    except ValueError:
        return UUID(int=0)


async def rows_of(
    session: AsyncSession,
    community_id: int,
    import_id: UUID,
    verdicts: Collection[Verdict],
    *,
    after: str | None = None,
) -> Page[RowView]:
    """A page of an import's rows with these verdicts, in the sheet's order."""
    query = _rows_query(community_id, import_id, verdicts)
    cursor = decode_cursor(after, int)
    if cursor is not None:
        query = query.where(col(ImportRow.row_no) > cursor[0])
    found = (await session.execute(query.limit(PAGE_SIZE + 1))).scalars().all()
    return page_of(_opened(keyring(session), found), lambda last: encode_cursor(last.row_no))


async def all_rows(
    session: AsyncSession, community_id: int, import_id: UUID, verdicts: Collection[Verdict]
) -> Sequence[RowView]:
    """Every row of an import with these verdicts, in the sheet's order."""
    found = (await session.execute(_rows_query(community_id, import_id, verdicts))).scalars().all()
    return await anyio.to_thread.run_sync(_opened, keyring(session), found)


def _rows_query(community_id: int, import_id: UUID, verdicts: Collection[Verdict]) -> sa.Select[ImportRow]:
    return (
        sa.select(ImportRow)
        .where(
            col(ImportRow.community_id) == community_id,
            col(ImportRow.import_id) == import_id,
            col(ImportRow.verdict).in_([verdict.value for verdict in verdicts]),
        )
        .order_by(col(ImportRow.row_no))
    )


def _opened(keys: Keyring, rows: Sequence[ImportRow]) -> Sequence[RowView]:
    return [_row_view(keys, row) for row in rows]


def _row_view(keys: Keyring, row: ImportRow) -> RowView:
    where = (row.community_id, row.import_id, row.row_no)
    sealed = msgspec.json.decode(keys.open(row.row_sealed, place(*where, "row")), type=Sealed)
    before = None
    if row.before_sealed is not None:
        before = msgspec.json.decode(keys.open(row.before_sealed, place(*where, "before")), type=Particulars)
    return RowView(
        row_no=row.row_no,
        verdict=Verdict(row.verdict),
        member_id=row.member_id,
        seen_revision=row.seen_revision,
        row=sealed.row,
        meant=sealed.meant,
        changes=sealed.changes,
        problems=sealed.problems,
        before=before,
        granted=tuple(row.granted),
        kept=row.kept,
    )


@dataclass(frozen=True, slots=True)
class PastChange:
    """What a sheet or a form did to one person, as long as it is remembered."""

    import_id: UUID
    state: BatchState
    file_name: str
    by: UUID | None
    at: datetime
    is_new: bool
    changes: tuple[Change, ...]


async def changes_of(session: AsyncSession, community_id: int, member_id: UUID) -> Sequence[PastChange]:
    """What was written about a person, the newest first, for whoever wants to take it back."""
    found = await session.execute(
        sa.select(ImportBatch, ImportRow)
        .join(
            ImportRow,
            sa.and_(
                col(ImportRow.community_id) == col(ImportBatch.community_id),
                col(ImportRow.import_id) == col(ImportBatch.import_id),
            ),
        )
        .where(
            col(ImportRow.community_id) == community_id,
            col(ImportRow.member_id) == member_id,
            col(ImportRow.verdict).in_([Verdict.NEW.value, Verdict.CHANGED.value]),
            col(ImportBatch.applied_at).is_not(None),
        )
        .order_by(col(ImportBatch.applied_at).desc(), col(ImportBatch.import_id).desc())
        .limit(CHANGES_SHOWN)
    )
    keys = keyring(session)
    return [
        PastChange(
            batch.import_id,
            BatchState(batch.state),
            batch.file_name,
            batch.applied_by,
            batch.applied_at or batch.uploaded_at,
            row.verdict == Verdict.NEW,
            _row_view(keys, row).changes,
        )
        for batch, row in found.all()
    ]


async def known_to(session: AsyncSession, community_id: int, rows: Sequence[Row], day: date) -> Known:
    """What these rows are compared with: a handful of queries, however many rows."""
    people = await identity.particulars_by_card(session, community_id, {row.card_no for row in rows if row.card_no})
    held = await identity.roles_by_member(session, community_id, [item.member_id for item in people.values()], day)
    phones = {row.phone for row in rows if row.phone} | {item.phone for item in people.values() if item.phone}
    return Known(
        people=people,
        roles={member_id: frozenset(role for role, _ in roles) for member_id, roles in held.items()},
        buildings=await communities.buildings(session, community_id),
        logins=await identity.login_holders(session, community_id, phones),
    )


async def active_since(
    session: AsyncSession, community_id: int, ids: Collection[UUID], since: datetime
) -> frozenset[UUID]:
    """Who of these people has a balance, a service on record, or did anything since: they cannot be taken back."""
    if not ids:
        return frozenset()
    accounts = {chart.member(member_id): member_id for member_id in ids}
    wanted = [(code, unit) for code in accounts for unit in (chart.MINUTE, chart.POINT)]
    balances = await ledger.balances(session, community_id, wanted)
    active = {accounts[code] for (code, _), amount in balances.items() if amount != 0}
    active |= set(await records.minutes_by_member(session, community_id, ids))
    for column in (col(Audit.actor_id), col(Audit.on_behalf_of)):
        did = await session.execute(
            sa.select(column)
            .distinct()
            .where(
                col(Audit.community_id) == community_id,
                col(Audit.at) >= since,
                column == sa.any_(sa.literal(sorted(ids), _UUIDS)),
                col(Audit.action) != "identity.contact_seen",
            )
        )
        active |= {member_id for member_id in did.scalars() if member_id is not None}
    return frozenset(active)


async def revisions(session: AsyncSession, community_id: int, ids: Collection[UUID]) -> Mapping[UUID, int]:
    """The revisions of people, who are locked by this."""
    return {
        member_id: row.revision for member_id, row in (await identity.lock_people(session, community_id, ids)).items()
    }
