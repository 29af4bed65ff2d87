"""verify: tells whether the books are whole."""

import argparse
from typing import Any

from service import communities
from service.cli.places import CommandRefused, database, keys, opened, run, say
from service.kit.settings import Settings
from service.wallet import verify_books


def add_to(commands: Any) -> None:
    """The commands of this module."""
    verify = commands.add_parser("verify", help="recompute the books and name the first fault of each kind")
    verify.add_argument("--community", type=int, help="one community only")
    verify.set_defaults(do=check)


def check(chosen: argparse.Namespace) -> int:
    """Exit code 0 when every book is whole, 1 when any is not."""
    settings = Settings()
    faults = 0
    with database(settings) as place:
        keyring = keys(settings)

        async def examine() -> int:
            count = 0
            async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
                founded = await communities.communities(session)
                if chosen.community is not None and chosen.community not in {one.community_id for one in founded}:
                    raise CommandRefused(f"there is no community {chosen.community} here")
                for one in founded:
                    if chosen.community in (None, one.community_id):
                        found = await verify_books(session, one.community_id)
                        count += len(found)
                        say(f"{one.community_id} {one.name}: {'whole' if not found else f'{len(found)} faults'}")
                        for fault in found:
                            say(f"  - {fault}")
            return count

        faults = run(examine())
    return 1 if faults else 0
