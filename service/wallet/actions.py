"""Undoing a mistaken posting by its exact opposite, and looking at somebody's passbook on purpose."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import ExportForm
from service.chart import Reason
from service.kit import audit
from service.kit.access import Actor
from service.records import correct_record
from service.wallet.queries.books import journal_view
from service.wallet.rules import Mistake, ReversedAlready, ValueSpent, check_reversible


async def reverse_journal(
    session: AsyncSession, *, actor: Actor, journal_id: int, mistake: Mistake, now: datetime
) -> None:
    """Undo a journal by its opposite, linked both ways. A service is undone in the record, which undoes its posting.

    What belongs to a voucher, a settlement or a hold is refused: those have acts of their own.
    """
    view = await journal_view(session, actor.community_id, journal_id)
    posted = view.posted
    check_reversible(
        reason=posted.reason,
        is_reversal=posted.reverses is not None,
        is_reversed=posted.reversed_by is not None,
        has_holds=view.has_holds,
    )
    audit.record(
        session,
        actor,
        "wallet.journal_reversed",
        kind="journal",
        id=journal_id,
        now=now,
        detail={"mistake": mistake.value},
    )
    if posted.reason == Reason.SERVICE:
        record_id = await _record_of(session, actor.community_id, posted.reference)
        if record_id is not None:
            await correct_record(session, actor=actor, record_id=record_id, now=now)
            return
    await session.flush()
    try:
        await ledger.reverse(
            session,
            actor.community_id,
            reference=f"correction:{journal_id}",
            original=posted.reference,
            reason=Reason.CORRECTION,
            actor_id=actor.member_id,
            now=now,
        )
    except ledger.InsufficientBalance as spent:
        raise ValueSpent from spent
    except ledger.AlreadyReversed as raced:
        raise ReversedAlready from raced


async def note_look(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """Leave a line that a colleague opened somebody's passbook; every look at a person leaves one."""
    audit.record(session, actor, "wallet.passbook_read", kind="member", id=member_id, now=now, on_behalf_of=member_id)


async def _record_of(session: AsyncSession, community_id: int, reference: str) -> UUID | None:
    found = await session.execute(
        sa.text("SELECT record_id FROM service_record WHERE community_id = :community_id AND reference = :reference"),
        {"community_id": community_id, "reference": reference},
    )
    record_id: UUID | None = found.scalar_one_or_none()
    return record_id


def note_export(session: AsyncSession, *, actor: Actor, form: ExportForm, now: datetime) -> None:
    """Say in the log who took the books away, and as what."""
    audit.record(
        session, actor, "books.exported", kind="book", id=actor.community_id, now=now, detail={"form": form.value}
    )


def note_journals_export(
    session: AsyncSession, *, actor: Actor, form: str, given: Mapping[str, object], now: datetime
) -> None:
    """Say in the log who took which journals away: the filter's own values, which name no person but by number."""
    detail = {"form": form, **{name: str(value) for name, value in given.items()}}
    audit.record(session, actor, "books.journals_exported", kind="book", id=actor.community_id, now=now, detail=detail)


async def map_zones(session: AsyncSession, _now: datetime) -> int:
    """Map what is new of every book, so that a search leaps over what cannot hold an answer."""
    return await ledger.map_zones(session)


async def mark_lines(session: AsyncSession, _now: datetime) -> int:
    """Mark the lines of accounts behind the posters' backs, so that old months are found at once."""
    return await ledger.mark_lines(session)


_BOOKS_DUE = sa.text("SELECT DISTINCT e.community_id FROM ledger.hold_expiry e WHERE e.expires_at <= :now ORDER BY 1")


async def expire_holds(session: AsyncSession, now: datetime) -> int:
    """Give back what was set aside until a day that is over: a page of one book a transaction, which holds one book's head.

    What cannot go back (its account has reached its ceiling, say) stays, is stepped over and tried again next time.
    """
    for community_id in (await session.execute(_BOOKS_DUE, {"now": now})).scalars().all():
        last: ledger.Expired | None = None
        while True:
            page = await ledger.expire(session, community_id, reason=Reason.HOLD_EXPIRED, after=last, now=now)
            posted = sum(isinstance(each.verdict, ledger.Posted) for each in page)
            if posted:
                return posted
            if not page:
                break
            last = page[-1]
    return 0
