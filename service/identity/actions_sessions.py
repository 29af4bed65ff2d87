"""Sessions: opened with a fresh token, given another one, ended one by one or all at once."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity.tables import SignedIn
from service.kit import audit
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import keyring
from service.kit.ids import new_id
from service.kit.refusals import NotSignedIn

OWN_DEVICE_DAYS = 90
SHARED_DEVICE_HOURS = 2


@dataclass(frozen=True, slots=True)
class Entrance:
    """A fresh session: what goes into the cookie and until when."""

    cookie: str
    expires_at: datetime
    community_id: int
    member_id: UUID
    is_shared: bool = False


async def enter(
    session: AsyncSession,
    community_id: int,
    member_id: UUID,
    *,
    device: str,
    is_shared: bool,
    now: datetime,
    network: str | None = None,
) -> Entrance:
    """A fresh session with a fresh token; whatever token the browser had before is worth nothing.

    Of the network it came from only a keyed index is kept: the owner reads "the same network" or "another one".
    """
    token = secrets.token_urlsafe(32)
    expires_at = now + (timedelta(hours=SHARED_DEVICE_HOURS) if is_shared else timedelta(days=OWN_DEVICE_DAYS))
    session_id = new_id()
    session.add(
        SignedIn(
            community_id=community_id,
            session_id=session_id,
            token_hash=keyring(session).token_hash(token),
            member_id=member_id,
            device=device[:120],
            is_shared=is_shared,
            started_at=now,
            seen_at=now,
            expires_at=expires_at,
            network_index=network_index(keyring(session), network),
        )
    )
    audit.record(
        session,
        None,
        "identity.signed_in",
        kind="session",
        id=session_id,
        now=now,
        community_id=community_id,
        on_behalf_of=member_id,
    )
    return Entrance(f"{community_id}.{token}", expires_at, community_id, member_id, is_shared=is_shared)


async def end_session(session: AsyncSession, *, actor: Actor, session_id: UUID, now: datetime) -> None:
    """End one session: one's own, or anybody's by staff."""
    ended = await session.execute(
        sa.update(SignedIn)
        .where(
            col(SignedIn.community_id) == actor.community_id,
            col(SignedIn.session_id) == session_id,
            col(SignedIn.ended_at).is_(None),
        )
        .values(ended_at=now, ended_by=actor.member_id)
        .returning(col(SignedIn.member_id))
    )
    member_id = ended.scalar_one_or_none()
    if member_id is not None:
        audit.record(
            session, actor, "identity.session_ended", kind="session", id=session_id, now=now, on_behalf_of=member_id
        )


async def end_all_sessions(
    session: AsyncSession, community_id: int, member_id: UUID, *, ended_by: UUID, now: datetime, but: UUID | None = None
) -> int:
    """End every session of a person, `but` one if it is named; answers how many there were. The caller writes the audit line."""
    of_member = [
        col(SignedIn.community_id) == community_id,
        col(SignedIn.member_id) == member_id,
        col(SignedIn.ended_at).is_(None),
    ]
    if but is not None:
        of_member.append(col(SignedIn.session_id) != but)
    ended = await session.execute(
        sa.update(SignedIn)
        .where(*of_member)
        .values(ended_at=now, ended_by=ended_by)
        .returning(col(SignedIn.session_id))
    )
    return len(ended.all())


async def end_sessions_of(session: AsyncSession, *, actor: Actor, member_id: UUID, now: datetime) -> None:
    """End every session of a person at once: a lost phone, a changed secret."""
    await end_all_sessions(session, actor.community_id, member_id, ended_by=actor.member_id, now=now)
    audit.record(session, actor, "identity.sessions_ended", kind="member", id=member_id, now=now)


async def end_other_sessions(session: AsyncSession, *, actor: Actor, now: datetime) -> int:
    """Sign oneself out everywhere but here; answers on how many devices."""
    ended = await end_all_sessions(
        session, actor.community_id, actor.member_id, ended_by=actor.member_id, now=now, but=actor.session_id
    )
    audit.record(
        session,
        actor,
        "identity.other_sessions_ended",
        kind="session",
        id=actor.session_id,
        now=now,
        detail={"sessions": ended},
    )
    return ended


async def renew_session(session: AsyncSession, *, actor: Actor, now: datetime) -> Entrance:
    """Another token for the session that asks, which otherwise goes on as it was; the token before opens nothing.

    Raises NotSignedIn when the session ended meanwhile.
    """
    token = secrets.token_urlsafe(32)
    renewed = await session.execute(
        sa.update(SignedIn)
        .where(
            col(SignedIn.community_id) == actor.community_id,
            col(SignedIn.session_id) == actor.session_id,
            col(SignedIn.ended_at).is_(None),
            col(SignedIn.expires_at) > now,
        )
        .values(token_hash=keyring(session).token_hash(token))
        .returning(col(SignedIn.expires_at), col(SignedIn.is_shared))
    )
    row = renewed.one_or_none()
    if row is None:
        raise NotSignedIn
    expires_at, is_shared = row
    return Entrance(
        f"{actor.community_id}.{token}", expires_at, actor.community_id, actor.member_id, is_shared=is_shared
    )


def network_index(keys: Keyring, network: str | None) -> bytes | None:
    """What is kept of a network: equal ones meet, none can be read back."""
    return keys.blind("network", network) if network else None
