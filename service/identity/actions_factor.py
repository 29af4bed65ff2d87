"""The second factor: enrolled in two steps, given before acts, ended by its owner. The desk's part is in `actions_removal`.

Every code is counted in a transaction of its own before it is looked at: tries that come at once are looked at one by one
and no more than allowed, and a refusal never takes its count back.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import anyio.to_thread
import pyotp
import sqlalchemy as sa
from pyotp.utils import strings_equal
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.identity.actions_sessions import Entrance, renew_session
from service.identity.actions_sign_in import count_try, knows_secret
from service.identity.hashing import hash_of, matches
from service.identity.queries_factor import factor_of, held_by
from service.identity.rules import SECRET_TRIES_MAX, SignInRefused
from service.identity.rules_factor import (
    ENROL_MINUTES,
    RECOVERY_CODES,
    RECOVERY_LENGTH,
    RECOVERY_LETTERS,
    CodesTooMany,
    CodeUsed,
    CodeWrong,
    EnrolmentOver,
    FactorHeld,
    NoFactor,
    TypedCode,
    printed,
    read_code,
    steps_around,
)
from service.identity.tables_factor import RecoveryCode, SecondFactor, SessionProof
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.crypto import Keyring
from service.kit.db import Sessions, keyring, transaction
from service.kit.ids import new_id

ISSUER = "Linli"
TOLD_AFTER = 5
"""So many wrong codes in a row, and their owner is told: somebody else may know the PIN."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs, shown once: as text to type and as the address inside the code to scan."""

    secret: str
    uri: str


def _context(community_id: int, member_id: UUID) -> str:
    return f"second_factor:{community_id}:{member_id.hex}:secret"


async def start_enrolment(sessions: Sessions, keys: Keyring, *, actor: Actor, secret: str, now: datetime) -> Enrolment:
    """Show a fresh secret to whoever knows the PIN; it counts for nothing until a first code proves that it was kept.

    The PIN is asked for, so that a stolen session cannot enrol the thief's authenticator.
    """
    async with transaction(sessions) as counting:
        left = await count_try(counting, [(keys.blind("try-member", actor.member_id.hex), SECRET_TRIES_MAX)], now)
    if not await knows_secret(sessions, actor.community_id, actor.member_id, secret):
        raise SignInRefused(left)
    fresh = pyotp.random_base32()
    sealed = keys.seal(fresh, _context(actor.community_id, actor.member_id))
    async with transaction(sessions) as session:
        # The row of somebody who began before is taken over; one that is confirmed stays as it is.
        row = insert(SecondFactor).values(
            community_id=actor.community_id,
            factor_id=new_id(),
            member_id=actor.member_id,
            secret_sealed=sealed,
            started_at=now,
            last_step=0,
            wrong_codes=0,
        )
        begun = await session.execute(
            row.on_conflict_do_update(
                index_elements=["community_id", "member_id"],
                index_where=sa.text("ended_at IS NULL"),
                set_={"secret_sealed": sealed, "started_at": now, "wrong_codes": 0, "next_try_at": None},
                where=col(SecondFactor.confirmed_at).is_(None),
            ).returning(col(SecondFactor.factor_id))
        )
        if begun.scalar_one_or_none() is None:
            raise FactorHeld
    uri = pyotp.TOTP(fresh).provisioning_uri(name=actor.card_no, issuer_name=f"{ISSUER} {actor.community_name}")
    return Enrolment(fresh, uri)


async def confirm_enrolment(
    sessions: Sessions, *, actor: Actor, code: str, now: datetime
) -> tuple[Entrance, Sequence[str]]:
    """Make the secret that was shown the second factor, once a code proves it; answers the ten recovery codes, once."""
    typed = read_code(code)
    await _count(sessions, actor, now)
    async with transaction(sessions) as session:
        pending = await factor_of(session, actor.community_id, actor.member_id)
        if pending is None:
            raise EnrolmentOver
        if pending.confirmed_at is not None:
            raise FactorHeld
        if pending.started_at <= now - timedelta(minutes=ENROL_MINUTES):
            raise EnrolmentOver
        sealed, step = pending.secret_sealed, _step(keyring(session), pending, typed, now)
    if step is None:
        raise CodeWrong
    codes, hashes = await anyio.to_thread.run_sync(_recovery_codes)
    async with transaction(sessions) as session:
        # What was shown last is what is confirmed, and once: another device may be at the same step.
        done = await session.execute(
            sa.update(SecondFactor)
            .where(
                held_by(actor.community_id, actor.member_id),
                col(SecondFactor.confirmed_at).is_(None),
                col(SecondFactor.secret_sealed) == sealed,
            )
            .values(confirmed_at=now, last_step=step, wrong_codes=0, next_try_at=None)
            .returning(col(SecondFactor.factor_id))
        )
        factor_id = done.scalar_one_or_none()
        if factor_id is None:
            raise EnrolmentOver
        await _keep_codes(session, actor, factor_id, hashes, now)
        _note(session, actor, "identity.factor_set", factor_id, now)
        outbox.record(
            session, facts.SecondFactorSet(community_id=actor.community_id, member_id=actor.member_id), now=now
        )
        return await _prove(session, actor, factor_id, now), codes


async def prove(sessions: Sessions, *, actor: Actor, code: str, now: datetime) -> Entrance:
    """Take a code for this session: its acts pass for some hours. The session gets a fresh token."""
    factor_id, spend = await _looked_at(sessions, actor, code, now)
    async with transaction(sessions) as session:
        await _spend(session, actor, factor_id, spend, now)
        _note(session, actor, "identity.code_given", factor_id, now)
        return await _prove(session, actor, factor_id, now)


async def new_recovery_codes(
    sessions: Sessions, *, actor: Actor, code: str, now: datetime
) -> tuple[Entrance, Sequence[str]]:
    """Ten other recovery codes for whoever gives a code; the ten before are worth nothing."""
    factor_id, spend = await _looked_at(sessions, actor, code, now)
    codes, hashes = await anyio.to_thread.run_sync(_recovery_codes)
    async with transaction(sessions) as session:
        await _spend(session, actor, factor_id, spend, now)
        await _keep_codes(session, actor, factor_id, hashes, now)
        _note(session, actor, "identity.recovery_codes_made", factor_id, now)
        return await _prove(session, actor, factor_id, now), codes


async def give_up(sessions: Sessions, *, actor: Actor, code: str, now: datetime) -> None:
    """End one's own second factor with a code: another phone is enrolled after that."""
    factor_id, spend = await _looked_at(sessions, actor, code, now)
    async with transaction(sessions) as session:
        await _spend(session, actor, factor_id, spend, now)
        await end_factor(session, actor=actor, member_id=actor.member_id, factor_id=factor_id, now=now)


async def end_factor(session: AsyncSession, *, actor: Actor, member_id: UUID, factor_id: UUID, now: datetime) -> None:
    """End a second factor and forget its secret; the owner is told. Raises NoFactor when it ended before."""
    ended = await session.execute(
        sa.update(SecondFactor)
        .where(held_by(actor.community_id, member_id), col(SecondFactor.factor_id) == factor_id)
        .values(ended_at=now, ended_by=actor.member_id, secret_sealed=None)
        .returning(col(SecondFactor.factor_id))
    )
    if ended.scalar_one_or_none() is None:
        raise NoFactor
    audit.record(
        session, actor, "identity.factor_ended", kind="second_factor", id=factor_id, now=now, on_behalf_of=member_id
    )
    outbox.record(session, facts.SecondFactorEnded(community_id=actor.community_id, member_id=member_id), now=now)


@dataclass(frozen=True, slots=True)
class _Spend:
    """A right code that is not spent yet: the step of an authenticator's, or a recovery code's number and hash."""

    step: int | None = None
    number: int | None = None
    code_hash: str = ""


async def _looked_at(sessions: Sessions, actor: Actor, code: str, now: datetime) -> tuple[UUID, _Spend]:
    """Count the try, then look at the code; raises CodeWrong, CodesTooMany or NoFactor. Nothing is spent yet."""
    typed = read_code(code)
    await _count(sessions, actor, now)
    async with transaction(sessions) as session:
        factor = await factor_of(session, actor.community_id, actor.member_id)
        if factor is None or factor.confirmed_at is None:
            raise NoFactor
        factor_id = factor.factor_id
        if typed.digits is not None:
            step = _step(keyring(session), factor, typed, now)
            if step is None:
                raise CodeWrong
            return factor_id, _Spend(step=step)
        kept = await session.get(RecoveryCode, (actor.community_id, factor_id, typed.number))
        code_hash = kept.code_hash if kept is not None else ""
    # No connection is held while the slow hash runs.
    if not await anyio.to_thread.run_sync(matches, code_hash, typed.letters):
        raise CodeWrong
    return factor_id, _Spend(number=typed.number, code_hash=code_hash)


def _step(keys: Keyring, factor: SecondFactor, typed: TypedCode, now: datetime) -> int | None:
    """The step of time that a typed code belongs to, or None when it is no code of now."""
    assert factor.secret_sealed is not None, "only a factor that is not ended is asked"
    if typed.digits is None:
        return None
    totp = pyotp.TOTP(keys.open(factor.secret_sealed, _context(factor.community_id, factor.member_id)))
    fitting = [step for step in steps_around(now) if strings_equal(typed.digits, totp.generate_otp(step))]
    return fitting[-1] if fitting else None


async def _spend(session: AsyncSession, actor: Actor, factor_id: UUID, spend: _Spend, now: datetime) -> None:
    """Let a code count once: of two who bring the same one, the row lets the first pass. Raises CodeUsed."""
    if spend.step is not None:
        spent = await session.execute(
            sa.update(SecondFactor)
            .where(
                held_by(actor.community_id, actor.member_id),
                col(SecondFactor.factor_id) == factor_id,
                col(SecondFactor.last_step) < spend.step,
            )
            .values(last_step=spend.step)
            .returning(col(SecondFactor.factor_id))
        )
    else:
        spent = await session.execute(
            sa.update(RecoveryCode)
            .where(
                col(RecoveryCode.community_id) == actor.community_id,
                col(RecoveryCode.factor_id) == factor_id,
                col(RecoveryCode.number) == spend.number,
                col(RecoveryCode.code_hash) == spend.code_hash,
                col(RecoveryCode.used_at).is_(None),
            )
            .values(used_at=now)
            .returning(col(RecoveryCode.factor_id))
        )
    if spent.scalar_one_or_none() is None:
        raise CodeUsed


_HERE = """
UPDATE session_proof AS c SET {set}
  FROM second_factor AS f
 WHERE c.community_id = :community_id AND c.session_id = :session_id AND f.community_id = c.community_id
   AND f.factor_id = c.factor_id AND f.member_id = :member_id AND f.ended_at IS NULL
   AND (c.next_try_at IS NULL OR c.next_try_at <= :now)
RETURNING c.wrong_codes"""
_ANYWHERE = """
UPDATE second_factor AS c SET {set}
 WHERE c.community_id = :community_id AND c.member_id = :member_id AND c.ended_at IS NULL
   AND (c.next_try_at IS NULL OR c.next_try_at <= :now)
RETURNING c.wrong_codes"""
# Four are free; the fifth makes wait one minute, each further one twice as long, four hours at most.
_ONE_MORE = (
    "wrong_codes = least(c.wrong_codes + 1, 100), next_try_at = CASE WHEN c.wrong_codes < 4 THEN NULL"
    " ELSE :now + least(power(2, least(c.wrong_codes - 4, 8)), 240) * interval '1 minute' END"
)
_COUNT_HERE, _COUNT_ANYWHERE = (sa.text(one.format(set=_ONE_MORE)) for one in (_HERE, _ANYWHERE))
_NEXT_TRY = sa.text("""
SELECT f.next_try_at AS anywhere, p.next_try_at AS here, p.session_id IS NOT NULL AS is_known
  FROM second_factor f
  LEFT JOIN session_proof p ON p.community_id = f.community_id AND p.factor_id = f.factor_id AND p.session_id = :session_id
 WHERE f.community_id = :community_id AND f.member_id = :member_id AND f.ended_at IS NULL""")


async def _count(sessions: Sessions, actor: Actor, now: datetime) -> None:
    """Count one try before it is looked at; a right one clears the count. Raises CodesTooMany while it has to wait.

    A session that gave a right code before counts for itself. All others of a person are counted together: a thief who
    knows the PIN makes only sessions like his wait, and not for good.
    """
    who = {
        "community_id": actor.community_id,
        "member_id": actor.member_id,
        "session_id": actor.session_id,
        "now": now,
    }
    async with transaction(sessions) as session:
        state = (await session.execute(_NEXT_TRY, who)).one_or_none()
        if state is None:
            return  # nothing to guess at
        counted = await session.execute(_COUNT_HERE if state.is_known else _COUNT_ANYWHERE, who)
        wrong = counted.scalar_one_or_none()
        if wrong is None:
            until = (state.here if state.is_known else state.anywhere) or now
            raise CodesTooMany(max(1, -int((now - until).total_seconds() // 60)))
        if wrong == TOLD_AFTER:
            outbox.record(
                session, facts.CodesGuessed(community_id=actor.community_id, member_id=actor.member_id), now=now
            )


async def _prove(session: AsyncSession, actor: Actor, factor_id: UUID, now: datetime) -> Entrance:
    """Note that this session gave a code, clear the count that it was under, and give the session a fresh token."""
    known = await session.get(SessionProof, (actor.community_id, actor.session_id))
    if known is None or known.factor_id != factor_id:
        await session.execute(
            sa.update(SecondFactor)
            .where(held_by(actor.community_id, actor.member_id), col(SecondFactor.factor_id) == factor_id)
            .values(wrong_codes=0, next_try_at=None)
        )
    fresh = {"factor_id": factor_id, "proven_at": now, "wrong_codes": 0, "next_try_at": None}
    await session.execute(
        insert(SessionProof)
        .values(community_id=actor.community_id, session_id=actor.session_id, **fresh)
        .on_conflict_do_update(constraint="pk_session_proof", set_=fresh)
    )
    return await renew_session(session, actor=actor, now=now)


def _recovery_codes() -> tuple[list[str], list[str]]:
    """Ten codes as they are printed, and their hashes. Run it in a thread."""
    letters = ["".join(secrets.choice(RECOVERY_LETTERS) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
    return [printed(number, one) for number, one in enumerate(letters)], [hash_of(one) for one in letters]


async def _keep_codes(
    session: AsyncSession, actor: Actor, factor_id: UUID, hashes: Sequence[str], now: datetime
) -> None:
    rows = [
        {
            "community_id": actor.community_id,
            "factor_id": factor_id,
            "number": number,
            "code_hash": code_hash,
            "made_at": now,
        }
        for number, code_hash in enumerate(hashes)
    ]
    made = insert(RecoveryCode).values(rows)
    await session.execute(
        made.on_conflict_do_update(
            constraint="pk_recovery_code",
            set_={"code_hash": made.excluded.code_hash, "made_at": now, "used_at": None},
        )
    )


def _note(session: AsyncSession, actor: Actor, action: str, factor_id: UUID, now: datetime) -> None:
    audit.record(session, actor, action, kind="second_factor", id=factor_id, now=now)
