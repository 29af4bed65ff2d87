"""One wish at the desk, and everything staff can do to it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import organisations_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.words import points
from service.wishes import actions, queries
from service.wishes.faces import face_for
from service.wishes.pages.forms import AnyRequest, NoteForm, StepForm, TermsForm, classes

READERS = allow(Role.STAFF, Role.APPROVER, Role.AUDITOR)
STAFF = allow(Role.STAFF, Role.APPROVER)


async def desk_context(session: AsyncSession, actor: Actor, wish_id: UUID, now: datetime) -> dict[str, Any]:
    """Everything staff see of a wish but the contact data, which is opened on purpose."""
    face, moments = await face_for(session, actor, wish_id, now)
    budget = face.wish.reward_budget
    named = await organisations_by_ids(session, actor.community_id, [budget] if budget else [])
    return {
        "title": face.wish.title,
        "face": face,
        "wish": face.wish,
        "moments": moments,
        "classes": classes(),
        "budgets": [
            (
                str(item.budget_id),
                _("{name}，还有 {points} 分").format(name=item.name, points=points(item.free_points * 100)),
            )
            for item in await queries.budgets(session, actor.community_id)
        ],
        "budget_name": named[budget].name if budget is not None and budget in named else None,
        "contact": None,
        "may_act": actor.has(Role.STAFF, Role.APPROVER),
    }


@get("/desk/wishes/{wish_id:uuid}", opt=READERS, include_in_schema=False)
async def wish(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    contact: FromQuery[str] = "",
) -> Template:
    """Whole names, the history, and what can be done; with `contact` the asker's phone and door, which is written down."""
    context = await desk_context(session, actor, wish_id, now)
    if contact:
        context["contact"] = await actions.asker_contact(session, actor=actor, wish_id=wish_id, now=now)
    return page(request, "wishes/desk_wish.html", **context)


async def _act(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    wish_id: UUID,
    work: Callable[[], Awaitable[None]],
    done: str,
) -> Redirect:
    """Do it once and show the wish again."""

    async def then() -> str:
        await work()
        return f"/desk/wishes/{wish_id}?done={done}"

    return await once_page(request, session, actor, now, then)


@post("/desk/wishes/{wish_id:uuid}/approve", opt=STAFF, include_in_schema=False)
async def approve(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """On the wall, with class and reward."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, TermsForm)

        async def work() -> None:
            await actions.approve_wish(
                session, actor=actor, wish_id=wish_id, terms=form.terms(), now=now, revision=form.revision
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_approved")


@post("/desk/wishes/{wish_id:uuid}/appraise", opt=STAFF, include_in_schema=False)
async def appraise(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Other terms for a wish that is on its way."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, TermsForm)

        async def work() -> None:
            await actions.appraise_wish(
                session, actor=actor, wish_id=wish_id, terms=form.terms(), now=now, revision=form.revision
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_appraised")


@post("/desk/wishes/{wish_id:uuid}/return", opt=STAFF, include_in_schema=False)
async def give_back(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Back to the asker with a reason."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> None:
            await actions.return_wish(
                session, actor=actor, wish_id=wish_id, reason=form.note, now=now, revision=form.revision
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_returned")


@post("/desk/wishes/{wish_id:uuid}/recall", opt=STAFF, include_in_schema=False)
async def recall(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo the decision."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, StepForm)

        async def work() -> None:
            await actions.recall_wish(session, actor=actor, wish_id=wish_id, now=now, revision=form.revision)

        return await _act(request, session, actor, now, wish_id, work, "wish_recalled")


@post("/desk/wishes/{wish_id:uuid}/release", opt=STAFF, include_in_schema=False)
async def release(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Take it from a volunteer who will not come."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> None:
            await actions.release_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=form.revision, note=form.note
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_released")


@post("/desk/wishes/{wish_id:uuid}/confirm", opt=STAFF, include_in_schema=False)
async def confirm(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Confirm for the asker."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> None:
            await actions.confirm_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=form.revision, note=form.note
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_confirmed")


@post("/desk/wishes/{wish_id:uuid}/dispute", opt=STAFF, include_in_schema=False)
async def dispute(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Note for the asker that it is not done."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> None:
            await actions.dispute_wish(
                session, actor=actor, wish_id=wish_id, note=form.note, now=now, revision=form.revision
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_disputed")


@post("/desk/wishes/{wish_id:uuid}/withdraw", opt=STAFF, include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Withdraw for the asker."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> None:
            await actions.withdraw_wish(
                session, actor=actor, wish_id=wish_id, now=now, revision=form.revision, note=form.note
            )

        return await _act(request, session, actor, now, wish_id, work, "wish_withdrawn")


@post("/desk/wishes/{wish_id:uuid}/restore", opt=STAFF, include_in_schema=False)
async def restore(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo the withdrawal."""
    with refill(request, "wishes/desk_wish.html", **await desk_context(session, actor, wish_id, now)):
        form = await form_of(request, StepForm)

        async def work() -> None:
            await actions.restore_wish(session, actor=actor, wish_id=wish_id, now=now, revision=form.revision)

        return await _act(request, session, actor, now, wish_id, work, "wish_restored")


HANDLERS = [wish, approve, appraise, give_back, recall, release, confirm, dispute, withdraw, restore]
