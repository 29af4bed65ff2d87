"""How people stand with the second factor: for the guard of acts, for their own page, for the desk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.identity.queries import Person, holders_of, people_by_ids
from service.identity.rules_factor import Standing
from service.identity.tables_factor import FactorRemoval, RecoveryCode, SecondFactor, SessionProof
from service.kit.access import OFFICE, Actor
from service.kit.clock import local_day
from service.kit.db import autocommit_connection

_STANDING = """
SELECT s.required, s.hours, f.factor_id, p.proven_at
  FROM (SELECT coalesce(max(d.value) FILTER (WHERE d.name = 'second_factor_required'), 0) AS required,
               coalesce(max(d.value) FILTER (WHERE d.name = 'second_factor_hours'), 12) AS hours
          FROM (SELECT DISTINCT ON (name) name, value FROM setting
                 WHERE community_id = $1 AND name IN ('second_factor_required', 'second_factor_hours') AND effective_from <= $4
                 ORDER BY name, effective_from DESC, revision DESC) AS d) AS s
  LEFT JOIN second_factor AS f
    ON f.community_id = $1 AND f.member_id = $2 AND f.confirmed_at IS NOT NULL AND f.ended_at IS NULL
  LEFT JOIN session_proof AS p ON p.community_id = $1 AND p.session_id = $3 AND p.factor_id = f.factor_id
"""


async def standing_now(engine: AsyncEngine, actor: Actor, now: datetime) -> Standing:
    """How somebody stands in this session, in one round trip: asked before each act that needs it, and remembered nowhere."""
    async with autocommit_connection(engine) as connection:
        row = await connection.fetchrow(
            _STANDING, actor.community_id, actor.member_id, actor.session_id, local_day(now)
        )
    assert row is not None, "the settings always make one row"
    return Standing(bool(row["required"]), row["hours"], row["factor_id"], row["proven_at"])


def held_by(community_id: int, member_id: UUID) -> sa.ColumnElement[bool]:
    """The one second factor of a person that is not ended, confirmed or not."""
    return sa.and_(
        col(SecondFactor.community_id) == community_id,
        col(SecondFactor.member_id) == member_id,
        col(SecondFactor.ended_at).is_(None),
    )


async def factor_of(session: AsyncSession, community_id: int, member_id: UUID) -> SecondFactor | None:
    """A person's second factor, also one that waits for its first code."""
    rows = await session.execute(sa.select(SecondFactor).where(held_by(community_id, member_id)))
    return rows.scalar_one_or_none()


@dataclass(frozen=True, slots=True)
class OwnFactor:
    """What one's own page says."""

    is_required: bool
    hours: int
    since: datetime | None
    proven_until: datetime | None
    recovery_codes_left: int


async def own_factor(session: AsyncSession, actor: Actor, now: datetime) -> OwnFactor:
    """How somebody stands, in words of their own page."""
    names = ("second_factor_required", "second_factor_hours")
    on = await settings_on(session, actor.community_id, names, local_day(now))
    factor = await factor_of(session, actor.community_id, actor.member_id)
    if factor is None or factor.confirmed_at is None:
        return OwnFactor(bool(on[names[0]]), on[names[1]], None, None, 0)
    proof = await session.get(SessionProof, (actor.community_id, actor.session_id))
    proven_at = proof.proven_at if proof is not None and proof.factor_id == factor.factor_id else None
    until = Standing(bool(on[names[0]]), on[names[1]], factor.factor_id, proven_at).proven_until()
    left = await session.execute(
        sa.select(sa.func.count()).where(
            col(RecoveryCode.community_id) == actor.community_id,
            col(RecoveryCode.factor_id) == factor.factor_id,
            col(RecoveryCode.used_at).is_(None),
        )
    )
    return OwnFactor(
        bool(on[names[0]]),
        on[names[1]],
        factor.confirmed_at,
        until if until and until > now else None,
        left.scalar_one(),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request to take a second factor away that nobody has decided."""

    removal_id: UUID
    member_id: UUID
    reason: str
    proposed_by: UUID
    proposed_at: datetime


@dataclass(frozen=True, slots=True)
class OfficeFactor:
    """One of the office, and since when they have a second factor."""

    person: Person
    since: datetime | None
    waiting: Waiting | None


async def waiting_removals(session: AsyncSession, community_id: int) -> Sequence[Waiting]:
    """What waits for a second person, oldest first."""
    rows = await session.execute(
        sa.select(FactorRemoval)
        .where(col(FactorRemoval.community_id) == community_id, col(FactorRemoval.state) == "proposed")
        .order_by(col(FactorRemoval.proposed_at), col(FactorRemoval.removal_id))
    )
    return [
        Waiting(row.removal_id, row.member_id, row.reason, row.proposed_by, row.proposed_at) for row in rows.scalars()
    ]


@dataclass(frozen=True, slots=True)
class OfficeFactors:
    """Everybody of the office, who asked for what, and whether the community asks for a second factor today."""

    is_required: bool
    hours: int
    people: Sequence[OfficeFactor]
    names: Mapping[UUID, Person]

    @property
    def without(self) -> int:
        """How many have none."""
        return sum(one.since is None for one in self.people)


async def office_factors(session: AsyncSession, community_id: int, now: datetime) -> OfficeFactors:
    """The office today, by card number."""
    day = local_day(now)
    on = await settings_on(session, community_id, ("second_factor_required", "second_factor_hours"), day)
    holders = await holders_of(session, community_id, OFFICE, day)
    waiting = {one.member_id: one for one in await waiting_removals(session, community_id)}
    # Whoever left the office may still have one, and somebody may have asked to take it away.
    names = await people_by_ids(
        session, community_id, {*holders, *waiting, *(one.proposed_by for one in waiting.values())}
    )
    since = await session.execute(
        sa.select(col(SecondFactor.member_id), col(SecondFactor.confirmed_at)).where(
            col(SecondFactor.community_id) == community_id,
            col(SecondFactor.confirmed_at).is_not(None),
            col(SecondFactor.ended_at).is_(None),
        )
    )
    held: dict[UUID, datetime | None] = {row.member_id: row.confirmed_at for row in since}
    shown = sorted({*holders, *waiting}, key=lambda member_id: names[member_id].card_no)
    people = [OfficeFactor(names[one], held.get(one), waiting.get(one)) for one in shown if names[one].is_open]
    return OfficeFactors(bool(on["second_factor_required"]), on["second_factor_hours"], people, names)
