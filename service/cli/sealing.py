"""seal, leaves: sealing the books from the server, and giving them away to be checked."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ledger
from service import communities, seals
from service.cli.places import CommandRefused, database, keys, opened, run, say
from service.kit.db import Sessions
from service.kit.sealing import publish
from service.kit.settings import Settings


def add_to(commands: Any) -> None:
    """The commands of this module."""
    seal = commands.add_parser("seal", help="read on, seal the books of every community, and publish the seals")
    seal.add_argument("--community", type=int, help="one community only")
    seal.set_defaults(do=seal_books)
    leaves = commands.add_parser("leaves", help="write every entry that a seal closed into a file for linli-check")
    leaves.add_argument("file", type=Path)
    leaves.add_argument("--community", type=int, required=True)
    leaves.add_argument("--seal", type=int, help="the seal's number; default: the newest")
    leaves.set_defaults(do=write_leaves)


def seal_books(chosen: argparse.Namespace) -> int:
    """Exit code 0 when everything is sealed, 1 when a book is not what it was and the alarm is raised."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def work() -> int:
            troubles = 0
            async with opened(place, keyring) as (_, sessions):
                async with sessions() as session:
                    founded = [one.community_id for one in await communities.communities(session)]
                if chosen.community is not None and chosen.community not in founded:
                    raise CommandRefused(f"there is no community {chosen.community} here")
                for number in founded if chosen.community is None else [chosen.community]:
                    troubles += await _sealed(sessions, number)
            return troubles

        return 1 if run(work()) else 0


async def _sealed(sessions: Sessions, community_id: int) -> int:
    """Read on in batches, each in a transaction of its own, then seal. Answers 1 at a fault."""
    while True:
        async with sessions.begin() as session:
            growth = await seals.catch_up(session, community_id, now=datetime.now(UTC))
        if growth.fault is not None:
            say(f"{community_id}: ALARM {growth.fault}")
            return 1
        if growth.read == 0:
            break
    async with sessions.begin() as session:
        try:
            made = await seals.seal_now(session, community_id, actor=None, now=datetime.now(UTC))
        except ledger.NothingToSeal:
            say(f"{community_id}: nothing was ever posted")
            return 0
    if made.seal is None:
        say(f"{community_id}: ALARM {made.fault}")
        return 1
    async with sessions() as session:
        publish(session, made.seal)
    word = "sealed" if made.is_new else "nothing new since"
    say(f"{community_id}: {word} seal {made.seal.number}, {made.seal.size} transfers, root {made.seal.root.hex()}")
    return 0


def write_leaves(chosen: argparse.Namespace) -> int:
    """Write the file whole or not at all; a file that is there is never overwritten."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def work() -> ledger.Seal:
            async with opened(place, keyring) as (_, sessions), sessions() as session:
                if chosen.seal is not None:
                    seal = await ledger.seal_by_number(session, chosen.community, chosen.seal)
                else:
                    newest = await ledger.last_seal(session, chosen.community)
                    if newest is None:
                        raise CommandRefused(f"community {chosen.community} has no seal yet; `linli seal` makes one")
                    seal = newest
                draft = chosen.file.with_name(chosen.file.name + ".part")
                with draft.open("xb") as file:
                    async for part in ledger.leaves_file(session, seal):
                        file.write(part)
                draft.rename(chosen.file)
                return seal

        if chosen.file.exists():
            raise CommandRefused(f"{chosen.file} is there already")
        try:
            seal = run(work())
        except OSError as trouble:
            raise CommandRefused(f"{chosen.file} cannot be written: {trouble.strerror}") from trouble
    say(f"Wrote {seal.size} entries. Check them: python -I linli_check.py {chosen.file} SEAL.json")
    return 0
