"""The office's one page of everything that is locked or limited right now, with what to do about each."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.pages import page
from service.vouchers.queries.limited import Limited, LimitKind, limited_now

AnyRequest = Request[Any, Any, Any]


@get("/desk/limited", opt=allow(Role.STAFF), include_in_schema=False)
async def limited_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """By kind: who or what, why, since when, until when, and where to do something about it."""
    found = await limited_now(session, actor, now)
    groups = [
        (
            translate(f"limited.{kind}"),
            translate(f"limited.{kind}.todo"),
            [(each, _way(each)) for each in found if each.kind is kind],
        )
        for kind in LimitKind
    ]
    return page(
        request,
        "vouchers/desk_limited.html",
        title=_("锁住的和受限的"),
        groups=[group for group in groups if group[2]],
    )


def _way(each: Limited) -> str | None:
    """Where somebody of staff does something about it; nothing where waiting does, or somebody else."""
    if each.kind is LimitKind.CARD and each.card_no:
        return f"/desk/cards?card={quote(each.card_no)}"
    if each.kind is LimitKind.VOUCHER_FROZEN:
        return f"/desk/vouchers/{each.voucher_id}"
    if each.kind is LimitKind.MEMBER_ONLINE:
        return "/desk/books/debts"
    return (
        "/desk/devices"
        if each.kind in (LimitKind.PHONE_SILENT, LimitKind.PHONE_STOPPED, LimitKind.LEASE_FROZEN)
        else None
    )
