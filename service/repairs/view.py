"""An order as pages and the interface show it: the same for both, with names, prices, photos, history and the code."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from litestar import Response
from litestar.datastructures import UploadFile
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.households import counts_by_class
from service.identity import people_by_ids
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import keyring
from service.kit.issuers import code_keys
from service.kit.photos import FILE_BYTES_MAX, MEDIA_TYPE, Photo, make_photo
from service.repairs.payloads import (
    ChangeOut,
    PartOut,
    PhotoOut,
    RepairDetailOut,
    RepairOut,
    RepairsOut,
    line_out,
    repair_out,
)
from service.repairs.payloads_month import ClassCountOut, ClassMonthOut, MonthOut, SheetOut
from service.repairs.queries import orders as queries
from service.repairs.queries.month import month_jobs, month_of, month_sheet
from service.repairs.rules import OFFICE, PIECES, MonthNotOver, RepairState, Step
from service.repairs.tables import RepairLine, RepairOrder


async def names_of(
    session: AsyncSession, actor: Actor, orders: Sequence[RepairOrder], lines: Sequence[RepairLine] = ()
) -> dict[UUID, str]:
    """Names of all who are in it, in one query."""
    ids = {who for order in orders for who in (order.asked_by, order.repairer_id)}
    ids |= {who for line in lines for who in (line.actor_id, line.on_behalf_of)}
    return {who: person.name for who, person in (await people_by_ids(session, actor.community_id, ids)).items()}


async def listed(session: AsyncSession, actor: Actor, orders: Sequence[RepairOrder]) -> list[RepairOut]:
    """A list, in one query more."""
    names = await names_of(session, actor, orders)
    return [repair_out(order, names) for order in orders]


async def answer_of(session: AsyncSession, actor: Actor, orders: Sequence[RepairOrder]) -> RepairsOut:
    """A list for the wire."""
    return RepairsOut(await listed(session, actor, orders))


async def codes_of(
    session: AsyncSession, actor: Actor, order: RepairOrder, origin: str, now: datetime
) -> tuple[str | None, str | None]:
    """The code to show and the one to say, for the resident of an order that is done; nobody else ever sees them."""
    if order.state != RepairState.DONE or order.asked_by != actor.member_id or not order.voucher_id:
        return None, None
    voucher = await redemption.voucher(session, actor.community_id, order.voucher_id)
    shown = redemption.phone_code(
        code_keys(keyring(session), now),
        community_id=actor.community_id,
        voucher_id=voucher.voucher_id,
        code_seq=voucher.code_seq,
        now=now,
    )
    return redemption.code_url(origin, shown), voucher.short_code


async def detail(
    session: AsyncSession, actor: Actor, order: RepairOrder, origin: str, now: datetime
) -> RepairDetailOut:
    """One order with everything that this person may see of it, in a fixed number of queries."""
    lines = await queries.history(session, actor.community_id, order.order_id)
    changes = await redemption.changes_of(session, actor.community_id, [order.voucher_id] if order.voucher_id else [])
    names = await names_of(session, actor, [order], lines)
    code, _said = await codes_of(session, actor, order, origin, now)
    agreed = {change.change_id for change in changes if change.is_agreed}
    priced = max((line.revision for line in lines if line.step == Step.QUOTE or line.change_id in agreed), default=0)
    parts = await queries.parts(session, actor.community_id, order.order_id)
    return RepairDetailOut(
        repair_out(order, names, code),
        [
            ChangeOut(
                change.change_id,
                change.is_dearer,
                change.after.cash_fen * PIECES,
                change.after.payable_fen * PIECES,
                change.reason,
                change.is_agreed,
            )
            for change in changes
        ],
        [line_out(line, names, with_note=line.step != Step.DECLINE or actor.has(*OFFICE)) for line in lines],
        [PartOut(part.item, part.unit, part.quantity, part.fen_each, part.revision == priced) for part in parts],
        [
            PhotoOut(photo.photo_id, photo.moment, photo.added_at, photo.width, photo.height)
            for photo in await queries.photos(session, order)
        ],
    )


async def month_out(session: AsyncSession, actor: Actor, day: date) -> MonthOut:
    """The sheet of the month that a day lies in, with names in one query more."""
    first, until = month_of(day)
    sheets = await month_sheet(session, actor, first, until)
    people = await people_by_ids(session, actor.community_id, {sheet.repairer_id for sheet in sheets})
    names = {who: one.name for who, one in people.items()}
    return MonthOut(
        first,
        until,
        [
            SheetOut(
                names.get(sheet.repairer_id, "") if sheet.repairer_id else "",
                sheet.jobs,
                sheet.normal,
                sheet.reduced,
                sheet.free,
                sheet.minutes,
                sheet.cash_fen,
                sheet.payable_fen,
                sheet.claimed,
            )
            for sheet in sheets
        ],
    )


async def classes_out(session: AsyncSession, actor: Actor, day: date | None, now: datetime) -> ClassMonthOut:
    """The month of a day by class of household, the last that is over unless said otherwise. The look leaves a line."""
    first, until = month_of(day or local_day(now).replace(day=1) - timedelta(days=1))
    if until > local_day(now):
        raise MonthNotOver(until)
    found = await counts_by_class(session, actor.community_id, await month_jobs(session, actor, first, until))
    audit.record(
        session,
        actor,
        "repairs.classes_seen",
        kind="repair",
        id="month",
        now=now,
        detail={"month": first.isoformat()[:7]},
    )
    items = [ClassCountOut(each.kind, each.households, each.jobs, each.cash_fen, each.payable_fen) for each in found]
    return ClassMonthOut(first, until, items)


def photo_answer(content: bytes) -> Response[bytes]:
    """A kept photo for the one who asked: nothing is made of it but a picture.

    `nosniff`, and `no-store` for whoever is signed in, come with every answer (`kit.edge`).
    """
    headers = {"content-disposition": "inline", "content-security-policy": "default-src 'none'; sandbox"}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


async def photo_in(upload: UploadFile | None) -> Photo | None:
    """What was chosen in a form, drawn anew; nothing when the field was left empty."""
    if upload is None or not upload.filename:
        return None
    return await photo_of(upload)


async def photo_of(upload: UploadFile) -> Photo:
    """A file that was sent, drawn anew. It is left as it came, for `kit.once` reads it again."""
    content = await upload.read(FILE_BYTES_MAX + 1)
    await upload.seek(0)
    return await make_photo(content)
