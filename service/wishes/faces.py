"""A wish as one reader may see it: names masked or whole, what they may do, and how far it has come."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import Person, people_by_ids
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.paging import Page
from service.records import countable_minutes
from service.wishes import queries
from service.wishes.queries import HistoryLine, WishView, who_of
from service.wishes.rules import Verb, WishState, tells_too_much, verbs_for

REACHED = {
    WishState.RETURNED: 0,
    WishState.POSTED: 1,
    WishState.APPROVED: 2,
    WishState.CLAIMED: 3,
    WishState.DISPUTED: 3,
    WishState.SERVED: 4,
    WishState.CONFIRMED: 5,
}
"""Which of the five named steps is next."""


@dataclass(frozen=True, slots=True)
class Face:
    """One wish with the names that this reader may know."""

    wish: WishView
    asker: str
    asker_masked: str
    """For the wall, also where staff print it."""
    asker_card: str | None
    """For staff, who know people by their cards."""
    helper: str | None
    is_mine: bool
    is_helping: bool
    is_open_to_me: bool
    """Names are whole, texts between asker and helper are shown: the reader is one of them, or staff."""
    can: frozenset[Verb]
    countable_minutes: int | None = None
    """While it waits to be confirmed: what the helper's day still leaves of the reported minutes."""

    @property
    def tells_too_much(self) -> bool:
        """The text seems to hold a phone or door number, which does not belong on a wall."""
        return tells_too_much(self.wish.title, self.wish.text)

    @property
    def is_far_longer(self) -> bool:
        """More than twice as long was reported as was expected: whoever confirms should look twice."""
        return self.wish.served_minutes is not None and self.wish.served_minutes > 2 * self.wish.expected_minutes

    @property
    def step(self) -> int | None:
        """Which of the five steps is next; None when it went another way."""
        return REACHED.get(self.wish.state)


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the history with names."""

    verb: Verb
    state_after: WishState
    at: datetime
    actor: str | None
    """None where time alone moved it."""
    on_behalf_of: str | None
    volunteer: str | None
    note: str | None


def _sees_all(actor: Actor) -> bool:
    who = who_of(actor)
    return who.is_staff or who.is_reader


def _knows(actor: Actor, wish: WishView) -> bool:
    return _sees_all(actor) or actor.member_id in (wish.asked_by, wish.posted_by, wish.volunteer_id)


def _name(people: Mapping[UUID, Person], member_id: UUID | None, *, whole: bool) -> str:
    found = people.get(member_id) if member_id is not None else None
    if found is None:
        return ""
    return found.name if whole else found.masked


def _face(actor: Actor, wish: WishView, people: Mapping[UUID, Person], now: datetime) -> Face:
    knows = _knows(actor, wish)
    return Face(
        wish=wish,
        asker=_name(people, wish.asked_by, whole=knows),
        asker_masked=_name(people, wish.asked_by, whole=False),
        asker_card=people[wish.asked_by].card_no if _sees_all(actor) and wish.asked_by in people else None,
        helper=_name(people, wish.volunteer_id, whole=True) if knows and wish.volunteer_id is not None else None,
        is_mine=wish.asked_by == actor.member_id,
        is_helping=wish.volunteer_id == actor.member_id,
        is_open_to_me=knows,
        can=verbs_for(who_of(actor), wish, now),
    )


async def faces(session: AsyncSession, actor: Actor, wishes: Collection[WishView], now: datetime) -> Sequence[Face]:
    """Many wishes with their names in one query."""
    ids = {wish.asked_by for wish in wishes} | {wish.volunteer_id for wish in wishes}
    people = await people_by_ids(session, actor.community_id, ids)
    return [_face(actor, wish, people, now) for wish in wishes]


async def faces_of(session: AsyncSession, actor: Actor, page: Page[WishView], now: datetime) -> Page[Face]:
    """A page of a list with its names."""
    return Page(await faces(session, actor, page.rows, now), page.next)


async def face_for(session: AsyncSession, actor: Actor, wish_id: UUID, now: datetime) -> tuple[Face, Sequence[Moment]]:
    """One wish and its history for somebody who may see it; the history is for asker, helper and staff alone."""
    wish = await queries.wish_for(session, actor, wish_id)
    lines: Sequence[HistoryLine] = []
    if _knows(actor, wish):
        lines = await queries.history(session, actor.community_id, wish_id)
    ids = {wish.asked_by, wish.volunteer_id}
    for line in lines:
        ids |= {line.actor_id, line.on_behalf_of, line.volunteer_id}
    people = await people_by_ids(session, actor.community_id, ids)
    face = _face(actor, wish, people, now)
    if Verb.CONFIRM in face.can and wish.volunteer_id and wish.served_from_at and wish.served_minutes:
        day = local_day(wish.served_from_at)
        counted = await countable_minutes(session, actor.community_id, wish.volunteer_id, day, wish.served_minutes)
        face = replace(face, countable_minutes=counted)
    return face, [_moment(actor, wish, people, line) for line in lines]


def _moment(actor: Actor, wish: WishView, people: Mapping[UUID, Person], line: HistoryLine) -> Moment:
    """Whoever once had the wish and gave it back is masked for everybody but staff."""
    sees_all = _sees_all(actor)
    known = {wish.asked_by, wish.posted_by, wish.volunteer_id, actor.member_id}
    once_had_it = line.verb in (Verb.CLAIM, Verb.RELEASE, Verb.SERVE)

    def said(member_id: UUID | None) -> str | None:
        whole = sees_all or member_id in known or not once_had_it
        return _name(people, member_id, whole=whole) or None

    return Moment(
        verb=line.verb,
        state_after=line.state_after,
        at=line.at,
        actor=said(line.actor_id),
        on_behalf_of=said(line.on_behalf_of),
        volunteer=said(line.volunteer_id),
        note=line.note,
    )
