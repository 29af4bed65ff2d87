"""init, migrate, upgrade, user, doctor: what is done before and between."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrations.runner import current, expected_head, upgrade
from service import communities, identity
from service.cli.copies import back_up
from service.cli.doctor import complaints, parked
from service.cli.places import CommandRefused, Place, database, first_keys, keys, opened, run, say
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
    card = _card(chosen.admin_card)
    if not 10**11 <= chosen.number < 10**12:
        raise CommandRefused("a community's official code has 12 digits")
    with database(settings) as place:
        _migrate(place)
        keyring = first_keys(settings, place)
        code = run(_found(place, keyring, chosen, card))
    say(f"{chosen.name} is founded. {chosen.admin_name} opens {settings.origin}/activate and types this code once:")
    say(code)
    return 0


def _card(typed: str) -> str:
    card = identity.normal_card(typed)
    if card is None:
        raise CommandRefused("a card number looks like 0012-0001")
    return card


async def _found(place: Place, keyring: Keyring, chosen: argparse.Namespace, card: str) -> str:
    now = datetime.now(UTC)
    member_id = new_id()
    admin = identity.NewPerson(member_id, card, chosen.admin_name, roles=((Role.ADMIN, None), (Role.STAFF, None)))
    # One transaction: a community without anybody who can enter it could neither be used nor founded again.
    async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
        await communities.found_community(
            session,
            number=chosen.number,
            name=chosen.name,
            street=chosen.street,
            street_code=str(chosen.number)[:9],
            phone=chosen.phone,
            now=now,
        )
        await identity.enrol_people(
            session, community_id=chosen.number, people=[admin], actor=None, day=local_day(now), now=now
        )
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
    card = _card(chosen.card)
    with database(settings) as place:
        say(run(_new_code(place, keys(settings), chosen.community, card)))
    return 0


async def _new_code(place: Place, keyring: Keyring, community_id: int, card: str) -> str:
    async with opened(place, keyring) as (_, sessions), sessions.begin() as session:
        member = (await identity.members_by_card(session, community_id, [card])).get(card)
        if member is None or member.closed_at is not None:
            raise CommandRefused(f"nobody open has card {card} in community {community_id}")
        codes = await identity.issue_activations(
            session, community_id=community_id, actor=None, member_ids=[member.member_id], now=datetime.now(UTC)
        )
        return codes[member.member_id]


def examine(_: argparse.Namespace) -> int:
    """Say what is wrong, or that nothing is. What cannot be delivered is said, too, and keeps nobody from serving."""
    settings = Settings()
    with database(settings) as place:
        found = run(complaints(place, keys(settings)))
        undelivered = [] if found else run(parked(place))
    for line in [*found, *undelivered]:
        say(f"- {line}")
    say("Not fit to serve." if found else "All is well.")
    return 1 if found else 0
