"""The community's book as files for programs that are not ours."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import ExportForm
from service import chart
from service.kit.clock import HOME_ZONE, local_day
from service.kit.db import Sessions, pieces_of

MEDIA_TYPES: Mapping[ExportForm, str] = {
    ExportForm.BEANCOUNT: "text/plain; charset=utf-8",
    ExportForm.HLEDGER: "text/plain; charset=utf-8",
    ExportForm.CSV: "text/csv; charset=utf-8",
}


def book_pieces(
    session: AsyncSession,
    community_id: int,
    form: ExportForm,
    progress: Callable[[int, int], None] | None = None,
) -> AsyncIterator[str]:
    """A community's book as text, piece by piece. It names people by their ids alone."""
    return ledger.export(session, community_id, form, zone=HOME_ZONE, roots=chart.ROOTS, progress=progress)


def file_name(community_id: int, form: ExportForm, now: datetime) -> str:
    """Which book, on which day."""
    return f"linli-{community_id}-{local_day(now):%Y%m%d}.{form.value}"


def book_bytes(sessions: Sessions, community_id: int, form: ExportForm) -> AsyncIterator[bytes]:
    """The book for a download. What was posted by the beginning never changes, so it needs no transaction of its own."""
    return pieces_of(sessions, lambda session: book_pieces(session, community_id, form))


async def entries_posted(session: AsyncSession, community_id: int) -> int:
    """How many transfers an export that begins now has at least: what a reader's progress is measured by."""
    return (await ledger.lag(session, community_id)).posted
