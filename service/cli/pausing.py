"""read-only: let every process of the installation read and nobody write, and back."""

import argparse
from typing import Any

from service import communities
from service.cli.places import database, keys, opened, run, say
from service.kit import audit
from service.kit.clock import system_clock
from service.kit.db import open_connection
from service.kit.read_only import SETTLED_WITHIN_SECONDS, is_switched_on, throw_switch
from service.kit.settings import Settings


def add_to(commands: Any) -> None:
    """The commands of this module."""
    command = commands.add_parser("read-only", help="let the running service read and not write, or write again")
    command.add_argument("word", choices=("on", "off", "status"), help="what to do")
    command.add_argument(
        "--settle",
        type=float,
        default=SETTLED_WITHIN_SECONDS,
        metavar="SECONDS",
        help="how long work under way may take before it is cut",
    )
    command.set_defaults(do=switch)


def switch(chosen: argparse.Namespace) -> int:
    """Throw the switch that all processes obey. The act stands in every community's log, before and after."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def note(*, on: bool) -> None:
            async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
                for one in await communities.communities(session):
                    audit.record(
                        session,
                        None,
                        "kit.read_only_on" if on else "kit.read_only_off",
                        kind="community",
                        id=one.community_id,
                        now=system_clock(),
                        community_id=one.community_id,
                    )

        async def work() -> str:
            connection = await open_connection(place.app_url)
            try:
                is_on = await is_switched_on(connection)
                if chosen.word == "status" or is_on == (chosen.word == "on"):
                    return f"read-only is {'on' if is_on else 'off'}"
                if chosen.word == "on":
                    await note(on=True)
                ended = await throw_switch(connection, on=chosen.word == "on", settled_within=chosen.settle)
            finally:
                await connection.close()
            if chosen.word == "off":
                await note(on=False)
            return f"read-only is {chosen.word}; {ended} sessions began anew"

        say(run(work()))
    return 0
