"""Scans of phones without a network that people look at: whether the shop is paid is said by one and decided by another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from redemption import ReviewState
from service.identity import people_by_ids
from service.kit import audit
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.export import csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.vouchers.actions import reviews as reviewing
from service.vouchers.payloads.devices import DecisionForm, ProposalForm
from service.vouchers.queries.devices import held_records

AnyRequest = Request[Any, Any, Any]
TEMPLATE = "vouchers/desk_held.html"
PAGE = "/desk/held"
READERS = allow(Role.STAFF, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of them, and from where on."""

    decided: bool = False
    shop: UUID | None = None
    reason: str | None = None
    after: str | None = None

    def url(self, base: str = PAGE, **changed: Any) -> str:
        """The address of these, or of others."""
        chosen = replace(self, **{"after": None, **changed})
        asked = {
            "view": "decided" if chosen.decided else None,
            "shop": chosen.shop,
            "reason": chosen.reason,
            "after": chosen.after,
        }
        kept = {key: value for key, value in asked.items() if value is not None}
        return f"{base}?{urlencode(kept)}" if kept else base


async def _shown(session: AsyncSession, actor: Actor, asked: Asked) -> dict[str, Any]:
    held = await held_records(
        session,
        actor.community_id,
        is_open=not asked.decided,
        shop_id=asked.shop,
        reason=asked.reason,
        after=asked.after,
    )
    people = {
        each for review in held.reviews for each in (review.clerk_id, review.proposed_by, review.decided_by) if each
    }
    return {
        "title": _("待核对的离线记录"),
        "held": held.reviews,
        "shops": held.shops,
        "people": await people_by_ids(session, actor.community_id, people),
        "proposed": ReviewState.PROPOSED,
        "me": actor.member_id,
        "may_propose": actor.has(Role.STAFF),
        "may_decide": actor.has(Role.FINANCE, Role.APPROVER),
        "views": [
            {"label": _("等人看"), "url": PAGE, "current": not asked.decided},
            {"label": _("看过的"), "url": Asked(decided=True).url(), "current": asked.decided},
        ],
        "shop_chips": _chips(asked, "shop", _("所有店"), held.shops),
        "reason_chips": _chips(
            asked, "reason", _("所有原因"), {each: translate(f"upload.short.{each}") for each in held.reasons}
        ),
        "is_decided": asked.decided,
        "csv_url": asked.url(f"{PAGE}.csv"),
        "next_url": asked.url(after=held.next) if held.next else None,
        "first_url": asked.url() if asked.after else None,
    }


def _chips(asked: Asked, key: str, every: str, names: Mapping[Any, str]) -> list[dict[str, Any]]:
    """A chip for each kind there is, while there are several."""
    chosen = getattr(asked, key)
    if len(names) < 2 and chosen is None:
        return []
    return [{"label": every, "url": asked.url(PAGE, **{key: None}), "current": chosen is None}] + [
        {"label": name, "url": asked.url(PAGE, **{key: each}), "current": chosen == each}
        for each, name in names.items()
    ]


@get(PAGE, opt=READERS, include_in_schema=False)
async def held_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    view: FromQuery[Literal["waiting", "decided"]] = "waiting",
    shop: FromQuery[UUID | None] = None,
    reason: FromQuery[str | None] = None,
    after: FromQuery[str | None] = None,
) -> Template:
    """What waits, the one that is due first at the top; or what was decided."""
    return page(request, TEMPLATE, **await _shown(session, actor, Asked(view == "decided", shop, reason, after)))


@get(f"{PAGE}.csv", opt=READERS, include_in_schema=False)
async def held_csv(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    view: FromQuery[Literal["waiting", "decided"]] = "waiting",
    shop: FromQuery[UUID | None] = None,
    reason: FromQuery[str | None] = None,
) -> Response[bytes]:
    """The same rows as a file, 5,000 at most."""
    held = await held_records(
        session, actor.community_id, is_open=view == "waiting", shop_id=shop, reason=reason, size=5000
    )
    audit.record(session, actor, "vouchers.held_taken_out", kind="community", id=actor.community_id, now=now)
    header = [
        _("店"),
        _("手机"),
        _("什么券"),
        _("几份"),
        _("值（分）"),
        _("扫码时间"),
        _("上传时间"),
        _("为什么"),
        _("最晚哪天定"),
    ]
    header += [_("付不付给店里"), _("意见"), _("哪天定的")]
    rows = [
        (
            held.shops.get(each.merchant_id, ""),
            each.label,
            each.title or "",
            each.quantity,
            each.value_fen,
            each.scanned_at,
            each.received_at,
            translate(f"upload.short.{each.reason}"),
            each.due_at,
            "" if each.is_paid is None else _("付给店里") if each.is_paid else _("不付给店里"),
            each.note or "",
            each.decided_at,
        )
        for each in held.reviews
    ]
    return csv_answer(f"{_('待核对的离线记录')}-{local_day(now).isoformat()}", csv_bytes(header, rows))


@post("/desk/held/{device_id:uuid}/{nonce:uuid}/propose", opt=allow(Role.STAFF), include_in_schema=False)
async def propose(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Whether the shop should be paid, and why."""
    with refill(request, TEMPLATE, **await _shown(session, actor, Asked()), wrong=nonce):
        form = await form_of(request, ProposalForm)

        async def work() -> str:
            await reviewing.propose_review(
                session,
                actor=actor,
                device_id=device_id,
                nonce=nonce,
                is_paid=form.is_paid == "yes",
                note=form.note,
                now=now,
            )
            return "/desk/held?done=vouchers.review_proposed"

        return await once_page(request, session, actor, now, work)


@post(
    "/desk/held/{device_id:uuid}/{nonce:uuid}/decide", opt=allow(Role.FINANCE, Role.APPROVER), include_in_schema=False
)
async def decide(
    request: AnyRequest,
    device_id: FromPath[UUID],
    nonce: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Do what was proposed, as the second person, or put it back."""
    with refill(request, TEMPLATE, **await _shown(session, actor, Asked()), wrong=nonce):
        form = await form_of(request, DecisionForm)

        async def work() -> str:
            agreed = form.is_agreed == "yes"
            await reviewing.decide_review(
                session, actor=actor, device_id=device_id, nonce=nonce, is_agreed=agreed, now=now
            )
            return f"/desk/held?done=vouchers.review_{'decided' if agreed else 'put_back'}"

        return await once_page(request, session, actor, now, work)
