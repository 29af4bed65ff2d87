"""For people without a phone: staff take an offer for them and print it, eight to a sheet."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import members_by_card, normal_card
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _, translate
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.refusals import Invalid
from service.vouchers.actions import papers, taking
from service.vouchers.payloads import CancelForm, ManyForm
from service.vouchers.queries.catalogue import voucher_cards
from service.vouchers.rules import PRINTED_CARDS_MAX, TAKEN_AT_ONCE_MAX

AnyRequest = Request[Any, Any, Any]
HELPERS = allow(Role.STAFF)


@get("/desk/vouchers", opt=HELPERS, include_in_schema=False)
async def help_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    card: FromQuery[str | None] = None,
    printable: FromQuery[str | None] = None,
    refused: FromQuery[str | None] = None,
) -> Template:
    """Take an offer for several people, or look at one person's vouchers; then print."""
    ids = _ids(printable)
    vouchers = []
    if card and (number := normal_card(card)) is not None:
        member = (await members_by_card(session, actor.community_id, [number])).get(number)
        if member is not None:
            held = await redemption.vouchers_of(session, actor.community_id, member.member_id, states=redemption.USABLE)
            vouchers = list(await voucher_cards(session, actor.community_id, held.vouchers, now))
            audit.record(
                session,
                actor,
                "vouchers.looked_up",
                kind="member",
                id=member.member_id,
                now=now,
                on_behalf_of=member.member_id,
            )
    return page(
        request,
        "vouchers/desk_help.html",
        title=_("代办兑换"),
        card=card or "",
        vouchers=vouchers,
        ids=[str(number) for number in ids],
        refused=_refused(refused),
        **await _offers(session, actor, now),
    )


async def _offers(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    open_now = await redemption.offers(session, actor.community_id, open_at=now)
    return {
        "offers": [
            (
                offer.offer_id,
                _("{title}（{points} 分，剩 {left}）").format(
                    title=offer.title, points=offer.member_points * offer.pieces, left=offer.stock_left
                ),
            )
            for offer in open_now.offers
        ]
    }


def _ids(text: str | None) -> Sequence[int]:
    """Voucher numbers in an address, as many as fit on the sheets."""
    parts = [part for part in (text or "").split("-") if part.isascii() and part.isdecimal() and len(part) <= 19]
    return [int(part) for part in parts][:PRINTED_CARDS_MAX]


_WITHOUT_FIGURES = {"vouchers.points_missing": "redemption.points_short", "vouchers.points_owed": "redemption.in_debt"}
"""Only codes travel in the address: how much is missing or owed is said where one person asks."""


def _refused(text: str | None) -> Sequence[tuple[str, str]]:
    """Who got nothing, and the sentence why."""
    pairs = [pair.partition(":") for pair in (text or "").split(",") if ":" in pair]
    return [
        (card, translate(f"refusal.{_WITHOUT_FIGURES.get(code, code)}"))
        for card, _colon, code in pairs
        if code.replace("_", "").replace(".", "").isalpha()
    ]


@post("/desk/vouchers/take", opt=HELPERS, include_in_schema=False)
async def take_for_many(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take an offer for each card number; whoever is refused is named with the reason, the others go on."""
    key = str((await request.form()).get("_key") or "")
    with refill(
        request,
        "vouchers/desk_help.html",
        title=_("代办兑换"),
        card="",
        vouchers=[],
        ids=[],
        refused=[],
        **await _offers(session, actor, now),
    ):
        form = await form_of(request, ManyForm)
        typed = [line.strip() for line in form.cards.replace(",", "\n").replace("，", "\n").split("\n") if line.strip()]
        cards = [normal_card(text) or text[:20] for text in typed]
        if len(cards) > TAKEN_AT_ONCE_MAX:
            raise Invalid({"cards": "too_long"})

        async def work() -> str:
            taken = await taking.take_for_many(session, actor=actor, offer_id=form.offer, cards=cards, key=key, now=now)
            query = urlencode(
                {
                    "printable": "-".join(str(item.voucher_id) for item in taken if item.voucher_id),
                    "refused": ",".join(f"{item.card_no}:{item.refused}" for item in taken if item.refused),
                }
            )
            return f"/desk/vouchers?{query}"

        return await once_page(request, session, actor, now, work)


@post("/desk/vouchers/{voucher_id:int}/cancel", opt=HELPERS, include_in_schema=False)
async def give_back(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Give somebody's voucher back for them."""
    key = str((await request.form()).get("_key") or "")
    form = await form_of(request, CancelForm)

    async def work() -> str:
        await taking.give_back(session, actor=actor, voucher_id=voucher_id, quantity=form.quantity, key=key, now=now)
        return "/desk/vouchers?done=vouchers.cancelled"

    return await once_page(request, session, actor, now, work)


@post("/desk/vouchers/{voucher_id:int}/print", opt=HELPERS, include_in_schema=False)
async def print_again(
    request: AnyRequest,
    voucher_id: FromPath[int],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Somebody lost the paper: the old code dies and a new one is printed, as a batch of one."""
    key = str((await request.form()).get("_key") or new_id().hex)

    async def work() -> str:
        batch_id = await papers.print_batch(session, actor=actor, voucher_ids=[voucher_id], key=key, now=now)
        return f"/desk/papers/{batch_id}/print"

    return await once_page(request, session, actor, now, work)
