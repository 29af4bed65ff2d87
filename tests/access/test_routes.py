"""Every role on every route, held against a table that people wrote and read: `table.txt`.

A route without a line fails, a line without a route fails, and a line is wrong when anybody is let in whom it does not name
or kept out whom it does.
"""

import re
from pathlib import Path
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from service.kit.access import Role
from tests.cast import PEOPLE, Town, client_of

pytestmark = pytest.mark.anyio

TABLE = Path(__file__).with_name("table.txt")
SAMPLES = {"uuid": str(UUID(int=7)), "int": "7", "str": "x", "path": "x"}
ONE_OF_EACH = (
    "li",
    "chen",
    "tang",
    "zhao",
    "wu",
    "zheng",
    "qian",
    "zhou",
    "barber",
    "wang",
    "wei",
    "he",
    "jiang",
)
"""Between them, these hold every role there is."""


def routes(app: Litestar) -> dict[tuple[str, str], HTTPRouteHandler]:
    """Every route by method and path."""
    found = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler):
                for method in handler.http_methods:
                    if method not in ("OPTIONS", "HEAD"):
                        found[str(method), route.path] = handler
    return found


def table() -> dict[tuple[str, str], str]:
    """The lines of the table: method, path, who."""
    lines = [line.split("#")[0].split() for line in TABLE.read_text().splitlines()]
    return {(line[0], line[1]): " ".join(line[2:]) for line in lines if line}


def filled(path: str) -> str:
    """A path with something in every place."""
    return re.sub(r"{\w+:(\w+)}", lambda match: SAMPLES[match[1]], path)


def test_every_route_has_a_line_and_every_line_a_route(the_app: Litestar) -> None:
    served = {key for key in routes(the_app) if not key[1].startswith(("/schema", "/static"))}

    assert sorted(served - set(table())) == []
    assert sorted(set(table()) - served) == []


def test_these_people_hold_every_role() -> None:
    assert {role for name in ONE_OF_EACH for role in PEOPLE[name][3]} == set(Role)


@pytest.mark.slow
async def test_the_table_is_what_the_routes_do(app: Litestar, town: Town) -> None:
    wrong = []
    rows = sorted(table().items())
    for name in (None, *ONE_OF_EACH):
        roles = set(PEOPLE[name][3]) if name else set()
        async with client_of(app, town.cookies[name] if name else None) as client:
            for (method, path), who in rows:
                if path in ("/sign-out", "/api/session") and method != "GET":
                    continue  # would end the session of everybody after it; tests/identity has its own
                answer = await client.request(method, filled(path), headers={"accept": "application/json"})
                let_in = answer.status_code not in (401, 403)
                named = who in ("public", "database") or (
                    name is not None and (who == "signed_in" or bool(roles & {Role(word) for word in who.split()}))
                )
                if who != "database" and let_in != named:
                    wrong.append(f"{method} {path}: {name or 'nobody'} got {answer.status_code}, table says {who}")
                if answer.status_code >= 500:
                    wrong.append(f"{method} {path}: {name or 'nobody'} got {answer.status_code}")
    assert wrong == []
