"""Who may use a route. Every route declares it in `opt`, one guard enforces it, one test tries every role on every route."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from service.kit.office_acts import asks_for_a_code
from service.kit.read_only import ReadOnlyNow
from service.kit.refusals import NotAllowed, NotSignedIn


class Role(StrEnum):
    """What a person may be in one community, each from a day and until a day."""

    RESIDENT = "resident"
    VOLUNTEER = "volunteer"
    STEWARD = "steward"
    GRID_WORKER = "grid_worker"
    STAFF = "staff"
    APPROVER = "approver"
    FINANCE = "finance"
    MERCHANT_OWNER = "merchant_owner"
    CLERK = "clerk"
    REPAIRER = "repairer"
    LEADER = "leader"
    AUDITOR = "auditor"
    ADMIN = "admin"


OFFICE = frozenset({Role.STAFF, Role.APPROVER, Role.FINANCE, Role.AUDITOR, Role.ADMIN})
"""Those who sit at the desk and see the staff's pages."""


@dataclass(frozen=True, slots=True)
class Actor:
    """The signed-in person, as one community knows them."""

    community_id: int
    community_name: str
    community_phone: str
    member_id: UUID
    card_no: str
    name: str
    household_id: UUID | None
    session_id: UUID
    roles: frozenset[Role]
    organisations: frozenset[UUID]
    """The shops, teams and units this person acts for today."""

    def has(self, *roles: Role) -> bool:
        """True when the person holds at least one of these roles today."""
        return not self.roles.isdisjoint(roles)


PUBLIC: Mapping[str, object] = {"allow": "public"}
"""Anyone, signed in or not."""

SIGNED_IN: Mapping[str, object] = {"allow": "signed_in"}
"""Anyone who is signed in."""

BY_DATABASE: Mapping[str, object] = {"allow": "by_database", "authentication": "in_database"}
"""The route's one SQL function authenticates and authorises by itself: no second round trip."""


def allow(*roles: Role) -> dict[str, object]:
    """Only people who hold one of these roles."""
    return {"allow": frozenset(roles)}


Prove = Callable[[ASGIConnection[Any, Any, Any, Any], Actor], Awaitable[None]]
"""Refuses an act of the office whose second factor is missing; the app knows how."""


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse whoever the route's `opt` does not name. A route that names nobody is open to nobody.

    A coroutine, because a plain function would be sent to a thread and back for every request.
    """
    rule = handler.opt.get("allow")
    read_only = connection.app.state.read_only
    if rule in ("public", "by_database"):
        # Nothing was asked of the database yet, so what is known may be old: unless it is for good, the database says it.
        _refuse_to_write(connection, handler, is_closed=read_only.always)
        return
    actor = connection.scope.get("user")
    if not isinstance(actor, Actor):
        raise NotSignedIn
    if rule != "signed_in" and (not isinstance(rule, frozenset) or actor.roles.isdisjoint(rule)):
        raise NotAllowed
    _refuse_to_write(connection, handler, is_closed=read_only.is_on)
    if _is_act(connection) and not actor.roles.isdisjoint(OFFICE):
        is_the_offices = isinstance(rule, frozenset) and not rule.isdisjoint(OFFICE)
        path = str(connection.scope.get("path_template", ""))
        if asks_for_a_code(str(connection.scope.get("method")), path, is_the_offices=is_the_offices):
            await cast("Prove", connection.app.state.prove)(connection, actor)


def _is_act(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return connection.scope.get("method") not in ("GET", "HEAD", "OPTIONS")


def _refuse_to_write(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler, *, is_closed: bool
) -> None:
    """Say it before any work is done; whatever slips through is refused by the database."""
    if is_closed and _is_act(connection) and handler.opt.get("writes") != "nothing":
        raise ReadOnlyNow
