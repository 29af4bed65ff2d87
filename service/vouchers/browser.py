"""What pages and API both know of a clerk's browser: its device, its shop, and where a list goes on."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request
from litestar.datastructures import State
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.edge import DEVICE_COOKIE
from service.kit.paging import PAGE_SIZE, decode_cursor, encode_cursor
from service.vouchers.actions.scan import Desk
from service.vouchers.queries.counter import Shop, shops_of
from service.vouchers.rules import ChooseShop

AnyRequest = Request[Any, Any, Any]
SHOP_COOKIE = "linli_shop"
CARD_SHORTEST = 20
COUNTER = (Role.CLERK, Role.MERCHANT_OWNER)
"""Who serves at a counter."""


def uuid_cookie(request: AnyRequest, name: str) -> UUID | None:
    """A cookie that holds an id, or nothing when it holds anything else."""
    try:
        return UUID(request.cookies[name])
    except (KeyError, ValueError):
        return None


def desk_of(state: State) -> Desk:
    """What a scan needs of the app."""
    return Desk(state.engine, state.keyring, state.together)


def device_here(request: AnyRequest, actor: Actor) -> UUID:
    """The number of this browser; one that has none is known by its person."""
    return uuid_cookie(request, DEVICE_COOKIE) or actor.member_id


def tail_of(code: str) -> str:
    """What stands behind the last slash of a scanned address, as part of one of ours."""
    return quote("".join(code.split()).rpartition("/")[2], safe="")


def is_card(code: str) -> bool:
    """Whether this looks like a member's card and not like a voucher. A typed short code may begin with the same letter."""
    tail = "".join(code.split()).rpartition("/")[2].upper()
    return tail[:1] == "C" and len(tail) > CARD_SHORTEST and not redemption.is_short_code(tail)


def chosen(shops: Mapping[UUID, Shop], wanted: UUID | None) -> Shop:
    """The shop somebody means: the named one, or the only one."""
    if wanted is not None and wanted in shops:
        return shops[wanted]
    if len(shops) == 1:
        return next(iter(shops.values()))
    raise ChooseShop


async def shop_here(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime
) -> tuple[Mapping[UUID, Shop], Shop]:
    """The shops this person serves at, and the one they chose."""
    shops = await shops_of(session, actor, local_day(now))
    return shops, chosen(shops, uuid_cookie(request, SHOP_COOKIE))


def use_mark(cursor: str | None) -> redemption.UseMark | None:
    """Where a list of uses goes on."""
    values = decode_cursor(cursor, str, int, int)
    if values is None:
        return None
    return redemption.UseMark(datetime.fromisoformat(str(values[0])), int(values[1]), int(values[2]))


def use_cursor(mark: redemption.UseMark | None) -> str | None:
    """The same for the address."""
    return encode_cursor(mark.received_at.isoformat(), mark.voucher_id, mark.seq) if mark else None


def voucher_mark(cursor: str | None) -> redemption.VoucherMark | None:
    """Where a list of vouchers goes on."""
    values = decode_cursor(cursor, str, int)
    return redemption.VoucherMark(datetime.fromisoformat(str(values[0])), int(values[1])) if values else None


def voucher_cursor(mark: redemption.VoucherMark | None) -> str | None:
    """The same for the address."""
    return encode_cursor(mark.issued_at.isoformat(), mark.voucher_id) if mark else None


def settlement_mark(cursor: str | None) -> redemption.SettlementMark | None:
    """Where a list of statements goes on."""
    values = decode_cursor(cursor, str, str)
    return redemption.SettlementMark(datetime.fromisoformat(str(values[0])), UUID(str(values[1]))) if values else None


def settlement_cursor(mark: redemption.SettlementMark | None) -> str | None:
    """The same for the address."""
    return encode_cursor(mark.closed_at.isoformat(), mark.settlement_id.hex) if mark else None


def batch_mark(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where a list of batches of paper goes on."""
    values = decode_cursor(cursor, str, str)
    return (datetime.fromisoformat(str(values[0])), UUID(str(values[1]))) if values else None


def batch_cursor(found: Sequence[redemption.PaperBatch]) -> str | None:
    """The same for the address; nothing at the end."""
    if len(found) < PAGE_SIZE:
        return None
    return encode_cursor(found[-1].printed_at.isoformat(), found[-1].batch_id.hex)


def desk_mark(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where a list of uses at the desk goes on."""
    values = decode_cursor(cursor, str, str)
    return (datetime.fromisoformat(str(values[0])), UUID(str(values[1]))) if values else None


def desk_cursor(mark: tuple[datetime, UUID] | None) -> str | None:
    """The same for the address."""
    return encode_cursor(mark[0].isoformat(), mark[1].hex) if mark else None
