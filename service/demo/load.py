"""Loading the demo: the street, the people by way of a sheet, the organisations, and then the season."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

import anyio.to_thread
import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import communities, identity, seals
from service.communities import OrganisationKind, PriceLine
from service.demo import counters, exchanges, fund, neighbours, offers, repairs, shifts, wishes
from service.demo.cast import CAST, ELSEWHERE, ELSEWHERE_CAST, HERE, ORGANISATIONS, PIN
from service.demo.roster import GRIDS, GRIDS_HERE, grid_name, sheet, short_name, street, table
from service.demo.stage import Stage, actors, moment
from service.imports.actions import check_sheet
from service.imports.actions_apply import apply_import
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import Sessions, transaction
from service.kit.ids import new_id
from service.kit.tables import Audit

PHONE = "029-0000-0000"
FOUNDED_DAYS_AGO = 90


async def is_demo(session: AsyncSession) -> bool:
    """True when the demo was loaded into this database."""
    found = await session.execute(
        sa.select(col(Audit.audit_id)).where(
            col(Audit.community_id) == HERE, col(Audit.object_kind) == "demo", col(Audit.object_id) == "demo"
        )
    )
    return found.first() is not None


async def load_demo(sessions: Sessions, keyring: Keyring, now: datetime, progress: Callable[[str], None]) -> None:
    """Load everything in one transaction: whoever stops it half-way has an empty database and may start again.

    Only the sales of the caring merchants come after it, for they go through the ledger's door.
    """
    assert keyring.roots, "the sessions carry the same keys"
    async with transaction(sessions) as session:
        progress("  西一路街道：8 个社区，81 个网格")
        await _found_street(session, moment(now, FOUNDED_DAYS_AGO, 8))
        organisations = await _open_organisations(session, moment(now, FOUNDED_DAYS_AGO, 9))
        progress("  兴乐社区：6,000 人的人员表，检查并导入")
        await _people(session, organisations, moment(now, FOUNDED_DAYS_AGO, 10))
        await _neighbours(session, moment(now, FOUNDED_DAYS_AGO, 10))
        stage = Stage(session, now, organisations, await actors(session, now))
        await _prices(stage)
        progress("  一个季度的活动、心愿和兑换")
        await offers.pledge(stage)
        await shifts.season(stage)
        await wishes.season(stage)
        await offers.season(stage)
        await counters.season(stage)
        await repairs.season(stage)
        await exchanges.season(stage)
        progress("  和隔壁社区的往来")
        await neighbours.season(stage)
        await fund.season(stage)
        progress("  账本封条")
        await seals.catch_up(session, HERE, now=now)
        await seals.seal_now(session, HERE, actor=None, now=now)
        audit.record(session, None, "demo.loaded", kind="demo", id="demo", now=now, community_id=HERE)
    progress("  爱心商户的营业")
    await fund.sales(sessions, stage)


async def _found_street(session: AsyncSession, at: datetime) -> None:
    others = (GRIDS - GRIDS_HERE) // (len(street()) - 1)
    for row in street():
        number = int(row["community_code"])
        await communities.found_community(
            session,
            number=number,
            name=short_name(row["community"]),
            street=row["street"],
            street_code=row["street_code"],
            phone=PHONE,
            now=at,
        )
        if number != HERE:
            places = [(grid_name(grid), f"{grid + 1}号楼") for grid in range(others)]
            await communities.open_buildings(session, community_id=number, places=places, actor=None, now=at)


async def _open_organisations(session: AsyncSession, at: datetime) -> Mapping[str, UUID]:
    opened = {}
    for handle, (kind, name, address) in ORGANISATIONS.items():
        opened[handle] = await communities.open_organisation(
            session, community_id=HERE, kind=kind, name=name, address=address, phone=PHONE, actor=None, now=at
        )
    return opened


async def _people(session: AsyncSession, organisations: Mapping[str, UUID], at: datetime) -> None:
    """The administrator first, then everybody by the same way a real community brings its people in."""
    day = local_day(at)
    admin = next(part for part in CAST if part.handle == "jiang")
    first = identity.NewPerson(new_id(), admin.card_no, admin.name)
    await identity.enrol_people(session, community_id=HERE, people=[first], actor=None, day=day, now=at)
    await _grant(session, HERE, first.member_id, Role.ADMIN, None, at)
    clerk = _clerk(first)
    content = await anyio.to_thread.run_sync(sheet, day)
    import_id = await check_sheet(session, actor=clerk, file_name="兴乐社区人员表.xlsx", content=content, now=at)
    await apply_import(session, actor=clerk, import_id=import_id, now=at)
    rows = await identity.members_by_card(session, HERE, [part.card_no for part in CAST])
    for part in CAST:
        member_id = rows[part.card_no].member_id
        for role in part.roles if part is not admin else ():
            await _grant(session, HERE, member_id, role, organisations.get(part.organisation or ""), at)
        await identity.set_secret(session, community_id=HERE, member_id=member_id, secret=PIN, now=at)


def _clerk(person: identity.NewPerson) -> Actor:
    return Actor(
        community_id=HERE,
        community_name="兴乐社区",
        community_phone=PHONE,
        member_id=person.member_id,
        card_no=person.card_no,
        name=person.name,
        household_id=None,
        session_id=new_id(),
        roles=frozenset({Role.ADMIN}),
        organisations=frozenset(),
    )


async def _grant(
    session: AsyncSession, community_id: int, member_id: UUID, role: Role, organisation_id: UUID | None, at: datetime
) -> None:
    await identity.grant_role(
        session,
        actor=None,
        community_id=community_id,
        member_id=member_id,
        role=role,
        organisation_id=organisation_id,
        day=local_day(at),
        now=at,
    )


async def _neighbours(session: AsyncSession, at: datetime) -> None:
    """A second community with a handful of people, to see that neither sees the other."""
    shop = await communities.open_organisation(
        session,
        community_id=ELSEWHERE,
        kind=OrganisationKind.MERCHANT,
        name="外乡小店",
        address="1号楼底商",
        phone=PHONE,
        actor=None,
        now=at,
    )
    people = [
        identity.NewPerson(
            new_id(),
            card_no,
            name,
            roles=tuple((role, shop if role is Role.MERCHANT_OWNER else None) for role in roles),
        )
        for card_no, name, roles in ELSEWHERE_CAST
    ]
    await identity.enrol_people(session, community_id=ELSEWHERE, people=people, actor=None, day=local_day(at), now=at)
    for person in people:
        await identity.set_secret(session, community_id=ELSEWHERE, member_id=person.member_id, secret=PIN, now=at)


async def _prices(stage: Stage) -> None:
    """What the repair team charges, as a neighbourhood published it."""
    at = stage.at(FOUNDED_DAYS_AGO, 11)
    lines = [
        PriceLine(
            item=row["item"],
            unit=row["unit"],
            fen_min=int(row["price_fen_min"]),
            fen_max=int(row["price_fen_max"]),
            fen_cap=int(row["price_fen_cap"]) if row["price_fen_cap"] else None,
            includes_material=row["includes_material"] == "yes",
            rounding_note="超过半小时按一小时算" if row["note"] else "",
        )
        for row in table("repair_prices.csv")
    ]
    await communities.set_prices(
        stage.session,
        community_id=HERE,
        organisation_id=stage.organisations["team"],
        lines=lines,
        effective_from=local_day(at),
        actor=stage.cast["jiang"],
        now=at,
    )
