"""What whoever dispatches sees: orders by view, kind of work and person; and who could go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.communities import organisations_by_ids
from service.identity import find_people
from service.kit.access import Actor, Role
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.repairs.rules import RepairState, Trade, Warranty
from service.repairs.tables import RepairOrder, RepairSkill

FILE_ROWS_MAX = 50_000
BUSY = (
    RepairState.ASSIGNED,
    RepairState.TAKEN,
    RepairState.QUOTED,
    RepairState.AGREED,
    RepairState.ON_WAY,
    RepairState.ON_SITE,
)
"""Of these a repairer has still to do something."""


class Shown(StrEnum):
    """Saved views, each a tab."""

    WAITING = "waiting"
    OPEN = "open"
    CLAIMED = "claimed"
    CLOSED = "closed"
    ALL = "all"


def _of_view(shown: Shown) -> sa.ColumnElement[bool]:
    state = col(RepairOrder.state)
    if shown is Shown.WAITING:
        return state == RepairState.REPORTED
    if shown is Shown.OPEN:
        return state.not_in((RepairState.ACCEPTED, RepairState.CANCELLED))
    if shown is Shown.CLAIMED:
        return col(RepairOrder.warranty) == Warranty.CLAIMED
    if shown is Shown.CLOSED:
        return state.in_((RepairState.ACCEPTED, RepairState.CANCELLED))
    return sa.true()


async def desk_list(
    session: AsyncSession,
    actor: Actor,
    *,
    shown: Shown,
    trade: Trade | None = None,
    text: str = "",
    after: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[RepairOrder]:
    """Orders of a view, urgent first, then the newest; `text` is a card number, phone or name of resident or repairer."""
    wanted = [col(RepairOrder.community_id) == actor.community_id, _of_view(shown)]
    if trade is not None:
        wanted.append(col(RepairOrder.trade) == trade)
    if text := text.strip():
        people = [one.member_id for one in (await find_people(session, actor.community_id, text)).rows]
        wanted.append(sa.or_(col(RepairOrder.asked_by).in_(people), col(RepairOrder.repairer_id).in_(people)))
    order = (col(RepairOrder.is_urgent), col(RepairOrder.posted_at), col(RepairOrder.order_id))
    if (cursor := decode_cursor(after, int, str, str)) is not None:
        place = (bool(cursor[0]), datetime.fromisoformat(str(cursor[1])), UUID(str(cursor[2])))
        wanted.append(sa.tuple_(*order) < sa.tuple_(*(sa.literal(value) for value in place)))
    rows = await session.exec(
        select(RepairOrder).where(*wanted).order_by(*(key.desc() for key in order)).limit(size + 1)
    )
    return page_of(
        list(rows),
        lambda last: encode_cursor(int(last.is_urgent), last.posted_at.isoformat(), last.order_id.hex),
        size,
    )


async def not_released(session: AsyncSession, actor: Actor) -> Sequence[RepairOrder]:
    """Orders whose kept part could not be released when its time came, the oldest first, a page at most."""
    rows = await session.exec(
        select(RepairOrder)
        .where(
            col(RepairOrder.community_id) == actor.community_id,
            col(RepairOrder.warranty) == Warranty.HELD,
            col(RepairOrder.release_after).is_not(None),
        )
        .order_by(col(RepairOrder.warranty_until), col(RepairOrder.order_id))
        .limit(PAGE_SIZE)
    )
    return list(rows)


async def count_waiting(session: AsyncSession, actor: Actor) -> int:
    """How many nobody was given yet, or wait for a decision about their warranty."""
    counted = await session.execute(
        sa.select(sa.func.count())
        .select_from(RepairOrder)
        .where(
            col(RepairOrder.community_id) == actor.community_id,
            sa.or_(_of_view(Shown.WAITING), _of_view(Shown.CLAIMED)),
        )
    )
    return int(counted.scalar_one())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A repairer who could go, and why: what they can do, how near they live, how much they have to do."""

    member_id: UUID
    name: str
    card_no: str
    team_id: UUID
    team: str
    trades: tuple[Trade, ...]
    can_do: bool
    is_same_building: bool
    is_same_grid: bool
    open_jobs: int

    @property
    def rank(self) -> tuple[object, ...]:
        """Who can do it first, then who has least to do, then who lives nearest."""
        return (not self.can_do, self.open_jobs, not self.is_same_building, not self.is_same_grid, self.card_no)


async def candidates(session: AsyncSession, actor: Actor, order: RepairOrder, day: date) -> Sequence[Candidate]:
    """Everybody who repairs for a team today and is not of the resident's household; the best first."""
    home = actor.community_id
    ids = await identity.holders_of(session, home, [Role.REPAIRER], day)
    roles = await identity.roles_by_member(session, home, ids, day)
    people = await identity.people_by_ids(session, home, [*ids, order.asked_by])
    homes = await identity.particulars_by_ids(session, home, [*ids, order.asked_by])
    trades = await skills(session, home, ids)
    busy = await _open_jobs(session, home)
    asker, place = people[order.asked_by], homes[order.asked_by]
    pairs = [
        (who, team) for who in ids for role, team in roles.get(who, ()) if team is not None and role is Role.REPAIRER
    ]
    teams = await organisations_by_ids(session, home, {team for _, team in pairs})
    found = []
    for who, team in pairs:
        one, near = people[who], homes[who]
        if who == order.asked_by or (asker.household_id is not None and asker.household_id == one.household_id):
            continue
        known = trades.get(who, ())
        found.append(
            Candidate(
                who,
                one.name,
                one.card_no,
                team,
                teams[team].name,
                known,
                Trade(order.trade) in known,
                place.building is not None and near.building == place.building,
                place.grid is not None and near.grid == place.grid,
                busy.get(who, 0),
            )
        )
    return sorted(found, key=lambda one: one.rank)


@dataclass(frozen=True, slots=True)
class Repairer:
    """Somebody who repairs for teams today."""

    member_id: UUID
    name: str
    card_no: str
    teams: tuple[str, ...]
    trades: tuple[Trade, ...]
    open_jobs: int


async def repairers(session: AsyncSession, actor: Actor, day: date) -> Sequence[Repairer]:
    """Everybody who repairs for a team today, by card number."""
    home = actor.community_id
    ids = await identity.holders_of(session, home, [Role.REPAIRER], day)
    roles = await identity.roles_by_member(session, home, ids, day)
    people = await identity.people_by_ids(session, home, ids)
    known, busy = await skills(session, home, ids), await _open_jobs(session, home)
    sent = {
        who: [team for role, team in roles.get(who, ()) if role is Role.REPAIRER and team is not None] for who in ids
    }
    teams = await organisations_by_ids(session, home, {team for given in sent.values() for team in given})
    found = [
        Repairer(
            who,
            people[who].name,
            people[who].card_no,
            tuple(teams[team].name for team in given),
            known.get(who, ()),
            busy.get(who, 0),
        )
        for who, given in sent.items()
        if given
    ]
    return sorted(found, key=lambda one: one.card_no)


async def skills(session: AsyncSession, community_id: int, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Trade, ...]]:
    """What each of these people can do, in the order of the kinds."""
    rows = await session.exec(
        select(RepairSkill).where(col(RepairSkill.community_id) == community_id, col(RepairSkill.member_id).in_(ids))
    )
    found: dict[UUID, set[str]] = {}
    for row in rows:
        found.setdefault(row.member_id, set()).add(row.trade)
    return {who: tuple(trade for trade in Trade if trade in given) for who, given in found.items()}


async def _open_jobs(session: AsyncSession, community_id: int) -> Mapping[UUID, int]:
    rows: Any = await session.execute(
        sa.select(col(RepairOrder.repairer_id), sa.func.count())
        .where(
            col(RepairOrder.community_id) == community_id,
            col(RepairOrder.state).in_(BUSY),
            col(RepairOrder.repairer_id).is_not(None),
        )
        .group_by(col(RepairOrder.repairer_id))
    )
    return {who: int(count) for who, count in rows}
