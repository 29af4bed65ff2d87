"""What a slice offers the app. `service/slices.py` is the list; nothing else knows which slices exist."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from litestar.types import ControllerRouterHandler
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Prove, Role
from service.kit.outbox import Fact

Subscriber = Callable[[AsyncSession, Any, datetime], Awaitable[None]]
"""Told of a fact at least once, in a transaction of its own; so it must be idempotent."""

Reader = Callable[[AsyncSession, Sequence[Any], datetime], Awaitable[None]]
"""Told of many facts at once, of one kind or several, in one transaction; idempotent too. If one of them cannot be told, all of
them come again one by one, so that it fails alone."""

TimedWork = Callable[[AsyncSession, datetime], Awaitable[int]]
"""Does one batch of due work in a transaction of its own and answers how many it did; called again while it did any."""

Proof = Callable[[AsyncSession, int], Awaitable[Sequence[object]]]
"""Everything that is wrong in a community's books: `async (session, community_id)`; nothing when they are whole."""

Unfinisheds = Callable[[AsyncSession, int, datetime], Awaitable[Sequence["Unfinished"]]]
"""What a community has not finished of everything before a moment: `async (session, community_id, until)`."""

Count = Callable[[AsyncSession, Actor], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Timed:
    """Work that falls due with time."""

    name: str
    every_seconds: int
    work: TimedWork


@dataclass(frozen=True, slots=True)
class Watch:
    """Work that is looked for all the time, in a loop of its own: no other work makes it late."""

    name: str
    work: TimedWork
    pause: Callable[[int], float]
    """How many seconds to rest after a look that did so many; after none there may be nothing to do for long."""


@dataclass(frozen=True, slots=True)
class Nav:
    """One entry of the staff's sidebar. `label` is Chinese copy, its own message id."""

    label: str
    url: str
    icon: str
    roles: frozenset[Role]
    order: int
    waiting: Count | None = None
    """How much work waits there; shown beside the label and summed in the inbox."""
    also: tuple[str, ...] = ()
    """Other places whose pages belong here, so that this entry is marked on them."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One slice's offer."""

    name: str
    handlers: Sequence[ControllerRouterHandler] = ()
    subscribers: Mapping[type[Fact], Sequence[Subscriber]] = field(default_factory=dict)
    readers: Mapping[type[Fact], Sequence[Reader]] = field(default_factory=dict)
    timed: Sequence[Timed] = ()
    watches: Sequence[Watch] = ()
    nav: Sequence[Nav] = ()
    home_cards: Sequence[Callable[..., Awaitable[Mapping[str, object] | None]]] = ()
    """For the resident's home: `async (session, actor, now) -> {"template": ..., "order": int, **context} | None`."""
    staff_inbox: Sequence[Callable[..., Awaitable[Sequence[object]]]] = ()
    """For the staff's one list: `async (session, actor, now) -> [InboxRow]`, oldest first, at most 200."""
    proofs: Sequence[Proof] = ()
    """What has to hold before a year of the books is closed."""
    prove: Prove | None = None
    """How an act of the office is asked for a second factor; one slice knows."""
    unfinished: Sequence[Unfinisheds] = ()
    """For whoever closes a period: what belongs into it and is not done. It keeps nobody from closing."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """One kind of work that is not finished."""

    kind: str
    """Message key `unfinished.<kind>` in both languages."""
    count: int
    url: str


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One piece of waiting work in the staff's one list."""

    kind: str
    """Message key `inbox.<kind>` in both languages."""
    title: str
    who: str
    since: datetime
    url: str
    is_urgent: bool = False
