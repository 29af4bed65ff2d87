"""Many wishes: the wall, somebody's own, the staff's views. A page costs the same for one row and for fifty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

import ledger
from service import chart
from service.communities import organisations
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.kit.refusals import Invalid
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.queries.wishes import WishView, to_view
from service.wishes.rules import OPEN, WishState
from service.wishes.tables import Wish

WALL_SIZE = 20
"""Cards on one page of the wall; a phone shows three at a time."""


class DeskView(StrEnum):
    """The staff's saved views, each a tab with its count."""

    WAITING = "waiting"
    WALL = "wall"
    TAKEN = "taken"
    SERVED = "served"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; all of it lives in the address."""

    kind: WishKind | None = None
    category: WishCategory | None = None
    text: str = ""
    people: frozenset[UUID] = frozenset()
    """Askers whose name or card fits `text`; for staff only."""


_not_urgent = sa.case((col(Wish.kind) == WishKind.URGENT, 0), else_=1)
_is_unseen = sa.and_(
    col(Wish.kind) == WishKind.URGENT,
    col(Wish.approved_by).is_(None),
    col(Wish.approved_at).is_not(None),
    col(Wish.state).in_([str(state) for state in OPEN]),
)


def _narrowed(query: SelectOfScalar[Wish], narrowed: Filter) -> SelectOfScalar[Wish]:
    return query.where(*_conditions(narrowed))


def _conditions(narrowed: Filter) -> Sequence[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if narrowed.kind is not None:
        found.append(col(Wish.kind) == narrowed.kind)
    if narrowed.category is not None:
        found.append(col(Wish.category) == narrowed.category)
    if text := narrowed.text.strip():
        ways: list[sa.ColumnElement[bool]] = [
            col(Wish.title).icontains(text, autoescape=True),
            col(Wish.text).icontains(text, autoescape=True),
            col(Wish.code) == text.upper().replace("-", "").replace(" ", ""),
        ]
        if narrowed.people:
            ways.append(col(Wish.asked_by).in_(sorted(narrowed.people)))
        found.append(sa.or_(*ways))
    return found


def _place(cursor: str | None) -> tuple[int, datetime, UUID] | None:
    """Where the last page ended."""
    values = decode_cursor(cursor, int, str, str)
    if values is None:
        return None
    try:
        at, wish_id = datetime.fromisoformat(str(values[1])), UUID(str(values[2]))
    except ValueError as problem:
        raise Invalid({"after": "cursor"}) from problem
    if at.tzinfo is None:
        raise Invalid({"after": "cursor"})
    return int(values[0]), at, wish_id


async def _page(
    session: AsyncSession,
    query: SelectOfScalar[Wish],
    after: str | None,
    *,
    by: str,
    newest_first: bool,
    urgent_first: bool,
    size: int = PAGE_SIZE,
) -> Page[WishView]:
    """One page of a list: urgent ones first where they matter, then by an instant, then by id."""
    at = getattr(Wish, by)
    rank: sa.ColumnElement[int] = _not_urgent if urgent_first else sa.literal(0)
    here = sa.tuple_(at, col(Wish.wish_id))
    if (place := _place(after)) is not None:
        there = sa.tuple_(sa.literal(place[1]), sa.literal(place[2]))
        beyond = here < there if newest_first else here > there
        query = query.where(sa.or_(rank > place[0], sa.and_(rank == place[0], beyond)) if urgent_first else beyond)
    order = [at.desc(), col(Wish.wish_id).desc()] if newest_first else [at, col(Wish.wish_id)]
    if urgent_first:
        order.insert(0, rank)
    rows = (await session.exec(query.order_by(*order).limit(size + 1))).all()

    def cursor_of(row: Wish) -> str:
        ranked = int(row.kind != WishKind.URGENT) if urgent_first else 0
        return encode_cursor(ranked, getattr(row, by).isoformat(), row.wish_id.hex)

    found = page_of(rows, cursor_of, size)
    return Page([to_view(row) for row in found.rows], found.next)


async def wish_wall(
    session: AsyncSession, community_id: int, narrowed: Filter, after: str | None = None, *, size: int = WALL_SIZE
) -> Page[WishView]:
    """What is on the wall: urgent first, then the newest."""
    query = select(Wish).where(col(Wish.community_id) == community_id, col(Wish.state) == WishState.APPROVED)
    return await _page(
        session,
        _narrowed(query, narrowed),
        after,
        by="approved_at",
        newest_first=True,
        urgent_first=True,
        size=size,
    )


async def wishes_of(
    session: AsyncSession, community_id: int, member_id: UUID, after: str | None = None
) -> Page[WishView]:
    """What somebody asked for, last changed first."""
    query = select(Wish).where(col(Wish.community_id) == community_id, col(Wish.asked_by) == member_id)
    return await _page(session, query, after, by="changed_at", newest_first=True, urgent_first=False)


async def wishes_helped_by(
    session: AsyncSession, community_id: int, member_id: UUID, after: str | None = None
) -> Page[WishView]:
    """What somebody took on, last changed first."""
    query = select(Wish).where(col(Wish.community_id) == community_id, col(Wish.volunteer_id) == member_id)
    return await _page(session, query, after, by="changed_at", newest_first=True, urgent_first=False)


async def current(
    session: AsyncSession, community_id: int, member_id: UUID, *, helping: bool, size: int = 3
) -> Sequence[WishView]:
    """The open wishes somebody asked for, or has taken on: for the first page they see. Last changed first."""
    whose = col(Wish.volunteer_id) if helping else col(Wish.asked_by)
    rows = await session.exec(
        select(Wish)
        .where(col(Wish.community_id) == community_id, whose == member_id, col(Wish.state).in_([str(s) for s in OPEN]))
        .order_by(col(Wish.changed_at).desc(), col(Wish.wish_id).desc())
        .limit(size)
    )
    return [to_view(row) for row in rows]


def _in_view(view: DeskView) -> sa.ColumnElement[bool]:
    state = col(Wish.state)
    if view is DeskView.WAITING:
        return sa.or_(state == WishState.POSTED, _is_unseen)
    if view is DeskView.WALL:
        return state == WishState.APPROVED
    if view is DeskView.TAKEN:
        return state == WishState.CLAIMED
    if view is DeskView.SERVED:
        return state.in_([str(WishState.SERVED), str(WishState.DISPUTED)])
    return sa.true()


async def desk_wishes(
    session: AsyncSession,
    community_id: int,
    view: DeskView,
    narrowed: Filter,
    after: str | None = None,
    *,
    size: int = PAGE_SIZE,
) -> Page[WishView]:
    """The staff's list. What waits is shown urgent first and longest waiting first; everything else newest first."""
    query = _narrowed(select(Wish).where(col(Wish.community_id) == community_id, _in_view(view)), narrowed)
    waits = view is not DeskView.ALL
    return await _page(session, query, after, by="changed_at", newest_first=not waits, urgent_first=waits, size=size)


async def desk_counts(session: AsyncSession, community_id: int) -> Mapping[DeskView, int]:
    """The number on every tab, in one query."""
    counts = [sa.func.count().filter(_in_view(view)).label(view.value) for view in DeskView]
    row = (await session.execute(sa.select(*counts).where(col(Wish.community_id) == community_id))).one()
    return {view: int(row[index]) for index, view in enumerate(DeskView)}


async def waiting_count(session: AsyncSession, community_id: int) -> int:
    """How many wishes wait for staff to look at them."""
    query = sa.select(sa.func.count()).where(col(Wish.community_id) == community_id, _in_view(DeskView.WAITING))
    return int((await session.execute(query)).scalar_one())


async def matching(session: AsyncSession, community_id: int, view: DeskView, narrowed: Filter) -> tuple[int, int]:
    """How many rows a filter finds, and the minutes they ask for together."""
    row = (
        await session.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(col(Wish.expected_minutes)), 0)).where(
                col(Wish.community_id) == community_id, _in_view(view), *_conditions(narrowed)
            )
        )
    ).one()
    return int(row[0]), int(row[1])


async def needing_staff(
    session: AsyncSession, community_id: int, now: datetime, *, size: int = 200
) -> Sequence[WishView]:
    """Everything only staff can move on: unseen, disputed, and unconfirmed for too long. Longest waiting first."""
    rows = await session.exec(
        select(Wish)
        .where(
            col(Wish.community_id) == community_id,
            sa.or_(
                _in_view(DeskView.WAITING),
                col(Wish.state) == WishState.DISPUTED,
                sa.and_(col(Wish.state) == WishState.SERVED, col(Wish.confirm_due_at) <= now),
            ),
        )
        .order_by(col(Wish.changed_at), col(Wish.wish_id))
        .limit(size)
    )
    return [to_view(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Budget:
    """Who can give a reward, and the whole points that are free: neither spent nor set aside."""

    budget_id: UUID
    name: str
    free_points: int


async def budgets(session: AsyncSession, community_id: int) -> Sequence[Budget]:
    """Every organisation's free points in two queries, by name as they are listed everywhere."""
    every = await organisations(session, community_id)
    accounts = [(chart.budget(each.organisation_id), chart.POINT) for each in every]
    held = await ledger.balances(session, community_id, accounts)
    return [
        Budget(each.organisation_id, each.name, held.get(account, 0) // 100)
        for each, account in zip(every, accounts, strict=True)
    ]


async def unconfirmed_before(session: AsyncSession, community_id: int, until: datetime) -> int:
    """How many wishes were served before a moment and are neither confirmed nor settled."""
    found = await session.execute(
        sa.select(sa.func.count()).where(
            col(Wish.community_id) == community_id,
            col(Wish.state).in_([WishState.SERVED, WishState.DISPUTED]),
            col(Wish.served_at) < until,
        )
    )
    return int(found.scalar_one())
