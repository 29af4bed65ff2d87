"""openings: what an existing time bank brings, checked, proposed, confirmed by somebody else, and taken back.

Whoever does one of these shows who they are: card number and PIN, as at the door. The shell of the server is no second person.
"""

import argparse
import getpass
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.cli.places import CommandRefused, database, keys, opened, run, say
from service.imports.openings import actions, queries
from service.imports.openings.cells import problem_sentence
from service.imports.openings.queries import OpeningView
from service.imports.openings.rules import APPROVERS, PROPOSERS, READERS, OpeningState, OpeningVerdict
from service.kit.access import Actor, Role
from service.kit.clock import system_clock
from service.kit.db import transaction
from service.kit.refusals import NotAllowed
from service.kit.settings import Settings
from service.kit.sheets.refusals import FILE_BYTES_MAX, FileTooLarge
from service.kit.words import hours, points

ERRORS_SHOWN = 20
Act = Callable[[AsyncSession, Actor], Awaitable[UUID]]


def add_to(commands: Any) -> None:
    """The commands of this module."""
    acts = commands.add_parser("openings", help="bring the balances of an existing time bank").add_subparsers(
        dest="act", required=True, metavar="ACT"
    )
    check = _act(acts, "check", "check a sheet of balances: nothing is posted", _check)
    check.add_argument("file", type=Path, help="the sheet: .xlsx, .xls or .csv")
    check.add_argument("--day", type=date.fromisoformat, required=True, help="the day of the change-over, 2026-11-01")
    check.add_argument("--source", default="", help="where rows come from that do not say it themselves")
    for name, told, do in (
        ("propose", "ask a second person to let a checked sheet be posted", _propose),
        ("confirm", "let a proposed sheet be posted, as the second person", _confirm),
        ("withdraw", "give a sheet up that nobody has confirmed", _withdraw),
        ("take-back", "take a posted sheet back from whoever has spent nothing of it", _take_back),
        ("show", "how far a sheet is posted or taken back", _show),
    ):
        _act(acts, name, told, do).add_argument("sheet", type=UUID, help="the number that check gave it")


def _act(acts: Any, name: str, told: str, do: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = acts.add_parser(name, help=told)
    made.add_argument("--card", required=True, help="who does it: the card number; the PIN is asked for")
    made.add_argument("--community", type=int, help="which one, for a card that several have")
    made.set_defaults(do=do)
    return made


def _check(chosen: argparse.Namespace) -> int:
    try:
        with chosen.file.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as trouble:
        raise CommandRefused(f"{chosen.file} cannot be read: {trouble.strerror}") from trouble
    if len(content) > FILE_BYTES_MAX:
        raise FileTooLarge

    async def work(session: AsyncSession, actor: Actor) -> UUID:
        return await actions.check_balances(
            session,
            actor=actor,
            file_name=chosen.file.name,
            content=content,
            effective_on=chosen.day,
            source=chosen.source,
            now=system_clock(),
        )

    return _do(chosen, PROPOSERS, work)


def _propose(chosen: argparse.Namespace) -> int:
    return _decide(chosen, PROPOSERS, actions.propose)


def _confirm(chosen: argparse.Namespace) -> int:
    return _decide(chosen, APPROVERS, actions.approve)


def _withdraw(chosen: argparse.Namespace) -> int:
    return _decide(chosen, (*PROPOSERS, *APPROVERS), actions.withdraw)


def _take_back(chosen: argparse.Namespace) -> int:
    return _decide(chosen, APPROVERS, actions.take_back)


def _show(chosen: argparse.Namespace) -> int:
    async def look(_: AsyncSession, __: Actor) -> UUID:
        sheet: UUID = chosen.sheet
        return sheet

    return _do(chosen, READERS, look)


def _decide(chosen: argparse.Namespace, roles: tuple[Role, ...], decide: Callable[..., Awaitable[None]]) -> int:
    async def work(session: AsyncSession, actor: Actor) -> UUID:
        await decide(session, actor=actor, opening_id=chosen.sheet, now=system_clock())
        sheet: UUID = chosen.sheet
        return sheet

    return _do(chosen, roles, work)


def _do(chosen: argparse.Namespace, roles: tuple[Role, ...], work: Act) -> int:
    """One act of one person in one transaction, and how the sheet stands after it."""
    with database(Settings()) as place:
        keyring = keys(Settings())
        secret = _secret(chosen.card)

        async def act() -> None:
            async with opened(place, keyring) as (engine, sessions):
                entrance = await identity.sign_in(
                    sessions,
                    keyring,
                    typed=chosen.card,
                    secret=secret,
                    address="linli",
                    device="linli openings",
                    is_shared=True,
                    now=system_clock(),
                    community_id=chosen.community,
                )
                actor = await identity.actor_of_cookie(engine, keyring, entrance.cookie, system_clock())
                assert actor is not None, "the session was opened just now"
                async with _left_behind(sessions, actor), transaction(sessions) as session:
                    if not actor.has(*roles):
                        raise NotAllowed
                    sheet = await work(session, actor)
                    await session.flush()
                    view = await queries.opening_for(session, actor, sheet)
                    wrong = await queries.rows_of(session, actor.community_id, sheet, OpeningVerdict.ERROR)
                _tell(view)
                for row in wrong.rows[:ERRORS_SHOWN]:
                    say(f"  - row {row.row_no}: {' '.join(map(problem_sentence, row.problems))}")

        run(act())
    return 0


@asynccontextmanager
async def _left_behind(sessions: Any, actor: Actor) -> AsyncIterator[None]:
    """The session at the door ends with the command."""
    try:
        yield
    finally:
        async with transaction(sessions) as session:
            await identity.end_session(session, actor=actor, session_id=actor.session_id, now=system_clock())


def _secret(card: str) -> str:
    """Typed unseen at a terminal; from a pipe, its first line."""
    if sys.stdin.isatty():
        return getpass.getpass(f"PIN of {card}: ")
    return sys.stdin.readline().rstrip("\n")


def _tell(view: OpeningView) -> None:
    counts = view.counts
    new = counts[OpeningVerdict.NEW]
    say(f"{view.opening_id} {view.file_name}, as of {view.effective_on}: {view.state}")
    say(
        f"  {new} to bring, {counts[OpeningVerdict.BROUGHT]} brought before, {counts[OpeningVerdict.CONFLICT]} in conflict,"
        f" {counts[OpeningVerdict.ERROR]} with errors"
    )
    say(
        f"  {hours(view.minutes)} hours, {points(view.points)} points, {hours(view.record_minutes)} hours of service record"
    )
    if view.state not in (OpeningState.CHECKED, OpeningState.PROPOSED, OpeningState.WITHDRAWN):
        say(f"  posted {view.posted} of {new}, refused {view.refused}; taken back {view.returned}, kept {view.kept}")
