"""The desk's offers and the sponsors' budgets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from redemption import CapPeriod, OfferKind, OfferState
from service.communities import organisations_by_ids, settings_on
from service.households import care_tag
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import HOME_ZONE, local_day
from service.kit.i18n import _, translate
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.paging import decode_cursor, encode_cursor
from service.vouchers.actions import offering
from service.vouchers.days import days_in, days_said, names
from service.vouchers.payloads import OfferForm, PledgeForm, ReasonForm, TakeForm
from service.vouchers.queries.catalogue import last_day_of
from service.vouchers.queries.office import budgets, offer_of, offers_in, shops_and_sponsors
from service.vouchers.rules import ROLES_ASKED, STARS_MOST, OfflineWay, Pledge, role_tag, stars_tag
from service.vouchers.terms import HABITS, fen_of, offer_in, terms_of

AnyRequest = Request[Any, Any, Any]
READERS = allow(Role.STAFF, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
WRITERS = allow(Role.STAFF, Role.ADMIN)
PUBLISHERS = allow(Role.STAFF, Role.APPROVER, Role.ADMIN)


@get("/desk/offers", opt=READERS, include_in_schema=False)
async def offers_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    view: FromQuery[OfferState] = OfferState.PUBLISHED,
    after: FromQuery[str | None] = None,
) -> Template:
    """Offers by state, newest first."""
    cursor = decode_cursor(after, str)
    found = await offers_in(session, actor.community_id, view, UUID(str(cursor[0])) if cursor else None)
    named = {shop for offer in found.offers for shop in (*offer.merchant_ids, offer.sponsor_id)}
    views = [
        {"label": translate(f"state.offer.{each}"), "url": f"/desk/offers?view={each}", "current": each is view}
        for each in OfferState
    ]
    following = f"/desk/offers?view={view}&after={encode_cursor(found.next.hex)}" if found.next else None
    return page(
        request,
        "vouchers/desk_offers.html",
        title=_("兑换项目"),
        views=views,
        offers=found.offers,
        places=await organisations_by_ids(session, actor.community_id, named),
        last_days={offer.offer_id: last_day_of(offer) for offer in found.offers},
        may_write=actor.has(Role.STAFF, Role.ADMIN),
        next_url=following,
        first_url=f"/desk/offers?view={view}" if after else None,
    )


async def _choices(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    """What the form offers to choose from, and what it begins with."""
    shops, sponsors = await shops_and_sponsors(session, actor.community_id)
    habits = await settings_on(session, actor.community_id, HABITS, local_day(now))
    return {
        "shops": [(shop.organisation_id, shop.name) for shop in shops],
        "sponsors": [(each.organisation_id, each.name) for each in sponsors],
        "kinds": [(kind.value, translate(f"offer.kind.{kind}")) for kind in OfferKind],
        "periods": [(period.value, translate(f"offer.period.{period}")) for period in CapPeriod],
        "weekday_choices": list(enumerate(names(), start=1)),
        "role_choices": [(role.value, translate(f"role.{role}")) for role in ROLES_ASKED],
        "offline_choices": [(way.value, translate(f"offer.offline.{way}")) for way in OfflineWay],
        "star_choices": [(0, _("不看星级")), *((count, stars_said(count)) for count in range(1, STARS_MOST + 1))],
        "days": habits["voucher_days"],
        "habits": habits,
    }


def _blank(now: datetime) -> Mapping[str, object]:
    return {
        "valid_from": local_day(now).isoformat(),
        "valid_until": "",
        "pieces": 1,
        "per_member": 1,
        "per_period": CapPeriod.QUARTER.value,
        "period_cap_per": CapPeriod.WEEK.value,
        "for_stars": 0,
        "for_words": "",
        "weekdays": [],
        "for_roles": [],
        "kind": OfferKind.GOODS.value,
        "offline": OfflineWay.ONLINE_ONLY.value,
        "subsidy_points": 0,
        "payable_yuan": "0",
        "cash_yuan": "0",
        "shops": [],
    }


def _filled(offer: redemption.Offer) -> Mapping[str, object]:
    """A draft as the form shows it."""
    return {
        "sponsor": offer.sponsor_id,
        "shops": list(offer.merchant_ids),
        "title": offer.title,
        "kind": offer.kind.value,
        "pieces": offer.pieces,
        "price_points": offer.price_points,
        "subsidy_points": offer.subsidy_points,
        "payable_yuan": f"{offer.payable_fen // 100}.{offer.payable_fen % 100:02d}",
        "cash_yuan": f"{offer.cash_fen // 100}.{offer.cash_fen % 100:02d}",
        "stock": offer.stock_total,
        "per_member": offer.per_member_cap or "",
        "per_period": offer.cap_period.value,
        "period_cap": offer.period_cap or "",
        "period_cap_per": (offer.period_cap_per or CapPeriod.WEEK).value,
        "weekdays": days_in(offer.weekdays) if offer.weekdays != redemption.EVERY_DAY else [],
        "usable_on": local_day(offer.usable_from).isoformat() if offer.usable_from else "",
        "for_roles": [role.value for role in ROLES_ASKED if role_tag(role) in offer.requires],
        "for_stars": next((count for count in range(1, STARS_MOST + 1) if stars_tag(count) in offer.requires), 0),
        "for_words": " ".join(words_of(offer)),
        "is_giftable": offer.is_giftable,
        "offline": OfflineWay[offer.offline_class.name].value,
        "price_list_version": offer.price_list_version or "",
        "valid_from": offer.valid_from.astimezone(HOME_ZONE).date().isoformat(),
        "valid_until": last_day_of(offer).isoformat(),
        "voucher_days": offer.voucher_days,
        "rules": "\n".join(offer.rules),
    }


class Begun(dict[str, object]):
    """What the form begins with; nothing for a field that has no beginning."""

    def __missing__(self, name: str) -> str:
        return ""


@get("/desk/offers/new", opt=WRITERS, include_in_schema=False)
async def new_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    like: FromQuery[UUID | None] = None,
) -> Template:
    """An empty draft, or one that begins as another offer is: how a price list gets its next version."""
    begun = _filled(await offer_of(session, actor.community_id, like)) if like else _blank(now)
    choices = await _choices(session, actor, now)
    return page(
        request,
        "vouchers/desk_offer_form.html",
        title=_("新的兑换项目"),
        begun=Begun(begun),
        action="/desk/offers/new",
        **choices,
    )


@post("/desk/offers/new", opt=WRITERS, include_in_schema=False)
async def create(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Write a draft down."""
    return await _write(request, session, actor, now, new_id(), "/desk/offers/new")


@get("/desk/offers/{offer_id:uuid}/edit", opt=WRITERS, include_in_schema=False)
async def edit_page(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """A draft to be changed. What is published is never edited."""
    offer = await offer_of(session, actor.community_id, offer_id)
    if offer.state is not OfferState.DRAFT:
        raise redemption.OfferNotDraft({"state": offer.state.value})
    choices = await _choices(session, actor, now)
    return page(
        request,
        "vouchers/desk_offer_form.html",
        title=_("改草稿"),
        begun=Begun(_filled(offer)),
        action=f"/desk/offers/{offer_id}/edit",
        **choices,
    )


@post("/desk/offers/{offer_id:uuid}/edit", opt=WRITERS, include_in_schema=False)
async def edit(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Write the draft again."""
    await offer_of(session, actor.community_id, offer_id)
    return await _write(request, session, actor, now, offer_id, f"/desk/offers/{offer_id}/edit")


async def _write(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, offer_id: UUID, action: str
) -> Redirect:
    choices = await _choices(session, actor, now)
    typed = await request.form()
    begun = Begun({name: typed.getall(name, []) for name in ("shops", "weekdays", "for_roles")})
    with refill(
        request, "vouchers/desk_offer_form.html", title=_("兑换项目草稿"), begun=begun, action=action, **choices
    ):
        form = await form_of(request, OfferForm)
        terms = terms_of(offer_id, offer_in(form), choices["habits"])

        async def work() -> str:
            await offering.draft_offer(session, actor=actor, terms=terms, now=now)
            return f"/desk/offers/{offer_id}?done=vouchers.drafted"

        return await once_page(request, session, actor, now, work)


def stars_said(count: int) -> str:
    """So many stars or more."""
    return _("{count} 星以上").format(count=count)


def for_whom(offer: redemption.Offer) -> str:
    """Who may take it, in words."""
    roles = [translate(f"role.{role}") for role in ROLES_ASKED if role_tag(role) in offer.requires]
    stars = [stars_said(count) for count in range(1, STARS_MOST + 1) if stars_tag(count) in offer.requires]
    words = [_("权益 {word}").format(word=word) for word in words_of(offer)]
    return _("、").join([*roles, *stars, *words]) or _("所有人")


def words_of(offer: redemption.Offer) -> list[str]:
    """The entitlements that it asks for, by their words."""
    return [tag.removeprefix(care_tag("")) for tag in offer.requires if tag.startswith(care_tag(""))]


async def _shown(session: AsyncSession, actor: Actor, offer_id: UUID) -> dict[str, Any]:
    offer = await offer_of(session, actor.community_id, offer_id)
    places = await organisations_by_ids(session, actor.community_id, {*offer.merchant_ids, offer.sponsor_id})
    people = await people_by_ids(
        session, actor.community_id, {offer.drafted_by, offer.published_by, offer.withdrawn_by}
    )
    return {
        "title": offer.title,
        "offer": offer,
        "first_day": local_day(offer.valid_from),
        "last_day": last_day_of(offer),
        "days_said": days_said(offer.weekdays) or _("每天"),
        "usable_on": local_day(offer.usable_from) if offer.usable_from else None,
        "for_whom": for_whom(offer),
        "may_write": actor.has(Role.STAFF, Role.ADMIN),
        "places": places,
        "people": people,
    }


@get("/desk/offers/{offer_id:uuid}", opt=READERS, include_in_schema=False)
async def offer_page(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
) -> Template:
    """One offer: its terms, who did what, and the next step."""
    return page(request, "vouchers/desk_offer.html", **await _shown(session, actor, offer_id))


@post("/desk/offers/{offer_id:uuid}/publish", opt=PUBLISHERS, include_in_schema=False)
async def publish(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Open it to residents, within the budget."""
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/desk_offer.html", **await _shown(session, actor, offer_id)):
        await form_of(request, TakeForm)

        async def work() -> str:
            await offering.publish_offer(session, actor=actor, offer_id=offer_id, key=key, now=now)
            return f"/desk/offers/{offer_id}?done=vouchers.published"

        return await once_page(request, session, actor, now, work)


@post("/desk/offers/{offer_id:uuid}/withdraw", opt=PUBLISHERS, include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    offer_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Issue no more vouchers on it."""
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/desk_offer.html", **await _shown(session, actor, offer_id)):
        form = await form_of(request, ReasonForm)

        async def work() -> str:
            await offering.withdraw_offer(session, actor=actor, offer_id=offer_id, reason=form.reason, key=key, now=now)
            return f"/desk/offers/{offer_id}?done=vouchers.withdrawn"

        return await once_page(request, session, actor, now, work)


async def _budgets(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    found = await budgets(session, actor.community_id, now)
    sponsors: Sequence[tuple[UUID, str]] = [(item.sponsor_id, item.name) for item in found]
    return {
        "title": _("预算"),
        "budgets": [item for item in found if item.points_hundredths or item.fen or item.promised_points],
        "sponsors": sponsors,
        "units": [(Pledge.POINT.value, _("积分（分）")), (Pledge.FEN.value, _("钱（元）"))],
        "may_pledge": actor.has(Role.FINANCE),
    }


@get("/desk/budgets", opt=allow(Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN), include_in_schema=False)
async def budgets_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What sponsors have left, and what of it is promised."""
    return page(request, "vouchers/desk_budgets.html", **await _budgets(session, actor, now))


@post("/desk/budgets", opt=allow(Role.FINANCE), include_in_schema=False)
async def pledge(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Record a pledge."""
    key = str((await request.form()).get("_key") or "")
    with refill(request, "vouchers/desk_budgets.html", **await _budgets(session, actor, now)):
        form = await form_of(request, PledgeForm)

        async def work() -> str:
            # Both units have two digits after the point: hundredths of a point, and fen.
            await offering.pledge(
                session,
                actor=actor,
                sponsor_id=form.sponsor,
                unit=form.unit,
                amount=fen_of(form.amount),
                key=key,
                now=now,
            )
            return "/desk/budgets?done=vouchers.pledged"

        return await once_page(request, session, actor, now, work)
