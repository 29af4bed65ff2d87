"""Grids and buildings by name, and the dated price lists of repair teams."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities.tables import Building, Grid, Price
from service.kit import audit
from service.kit.access import Actor
from service.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class BuildingView:
    """A building and the grid it stands in."""

    building_id: UUID
    name: str
    grid: str


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One line of a price list, in fen."""

    item: str
    unit: str
    fen_min: int
    fen_max: int
    fen_cap: int | None
    includes_material: bool
    rounding_note: str


async def buildings(session: AsyncSession, community_id: int) -> Mapping[str, BuildingView]:
    """Every building of a community by its name."""
    rows = await session.execute(
        sa.select(col(Building.building_id), col(Building.name), col(Grid.name))
        .join(
            Grid,
            sa.and_(col(Grid.community_id) == col(Building.community_id), col(Grid.grid_id) == col(Building.grid_id)),
        )
        .where(col(Building.community_id) == community_id)
    )
    return {name: BuildingView(building_id, name, grid) for building_id, name, grid in rows}


async def open_buildings(
    session: AsyncSession,
    *,
    community_id: int,
    places: Collection[tuple[str, str]],
    actor: Actor | None,
    now: datetime,
) -> Mapping[str, BuildingView]:
    """Add what is missing of (grid, building) pairs and answer with every building of the community.

    A building that exists stays in its grid; the names' unique keys settle two imports that add the same one.
    """
    known = await buildings(session, community_id)
    missing = sorted({(grid, building) for grid, building in places if building not in known})
    if not missing:
        return known
    grids = sorted({grid for grid, _ in missing})
    await session.execute(
        insert(Grid).on_conflict_do_nothing(),
        [{"community_id": community_id, "grid_id": new_id(), "name": name} for name in grids],
    )
    found = await session.execute(
        sa.select(col(Grid.name), col(Grid.grid_id)).where(
            col(Grid.community_id) == community_id, col(Grid.name).in_(grids)
        )
    )
    grid_ids = dict(found.all())
    await session.execute(
        insert(Building).on_conflict_do_nothing(),
        [
            {"community_id": community_id, "building_id": new_id(), "grid_id": grid_ids[grid], "name": building}
            for grid, building in missing
        ],
    )
    audit.record(
        session,
        actor,
        "communities.buildings_opened",
        kind="community",
        id=community_id,
        now=now,
        community_id=community_id,
        detail={"buildings": len(missing), "grids": len(grids)},
    )
    return await buildings(session, community_id)


async def set_prices(
    session: AsyncSession,
    *,
    community_id: int,
    organisation_id: UUID,
    lines: Sequence[PriceLine],
    effective_from: date,
    actor: Actor | None,
    now: datetime,
) -> None:
    """A repair team's prices from a day on. Lines for the same day and item that exist stay as they are."""
    await session.execute(
        insert(Price).on_conflict_do_nothing(),
        [
            {
                "community_id": community_id,
                "organisation_id": organisation_id,
                "item": line.item,
                "effective_from": effective_from,
                "unit": line.unit,
                "fen_min": line.fen_min,
                "fen_max": line.fen_max,
                "fen_cap": line.fen_cap,
                "includes_material": line.includes_material,
                "rounding_note": line.rounding_note,
            }
            for line in lines
        ],
    )
    audit.record(
        session,
        actor,
        "communities.prices_set",
        kind="organisation",
        id=organisation_id,
        now=now,
        community_id=community_id,
        detail={"lines": len(lines), "from": effective_from.isoformat()},
    )


async def prices_on(session: AsyncSession, community_id: int, organisation_id: UUID, day: date) -> Sequence[PriceLine]:
    """What a repair team charges on a day."""
    rows = await session.execute(
        sa.select(Price)
        .ext(distinct_on(col(Price.item)))
        .where(
            col(Price.community_id) == community_id,
            col(Price.organisation_id) == organisation_id,
            col(Price.effective_from) <= day,
        )
        .order_by(col(Price.item), col(Price.effective_from).desc())
    )
    return [
        PriceLine(p.item, p.unit, p.fen_min, p.fen_max, p.fen_cap, p.includes_material, p.rounding_note)
        for p in rows.scalars()
    ]
