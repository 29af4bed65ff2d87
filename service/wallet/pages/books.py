"""The books as auditors read them, and the one act that finance has here: undoing a mistaken posting."""

from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from ledger import ExportForm
from service.identity import account_names, people_by_ids
from service.kit.access import Actor, allow
from service.kit.db import sessions_of_app
from service.kit.export import file_stream
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.wallet.actions import note_export, reverse_journal
from service.wallet.queries import books, exports
from service.wallet.rules import CORRECTORS, READERS, BookUnit, Mistake, Proof
from service.wallet.verify import verify_books

AnyRequest = Request[Any, Any, Any]


class ReverseForm(msgspec.Struct):
    """Why a posting is undone."""

    mistake: Mistake


@get("/desk/books", opt=allow(*READERS), include_in_schema=False)
async def trial_balance_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    on: FromQuery[date | None] = None,
) -> Template:
    """Every kind of account with its sums, now or at the end of a day, and what is in circulation."""
    lines = await books.trial_balance(session, actor.community_id, on)
    totals = {unit.value: sum(line.balance for line in lines if line.unit == unit) for unit in BookUnit}
    return page(
        request,
        "wallet/books.html",
        title=_("账簿"),
        lines=lines,
        totals=totals,
        on=on,
        circulation=await books.circulation(session, actor.community_id, on),
    )


@get("/desk/books/accounts", opt=allow(*READERS), include_in_schema=False)
async def accounts_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    kind: FromQuery[str | None] = None,
    unit: FromQuery[BookUnit | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> Template:
    """The accounts of one kind, or found by code or by their holder's card."""
    typed = q.strip()[:200]
    found = await books.accounts(
        session,
        actor.community_id,
        kind=kind,
        unit=unit.value if unit else None,
        beginning=await books.code_typed(session, actor.community_id, typed) if typed else None,
        after=after,
    )
    names = await account_names(session, actor.community_id, [line.code for line in found.rows])
    given = {"kind": kind, "unit": unit.value if unit else None, "q": typed}
    kept = {name: value for name, value in given.items() if value}
    query = urlencode({**kept, "after": found.next}) if found.next else None
    return page(
        request,
        "wallet/accounts.html",
        title=_("账户"),
        asked={name: value or "" for name, value in given.items()},
        units=[(each.value, translate(f"unit.{each.value}")) for each in BookUnit],
        first_url=f"/desk/books/accounts?{urlencode(kept)}" if after else None,
        lines=found.rows,
        names=names,
        next_url=f"/desk/books/accounts?{query}" if query else None,
    )


@get("/desk/books/account", opt=allow(*READERS), include_in_schema=False)
async def account_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    code: FromQuery[str],
    unit: FromQuery[BookUnit],
    since: FromQuery[date | None] = None,
    until: FromQuery[date | None] = None,
    before: FromQuery[int | None] = None,
) -> Template:
    """One account's lines with the balance after each, newest first, and what it had before and after them all."""
    view = await books.account_view(
        session, actor.community_id, code, unit.value, since=since, until=until, before=before
    )
    names = await account_names(session, actor.community_id, {code} | {line.counterpart for line in view.lines})
    asked = {"code": code, "unit": unit.value, "since": since, "until": until}
    kept = {name: str(value) for name, value in asked.items() if value}
    return page(
        request,
        "wallet/account.html",
        title=names[code],
        view=view,
        since=since,
        until=until,
        names=names,
        next_url=f"/desk/books/account?{urlencode({**kept, 'before': view.next})}" if view.next else None,
        first_url=f"/desk/books/account?{urlencode(kept)}" if before else None,
    )


@get("/desk/books/journals/{journal_id:int}", opt=allow(*READERS), include_in_schema=False)
async def journal_page(
    request: AnyRequest,
    journal_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One journal: all legs, who, for whom, and what undid it."""
    shown: dict[str, Any] = await _journal(session, actor, journal_id)
    return page(request, "wallet/journal.html", **shown)


async def _journal(session: AsyncSession, actor: Actor, journal_id: int) -> dict[str, object]:
    view = await books.journal_view(session, actor.community_id, journal_id)
    codes = {code for transfer in view.posted.transfers for code in (transfer.debit, transfer.credit)}
    people = await people_by_ids(session, actor.community_id, {view.posted.actor_id, view.posted.on_behalf_of})
    return {
        "title": _("凭证 {number}").format(number=journal_id),
        "view": view,
        "posted": view.posted,
        "names": await account_names(session, actor.community_id, codes),
        "people": people,
        "mistakes": [(mistake.value, translate(f"mistake.{mistake.value}")) for mistake in Mistake],
        "may_reverse": actor.has(*CORRECTORS)
        and view.posted.reverses is None
        and view.posted.reversed_by is None
        and not view.has_holds
        and not view.posted.reason.startswith(("voucher_", "settlement_", "clearing_")),
    }


@post("/desk/books/journals/{journal_id:int}/reverse", opt=allow(*CORRECTORS), include_in_schema=False)
async def reverse(
    request: AnyRequest,
    journal_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo a mistaken posting by its opposite."""
    with refill(request, "wallet/journal.html", **await _journal(session, actor, journal_id)):
        form = await form_of(request, ReverseForm)

        async def work() -> str:
            await reverse_journal(session, actor=actor, journal_id=journal_id, mistake=form.mistake, now=now)
            return f"/desk/books/journals/{journal_id}?done=wallet.reversed"

        return await once_page(request, session, actor, now, work)


@get("/desk/books/verify", opt=allow(*READERS), include_in_schema=False)
async def verify_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    run: FromQuery[Proof | None] = None,
) -> Template:
    """Recompute everything, or what came after the last seal, and say that the books are whole, or name the first faults."""
    faults = await verify_books(session, actor.community_id, since_seal=run is Proof.SINCE_SEAL) if run else []
    return page(request, "wallet/verify.html", title=_("核验账簿"), was_run=run, faults=faults, checked_at=now)


@get("/desk/books/export", opt=allow(*READERS), include_in_schema=False)
async def export_page(request: AnyRequest) -> Template:
    """Which files there are, and how a stranger checks them."""
    forms = [
        (form.value, translate(f"export.{form.value}"), translate(f"export.{form.value}.use")) for form in ExportForm
    ]
    return page(request, "wallet/export.html", title=_("导出账簿"), forms=forms)


@get("/desk/books/export/{form:str}", opt=allow(*READERS), include_in_schema=False)
async def export(
    form: FromPath[ExportForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Stream:
    """The whole book as a file."""
    note_export(session, actor=actor, form=form, now=now)
    pieces = exports.book_bytes(sessions_of_app(state), actor.community_id, form)
    entries = await exports.entries_posted(session, actor.community_id)
    name = exports.file_name(actor.community_id, form, now)
    return file_stream(name, pieces, exports.MEDIA_TYPES[form], entries=entries)
