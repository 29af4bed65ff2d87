"""What an import does to many people at once: each verb in a number of statements that does not grow."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity.actions_sign_in import ACTIVATION_DAYS
from service.identity.tables import Activation, Login, Member, MemberRole, SignedIn
from service.kit import audit
from service.kit.access import Actor, Role
from service.kit.db import keyring
from service.kit.ids import new_id

CODE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No 0 and O, no 1, I and L: these codes are read from paper and typed."""
CODE_LENGTH = 16
"""79 bits: nobody guesses one, and the database keeps only a keyed hash of it."""
_UUIDS = sa.ARRAY(sa.Uuid())


def _among(column: sa.SQLColumnExpression[UUID], ids: Collection[UUID]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.literal(sorted(set(ids)), _UUIDS))


async def login_holders(session: AsyncSession, community_id: int, phones: Collection[str]) -> Mapping[str, UUID]:
    """Which of these phone numbers sign somebody of this community in already, and whom."""
    keys = keyring(session)
    wanted = {keys.blind("phone", phone): phone for phone in phones}
    if not wanted:
        return {}
    rows = await session.execute(
        sa.select(col(Login.phone_index), col(Member.member_id))
        .join(Member, col(Member.login_id) == col(Login.login_id))
        .where(
            col(Member.community_id) == community_id,
            col(Member.closed_at).is_(None),
            col(Login.phone_index) == sa.any_(sa.literal(list(wanted), sa.ARRAY(sa.LargeBinary()))),
        )
    )
    return {wanted[index]: member_id for index, member_id in rows}


async def grant_roles(
    session: AsyncSession,
    *,
    community_id: int,
    grants: Collection[tuple[UUID, Role]],
    actor: Actor | None,
    day: date,
    now: datetime,
) -> Sequence[tuple[UUID, Role]]:
    """Give many people roles they do not hold; answers with those that were new. Lock the people first."""
    held = await session.execute(
        sa.select(col(MemberRole.member_id), col(MemberRole.role)).where(
            col(MemberRole.community_id) == community_id,
            _among(col(MemberRole.member_id), {member_id for member_id, _ in grants}),
            col(MemberRole.until_on).is_(None),
        )
    )
    has = {(member_id, Role(role)) for member_id, role in held}
    fresh = sorted(set(grants) - has)
    if fresh:
        await session.execute(
            sa.insert(MemberRole),
            [
                {
                    "community_id": community_id,
                    "role_id": new_id(),
                    "member_id": member_id,
                    "role": role.value,
                    "from_on": day,
                    "granted_by": actor.member_id if actor else None,
                    "granted_at": now,
                }
                for member_id, role in fresh
            ],
        )
    for role in sorted({role for _, role in fresh}):
        await audit.record_many(
            session,
            actor,
            "identity.role_granted",
            kind="member",
            ids=[member_id for member_id, given in fresh if given is role],
            now=now,
            community_id=community_id,
            detail={"role": role.value},
        )
    return fresh


async def take_back_roles(
    session: AsyncSession, *, actor: Actor, grants: Collection[tuple[UUID, Role]], day: date, now: datetime
) -> None:
    """End roles that were given by mistake; they stay in the history."""
    for role in sorted({role for _, role in grants}):
        members = [member_id for member_id, given in grants if given is role]
        await session.execute(
            sa.update(MemberRole)
            .where(
                col(MemberRole.community_id) == actor.community_id,
                col(MemberRole.role) == role,
                _among(col(MemberRole.member_id), members),
                col(MemberRole.until_on).is_(None),
            )
            .values(until_on=sa.func.greatest(col(MemberRole.from_on), day), ended_by=actor.member_id)
        )
        await audit.record_many(
            session, actor, "identity.role_ended", kind="member", ids=members, now=now, detail={"role": role.value}
        )


async def close_people(session: AsyncSession, *, actor: Actor, ids: Collection[UUID], now: datetime) -> None:
    """Close many people: no sign-in, no session, no code; their history stays."""
    mine = col(Member.community_id) == actor.community_id
    await session.execute(
        sa.update(Member)
        .where(mine, _among(col(Member.member_id), ids), col(Member.closed_at).is_(None))
        .values(closed_at=now, login_id=None, revision=col(Member.revision) + 1)
    )
    await session.execute(
        sa.update(SignedIn)
        .where(
            col(SignedIn.community_id) == actor.community_id,
            _among(col(SignedIn.member_id), ids),
            col(SignedIn.ended_at).is_(None),
        )
        .values(ended_at=now, ended_by=actor.member_id)
    )
    await _void_codes(session, actor.community_id, ids, now)
    await audit.record_many(session, actor, "identity.closed", kind="member", ids=ids, now=now)


async def reopen_people(session: AsyncSession, *, actor: Actor, ids: Collection[UUID], now: datetime) -> None:
    """Open closed people again: who came back keeps the card, the record and the balances."""
    await session.execute(
        sa.update(Member)
        .where(
            col(Member.community_id) == actor.community_id,
            _among(col(Member.member_id), ids),
            col(Member.closed_at).is_not(None),
        )
        .values(closed_at=None)
    )
    await audit.record_many(session, actor, "identity.reopened", kind="member", ids=ids, now=now)


async def issue_activations(
    session: AsyncSession,
    *,
    actor: Actor | None,
    member_ids: Sequence[UUID],
    now: datetime,
    community_id: int | None = None,
) -> Mapping[UUID, str]:
    """A one-time code for each of many people; their older codes die. The codes are known only to this answer.

    Without an actor (an operator at the server) the community must be named.
    """
    tenant = actor.community_id if actor is not None else community_id
    assert tenant is not None, "an activation belongs to a community"
    await _void_codes(session, tenant, member_ids, now)
    words = {member_id: "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)) for member_id in member_ids}
    if not words:
        return {}
    keys = keyring(session)
    await session.execute(
        sa.insert(Activation),
        [
            {
                "community_id": tenant,
                "code_hash": keys.token_hash(word),
                "member_id": member_id,
                "expires_at": now + timedelta(days=ACTIVATION_DAYS),
            }
            for member_id, word in words.items()
        ],
    )
    await audit.record_many(
        session,
        actor,
        "identity.activation_issued",
        kind="member",
        ids=list(words),
        now=now,
        community_id=tenant,
    )
    return {member_id: f"{tenant}-{word}" for member_id, word in words.items()}


def grouped_code(code: str) -> str:
    """A code as it is printed: the word in groups of four."""
    number, _, word = code.partition("-")
    return f"{number}-" + " ".join(word[start : start + 4] for start in range(0, len(word), 4))


async def _void_codes(session: AsyncSession, community_id: int, ids: Collection[UUID], now: datetime) -> None:
    await session.execute(
        sa.update(Activation)
        .where(
            col(Activation.community_id) == community_id,
            _among(col(Activation.member_id), ids),
            col(Activation.used_at).is_(None),
            col(Activation.expires_at) > now,
        )
        .values(expires_at=now)
    )
