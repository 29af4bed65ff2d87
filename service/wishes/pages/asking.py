"""Asking for something: the form, the check page, and what the asker does later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import SIGNED_IN, Actor, Role, allow
from service.kit.i18n import _
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.wishes import actions
from service.wishes.faces import face_for
from service.wishes.pages.forms import (
    AnyRequest,
    NoteForm,
    StepForm,
    ThanksForm,
    WishForm,
    categories,
    kinds,
    warmths,
)
from service.wishes.pages.wall import wish_context
from service.wishes.queries import WishView
from service.wishes.rules import Verb, WishInOtherState, tells_too_much

ASKERS = allow(Role.RESIDENT, Role.VOLUNTEER, Role.STEWARD, Role.STAFF, Role.APPROVER)


def form_context(action: str, title: str, wish: WishView | None = None) -> dict[str, Any]:
    """What the form needs besides what was typed."""
    return {
        "title": title,
        "action": action,
        "kinds": kinds(),
        "categories": categories(),
        "revision": wish.revision if wish is not None else None,
        "wish": wish,
    }


def typed(wish: WishView) -> Mapping[str, object]:
    """A wish as the form's fields."""
    return {
        "kind": wish.kind.value,
        "category": wish.category.value,
        "title": wish.title,
        "text": wish.text,
        "preferred_time": wish.preferred_time,
        "expected_minutes": wish.expected_minutes,
    }


@get("/wishes/new", opt=ASKERS, include_in_schema=False)
async def new(request: AnyRequest) -> Template:
    """An empty form."""
    return page(request, "wishes/new.html", **form_context("/wishes/check", _("许一个心愿")))


def _comes_back(answer: Template) -> Template:
    """Let this browser, and nobody between, keep the answer to a form: pressing back shows it again.

    What is not stored at all Chromium replaces by an error page of its own, for it does not send a form twice unasked.
    """
    answer.headers["cache-control"] = "private, no-cache"
    return answer


@post("/wishes/new", opt=ASKERS, include_in_schema=False, status_code=200)
async def again(request: AnyRequest) -> Template:
    """The form with everything that was typed: the way back from the check page."""
    values = {name: str(value) for name, value in (await request.form()).items() if isinstance(value, str)}
    return _comes_back(
        page(request, "wishes/new.html", **form_context("/wishes/check", _("许一个心愿")), values=values)
    )


@post("/wishes/check", opt=ASKERS, include_in_schema=False, status_code=200)
async def check(request: AnyRequest) -> Template:
    """Everything once more before it goes to staff."""
    with refill(request, "wishes/new.html", **form_context("/wishes/check", _("许一个心愿"))):
        form = await form_of(request, WishForm)
        form.draft().check()
        return _comes_back(
            page(
                request,
                "wishes/check.html",
                title=_("请看一遍"),
                form=form,
                tells_too_much=tells_too_much(form.title, form.text),
            )
        )


@post("/wishes", opt=ASKERS, include_in_schema=False)
async def post_wish(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Hand it in."""
    with refill(request, "wishes/new.html", **form_context("/wishes/check", _("许一个心愿"))):
        form = await form_of(request, WishForm)

        async def work() -> str:
            made = await actions.post_wish(session, actor=actor, draft=form.draft(), now=now)
            return f"/wishes/{made.wish_id}/posted"

        return await once_page(request, session, actor, now, work)


@get("/wishes/{wish_id:uuid}/edit", opt=SIGNED_IN, include_in_schema=False)
async def edit_page(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """The form with what was asked; for a returned wish with the reason above it."""
    face, _moments = await face_for(session, actor, wish_id, now)
    if Verb.EDIT not in face.can:
        raise WishInOtherState(face.wish.state)
    return page(
        request,
        "wishes/new.html",
        **form_context(f"/wishes/{wish_id}/edit", _("改一改"), face.wish),
        values=typed(face.wish),
    )


@post("/wishes/{wish_id:uuid}/edit", opt=SIGNED_IN, include_in_schema=False)
async def edit(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Ask again in other words."""
    face, _moments = await face_for(session, actor, wish_id, now)
    with refill(request, "wishes/new.html", **form_context(f"/wishes/{wish_id}/edit", _("改一改"), face.wish)):
        form = await form_of(request, WishForm)

        async def work() -> str:
            await actions.edit_wish(
                session, actor=actor, wish_id=wish_id, draft=form.draft(), now=now, revision=form.revision
            )
            return f"/wishes/{wish_id}?done=wish_edited"

        return await once_page(request, session, actor, now, work)


@post("/wishes/{wish_id:uuid}/withdraw", opt=SIGNED_IN, include_in_schema=False)
async def withdraw(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """No longer needed: one press, with a way back on the next page."""
    with refill(request, "wishes/wish.html", **await wish_context(session, actor, wish_id, now)):
        form = await form_of(request, StepForm)

        async def work() -> str:
            await actions.withdraw_wish(session, actor=actor, wish_id=wish_id, now=now, revision=form.revision)
            return f"/wishes/mine?undo={wish_id}"

        return await once_page(request, session, actor, now, work)


@post("/wishes/{wish_id:uuid}/restore", opt=SIGNED_IN, include_in_schema=False)
async def restore(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Undo the withdrawal."""
    with refill(request, "wishes/wish.html", **await wish_context(session, actor, wish_id, now)):
        form = await form_of(request, StepForm)

        async def work() -> str:
            await actions.restore_wish(session, actor=actor, wish_id=wish_id, now=now, revision=form.revision)
            return f"/wishes/{wish_id}?done=wish_restored"

        return await once_page(request, session, actor, now, work)


async def answer_context(session: AsyncSession, actor: Actor, wish_id: UUID, now: datetime) -> dict[str, Any]:
    """What the asker is shown before saying whether it was done."""
    face, _moments = await face_for(session, actor, wish_id, now)
    return {"title": _("办好了吗"), "face": face, "wish": face.wish, "warmths": warmths()}


@get("/wishes/{wish_id:uuid}/confirm", opt=SIGNED_IN, include_in_schema=False)
async def confirm_page(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """Was it done? Yes with a thank-you, or not yet with a word on what is missing."""
    context = await answer_context(session, actor, wish_id, now)
    if Verb.CONFIRM not in context["face"].can or not context["face"].is_mine:
        raise WishInOtherState(context["wish"].state)
    return page(request, "wishes/confirm.html", **context)


@post("/wishes/{wish_id:uuid}/confirm", opt=SIGNED_IN, include_in_schema=False)
async def confirm(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Yes: the helper's minutes and points arrive."""
    with refill(request, "wishes/confirm.html", **await answer_context(session, actor, wish_id, now)):
        form = await form_of(request, ThanksForm)

        async def work() -> str:
            await actions.confirm_wish(
                session,
                actor=actor,
                wish_id=wish_id,
                now=now,
                revision=form.revision,
                warmth=form.warmth,
                thanks=form.thanks,
            )
            return f"/wishes/{wish_id}?done=wish_confirmed"

        return await once_page(request, session, actor, now, work)


@post("/wishes/{wish_id:uuid}/dispute", opt=SIGNED_IN, include_in_schema=False)
async def dispute(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Not yet."""
    with refill(request, "wishes/confirm.html", **await answer_context(session, actor, wish_id, now)):
        form = await form_of(request, NoteForm)

        async def work() -> str:
            await actions.dispute_wish(
                session, actor=actor, wish_id=wish_id, note=form.note, now=now, revision=form.revision
            )
            return f"/wishes/{wish_id}?done=wish_disputed"

        return await once_page(request, session, actor, now, work)


@post("/wishes/{wish_id:uuid}/thank", opt=SIGNED_IN, include_in_schema=False)
async def thank(
    request: AnyRequest,
    wish_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """A thank-you after the fact."""
    with refill(request, "wishes/wish.html", **await wish_context(session, actor, wish_id, now)):
        form = await form_of(request, ThanksForm)

        async def work() -> str:
            await actions.thank_volunteer(
                session,
                actor=actor,
                wish_id=wish_id,
                warmth=form.warmth,
                thanks=form.thanks,
                now=now,
                revision=form.revision,
            )
            return f"/wishes/{wish_id}?done=wish_thanked"

        return await once_page(request, session, actor, now, work)


HANDLERS = [
    new,
    again,
    check,
    post_wish,
    edit_page,
    edit,
    withdraw,
    restore,
    confirm_page,
    confirm,
    dispute,
    thank,
]
