"""The same reads and the one act as JSON."""

from datetime import date, datetime
from typing import Any

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from sqlmodel.ext.asyncio.session import AsyncSession

from ledger import ExportForm
from service.chart import MINUTE, POINT
from service.kit.access import SIGNED_IN, Actor, allow
from service.kit.db import sessions_of_app
from service.kit.export import file_stream
from service.kit.once import once
from service.kit.paging import decode_cursor, encode_cursor
from service.kit.words import sentence
from service.records import record_lines
from service.wallet.actions import note_export, note_journals_export, reverse_journal
from service.wallet.journal_files import JournalsForm, journals_file
from service.wallet.payloads import (
    AccountBalanceOut,
    AccountLineOut,
    AccountOut,
    AccountsOut,
    Amount,
    CirculationOut,
    FaultOut,
    JournalLineOut,
    JournalOut,
    JournalsOut,
    LineOut,
    LotOut,
    RecordOut,
    RecordsOut,
    ReverseIn,
    StatementOut,
    TransferOut,
    TrialBalanceOut,
    TrialLineOut,
    VerificationOut,
    WalletOut,
)
from service.wallet.queries import books, exports
from service.wallet.queries.journals import Asked
from service.wallet.queries.journals import journals as find_journals
from service.wallet.queries.passbook import Line, figures, passbook, points_lots
from service.wallet.rules import CORRECTORS, READERS, BookUnit, Proof, Unit, check_asked
from service.wallet.verify import verify_books

AnyRequest = Request[Any, Any, Any]


@get("/api/wallet", opt=SIGNED_IN)
async def wallet(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> WalletOut:
    """The three named figures of the signed-in person."""
    mine = await figures(session, actor.community_id, actor.member_id)
    lots = await points_lots(session, actor.community_id, actor.member_id)
    return WalletOut(
        service=Amount(MINUTE, mine.service_minutes),
        coins=Amount(MINUTE, mine.coin_minutes),
        points=Amount(POINT, mine.points_hundredths),
        lots=[LotOut(lot.hundredths, lot.last_day) for lot in lots],
    )


@get("/api/wallet/statement", opt=SIGNED_IN)
async def statement(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    unit: FromQuery[Unit] = Unit.POINT,
    after: FromQuery[str | None] = None,
) -> StatementOut:
    """A page of one's own passbook, newest first."""
    cursor = decode_cursor(after, int)
    before = int(cursor[0]) if cursor else None
    found = await passbook(session, actor.community_id, actor.member_id, unit, before=before)
    return StatementOut(
        [_line(unit, line) for month in found.months for line in month.lines],
        encode_cursor(found.next) if found.next else None,
    )


def _line(unit: Unit, line: Line) -> LineOut:
    return LineOut(
        seq=line.seq,
        journal_id=line.journal_id,
        reason=line.reason,
        text=sentence(f"reason.{line.reason}"),
        title=line.source.title if line.source else None,
        unit=unit.value,
        amount=line.amount,
        balance=line.balance,
        posted_at=line.posted_at,
        reverses=line.reverses,
        reversed_by=line.reversed_by,
    )


@get("/api/wallet/records", opt=SIGNED_IN)
async def records(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], after: FromQuery[str | None] = None
) -> RecordsOut:
    """A page of one's own service record, newest first."""
    found = await record_lines(session, actor.community_id, actor.member_id, after=after)
    items = [
        RecordOut(
            line.record_id,
            line.kind,
            line.service_class,
            line.minutes,
            line.title,
            line.served_on,
            line.confirmed_at,
            line.corrects,
        )
        for line in found.rows
    ]
    return RecordsOut(items, found.next)


@get("/api/books/trial-balance", opt=allow(*READERS))
async def trial_balance(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], on: FromQuery[date | None] = None
) -> TrialBalanceOut:
    """Every kind of account with its sums: now, or at the end of a day."""
    lines = await books.trial_balance(session, actor.community_id, on)
    return TrialBalanceOut(
        [TrialLineOut(line.kind, line.unit, line.accounts, line.owed, line.held, line.balance) for line in lines],
        [Amount(unit.value, sum(line.balance for line in lines if line.unit == unit)) for unit in BookUnit],
    )


@get("/api/books/circulation", opt=allow(*READERS))
async def circulation(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], on: FromQuery[date | None] = None
) -> list[CirculationOut]:
    """Points and coins by where they are: now, or at the end of a day."""
    found = await books.circulation(session, actor.community_id, on)
    return [
        CirculationOut(
            each.unit,
            each.in_circulation,
            each.people,
            each.pools,
            each.aside,
            each.shops,
            each.burnt,
            each.expired,
            each.written_off,
        )
        for each in found
    ]


@get("/api/books/accounts", opt=allow(*READERS))
async def accounts(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    kind: FromQuery[str | None] = None,
    unit: FromQuery[BookUnit | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> AccountsOut:
    """Accounts of a kind, of a unit, whose code begins with `q`, or of the person whose card number it is; by code."""
    typed = q.strip()[:200]
    found = await books.accounts(
        session,
        actor.community_id,
        kind=kind,
        unit=unit.value if unit else None,
        beginning=await books.code_typed(session, actor.community_id, typed) if typed else None,
        after=after,
    )
    return AccountsOut(
        [AccountBalanceOut(line.code, line.unit, line.balance, line.opened_at) for line in found.rows], found.next
    )


@get("/api/books/account", opt=allow(*READERS))
async def account(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    code: FromQuery[str],
    unit: FromQuery[BookUnit],
    since: FromQuery[date | None] = None,
    until: FromQuery[date | None] = None,
    after: FromQuery[str | None] = None,
) -> AccountOut:
    """A page of one account, newest first, with what it had before the first of these days and after the last."""
    cursor = decode_cursor(after, int)
    before = int(cursor[0]) if cursor else None
    view = await books.account_view(
        session, actor.community_id, code, unit.value, since=since, until=until, before=before
    )
    lines = [
        AccountLineOut(
            seq=line.seq,
            journal_id=line.journal_id,
            reference=line.reference,
            reason=line.reason,
            counterpart=line.counterpart,
            amount=line.amount,
            balance=line.balance,
            effective_at=line.effective_at,
            posted_at=line.posted_at,
        )
        for line in view.lines
    ]
    following = encode_cursor(view.next) if view.next else None
    return AccountOut(view.code, view.unit, view.opening, view.closing, lines, following)


async def provide_asked(  # every filter of the page, in the ledger's own units
    *,
    reference: FromQuery[str | None] = None,
    exact: FromQuery[bool] = False,
    reason: FromQuery[str | None] = None,
    account: FromQuery[str | None] = None,
    actor_card: FromQuery[str | None] = None,
    unit: FromQuery[BookUnit | None] = None,
    amount_min: FromQuery[int | None] = None,
    amount_max: FromQuery[int | None] = None,
    posted_from: FromQuery[date | None] = None,
    posted_to: FromQuery[date | None] = None,
    effective_from: FromQuery[date | None] = None,
    effective_to: FromQuery[date | None] = None,
    only_reversals: FromQuery[bool] = False,
) -> Asked:
    """What is asked of the journals: days are included, amounts are in the unit's smallest part and need the unit."""
    return Asked(
        reference=reference,
        exact=exact,
        reason=reason,
        account=account,
        actor=actor_card,
        unit=unit,
        amount_min=amount_min,
        amount_max=amount_max,
        posted_from=posted_from,
        posted_to=posted_to,
        effective_from=effective_from,
        effective_to=effective_to,
        only_reversals=only_reversals,
    )


@get("/api/books/journals", opt=allow(*READERS), dependencies={"asked": Provide(provide_asked)})
async def journals(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    asked: NamedDependency[Asked],
    after: FromQuery[str | None] = None,
) -> JournalsOut:
    """Journals that fit everything given, newest first; `reference` is a beginning unless `exact`.

    With `searched_to` the search stopped at its bound on that day: go on with `next`.
    """
    found = await find_journals(session, actor.community_id, asked, after=after)
    items = [
        JournalLineOut(
            line.journal_id,
            line.reference,
            line.reason,
            line.transfers,
            line.effective_at,
            line.posted_at,
            line.actor_id,
            line.reverses is not None,
            line.reversed_by is not None,
        )
        for line in found.rows
    ]
    return JournalsOut(items, found.next, found.searched_to)


@get(
    "/api/books/journals/file/{form:str}",
    opt=allow(*READERS),
    operation_id="exportJournals",
    dependencies={"asked": Provide(provide_asked)},
)
async def journals_export(
    form: FromPath[JournalsForm],
    asked: NamedDependency[Asked],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Stream:
    """What the same filters find, a row for every transfer, as `csv` or `xlsx`."""
    check_asked(unit=asked.unit, amount_min=asked.amount_min, amount_max=asked.amount_max)
    note_journals_export(session, actor=actor, form=form.value, given=asked.given(), now=now)
    return journals_file(sessions_of_app(state), actor, asked, form, now)


@get("/api/books/journals/{journal_id:int}", opt=allow(*READERS))
async def journal(
    journal_id: FromPath[int], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> JournalOut:
    """One journal with all its legs."""
    return await _journal(session, actor, journal_id)


async def _journal(session: AsyncSession, actor: Actor, journal_id: int) -> JournalOut:
    view = await books.journal_view(session, actor.community_id, journal_id)
    posted = view.posted
    return JournalOut(
        journal_id=posted.journal_id,
        reference=posted.reference,
        reason=posted.reason,
        effective_at=posted.effective_at,
        posted_at=posted.posted_at,
        actor_id=posted.actor_id,
        on_behalf_of=posted.on_behalf_of,
        reverses=view.reverses,
        reversed_by=view.reversed_by,
        transfers=[
            TransferOut(leg.seq, leg.kind, leg.debit, leg.credit, leg.unit, leg.amount) for leg in posted.transfers
        ],
    )


@post("/api/books/journals/{journal_id:int}/reversal", opt=allow(*CORRECTORS), status_code=200)
async def reverse(
    request: AnyRequest,
    journal_id: FromPath[int],
    data: JSONBody[ReverseIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[JournalOut]:
    """Undo a mistaken posting by its opposite."""

    async def work() -> JournalOut:
        await reverse_journal(session, actor=actor, journal_id=journal_id, mistake=data.mistake, now=now)
        return await _journal(session, actor, journal_id)

    return await once(request, session, actor, now, work)


@get("/api/books/verification", opt=allow(*READERS))
async def verification(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    run: FromQuery[Proof] = Proof.ALL,
) -> VerificationOut:
    """Recompute the books, or what came after the last seal, and say that they are whole, or name the first faults."""
    faults = await verify_books(session, actor.community_id, since_seal=run is Proof.SINCE_SEAL)
    return VerificationOut(not faults, [FaultOut(item.kind, item.place, item.detail) for item in faults], now)


@get("/api/books/export/{form:str}", opt=allow(*READERS), operation_id="exportBook")
async def export(
    form: FromPath[ExportForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Stream:
    """The whole book as a file for Beancount, for hledger (`journal`) or as comma-separated values."""
    note_export(session, actor=actor, form=form, now=now)
    pieces = exports.book_bytes(sessions_of_app(state), actor.community_id, form)
    entries = await exports.entries_posted(session, actor.community_id)
    name = exports.file_name(actor.community_id, form, now)
    return file_stream(name, pieces, exports.MEDIA_TYPES[form], entries=entries)
