"""What the references of the neighbour exchange stand for: what it was about, who helped whom, and its page."""

import re
from collections.abc import Collection, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import people_by_ids
from service.kit.i18n import _

_EXCHANGE = re.compile(r"exchange:([0-9a-f-]{36}):(?:accepted|confirmed|returned)")
_GIFT = re.compile(r"exchange\.gift:([0-9a-f-]{36})")
_GIFTS = sa.text(
    "SELECT gift_id, giver_id, receiver_id FROM exchange_gift WHERE community_id = :community_id AND gift_id = ANY(:ids)"
)
_ROWS = sa.text("""
SELECT x.exchange_id, l.title, x.helper_id, x.payer_id
  FROM exchange x JOIN exchange_listing l ON l.community_id = x.community_id AND l.listing_id = x.listing_id
 WHERE x.community_id = :community_id AND x.exchange_id = ANY(:ids)
""")


async def exchanges(
    session: AsyncSession, community_id: int, references: Collection[str]
) -> Mapping[str, tuple[str, str]]:
    """Title and page by reference, in two queries; none where nobody exchanged. Names are masked."""
    found = {reference: UUID(match[1]) for reference in references if (match := _EXCHANGE.fullmatch(reference))}
    given = await _gifts(session, community_id, references)
    if not found:
        return given
    rows = (await session.execute(_ROWS, {"community_id": community_id, "ids": sorted(set(found.values()))})).all()
    people = await people_by_ids(session, community_id, {one for row in rows for one in row[2:]})
    told = {
        number: (
            _("{title}（{helper}帮{payer}）").format(
                title=title, helper=people[helper].masked, payer=people[payer].masked
            ),
            f"/exchange/{number}",
        )
        for number, title, helper, payer in rows
    }
    return given | {reference: told[number] for reference, number in found.items() if number in told}


async def _gifts(session: AsyncSession, community_id: int, references: Collection[str]) -> dict[str, tuple[str, str]]:
    found = {UUID(match[1]): reference for reference in references if (match := _GIFT.fullmatch(reference))}
    if not found:
        return {}
    rows = (await session.execute(_GIFTS, {"community_id": community_id, "ids": sorted(found)})).all()
    people = await people_by_ids(session, community_id, {one for row in rows for one in row[1:]})
    return {
        found[number]: (
            _("{giver}送给{receiver}").format(giver=people[giver].masked, receiver=people[receiver].masked),
            "/exchange/gifts",
        )
        for number, giver, receiver in rows
    }
