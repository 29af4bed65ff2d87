"""Who a session cookie belongs to."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from service.identity.queries import context
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import autocommit_connection
from service.kit.read_only import is_read_only

SEEN_EVERY = timedelta(hours=1)
COOKIE_LENGTH_MAX = 120

_SESSION = """
WITH who AS (
    SELECT s.community_id, s.session_id, s.member_id, s.seen_at
      FROM session AS s
     WHERE s.community_id = $1 AND s.token_hash = $2 AND s.ended_at IS NULL AND s.expires_at > $3
)"""
_NOTING = """, seen AS (
    UPDATE session AS s SET seen_at = $3 FROM who
     WHERE s.community_id = who.community_id AND s.session_id = who.session_id AND who.seen_at < $5
)"""
_PERSON = """
SELECT who.session_id, who.member_id, m.card_no, m.name_sealed, m.household_id, c.name AS community_name,
       c.phone AS community_phone,
       coalesce(array_agg(r.role) FILTER (WHERE r.role IS NOT NULL), '{}') AS roles,
       coalesce(array_agg(r.organisation_id) FILTER (WHERE r.organisation_id IS NOT NULL), '{}') AS organisations
  FROM who
  JOIN member AS m ON m.community_id = who.community_id AND m.member_id = who.member_id AND m.closed_at IS NULL
  JOIN community AS c ON c.community_id = who.community_id
  LEFT JOIN member_role AS r ON r.community_id = who.community_id AND r.member_id = who.member_id
       AND r.from_on <= $4 AND (r.until_on IS NULL OR r.until_on > $4)
 GROUP BY who.session_id, who.member_id, m.card_no, m.name_sealed, m.household_id, c.name, c.phone
"""
_WHO, _WHO_NOTED = _SESSION + _PERSON, _SESSION + _NOTING + _PERSON


def split_cookie(cookie: str) -> tuple[int, str] | None:
    """The community and the token of a session cookie, or None for anything that is not one of ours."""
    number, _, token = cookie.partition(".")
    if (
        len(cookie) > COOKIE_LENGTH_MAX
        or not (number.isascii() and number.isdecimal())
        or len(number) > 18
        or not token
    ):
        return None
    return int(number), token


async def actor_of_cookie(engine: AsyncEngine, keys: Keyring, cookie: str, now: datetime) -> Actor | None:
    """The person a cookie stands for today, with today's roles; None when the session ended or never was.

    One statement in autocommit; it also notes, at most once an hour, that the session is in use. Where nothing may be
    written it notes nothing: whoever is signed in goes on reading.
    """
    parts = split_cookie(cookie)
    if parts is None:
        return None
    community_id, token = parts
    async with autocommit_connection(engine) as connection:
        asked = (community_id, keys.token_hash(token), now, local_day(now))
        row = None
        may_note = not is_read_only(connection)
        if may_note:
            try:
                row = await connection.fetchrow(_WHO_NOTED, *asked, now - SEEN_EVERY)
            except asyncpg.ReadOnlySQLTransactionError:  # a pooler does not pass on what the server says
                may_note = False
        if not may_note:
            row = await connection.fetchrow(_WHO, *asked)
    if row is None:
        return None
    member_id: UUID = UUID(str(row["member_id"]))
    return Actor(
        community_id=community_id,
        community_name=row["community_name"],
        community_phone=row["community_phone"],
        member_id=member_id,
        card_no=row["card_no"],
        name=keys.open(row["name_sealed"], context(community_id, member_id, "name")),
        household_id=UUID(str(row["household_id"])) if row["household_id"] else None,
        session_id=UUID(str(row["session_id"])),
        roles=frozenset(Role(role) for role in row["roles"]),
        organisations=frozenset(UUID(str(item)) for item in row["organisations"]),
    )
