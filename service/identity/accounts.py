"""What the accounts of the books are called: the chart knows kinds, and only here are people known behind a code."""

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import communities, organisations_by_ids
from service.identity.queries import people_by_ids
from service.kit.i18n import translate

HEX_LENGTH = 32
"""An id in an account code has no dashes."""
KINDS_WITH_OWNERS = ("member", "group", "merchant", "budget", "giver")


async def account_names(session: AsyncSession, community_id: int, codes: Collection[str]) -> Mapping[str, str]:
    """What account codes are called: card number and masked name, the shop's name, or the chart's own word."""
    people: dict[str, UUID] = {}
    places: dict[str, UUID] = {}
    for code in set(codes):
        kind, _, owner = code.partition(":")
        if kind in KINDS_WITH_OWNERS and len(owner) == HEX_LENGTH:
            (people if kind in ("member", "group") else places)[code] = UUID(hex=owner)
    persons = await people_by_ids(session, community_id, set(people.values()))
    shops = await organisations_by_ids(session, community_id, set(places.values()))
    partners = {code: int(owner) for code in codes if (owner := _partner(code))}
    neighbours = {one.community_id: one.name for one in await communities(session)} if partners else {}
    names: dict[str, str] = {}
    for code in codes:
        kind = code.partition(":")[0]
        if code in people and people[code] in persons:
            names[code] = f"{persons[people[code]].card_no} {persons[people[code]].masked}"
        elif code in places and places[code] in shops:
            names[code] = f"{translate(f'account.{kind}')} {shops[places[code]].name}"
        elif code in partners and partners[code] in neighbours:
            names[code] = f"{translate(f'account.{kind}')} {neighbours[partners[code]]}"
        else:
            key = f"account.{code}"
            word = translate(key)
            names[code] = code if word == key else word
    return names


def _partner(code: str) -> str:
    """The number of the community that a clearing account is with."""
    kind, _, number = code.partition(":")
    return number if kind == "clearing" and number.isdecimal() else ""
