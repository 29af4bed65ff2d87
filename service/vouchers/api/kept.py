"""The vouchers that a member's own phone keeps for when there is no network."""

import base64
from datetime import datetime
from typing import cast

from litestar import Response, get
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import SIGNED_IN, Actor
from service.kit.crypto import Keyring
from service.kit.edge import WALLET_COOKIE
from service.kit.i18n import _
from service.kit.issuers import code_keys
from service.kit.words import day, when, yuan
from service.vouchers.payloads.kept import KeptOut, KeptVoucherOut
from service.vouchers.queries.catalogue import VoucherCard
from service.vouchers.queries.kept import KeptCode, kept_for


@get("/api/vouchers/kept", opt=SIGNED_IN)
async def kept(
    state: State,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[KeptOut]:
    """One's own vouchers with the seeds of at most a day, as sensitive as their codes.

    The cookie says to which session they belong and is gone when it ends; a shared device gets nothing.
    """
    keys = code_keys(cast("Keyring", state.keyring), now)
    found = await kept_for(session, keys, actor, now)
    at = _ms(now)
    if found is None:
        nothing = Response(KeptOut(None, at, "", at, "", 0, []))
        nothing.delete_cookie(WALLET_COOKIE)
        return nothing
    answer = KeptOut(
        session=found.mark,
        server_time=at,
        said=when(now),
        until=_ms(found.until),
        origin=redemption.code_url(state.settings.origin, ""),
        first_window=found.first_window,
        vouchers=[_shown(each) for each in found.codes],
    )
    mark = Cookie(
        key=WALLET_COOKIE,
        value=found.mark,
        max_age=max(1, int((found.until - now).total_seconds())),
        secure=bool(state.settings.is_secure),
        samesite="strict",
        path="/",
    )
    return Response(answer, cookies=[mark])


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _shown(code: KeptCode) -> KeptVoucherOut:
    card = code.card
    return KeptVoucherOut(
        id=str(card.voucher_id),
        title=card.title,
        shops=card.shops,
        places=list(card.places),
        quantity_open=card.quantity_open,
        quantity_total=card.quantity_total,
        terms=_terms(card),
        needs_network=card.offline_class is redemption.OfflineClass.ONLINE_ONLY,
        expires_at=_ms(card.expires_at),
        expires_said=when(card.expires_at),
        code_seq=card.code_seq,
        keys=list(code.keys),
        seeds=[base64.urlsafe_b64encode(seed).decode().rstrip("=") for seed in code.seeds],
    )


def _terms(card: VoucherCard) -> list[str]:
    said = []
    if card.quantity_total > 1:
        said.append(_("还剩 {left} 份，一共 {total} 份").format(left=card.quantity_open, total=card.quantity_total))
    if card.cash_fen:
        said.append(_("到店另付 {yuan} 元").format(yuan=yuan(card.cash_fen)))
    if card.usable_on:
        said.append(_("从 {day} 起能用").format(day=day(card.usable_on)))
    if card.days_said:
        said.append(_("星期几能用：{days}").format(days=card.days_said))
    return [*said, *card.rules]
