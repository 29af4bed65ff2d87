"""Contact data: opened on purpose, one look at a time, and every look leaves a line."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import anyio.to_thread
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities.tables import Building, Grid, Household
from service.identity.queries import context
from service.identity.rules import PersonNotFound
from service.identity.tables import Member
from service.kit import audit
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import keyring


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person is reached. Shown to whoever has a reason today, never kept by them."""

    phone: str | None
    building: str | None
    door: str | None


@dataclass(frozen=True, slots=True)
class Particulars:
    """Everything a person is known by, opened: for exports and for comparing an import with what is there."""

    member_id: UUID
    card_no: str
    name: str
    phone: str | None
    signs_in: bool
    """The phone number opens a session."""
    grid: str | None
    building: str | None
    door: str | None
    born_on: date | None
    revision: int
    is_open: bool


async def contact_of(
    session: AsyncSession, actor: Actor, member_id: UUID, now: datetime, *, reason: str = "served"
) -> Contact:
    """The contact data of one person; the look is written down with its `reason`, a code. Raises PersonNotFound.

    Who may look is the caller's rule: a volunteer at the asker of a wish they claimed, staff with a reason they chose.
    """
    found = await particulars_by_ids(session, actor.community_id, [member_id])
    if member_id not in found:
        raise PersonNotFound
    audit.record(
        session,
        actor,
        "identity.contact_seen",
        kind="member",
        id=member_id,
        now=now,
        on_behalf_of=member_id,
        detail={"reason": reason},
    )
    seen = found[member_id]
    return Contact(seen.phone, seen.building, seen.door)


async def particulars_by_ids(
    session: AsyncSession, community_id: int, ids: Collection[UUID]
) -> Mapping[UUID, Particulars]:
    """Many people with everything, in one query. The caller writes the audit line that fits what it shows."""
    if not ids:
        return {}
    rows = await _rows(session, community_id, col(Member.member_id) == sa.any_(sa.literal(list(ids), _UUIDS)))
    return {item.member_id: item for item in rows}


async def particulars_by_card(
    session: AsyncSession, community_id: int, cards: Collection[str]
) -> Mapping[str, Particulars]:
    """The people behind many card numbers with everything, closed ones too: what an import compares itself with."""
    if not cards:
        return {}
    rows = await _rows(session, community_id, col(Member.card_no) == sa.any_(sa.literal(list(cards), _TEXTS)))
    return {item.card_no: item for item in rows}


async def all_particulars(session: AsyncSession, community_id: int) -> Sequence[Particulars]:
    """Everybody who is a member today, by card number: a whole export."""
    return await _rows(session, community_id, col(Member.closed_at).is_(None))


_UUIDS: Any = sa.ARRAY(sa.Uuid)
_TEXTS: Any = sa.ARRAY(sa.Text)


async def _rows(session: AsyncSession, community_id: int, which: sa.ColumnElement[bool]) -> Sequence[Particulars]:
    found = await session.execute(
        sa.select(Member, col(Household.household_id), col(Household.door_sealed), col(Building.name), col(Grid.name))
        .outerjoin(
            Household,
            sa.and_(
                col(Household.community_id) == col(Member.community_id),
                col(Household.household_id) == col(Member.household_id),
            ),
        )
        .outerjoin(
            Building,
            sa.and_(
                col(Building.community_id) == col(Household.community_id),
                col(Building.building_id) == col(Household.building_id),
            ),
        )
        .outerjoin(
            Grid,
            sa.and_(col(Grid.community_id) == col(Building.community_id), col(Grid.grid_id) == col(Building.grid_id)),
        )
        .where(col(Member.community_id) == community_id, which)
        .order_by(sa.collate(col(Member.card_no), "C"))
    )
    rows: Sequence[Any] = found.all()
    # Thousands of values to open would hold up everybody else's requests.
    return await anyio.to_thread.run_sync(_opened, keyring(session), rows)


def _opened(keys: Keyring, rows: Sequence[Any]) -> Sequence[Particulars]:
    return [_particulars(keys, *row) for row in rows]


def _particulars(
    keys: Keyring, row: Member, household_id: UUID | None, door: bytes | None, building: str | None, grid: str | None
) -> Particulars:
    place = (row.community_id, row.member_id)
    born = keys.open(row.born_sealed, context(*place, "born")) if row.born_sealed else None
    return Particulars(
        member_id=row.member_id,
        card_no=row.card_no,
        name=keys.open(row.name_sealed, context(*place, "name")),
        phone=keys.open(row.phone_sealed, context(*place, "phone")) if row.phone_sealed else None,
        signs_in=row.login_id is not None,
        grid=grid,
        building=building,
        door=keys.open(door, f"household:{row.community_id}:{household_id.hex}:door")
        if door and household_id
        else None,
        born_on=date.fromisoformat(born) if born else None,
        revision=row.revision,
        is_open=row.closed_at is None,
    )
