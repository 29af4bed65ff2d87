"""The resident's home: three named figures, what waits, and what can be done with them today."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from jinja2 import Environment
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Template
from markupsafe import Markup
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.kit.access import SIGNED_IN, Actor
from service.kit.clock import local_day
from service.kit.i18n import _
from service.kit.manifest import Manifest
from service.kit.pages import common, page
from service.wallet.queries.passbook import came_in_since, figures

AnyRequest = Request[Any, Any, Any]
OFFERS_SHOWN = 3


@get("/home", opt=SIGNED_IN, include_in_schema=False)
async def home(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Balances first, then the cards of every slice, then what the points are good for today."""
    mine = await figures(session, actor.community_id, actor.member_id)
    coins_in, points_in = await came_in_since(
        session, actor.community_id, actor.member_id, local_day(now).replace(day=1)
    )
    return page(
        request,
        "wallet/home.html",
        title=_("我的时间银行"),
        figures=mine,
        coins_in=coins_in,
        points_in=points_in,
        cards=await _cards(request, session, actor, now),
        today=await _affordable(session, actor, mine.points_hundredths, now),
    )


async def _affordable(
    session: AsyncSession, actor: Actor, points_hundredths: int, now: datetime
) -> Sequence[Mapping[str, object]]:
    """A few offers that this person could take now. A balance that says nothing about its use is never spent."""
    found = await redemption.offers(session, actor.community_id, open_at=now)
    within = [offer for offer in found.offers if offer.member_points * 100 <= points_hundredths]
    capped = await redemption.caps_reached(
        session, actor.community_id, actor.member_id, [offer.offer_id for offer in within], now=now
    )
    within = [offer for offer in within if offer.offer_id not in capped][:OFFERS_SHOWN]
    shops = await organisations_by_ids(
        session, actor.community_id, {shop for offer in within for shop in offer.merchant_ids}
    )
    return [
        {
            "url": f"/offers/{offer.offer_id}",
            "title": offer.title,
            "points": offer.member_points * 100,
            "shop": _("、").join(shops[shop].name for shop in offer.merchant_ids if shop in shops),
        }
        for offer in within
    ]


async def _cards(request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime) -> Sequence[Markup]:
    """Every slice's card, each rendered with its own context, so that no slice's names meet another's."""
    cards: list[Mapping[str, object]] = []
    for item in cast("Sequence[Manifest]", request.app.state.slices):
        for card_of in item.home_cards:
            card = await card_of(session, actor, now)
            if card is not None:
                cards.append(card)
    cards.sort(key=lambda card: (cast("int", card["order"]), str(card["template"])))
    engine: Environment = cast("Any", request.app.template_engine).engine
    shared = Template(template_name="wallet/home.html", context=common(request)).create_template_context(request)
    return [
        Markup(engine.get_template(str(card["template"])).render({**shared, **card, "card": card}))  # noqa: S704 # rendered by Jinja with autoescape
        for card in cards
    ]
