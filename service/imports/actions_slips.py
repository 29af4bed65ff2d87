"""One-time codes for the people an import brought, a printable part at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.identity import Particulars
from service.imports import queries
from service.imports.rules import BatchNotApplied, BatchState, NobodyNeedsSlips
from service.kit.access import OFFICE, Actor
from service.kit.clock import local_day

SLIPS_AT_ONCE = 400
"""Fifty sheets of eight: what a printer takes in one go."""


@dataclass(frozen=True, slots=True)
class Slip:
    """A one-time code and whom it is for."""

    person: Particulars
    code: str


@dataclass(frozen=True, slots=True)
class Slips:
    """One part of an import's slips."""

    slips: Sequence[Slip]
    part: int
    parts: int


async def slip_parts(session: AsyncSession, actor: Actor, import_id: UUID, now: datetime) -> int:
    """How many parts the slips of an import have; 0 when everybody has a way in."""
    people = await _waiting(session, actor.community_id, import_id, local_day(now))
    return -(-len(people) // SLIPS_AT_ONCE)


async def issue_slips(session: AsyncSession, *, actor: Actor, import_id: UUID, part: int, now: datetime) -> Slips:
    """Codes for one part of the new people who cannot sign in yet, in the order they are delivered.

    The codes are kept as hashes only, so this answer is the only one that has them; asking again makes new ones and the
    old ones die.
    """
    batch = await queries.batch_for(session, actor, import_id)
    if batch.state is not BatchState.APPLIED:
        raise BatchNotApplied
    waiting = await _waiting(session, actor.community_id, import_id, local_day(now))
    found = (await identity.particulars_by_ids(session, actor.community_id, waiting)).values()
    people = sorted(found, key=_round)
    chosen = people[(part - 1) * SLIPS_AT_ONCE : part * SLIPS_AT_ONCE] if part >= 1 else []
    if not chosen:
        raise NobodyNeedsSlips
    ids = [person.member_id for person in chosen]
    codes = await identity.issue_activations(session, actor=actor, member_ids=ids, now=now)
    return Slips([Slip(person, codes[person.member_id]) for person in chosen], part, -(-len(people) // SLIPS_AT_ONCE))


def _round(person: Particulars) -> tuple[list[str | int], list[str | int], str]:
    """The order in which somebody walks from door to door: 2号楼 comes before 10号楼."""
    return _by_numbers(person.building), _by_numbers(person.door), person.card_no


def _by_numbers(text: str | None) -> list[str | int]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text or "")]


async def _waiting(session: AsyncSession, community_id: int, import_id: UUID, day: date) -> Sequence[UUID]:
    ids = await identity.members_of_import(session, community_id, import_id)
    if not ids:
        return []
    waiting = await identity.without_a_way_in(session, community_id, ids)
    # A code is a way into an office: those are given out one by one, by an administrator.
    office = set(await identity.holders_of(session, community_id, OFFICE, day))
    return [member_id for member_id in waiting if member_id not in office]
