"""Asking whether a card number and a name belong together in another community: counted, so that nobody tries them out."""

from datetime import datetime

from service.clearing.rules import LOOKS_MAX, TooManyLooks
from service.identity import TooManyTries, count_try
from service.kit.access import Actor
from service.kit.db import Sessions, keyring, transaction


async def count_look(sessions: Sessions, actor: Actor, now: datetime) -> None:
    """Count one look of this person in a transaction of its own, which no refusal undoes. Comes before any other query."""
    async with transaction(sessions) as session:
        subject = keyring(session).blind("clearing-look", f"{actor.community_id}:{actor.member_id.hex}")
        try:
            await count_try(session, [(subject, LOOKS_MAX)], now)
        except TooManyTries as tries:
            raise TooManyLooks(tries.minutes) from tries
