"""Reads of transfers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from service.clearing.queries.nettings import not_netted
from service.clearing.rules import (
    STUCK_AFTER,
    UNDER_WAY,
    Direction,
    ReceiverNotFound,
    TransferNotFound,
    TransferState,
    Unit,
    is_stuck,
    normal_code,
    same_name,
)
from service.clearing.tables import ClearingTransfer
from service.communities import communities
from service.identity import members_by_card, normal_card, people_by_ids
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of

FILE_ROWS_MAX = 50_000


class Shown(StrEnum):
    """Which transfers of a partner are listed."""

    ALL = "all"
    OPEN = "open"
    STUCK = "stuck"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class TransferView:
    """One side's row of a transfer, with names for whoever may see it."""

    transfer_id: UUID
    code: str
    partner_id: int
    partner_name: str
    direction: Direction
    unit: Unit
    amount: int
    member_id: UUID | None
    own_card: str
    own_masked: str
    actor_masked: str
    is_by_staff: bool
    their_card: str
    state: TransferState
    refused: str | None
    sent_at: datetime
    settled_at: datetime | None
    netting_id: UUID | None
    is_stuck: bool

    @property
    def reason(self) -> str:
        """The message key of why it came back, or was not taken."""
        return f"refused.{self.refused}"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Somebody in another community, as much as a sender may know: the card number they typed and a masked name."""

    member_id: UUID
    card_no: str
    masked: str


async def receiver_of(session: AsyncSession, partner_id: int, card: str, name: str) -> Receiver:
    """Who has this card and this name in the other community; raises ReceiverNotFound whichever of the two is wrong."""
    number = normal_card(card)
    row = (await members_by_card(session, partner_id, [number])).get(number) if number else None
    if number is None or row is None or row.closed_at is not None:
        raise ReceiverNotFound
    person = (await people_by_ids(session, partner_id, {row.member_id}))[row.member_id]
    if not same_name(name, person.name):
        raise ReceiverNotFound
    return Receiver(person.member_id, person.card_no, person.masked)


async def lock_transfer(session: AsyncSession, community_id: int, transfer_id: UUID) -> ClearingTransfer | None:
    """One side's row, locked and as it stands now."""
    found = await session.exec(
        select(ClearingTransfer)
        .where(col(ClearingTransfer.community_id) == community_id, col(ClearingTransfer.transfer_id) == transfer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def sent_since(session: AsyncSession, community_id: int, member_id: UUID, unit: Unit, since: datetime) -> int:
    """What a member sent from a moment on and did not get back."""
    found = await session.execute(
        sa.select(sa.func.coalesce(sa.func.sum(col(ClearingTransfer.amount)), 0)).where(
            col(ClearingTransfer.community_id) == community_id,
            col(ClearingTransfer.member_id) == member_id,
            col(ClearingTransfer.direction) == Direction.OUT,
            col(ClearingTransfer.unit) == unit,
            col(ClearingTransfer.sent_at) >= since,
            col(ClearingTransfer.state) != TransferState.RETURNED,
        )
    )
    return int(found.scalar_one())


async def my_transfers(
    session: AsyncSession, community_id: int, member_id: UUID, *, after: str | None, now: datetime
) -> Page[TransferView]:
    """What one person sent and got, newest first. What was refused here never reached them and is not shown."""
    query = select(ClearingTransfer).where(
        col(ClearingTransfer.community_id) == community_id,
        col(ClearingTransfer.member_id) == member_id,
        col(ClearingTransfer.state) != TransferState.REFUSED,
    )
    return await _page(session, community_id, query, after, now)


async def transfer_for(
    session: AsyncSession, community_id: int, member_id: UUID, transfer_id: UUID, now: datetime
) -> TransferView:
    """A transfer of one person's own; anybody else's looks as if it were not there."""
    rows = await session.exec(
        select(ClearingTransfer).where(
            col(ClearingTransfer.community_id) == community_id,
            col(ClearingTransfer.transfer_id) == transfer_id,
            col(ClearingTransfer.member_id) == member_id,
            col(ClearingTransfer.state) != TransferState.REFUSED,
        )
    )
    found = await _views(session, community_id, rows.all(), now)
    if not found:
        raise TransferNotFound
    return found[0]


async def partner_transfers(
    session: AsyncSession,
    community_id: int,
    partner_id: int,
    *,
    shown: Shown = Shown.ALL,
    text: str = "",
    netting_id: UUID | None = None,
    to_net_until: datetime | None = None,
    after: str | None = None,
    size: int = PAGE_SIZE,
    now: datetime,
) -> Page[TransferView]:
    """What went and came between two communities, newest first; `text` is a reference or a card number of either side."""
    query = select(ClearingTransfer).where(
        col(ClearingTransfer.community_id) == community_id, col(ClearingTransfer.partner_id) == partner_id
    )
    if shown is Shown.OPEN:
        query = query.where(col(ClearingTransfer.state).in_(UNDER_WAY))
    elif shown is Shown.STUCK:
        query = query.where(col(ClearingTransfer.state).in_(UNDER_WAY), col(ClearingTransfer.sent_at) < _overdue(now))
    elif shown is Shown.BACK:
        query = query.where(col(ClearingTransfer.refused).is_not(None))
    if netting_id is not None:
        query = query.where(col(ClearingTransfer.netting_id) == netting_id)
    if to_net_until is not None:
        query = query.where(*not_netted(community_id, partner_id, to_net_until))
    if text.strip():
        ways: list[sa.ColumnElement[bool]] = [col(ClearingTransfer.code) == normal_code(text)]
        if (card := normal_card(text)) is not None:
            ways.append(col(ClearingTransfer.their_card) == card)
            own = (await members_by_card(session, community_id, [card])).get(card)
            if own is not None:
                ways.append(col(ClearingTransfer.member_id) == own.member_id)
        query = query.where(sa.or_(*ways))
    return await _page(session, community_id, query, after, now, size)


def _overdue(now: datetime) -> datetime:
    return now - STUCK_AFTER


async def count_stuck(session: AsyncSession, community_id: int, now: datetime) -> tuple[int, datetime | None]:
    """How many transfers are under way for too long, and since when the oldest."""
    found = await session.execute(
        sa.select(sa.func.count(), sa.func.min(col(ClearingTransfer.sent_at))).where(
            col(ClearingTransfer.community_id) == community_id,
            col(ClearingTransfer.due_at).is_not(None),
            col(ClearingTransfer.sent_at) < _overdue(now),
        )
    )
    count, oldest = found.one()
    return count, oldest


async def _page(
    session: AsyncSession,
    community_id: int,
    query: SelectOfScalar[ClearingTransfer],
    after: str | None,
    now: datetime,
    size: int = PAGE_SIZE,
) -> Page[TransferView]:
    cursor = decode_cursor(after, str, str)
    order = (col(ClearingTransfer.sent_at).desc(), col(ClearingTransfer.transfer_id).desc())
    if cursor is not None:
        place = (datetime.fromisoformat(str(cursor[0])), UUID(str(cursor[1])))
        query = query.where(
            sa.tuple_(col(ClearingTransfer.sent_at), col(ClearingTransfer.transfer_id)) < sa.tuple_(*place)
        )
    rows = (await session.execute(query.order_by(*order).limit(size + 1))).scalars().all()
    views = await _views(session, community_id, rows, now)
    return page_of(views, lambda last: encode_cursor(last.sent_at.isoformat(), str(last.transfer_id)), size)


async def _views(
    session: AsyncSession, community_id: int, rows: Sequence[ClearingTransfer], now: datetime
) -> list[TransferView]:
    """Names for a whole list in two queries."""
    if not rows:
        return []
    names = {place.community_id: place.name for place in await communities(session)}
    people = await people_by_ids(session, community_id, {one for row in rows for one in (row.member_id, row.actor_id)})
    views = []
    for row in rows:
        own = people.get(row.member_id) if row.member_id else None
        actor = people.get(row.actor_id) if row.actor_id else None
        views.append(
            TransferView(
                transfer_id=row.transfer_id,
                code=row.code,
                partner_id=row.partner_id,
                partner_name=names.get(row.partner_id, str(row.partner_id)),
                direction=Direction(row.direction),
                unit=Unit(row.unit),
                amount=row.amount,
                member_id=row.member_id,
                own_card=own.card_no if own else "",
                own_masked=own.masked if own else "",
                actor_masked=actor.masked if actor else "",
                is_by_staff=row.actor_id is not None and row.actor_id != row.member_id,
                their_card=row.their_card,
                state=TransferState(row.state),
                refused=row.refused,
                sent_at=row.sent_at,
                settled_at=row.settled_at,
                netting_id=row.netting_id,
                is_stuck=is_stuck(row.sent_at, TransferState(row.state), now),
            )
        )
    return views
