"""Signing in and out, choosing a PIN, and the page about oneself."""

from typing import Any, cast
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import actions_sessions as opened_sessions
from service.identity import actions_sign_in as ways_in
from service.identity.browsers import device_of, place_of, session_cookies
from service.identity.histories import sessions_of
from service.identity.payloads import ActivateForm, ChangeSecretForm, NumberForm, SecretForm
from service.identity.queries import person
from service.identity.rules import ChooseCommunity, SecretsDiffer
from service.kit.access import OFFICE, PUBLIC, SIGNED_IN, Actor
from service.kit.clock import Clock
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.edge import SESSION_COOKIE, WALLET_COOKIE
from service.kit.i18n import _
from service.kit.pace import network_of
from service.kit.pages import form_of, go, page, refill, safe_path

AnyRequest = Request[Any, Any, Any]


@get("/sign-in", opt=PUBLIC, include_in_schema=False)
async def sign_in_page(request: AnyRequest, next: FromQuery[str | None] = None) -> Template:
    """Ask for the number."""
    return page(request, "identity/sign_in.html", title=_("登录"), next=safe_path(next))


@post("/sign-in", opt=PUBLIC, include_in_schema=False, status_code=200)
async def sign_in_number(request: AnyRequest) -> Template:
    """Ask for the secret. The number stays out of the address, so it is in no history and no log."""
    with refill(request, "identity/sign_in.html", title=_("登录"), next="/"):
        form = await form_of(request, NumberForm)
    return page(request, "identity/secret.html", title=_("输入口令"), number=form.number, next=safe_path(form.next))


@post("/sign-in/secret", opt=PUBLIC, include_in_schema=False)
async def sign_in_secret(request: AnyRequest, state: State) -> Redirect | Template:
    """Let in whoever knows the secret, and lead them where they were going; ask where, if it fits in two places."""
    form_values = await request.form()
    number, path = str(form_values.get("number", ""))[:64], safe_path(str(form_values.get("next") or "/"))
    with refill(request, "identity/secret.html", title=_("输入口令"), number=number, next=path):
        form = await form_of(request, SecretForm)
        try:
            entrance = await ways_in.sign_in(
                sessions_of_app(state),
                cast("Keyring", state.keyring),
                typed=form.number,
                secret=form.secret,
                address=network_of(request),
                device=device_of(request),
                is_shared=form.shared,
                now=cast("Clock", state.clock)(),
                community_id=form.community,
            )
        except ChooseCommunity as several:
            shown = {"number": number, "next": path, "choices": list(several.communities.items())}
            return page(request, "identity/secret.html", title=_("选社区"), status_code=409, **shown)
    return Redirect(path, status_code=303, cookies=session_cookies(request, state, entrance, is_shared=form.shared))


@post("/sign-out", opt=SIGNED_IN, include_in_schema=False)
async def sign_out(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State) -> Redirect:
    """End this session here and in the database."""
    await opened_sessions.end_session(
        session, actor=actor, session_id=actor.session_id, now=cast("Clock", state.clock)()
    )
    answer = Redirect("/", status_code=303)
    answer.delete_cookie(SESSION_COOKIE)
    answer.delete_cookie(WALLET_COOKIE)
    return answer


@get(["/A/{code:str}", "/a/{code:str}"], opt=PUBLIC, include_in_schema=False)
async def activation_page(
    request: AnyRequest, code: FromPath[str], session: NamedDependency[AsyncSession], state: State
) -> Template:
    """A scanned one-time code: whose it is (masked) and which PIN they would like."""
    row = await ways_in.find_activation(session, code, cast("Clock", state.clock)())
    whom = await person(session, row.community_id, row.member_id)
    return page(
        request, "identity/activate.html", title=_("设置口令"), code=code, who=whom.masked, card_no=whom.card_no
    )


@get("/activate", opt=PUBLIC, include_in_schema=False)
async def activation_typed(request: AnyRequest) -> Template:
    """For a one-time code that is typed, not scanned."""
    return page(request, "identity/activate.html", title=_("设置口令"), code="", who="", card_no="")


@post("/activate", opt=PUBLIC, include_in_schema=False)
async def activate(request: AnyRequest, state: State) -> Redirect:
    """Spend the code, keep the PIN, let the person in."""
    typed = await request.form()
    code = str(typed.get("code", ""))[:80]
    now = cast("Clock", state.clock)()
    with refill(request, "identity/activate.html", title=_("设置口令"), code=code, who="", card_no=""):
        form = await form_of(request, ActivateForm)
        if form.secret != form.again:
            raise SecretsDiffer
        entrance = await ways_in.activate_from(
            sessions_of_app(state),
            cast("Keyring", state.keyring),
            code=form.code,
            secret=form.secret,
            address=network_of(request),
            device=device_of(request),
            is_shared=form.shared,
            now=now,
        )
    return Redirect("/", status_code=303, cookies=session_cookies(request, state, entrance, is_shared=form.shared))


@get("/me", opt=SIGNED_IN, include_in_schema=False)
async def me_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Template:
    """Oneself: text size, language, on how many devices one is signed in, the PIN, signing out."""
    opened = await sessions_of(session, actor.community_id, actor.member_id, cast("Clock", state.clock)())
    roles = [f"role.{role}" for role in sorted(actor.roles)]
    in_office = actor.has(*OFFICE)
    return page(request, "identity/me.html", title=_("我的"), devices=len(opened), roles=roles, in_office=in_office)


@get("/me/devices", opt=SIGNED_IN, include_in_schema=False)
async def devices_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Template:
    """Where one is signed in: which device, since when, last used, from this network or another; each can be ended."""
    opened = await sessions_of(session, actor.community_id, actor.member_id, cast("Clock", state.clock)())
    rows = [(item, place_of(request, state, item.network_index)) for item in opened]
    return page(request, "identity/devices.html", title=_("我的设备"), rows=rows, here=actor.session_id)


@post("/me/sessions/{session_id:uuid}/end", opt=SIGNED_IN, include_in_schema=False)
async def end_session(
    session_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Redirect:
    """Sign out another of one's own devices. Somebody else's session looks like one that never was."""
    now = cast("Clock", state.clock)()
    mine = await sessions_of(session, actor.community_id, actor.member_id, now)
    if session_id in {item.session_id for item in mine}:
        await opened_sessions.end_session(session, actor=actor, session_id=session_id, now=now)
    return go("/me/devices", "session_ended")


@post("/me/sessions/end-others", opt=SIGNED_IN, include_in_schema=False)
async def end_other_sessions(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Redirect:
    """Sign oneself out everywhere but here."""
    await opened_sessions.end_other_sessions(session, actor=actor, now=cast("Clock", state.clock)())
    return go("/me/devices", "others_ended")


@get("/me/secret", opt=SIGNED_IN, include_in_schema=False)
async def secret_page(request: AnyRequest) -> Template:
    """Another PIN."""
    return page(request, "identity/change_secret.html", title=_("换口令"))


@post("/me/secret", opt=SIGNED_IN, include_in_schema=False)
async def change_secret(request: AnyRequest, actor: NamedDependency[Actor], state: State) -> Redirect:
    """Change one's PIN: the old one is asked for, and every other device is signed out."""
    now = cast("Clock", state.clock)()
    with refill(request, "identity/change_secret.html", title=_("换口令")):
        form = await form_of(request, ChangeSecretForm)
        if form.secret != form.again:
            raise SecretsDiffer
        await ways_in.change_own_secret(
            sessions_of_app(state),
            cast("Keyring", state.keyring),
            actor=actor,
            old=form.old,
            secret=form.secret,
            now=now,
        )
    return go("/me", "secret_changed")
