"""What staff read and do about wishes, as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import find_people
from service.kit.access import Actor, Role, allow
from service.kit.once import once
from service.wishes import actions, queries
from service.wishes.actions import Decision
from service.wishes.faces import faces_of
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.payloads import (
    BudgetOut,
    BudgetsOut,
    CountsOut,
    DecisionsOut,
    MovedOut,
    NoteIn,
    PickedIn,
    StepIn,
    TermsIn,
    WishesOut,
    WishForIn,
    decision_out,
    moved_out,
    wish_out,
)
from service.wishes.queries import DeskView, Filter

AnyRequest = Request[Any, Any, Any]

READERS = allow(Role.STAFF, Role.APPROVER, Role.AUDITOR)
STAFF = allow(Role.STAFF, Role.APPROVER)


@get("/api/wishes/budgets", opt=READERS)
async def budgets(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> BudgetsOut:
    """Who can give a reward, and how much of it is free."""
    found = await queries.budgets(session, actor.community_id)
    return BudgetsOut([BudgetOut(item.budget_id, item.name, item.free_points) for item in found])


@get("/api/wishes/all", opt=READERS)
async def desk_list(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    view: FromQuery[DeskView] = DeskView.WAITING,
    kind: FromQuery[WishKind | None] = None,
    category: FromQuery[WishCategory | None] = None,
    q: FromQuery[str] = "",
    after: FromQuery[str | None] = None,
) -> WishesOut:
    """One of the staff's views; `q` also finds askers by name or card."""
    people = (await find_people(session, actor.community_id, q)).rows if q.strip() else []
    narrowed = Filter(kind, category, q, frozenset(person.member_id for person in people))
    found = await queries.desk_wishes(session, actor.community_id, view, narrowed, after)
    page = await faces_of(session, actor, found, now)
    return WishesOut([wish_out(face) for face in page.rows], page.next)


@get("/api/wishes/counts", opt=READERS)
async def counts(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> CountsOut:
    """How many wishes each view holds."""
    found = await queries.desk_counts(session, actor.community_id)
    return CountsOut(**{view.value: number for view, number in found.items()})


@post("/api/wishes/for", opt=STAFF)
async def post_wish_for(
    request: AnyRequest,
    data: JSONBody[WishForIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Write a wish down for somebody; both names are kept."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.post_wish(session, actor=actor, draft=data.draft(), now=now, asked_by=data.asked_by)
        )

    return await once(request, session, actor, now, work, status=201)


@post("/api/wishes/approve", opt=STAFF, status_code=200)
async def approve_wishes(
    request: AnyRequest,
    data: JSONBody[PickedIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DecisionsOut]:
    """Approve many as what they usually are; each gets its own verdict."""

    async def work() -> DecisionsOut:
        picked = {item.wish_id: item.revision for item in data.items}
        return _decisions(await actions.approve_wishes(session, actor=actor, picked=picked, now=now))

    return await once(request, session, actor, now, work)


@post("/api/wishes/recall", opt=STAFF, status_code=200)
async def recall_wishes(
    request: AnyRequest,
    data: JSONBody[PickedIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DecisionsOut]:
    """Undo many approvals shortly after them; each gets its own verdict."""

    async def work() -> DecisionsOut:
        picked = {item.wish_id: item.revision for item in data.items}
        return _decisions(await actions.recall_wishes(session, actor=actor, picked=picked, now=now))

    return await once(request, session, actor, now, work)


def _decisions(decisions: Sequence[Decision]) -> DecisionsOut:
    return DecisionsOut([decision_out(decision) for decision in decisions])


@post("/api/wishes/{wish_id:uuid}/approve", opt=STAFF, status_code=200)
async def approve_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[TermsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Put it on the wall."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.approve_wish(
                session, actor=actor, wish_id=wish_id, terms=data.terms(), now=now, revision=data.revision
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/appraise", opt=STAFF, status_code=200)
async def appraise_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[TermsIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Change what it is worth while it is on its way; an urgent one counts as looked at."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.appraise_wish(
                session, actor=actor, wish_id=wish_id, terms=data.terms(), now=now, revision=data.revision
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/return", opt=STAFF, status_code=200)
async def return_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[NoteIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Give it back to its asker; `note` is the reason."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.return_wish(
                session, actor=actor, wish_id=wish_id, reason=data.note.strip(), now=now, revision=data.revision
            )
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/recall", opt=STAFF, status_code=200)
async def recall_wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    data: JSONBody[StepIn | None] = None,
) -> Response[MovedOut]:
    """Undo an approval or a return, shortly after it."""
    given = data or StepIn()

    async def work() -> MovedOut:
        return moved_out(
            await actions.recall_wish(session, actor=actor, wish_id=wish_id, now=now, revision=given.revision)
        )

    return await once(request, session, actor, now, work)


@post("/api/wishes/{wish_id:uuid}/confirm-for", opt=STAFF, status_code=200)
async def confirm_wish_for(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    data: JSONBody[NoteIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MovedOut]:
    """Confirm for an asker who cannot or did not; `note` says how staff know."""

    async def work() -> MovedOut:
        return moved_out(
            await actions.confirm_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=data.revision, note=data.note.strip()
            )
        )

    return await once(request, session, actor, now, work)


HANDLERS = [
    budgets,
    desk_list,
    counts,
    post_wish_for,
    approve_wishes,
    recall_wishes,
    approve_wish,
    appraise_wish,
    return_wish,
    recall_wish,
    confirm_wish_for,
]
