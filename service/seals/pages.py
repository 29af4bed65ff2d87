"""HTML: the seal for everybody, the sheet for the wall, the member's receipt, and the auditor's list."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from redemption import qr_svg
from service.communities import community
from service.kit.access import PUBLIC, SIGNED_IN, Actor, allow
from service.kit.i18n import _
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import page
from service.kit.sealing import trusted_keys
from service.kit.words import in_groups
from service.seals.actions import close_alarm, seal_now
from service.seals.queries import alarms
from service.seals.receipts import receipt_of
from service.seals.rules import READERS, WATCHERS, circulation

AnyRequest = Request[Any, Any, Any]
SEALS_ON_A_PAGE = 50
RECEIPT_GROUP = 8


@get("/seals/{community_id:int}/{number:int}", opt=dict(PUBLIC), include_in_schema=False)
async def seal_page(
    request: AnyRequest, community_id: FromPath[int], number: FromPath[int], session: NamedDependency[AsyncSession]
) -> Template:
    """What the QR on the notice board leads to: the seal, whether it is ours, and how to check it without us."""
    place = await community(session, community_id)
    seal = await ledger.seal_by_number(session, community_id, number)
    return page(
        request,
        "seals/seal.html",
        title=_("{number} 号账本封条").format(number=number),
        community_name=place.name,
        seal=seal,
        root_groups=in_groups(seal.root.hex()),
        circulation=circulation(seal.totals),
        is_ours=seal.is_signed_by(trusted_keys(session)),
        newest=await ledger.last_seal(session, community_id),
    )


@get(["/seals/linli_check.py"], opt=dict(PUBLIC), include_in_schema=False, sync_to_thread=False)
def tool() -> Response[bytes]:
    """linli-check: the one file with which anybody checks a seal, a receipt or a whole book, without us."""
    headers = {"content-disposition": 'attachment; filename="linli_check.py"'}
    return Response(ledger.checking_tool(), media_type="text/x-python; charset=utf-8", headers=headers)


@get("/passbook/lines/{seq:int}/proof", opt=SIGNED_IN, include_in_schema=False)
async def receipt_page(
    request: AnyRequest,
    seq: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    state: State,
    now: NamedDependency[datetime],
) -> Template:
    """A receipt to print: this line of my passbook stands in the sealed book, and here is the proof."""
    found = await receipt_of(session, actor, seq)
    return page(
        request,
        "seals/receipt.html",
        title=_("入账凭据"),
        entry=found.entry,
        sign=1 if found.entry.credit.endswith(actor.member_id.hex) else -1,
        posted_at=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=found.entry.posted_at),
        seal=found.seal,
        root_groups=in_groups(found.seal.root.hex()),
        text_groups=in_groups(found.receipt, RECEIPT_GROUP),
        qr=qr_svg(found.receipt, ecc="L", title=_("凭据的二维码")),
        url=f"{state.settings.origin}/seals/{found.seal.book}/{found.seal.number}",
        now=now,
    )


@get("/desk/books/seals", opt=allow(*READERS), include_in_schema=False)
async def seals_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    before: FromQuery[int | None] = None,
    compare: FromQuery[str | None] = None,
) -> Template:
    """The seals, newest first, with how far reading is behind, the alarms, and whether each seal continues the one before."""
    found = await ledger.seals(session, actor.community_id, before=before, limit=SEALS_ON_A_PAGE)
    keys = trusted_keys(session)
    growth = await ledger.prove_continues(session, actor.community_id, found[-1].number) if compare and found else None
    more = found and len(found) == SEALS_ON_A_PAGE and found[-1].number > 1
    return page(
        request,
        "seals/seals.html",
        title=_("账本封条"),
        seals=[(seal, seal.is_signed_by(keys)) for seal in found],
        lag=await ledger.lag(session, actor.community_id),
        alarms=await alarms(session, actor.community_id),
        may_close=actor.has(*WATCHERS),
        growth=growth,
        next_url=f"/desk/books/seals?before={found[-1].number}" if more else None,
        first_url="/desk/books/seals" if before else None,
    )


@post("/desk/books/seals", opt=allow(*READERS), include_in_schema=False)
async def seal_books(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Seal what is posted, now."""

    async def work() -> str:
        made = await seal_now(session, actor.community_id, actor=actor, now=now)
        done = "seals.fault" if made.seal is None else "seals.sealed" if made.is_new else "seals.nothing_new"
        return f"/desk/books/seals?done={done}"

    return await once_page(request, session, actor, now, work)


@post("/desk/books/alarms/{alarm_id:uuid}/close", opt=allow(*WATCHERS), include_in_schema=False)
async def close(
    request: AnyRequest,
    alarm_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Say that an alarm was looked into."""

    async def work() -> str:
        await close_alarm(session, actor=actor, alarm_id=alarm_id, now=now)
        return "/desk/books/seals?done=seals.alarm_closed"

    return await once_page(request, session, actor, now, work)


@get("/desk/books/seals/{number:int}/notice", opt=allow(*READERS), include_in_schema=False)
async def notice_page(
    request: AnyRequest,
    number: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    state: State,
) -> Template:
    """The sheet for the notice board."""
    seal = await ledger.seal_by_number(session, actor.community_id, number)
    url = f"{state.settings.origin}/seals/{seal.book}/{seal.number}"
    return page(
        request,
        "seals/notice.html",
        title=_("{number} 号账本封条").format(number=number),
        seal=seal,
        root_groups=in_groups(seal.root.hex()),
        key_groups=in_groups(seal.key),
        circulation=circulation(seal.totals),
        qr=qr_svg(url, ecc="Q"),
        url=url.removeprefix(f"{urlsplit(url).scheme}://"),
    )


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """Open alarms, for whoever has to look."""
    del now
    if not actor.has(*WATCHERS):
        return []
    return [
        InboxRow(
            "book_alarm", _("账簿对不上，请马上看一看"), _("系统"), alarm.raised_at, "/desk/books/seals", is_urgent=True
        )
        for alarm in await alarms(session, actor.community_id, only_open=True)
    ]


HANDLERS = [seal_page, tool, receipt_page, seals_page, seal_books, close, notice_page]
