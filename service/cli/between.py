"""clearing: what communities owe each other, both sides' books held side by side."""

import argparse
from typing import Any

from service import clearing, communities
from service.cli.places import CommandRefused, database, keys, opened, run, say
from service.kit.settings import Settings
from service.kit.words import hours, points


def add_to(commands: Any) -> None:
    """The command of this module."""
    between = commands.add_parser("clearing", help="show what communities owe each other, and whether both sides agree")
    between.add_argument("--community", type=int, help="one community and its partners only")
    between.set_defaults(do=compare)


def compare(chosen: argparse.Namespace) -> int:
    """Exit code 0 when every pair of books agrees, 1 when any does not; what is under way is no difference."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def examine() -> int:
            apart = 0
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                founded = {one.community_id: one.name for one in await communities.communities(session)}
                if chosen.community is not None and chosen.community not in founded:
                    raise CommandRefused(f"there is no community {chosen.community} here")
                for number in founded if chosen.community is None else [chosen.community]:
                    for one in await clearing.positions(session, number):
                        partner = founded.get(one.partner_id, str(one.partner_id))
                        say(f"{number} {founded[number]} and {one.partner_id} {partner}: {_owed(one)}")
                    for fault in await clearing.verify_positions(session, number):
                        say(f"  - {fault}")
                        apart += 1
            return apart

        return 1 if run(examine()) else 0


def _owed(one: clearing.Position) -> str:
    """A position in words."""

    def told(amount: int) -> str:
        return f"{hours(amount)} hours" if one.unit is clearing.Unit.MINUTE else f"{points(amount)} points"

    verdict = "agree" if one.mirrors else "DIFFER"
    return f"owes {told(one.owed)}, the other side says {told(-one.theirs)}, under way {told(one.under_way)}: {verdict}"
