"""A member's vouchers as their own phone keeps them: enough to show the code for a day without a network."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import sessions_of
from service.kit.access import Actor
from service.vouchers.queries.catalogue import VoucherCard, vouchers_for
from service.vouchers.rules import Tab

WINDOWS = 6
"""Seeds of so many windows of four hours, this one among them: never more than a day."""
MARK_LETTERS = 24


@dataclass(frozen=True, slots=True)
class KeptCode:
    """A voucher and what its codes are made of."""

    card: VoucherCard
    keys: Sequence[int]
    seeds: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a phone may keep, for which session, and until when."""

    mark: str
    first_window: int
    until: datetime
    codes: Sequence[KeptCode]


async def kept_for(session: AsyncSession, keys: redemption.CodeKeys, actor: Actor, now: datetime) -> Kept | None:
    """The newest vouchers that can be used; nothing for a session on a shared device, which keeps nothing."""
    opened = await sessions_of(session, actor.community_id, actor.member_id, now)
    here = next((each for each in opened if each.session_id == actor.session_id), None)
    if here is None or here.is_shared:
        return None
    first = redemption.window_of(now)
    span = {"first_window": first, "count": WINDOWS}
    cards, _following = await vouchers_for(session, actor.community_id, actor.member_id, Tab.USABLE, now=now)
    numbers = redemption.key_numbers(keys, **span)
    codes = [
        KeptCode(
            card,
            numbers,
            redemption.seeds(
                keys,
                community_id=actor.community_id,
                voucher_id=card.voucher_id,
                code_seq=card.code_seq,
                **span,
            ),
        )
        for card in cards
        if card.is_usable
    ]
    ends = datetime.fromtimestamp((first + WINDOWS) * redemption.WINDOW_STEPS * redemption.STEP_SECONDS, UTC)
    # Which session it was, said so that nobody can tell more from it.
    mark = hashlib.sha256(b"linli wallet 1|" + actor.session_id.bytes).hexdigest()[:MARK_LETTERS]
    return Kept(mark, first, min(ends, here.expires_at, now + timedelta(days=1)), codes)
