"""Reads of people. Names are opened here and nowhere else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity.rules import PersonNotFound, card_beginning, normal_phone
from service.identity.tables import Member, MemberRole, SignedIn
from service.kit.access import Role
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.paging import PAGE_SIZE, Page, decode_cursor, encode_cursor, page_of
from service.kit.words import masked_name


@dataclass(frozen=True, slots=True)
class Person:
    """A person as colleagues see them; strangers are shown `masked`."""

    member_id: UUID
    card_no: str
    name: str
    household_id: UUID | None
    is_open: bool
    revision: int

    @property
    def masked(self) -> str:
        """The name as strangers may see it."""
        return masked_name(self.name)


def context(community_id: int, member_id: UUID, column: str) -> str:
    """Where a sealed value lives, so that it opens nowhere else."""
    return f"member:{community_id}:{member_id.hex}:{column}"


def to_person(keys: Keyring, row: Member) -> Person:
    """The open face of one row."""
    return Person(
        member_id=row.member_id,
        card_no=row.card_no,
        name=keys.open(row.name_sealed, context(row.community_id, row.member_id, "name")),
        household_id=row.household_id,
        is_open=row.closed_at is None,
        revision=row.revision,
    )


async def can_read_names(session: AsyncSession) -> bool:
    """True when the keys at hand open a name that is stored here, or none is stored."""
    row = (await session.exec(select(Member).limit(1))).first()
    try:
        return row is None or bool(to_person(keyring(session), row).name)
    except (InvalidTag, KeyError):  # another root, or one that the keyring does not have
        return False


async def person(session: AsyncSession, community_id: int, member_id: UUID) -> Person:
    """One person; raises PersonNotFound for strangers to this community, too."""
    row = await session.get(Member, (community_id, member_id))
    if row is None:
        raise PersonNotFound
    return to_person(keyring(session), row)


async def people_by_ids(
    session: AsyncSession, community_id: int, ids: Collection[UUID | None]
) -> Mapping[UUID, Person]:
    """Names of many people in one query; unknown ids are simply not in the answer."""
    wanted = [member_id for member_id in set(ids) if member_id is not None]
    if not wanted:
        return {}
    keys = keyring(session)
    rows = await session.exec(
        select(Member).where(col(Member.community_id) == community_id, col(Member.member_id).in_(wanted))
    )
    return {row.member_id: to_person(keys, row) for row in rows}


async def people_of_household(session: AsyncSession, community_id: int, household_id: UUID) -> Sequence[Person]:
    """Everybody behind one door who has not left, by card number."""
    keys = keyring(session)
    rows = await session.exec(
        select(Member)
        .where(
            col(Member.community_id) == community_id,
            col(Member.household_id) == household_id,
            col(Member.closed_at).is_(None),
        )
        .order_by(col(Member.card_no))
    )
    return [to_person(keys, row) for row in rows]


async def members_by_card(session: AsyncSession, community_id: int, cards: Collection[str]) -> Mapping[str, Member]:
    """The rows behind many card numbers, for imports."""
    rows = await session.exec(
        select(Member).where(col(Member.community_id) == community_id, col(Member.card_no).in_(list(cards)))
    )
    return {row.card_no: row for row in rows}


async def find_people(
    session: AsyncSession, community_id: int, text: str = "", *, role: Role | None = None, after: str | None = None
) -> Page[Person]:
    """People by card number (or its beginning), phone, or any part of the name; by card number, a page at a time."""
    keys = keyring(session)
    query = select(Member).where(col(Member.community_id) == community_id)
    text = text.strip()
    if text:
        ways: list[sa.ColumnElement[bool]] = [
            col(Member.name_index).contains([keys.blind(f"name:{community_id}", text[:8])])
        ]
        if (card := card_beginning(text)) is not None:
            ways.append(col(Member.card_no).startswith(card, autoescape=True))
        if (phone := normal_phone(text)) is not None:
            ways.append(col(Member.phone_index) == keys.blind("phone", phone))
        query = query.where(sa.or_(*ways))
    if role is not None:
        query = query.where(
            sa.exists().where(
                col(MemberRole.community_id) == community_id,
                col(MemberRole.member_id) == col(Member.member_id),
                col(MemberRole.role) == role,
                col(MemberRole.until_on).is_(None),
            )
        )
    order = sa.collate(col(Member.card_no), "C")
    cursor = decode_cursor(after, str)
    if cursor is not None:
        query = query.where(order > str(cursor[0]))
    rows = (await session.exec(query.order_by(order).limit(PAGE_SIZE + 1))).all()
    return page_of([to_person(keys, row) for row in rows], lambda last: encode_cursor(last.card_no))


async def lock_people(session: AsyncSession, community_id: int, ids: Collection[UUID]) -> Mapping[UUID, Member]:
    """Lock several people in one order, so that two who lock the same people never wait for each other."""
    rows = await session.exec(
        select(Member)
        .where(col(Member.community_id) == community_id, col(Member.member_id).in_(sorted(set(ids))))
        .order_by(col(Member.member_id))
        .with_for_update(key_share=True)
    )
    return {row.member_id: row for row in rows}


def _holds_on(day: date) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(MemberRole.from_on) <= day, sa.or_(col(MemberRole.until_on).is_(None), col(MemberRole.until_on) > day)
    )


async def opened_since(
    session: AsyncSession, community_id: int, ids: Collection[UUID], since: datetime
) -> Collection[UUID]:
    """Whoever of these was in Linli on a device of their own since then, and so can have read what they were sent."""
    rows = await session.exec(
        select(col(SignedIn.member_id))
        .distinct()
        .where(
            col(SignedIn.community_id) == community_id,
            col(SignedIn.member_id).in_(list(ids)),
            col(SignedIn.is_shared).is_(False),
            col(SignedIn.seen_at) >= since,
        )
    )
    return set(rows)


async def holders_of(session: AsyncSession, community_id: int, roles: Collection[Role], day: date) -> Sequence[UUID]:
    """Everybody who holds one of these roles on a day."""
    rows = await session.exec(
        select(col(MemberRole.member_id))
        .distinct()
        .where(
            col(MemberRole.community_id) == community_id,
            col(MemberRole.role).in_([str(role) for role in roles]),
            _holds_on(day),
        )
    )
    return list(rows)


async def roles_by_member(
    session: AsyncSession, community_id: int, ids: Collection[UUID], day: date
) -> Mapping[UUID, Sequence[tuple[Role, UUID | None]]]:
    """The roles, each with its organisation, that many people hold on a day."""
    rows: Any = await session.execute(
        sa.select(col(MemberRole.member_id), col(MemberRole.role), col(MemberRole.organisation_id))
        .where(col(MemberRole.community_id) == community_id, col(MemberRole.member_id).in_(list(ids)), _holds_on(day))
        .order_by(col(MemberRole.member_id), col(MemberRole.from_on), col(MemberRole.role_id))
    )
    found: dict[UUID, list[tuple[Role, UUID | None]]] = {}
    for member_id, role, organisation_id in rows:
        found.setdefault(member_id, []).append((Role(role), organisation_id))
    return found
