"""Ways in and out: secrets, activation codes, sessions, and the count of wrong tries."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import anyio.to_thread
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import community
from service.identity.actions_sessions import Entrance, end_all_sessions, enter
from service.identity.hashing import hash_of, matches
from service.identity.rules import (
    ADDRESS_TRIES_MAX,
    SECRET_TRIES_MAX,
    SECRET_TRIES_MINUTES,
    ActivationSpent,
    ChooseCommunity,
    SignInRefused,
    TooManyTries,
    check_secret,
    normal_card,
    normal_phone,
)
from service.identity.tables import Activation, Login, Member, MemberSecret, SignInTry
from service.kit import audit
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import Sessions, keyring, transaction

ACTIVATION_DAYS = 180
CANDIDATES_MAX = 5
"""So many communities may know the same number; each costs one slow hash."""


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """Verified when a number is unknown, so that the answer takes as long as for a known one."""
    return hash_of(secrets.token_hex(16))


async def knows_secret(sessions: Sessions, community_id: int, member_id: UUID, secret: str) -> bool:
    """Whether this is the person's PIN. It counts no tries: whoever asks has to. No connection is held while it works."""
    async with transaction(sessions) as session:
        row = await session.get(MemberSecret, (community_id, member_id))
        kept = row.secret_hash if row else None
    fits = await anyio.to_thread.run_sync(matches, kept or _nobodys_hash(), secret[:200])
    return fits and kept is not None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody whom the typed number may mean."""

    community_id: int
    member_id: UUID
    secret_hash: str | None


NOBODY = Candidate(0, UUID(int=0), None)
"""Stands for whoever an unknown number might have meant: costs the same hash and opens nothing."""


async def count_try(session: AsyncSession, subjects: Sequence[tuple[bytes, int]], now: datetime) -> int:
    """Count one try for a number and its address, each with its limit, before any secret is looked at.

    Raises TooManyTries when a limit is passed, else answers how many tries are left. The caller commits this on its
    own: a refused sign-in must not undo the count.
    """
    width = timedelta(minutes=SECRET_TRIES_MINUTES)
    window = datetime.fromtimestamp(now.timestamp() // width.total_seconds() * width.total_seconds(), tz=now.tzinfo)
    left: list[int] = []
    # In one order, so that two tries that share a subject never wait for each other crosswise.
    for subject, most in sorted(subjects):
        counted = await session.execute(
            insert(SignInTry)
            .values(subject=subject, window_at=window, tries=1)
            .on_conflict_do_update(index_elements=["subject", "window_at"], set_={"tries": col(SignInTry.tries) + 1})
            .returning(col(SignInTry.tries))
        )
        left.append(most - counted.scalar_one())
    if min(left) < 0:
        raise TooManyTries(SECRET_TRIES_MINUTES)
    return min(left)


async def forget_tries(session: AsyncSession, subject: bytes, now: datetime) -> None:
    """A right secret clears the number's count, and old windows are swept on the way."""
    await session.execute(
        sa.delete(SignInTry).where(
            sa.or_(
                col(SignInTry.subject) == subject,
                col(SignInTry.window_at) < now - timedelta(minutes=4 * SECRET_TRIES_MINUTES),
            )
        )
    )


async def candidates(session: AsyncSession, typed: str) -> Sequence[Candidate]:
    """Whom a typed phone number or card number may mean, with the hash of the secret that proves it."""
    keys = keyring(session)
    phone, card = normal_phone(typed), normal_card(typed)
    ways: list[sa.ColumnElement[bool]] = []
    if phone is not None:
        login = sa.select(col(Login.login_id)).where(col(Login.phone_index) == keys.blind("phone", phone))
        ways.append(col(Member.login_id).in_(login))
    if card is not None:
        ways.append(col(Member.card_no) == card)
    if not ways:
        return []
    rows = await session.execute(
        sa.select(col(Member.community_id), col(Member.member_id), col(MemberSecret.secret_hash))
        .outerjoin(
            MemberSecret,
            sa.and_(
                col(MemberSecret.community_id) == col(Member.community_id),
                col(MemberSecret.member_id) == col(Member.member_id),
            ),
        )
        .where(sa.or_(*ways), col(Member.closed_at).is_(None))
        .order_by(col(Member.community_id))
        .limit(CANDIDATES_MAX)
    )
    return [Candidate(*row) for row in rows]


async def sign_in(
    sessions: Sessions,
    keys: Keyring,
    *,
    typed: str,
    secret: str,
    address: str,
    device: str,
    is_shared: bool,
    now: datetime,
    community_id: int | None = None,
) -> Entrance:
    """Open a session for whoever knows the secret of the typed number; raises SignInRefused or TooManyTries.

    A number may be known in several communities, of one person or of two. When the secret fits in more than one of them,
    nobody is guessed to be meant: ChooseCommunity asks, and the next try names the community.

    Counting, looking and entering are three transactions: the count must survive the refusal, and no connection is held
    while the slow hash runs.
    """
    number = keys.blind("try", normal_phone(typed) or normal_card(typed) or typed[:64])
    async with transaction(sessions) as session:
        left = await count_try(
            session, [(number, SECRET_TRIES_MAX), (keys.blind("try-address", address), ADDRESS_TRIES_MAX)], now
        )
    async with transaction(sessions) as session:
        whom = await candidates(session, typed)
    proven = []
    for candidate in [one for one in whom if community_id in (None, one.community_id)] or [NOBODY]:
        secret_hash = candidate.secret_hash or _nobodys_hash()
        fits = await anyio.to_thread.run_sync(matches, secret_hash, secret[:200])
        if fits and candidate.secret_hash:
            proven.append(candidate)
    if not proven:
        raise SignInRefused(max(0, left))
    async with transaction(sessions) as session:
        if len({one.community_id for one in proven}) > 1:
            raise ChooseCommunity(
                {str(one.community_id): (await community(session, one.community_id)).name for one in proven}
            )
        await forget_tries(session, number, now)
        return await enter(
            session,
            proven[0].community_id,
            proven[0].member_id,
            device=device,
            is_shared=is_shared,
            now=now,
            network=address,
        )


async def find_activation(session: AsyncSession, code: str, now: datetime) -> Activation:
    """The living activation behind a typed or scanned code; raises ActivationSpent."""
    number, _, word = code.strip().upper().partition("-")
    word = word.replace("-", "").replace(" ", "")  # printed in groups of four
    if not number.isdecimal() or not number.isascii() or len(number) > 18 or not word:
        raise ActivationSpent
    row = await session.get(Activation, (int(number), keyring(session).token_hash(word)), with_for_update=True)
    if row is None or row.used_at is not None or row.expires_at <= now:
        raise ActivationSpent
    return row


async def activate(
    session: AsyncSession,
    *,
    code: str,
    secret: str,
    device: str,
    is_shared: bool,
    now: datetime,
    network: str | None = None,
) -> Entrance:
    """Spend an activation code: set the person's secret, end whatever sessions there were, and let them in.

    A code is given to somebody who lost a phone or forgot a PIN: whoever has the phone now must be out.
    """
    check_secret(secret, is_pin=True)
    row = await find_activation(session, code, now)
    row.used_at = now
    await set_secret(session, community_id=row.community_id, member_id=row.member_id, secret=secret, now=now)
    await end_all_sessions(session, row.community_id, row.member_id, ended_by=row.member_id, now=now)
    return await enter(
        session, row.community_id, row.member_id, device=device, is_shared=is_shared, now=now, network=network
    )


async def activate_from(
    sessions: Sessions,
    keys: Keyring,
    *,
    code: str,
    secret: str,
    address: str,
    device: str,
    is_shared: bool,
    now: datetime,
) -> Entrance:
    """Count the try at its address, then activate: the count must survive a refusal. Raises TooManyTries as well."""
    async with transaction(sessions) as counting:
        await count_try(counting, [(keys.blind("try-address", address), ADDRESS_TRIES_MAX)], now)
    async with transaction(sessions) as session:
        return await activate(
            session, code=code, secret=secret, device=device, is_shared=is_shared, now=now, network=address
        )


async def change_own_secret(
    sessions: Sessions, keys: Keyring, *, actor: Actor, old: str, secret: str, now: datetime
) -> None:
    """Count the try of whoever is signed in, then set another PIN: the count must survive a refusal."""
    async with transaction(sessions) as counting:
        left = await count_try(counting, [(keys.blind("try-member", actor.member_id.hex), SECRET_TRIES_MAX)], now)
    async with transaction(sessions) as session:
        await change_secret(session, actor=actor, old=old, secret=secret, tries_left=left, now=now)


async def set_secret(session: AsyncSession, *, community_id: int, member_id: UUID, secret: str, now: datetime) -> None:
    """Set a person's PIN; the old one is worth nothing from here on."""
    secret_hash = await anyio.to_thread.run_sync(hash_of, secret)
    await session.execute(
        insert(MemberSecret)
        .values(community_id=community_id, member_id=member_id, secret_hash=secret_hash, set_at=now)
        .on_conflict_do_update(
            index_elements=["community_id", "member_id"], set_={"secret_hash": secret_hash, "set_at": now}
        )
    )
    audit.record(
        session,
        None,
        "identity.secret_set",
        kind="member",
        id=member_id,
        now=now,
        community_id=community_id,
        on_behalf_of=member_id,
    )


async def change_secret(
    session: AsyncSession, *, actor: Actor, old: str, secret: str, tries_left: int, now: datetime
) -> None:
    """Set another PIN for somebody who knows the old one; every other session of theirs ends."""
    check_secret(secret, is_pin=True)
    row = await session.get(MemberSecret, (actor.community_id, actor.member_id))
    fits = await anyio.to_thread.run_sync(matches, row.secret_hash if row else _nobodys_hash(), old[:200])
    if row is None or not fits:
        raise SignInRefused(tries_left)
    await set_secret(session, community_id=actor.community_id, member_id=actor.member_id, secret=secret, now=now)
    await end_all_sessions(
        session, actor.community_id, actor.member_id, ended_by=actor.member_id, now=now, but=actor.session_id
    )
