"""Ways in, and oneself, as JSON."""

from typing import Any, cast
from uuid import UUID

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import actions_sessions as opened_sessions
from service.identity import actions_sign_in as ways_in
from service.identity.browsers import device_of, place_of, session_cookies
from service.identity.histories import sessions_of
from service.identity.payloads import Activating, ChangingSecret, Me, SessionOut, Sessions, SignIn
from service.kit.access import PUBLIC, SIGNED_IN, Actor
from service.kit.clock import Clock
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.edge import SESSION_COOKIE, WALLET_COOKIE
from service.kit.pace import network_of

AnyRequest = Request[Any, Any, Any]


@post("/api/session", opt=PUBLIC, status_code=204)
async def sign_in(request: AnyRequest, data: JSONBody[SignIn], state: State) -> Response[None]:
    """Open a session for a card or phone number and its PIN; the answer sets the session cookie."""
    entrance = await ways_in.sign_in(
        sessions_of_app(state),
        cast("Keyring", state.keyring),
        typed=data.number,
        secret=data.secret,
        address=network_of(request),
        device=device_of(request),
        is_shared=data.shared,
        now=cast("Clock", state.clock)(),
        community_id=data.community_id,
    )
    return Response(None, status_code=204, cookies=session_cookies(request, state, entrance, is_shared=data.shared))


@post("/api/activation", opt=PUBLIC, status_code=204)
async def activate(request: AnyRequest, data: JSONBody[Activating], state: State) -> Response[None]:
    """Spend a one-time code and choose a PIN; the answer sets the session cookie."""
    entrance = await ways_in.activate_from(
        sessions_of_app(state),
        cast("Keyring", state.keyring),
        code=data.code,
        secret=data.secret,
        address=network_of(request),
        device=device_of(request),
        is_shared=data.shared,
        now=cast("Clock", state.clock)(),
    )
    return Response(None, status_code=204, cookies=session_cookies(request, state, entrance, is_shared=data.shared))


@put("/api/me/secret", opt=SIGNED_IN, status_code=204)
async def change_secret(data: JSONBody[ChangingSecret], actor: NamedDependency[Actor], state: State) -> None:
    """Choose another PIN; the old one is asked for, and every other device is signed out."""
    await ways_in.change_own_secret(
        sessions_of_app(state),
        cast("Keyring", state.keyring),
        actor=actor,
        old=data.old,
        secret=data.secret,
        now=cast("Clock", state.clock)(),
    )


@delete("/api/session", opt=SIGNED_IN, status_code=204)
async def sign_out(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Response[None]:
    """End the session that asks."""
    await opened_sessions.end_session(
        session, actor=actor, session_id=actor.session_id, now=cast("Clock", state.clock)()
    )
    answer = Response(None, status_code=204)
    answer.delete_cookie(SESSION_COOKIE)
    answer.delete_cookie(WALLET_COOKIE)
    return answer


@get("/api/me", opt=SIGNED_IN)
async def me(actor: NamedDependency[Actor]) -> Me:
    """The signed-in person, with today's roles."""
    return Me(
        community_id=actor.community_id,
        community=actor.community_name,
        member_id=actor.member_id,
        card_no=actor.card_no,
        name=actor.name,
        roles=sorted(actor.roles),
        organisations=sorted(actor.organisations),
    )


@get("/api/me/sessions", opt=SIGNED_IN)
async def my_sessions(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> Sessions:
    """Where the person is signed in."""
    opened = await sessions_of(session, actor.community_id, actor.member_id, cast("Clock", state.clock)())
    return Sessions(
        [
            SessionOut(
                session_id=item.session_id,
                device=item.device,
                is_shared=item.is_shared,
                started_at=item.started_at,
                seen_at=item.seen_at,
                expires_at=item.expires_at,
                is_current=item.session_id == actor.session_id,
                place=place_of(request, state, item.network_index),
            )
            for item in opened
        ]
    )


@delete("/api/me/sessions/{session_id:uuid}", opt=SIGNED_IN, status_code=204)
async def end_my_session(
    session_id: FromPath[UUID], session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> None:
    """Sign out one of one's own devices; a session that is not one's own looks like one that has ended."""
    now = cast("Clock", state.clock)()
    mine = await sessions_of(session, actor.community_id, actor.member_id, now)
    if session_id in {item.session_id for item in mine}:
        await opened_sessions.end_session(session, actor=actor, session_id=session_id, now=now)


@delete("/api/me/sessions", opt=SIGNED_IN, status_code=204)
async def end_my_other_sessions(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], state: State
) -> None:
    """Sign oneself out everywhere but here."""
    await opened_sessions.end_other_sessions(session, actor=actor, now=cast("Clock", state.clock)())
