"""init, migrate, upgrade, user, doctor: what is done before and between."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrations.runner import current, expected_head, upgrade
from service import communities, identity
from service.cli.copies import back_up
from service.cli.doctor import complaints
from service.cli.places import CommandRefused, Place, database, keys, opened, run, say
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.ids import new_id
from service.kit.settings import Settings


def add_to(commands: Any) -> None:
    """The commands of this module."""
    init = commands.add_parser("init", help="found the first community of a real installation and its administrator")
    init.add_argument("--number", type=int, required=True, help="the community's official 12-digit code")
    init.add_argument("--name", required=True)
    init.add_argument("--street", required=True)
    init.add_argument("--phone", required=True, help="the office's number, shown on every page")
    init.add_argument("--admin-name", required=True)
    init.add_argument("--admin-card", required=True, help="card number, for example 0012-0001")
    init.set_defaults(do=found)
    migrate = commands.add_parser("migrate", help="bring the database to this code's revision")
    migrate.set_defaults(do=migrate_only)
    up = commands.add_parser("upgrade", help="back up, then migrate")
    up.add_argument("--backup", type=Path, help="where to; default: beside the data folder, with today's date")
    up.set_defaults(do=upgrade_safely)
    user = commands.add_parser("user", help="a new one-time code for somebody who is locked out")
    user.add_argument("--community", type=int, required=True)
    user.add_argument("--card", required=True)
    user.set_defaults(do=let_in)
    doctor = commands.add_parser("doctor", help="say whether the database keeps what Linli promises")
    doctor.set_defaults(do=examine)


def found(chosen: argparse.Namespace) -> int:
    """Make keys and tables where they are missing, then the community and its administrator with a one-time code."""
    settings = Settings()
    card = identity.normal_card(chosen.admin_card)
    if card is None:
        raise CommandRefused("a card number looks like 0012-0001")
    with database(settings) as place:
        keyring = keys(settings, may_make=True)
        _migrate(place)
        code = run(_found(place, keyring, chosen, card))
    say(f"{chosen.name} is founded. {chosen.admin_name} opens {settings.origin}/activate and types this code once:")
    say(code)
    return 0


async def _found(place: Place, keyring: Keyring, chosen: argparse.Namespace, card: str) -> str:
    now = datetime.now(UTC)
    async with opened(place, keyring) as (_, sessions):
        async with sessions.begin() as session:
            await communities.found_community(
                session,
                number=chosen.number,
                name=chosen.name,
                street=chosen.street,
                street_code=str(chosen.number)[:9],
                phone=chosen.phone,
                now=now,
            )
        async with sessions.begin() as session:
            member_id = new_id()
            admin = identity.NewPerson(
                member_id, card, chosen.admin_name, roles=((Role.ADMIN, None), (Role.STAFF, None))
            )
            await identity.enrol_people(
                session, community_id=chosen.number, people=[admin], actor=None, day=local_day(now), now=now
            )
        async with sessions.begin() as session:
            codes = await identity.issue_activations(
                session, community_id=chosen.number, actor=None, member_ids=[member_id], now=now
            )
            return codes[member_id]


def _migrate(place: Place) -> None:
    if place.owner_url is None:
        raise CommandRefused("LINLI_OWNER_URL is needed to migrate")
    run(upgrade(place.owner_url))


def migrate_only(_: argparse.Namespace) -> int:
    """Bring the database to this code's revision."""
    with database(Settings()) as place:
        _migrate(place)
    say(f"The database is at revision {expected_head()}.")
    return 0


def upgrade_safely(chosen: argparse.Namespace) -> int:
    """Keep a copy of what was, then migrate."""
    settings = Settings()
    with database(settings) as place:
        before = run(current(place.app_url))
        if before is not None and place.is_embedded:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            back_up(settings, chosen.backup or settings.data_dir.parent / f"before-upgrade-{stamp}.linli")
        elif before is not None:
            say("This database is not ours to copy: make sure of your own backup (docs/deploy.md).")
        _migrate(place)
    say(f"Upgraded from {before} to {expected_head()}.")
    return 0


def let_in(chosen: argparse.Namespace) -> int:
    """Print a one-time code for a card. The audit log keeps that it was made at the server."""
    settings = Settings()
    with database(settings) as place:
        keyring = keys(settings)

        async def make() -> str:
            async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
                members = await identity.members_by_card(session, chosen.community, [chosen.card])
                if chosen.card not in members:
                    raise CommandRefused(f"no card {chosen.card} in community {chosen.community}")
                member_id = members[chosen.card].member_id
                codes = await identity.issue_activations(
                    session,
                    community_id=chosen.community,
                    actor=None,
                    member_ids=[member_id],
                    now=datetime.now(UTC),
                )
                return codes[member_id]

        say(run(make()))
    return 0


def examine(_: argparse.Namespace) -> int:
    """Say what is wrong, or that nothing is."""
    with database(Settings()) as place:
        found = run(complaints(place))
    for line in found:
        say(f"- {line}")
    say("Not fit to serve." if found else "All is well.")
    return 1 if found else 0
