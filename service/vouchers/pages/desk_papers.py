"""Vouchers on paper: choose them, see how many sheets, try a page, print a batch, void one that went astray."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import normal_card, people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import papers
from service.vouchers.browser import batch_cursor, batch_mark
from service.vouchers.pages.resident import Printed, printed
from service.vouchers.payloads.papers import PrintForm, VoidForm
from service.vouchers.queries.catalogue import usable_by_ids
from service.vouchers.queries.paper import batch_for, named, paper_rows, printable
from service.vouchers.rules import PER_SHEET, PRINTED_CARDS_MAX

AnyRequest = Request[Any, Any, Any]
HELPERS = allow(Role.STAFF)
READERS = allow(Role.STAFF, Role.AUDITOR)
SAMPLE = "SAMPLE"
"""What the code of a test page says. It is no voucher's."""


@get("/desk/papers", opt=READERS, include_in_schema=False)
async def papers_page(
    request: AnyRequest,
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    after: FromQuery[str | None] = None,
) -> Template:
    """What was printed, newest first, and where to choose what is printed next."""
    keys = code_keys(cast("Keyring", state.keyring), now)
    found = await redemption.paper_batches(session, actor.community_id, before=batch_mark(after))
    open_now = await redemption.offers(session, actor.community_id, open_at=now) if actor.has(Role.STAFF) else None
    following = batch_cursor(found)
    return page(
        request,
        "vouchers/desk_papers.html",
        title=_("纸券"),
        batches=await named(session, actor.community_id, found, keys),
        offers=[(offer.offer_id, offer.title) for offer in open_now.offers] if open_now else [],
        may_print=actor.has(Role.STAFF),
        next_url=f"/desk/papers?after={following}" if following else None,
        first_url="/desk/papers" if after else None,
    )


@get("/desk/papers/choose", opt=HELPERS, include_in_schema=False)
async def choose_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    offer: FromQuery[str | None] = None,
    cards: FromQuery[str | None] = None,
    new: FromQuery[str | None] = None,
) -> Template:
    """What the filter finds, how many sheets that makes, and a test page before anything is printed."""
    typed = [
        number
        for text in (cards or "").replace("，", ",").replace("\n", ",").split(",")
        if (number := normal_card(text))
    ]
    found = await printable(
        session,
        actor.community_id,
        offer_id=_uuid(offer),
        cards=typed or None,
        is_new=new == "1",
        now=now,
    )
    people = await people_by_ids(session, actor.community_id, {each.member_id for each in found})
    return page(
        request,
        "vouchers/desk_papers_choose.html",
        title=_("选要打印的券"),
        found=[(each, people[each.member_id]) for each in found if each.member_id in people],
        sheets=-(-len(found) // PER_SHEET),
        is_full=len(found) == PRINTED_CARDS_MAX,
    )


@get("/desk/papers/sample", opt=HELPERS, include_in_schema=False)
async def sample_page(request: AnyRequest, state: State) -> Template:
    """One sheet to try the printer with: the cut lines and a code that is no voucher's."""
    svg = redemption.qr_svg(redemption.code_url(state.settings.origin, SAMPLE), ecc="Q")
    return page(request, "vouchers/papers_sample.html", title=_("试印页"), svg=svg, count=PER_SHEET)


@post("/desk/papers", opt=HELPERS, include_in_schema=False)
async def print_batch(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Print these: every one gets a new code, and whatever was printed of it before is dead."""
    key = str((await request.form()).get("_key") or new_id().hex)
    with refill(
        request, "vouchers/desk_papers_choose.html", title=_("选要打印的券"), found=[], sheets=0, is_full=False
    ):
        form = await form_of(request, PrintForm)

        async def work() -> str:
            batch_id = await papers.print_batch(session, actor=actor, voucher_ids=form.ids, key=key, now=now)
            return f"/desk/papers/{batch_id}/print"

        return await once_page(request, session, actor, now, work)


@get("/desk/papers/{batch_id:uuid}", opt=READERS, include_in_schema=False)
async def batch_page(
    request: AnyRequest,
    batch_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One batch: who printed it when, which papers are still good, and how to void it."""
    return page(request, "vouchers/desk_paper_batch.html", **await _batch(session, state, actor, batch_id, now))


async def _batch(session: AsyncSession, state: State, actor: Actor, batch_id: UUID, now: datetime) -> dict[str, Any]:
    batch = await batch_for(session, actor.community_id, batch_id, code_keys(cast("Keyring", state.keyring), now))
    return {
        "title": _("一批纸券"),
        "item": batch,
        "rows": await paper_rows(session, actor.community_id, batch_id, now),
        "may_print": actor.has(Role.STAFF),
    }


@get("/desk/papers/{batch_id:uuid}/print", opt=HELPERS, include_in_schema=False)
async def print_page(
    request: AnyRequest,
    batch_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The sheets of a batch: its live papers only, each with the name of whoever it is for."""
    batch = await batch_for(session, actor.community_id, batch_id, code_keys(cast("Keyring", state.keyring), now))
    cards: Sequence[Printed] = []
    holders: dict[int, str] = {}
    if not batch.is_dead:
        rows = [row for row in await paper_rows(session, actor.community_id, batch_id, now) if row.is_live]
        found = await usable_by_ids(session, actor.community_id, [row.voucher_id for row in rows], now=now)
        cards = [printed(state, actor.community_id, card, now) for _member_id, card in found]
        holders = {row.voucher_id: f"{row.name} {row.card_no}" for row in rows}
    return page(
        request,
        "vouchers/print.html",
        title=_("打印券"),
        cards=cards,
        holders=holders,
        back_url=f"/desk/papers/{batch_id}",
        again_url=None,
    )


@get("/desk/papers/{batch_id:uuid}/list.csv", opt=READERS, include_in_schema=False)
async def export(
    batch_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """The batch as a list, for handing the papers out. The codes are not in it."""
    batch = await batch_for(session, actor.community_id, batch_id, code_keys(cast("Keyring", state.keyring), now))
    rows = await paper_rows(session, actor.community_id, batch_id, now)
    header = [_("序号"), _("卡号"), _("姓名"), _("券"), _("有效期至"), _("还能用吗")]
    lines: list[list[Cell]] = [
        [row.number, row.card_no, row.name, row.title, row.expires_at, _("能用") if row.is_live else _("不能用")]
        for row in rows
    ]
    return csv_answer(f"papers-{local_day(batch.batch.printed_at)}", csv_bytes(header, lines))


@post("/desk/papers/{batch_id:uuid}/void", opt=HELPERS, include_in_schema=False)
async def void_batch(
    request: AnyRequest,
    batch_id: FromPath[UUID],
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """The sheets went astray: every paper of the batch is dead at once, the vouchers themselves stay."""
    key = str((await request.form()).get("_key") or new_id().hex)
    with refill(request, "vouchers/desk_paper_batch.html", **await _batch(session, state, actor, batch_id, now)):
        form = await form_of(request, VoidForm)

        async def work() -> str:
            await papers.void_batch(session, actor=actor, batch_id=batch_id, reason=form.reason, key=key, now=now)
            return f"/desk/papers/{batch_id}?done=vouchers.batch_voided"

        return await once_page(request, session, actor, now, work)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
