"""The second factor as JSON: one's own, and the desk's."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.identity import actions_factor as factors
from service.identity import actions_removal as removals
from service.identity.browsers import renewed_cookies
from service.identity.payloads_factor import (
    CodeForm,
    EnrolmentOut,
    FactorOut,
    OfficeFactorOut,
    OfficeFactorsOut,
    PinForm,
    RecoveryCodesOut,
    RemovalForm,
    RemovalOut,
    WaitingOut,
)
from service.identity.queries_factor import office_factors, own_factor
from service.identity.rules_factor import KEEPERS
from service.kit.access import OFFICE, Actor, allow
from service.kit.clock import Clock
from service.kit.crypto import Keyring
from service.kit.db import sessions_of_app
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]
OFFICERS = allow(*OFFICE)


@get("/api/me/second-factor", opt=OFFICERS)
async def my_factor(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> FactorOut:
    """Whether one has a second factor, and until when this session is asked for nothing."""
    return msgspec.convert(await own_factor(session, actor, now), FactorOut, from_attributes=True)


@post("/api/me/second-factor", opt=OFFICERS, status_code=201)
async def begin(data: JSONBody[PinForm], actor: NamedDependency[Actor], state: State) -> EnrolmentOut:
    """Get a secret for an authenticator; it counts once a code of it was given to `/confirmation`."""
    shown = await factors.start_enrolment(
        sessions_of_app(state),
        cast("Keyring", state.keyring),
        actor=actor,
        secret=data.secret,
        now=cast("Clock", state.clock)(),
    )
    return EnrolmentOut(shown.secret, shown.uri)


@post("/api/me/second-factor/confirmation", opt=OFFICERS, status_code=200)
async def confirm(data: JSONBody[CodeForm], actor: NamedDependency[Actor], state: State) -> Response[RecoveryCodesOut]:
    """Prove that the authenticator works; answers the recovery codes, once, and sets a fresh session cookie."""
    now = cast("Clock", state.clock)()
    entrance, codes = await factors.confirm_enrolment(sessions_of_app(state), actor=actor, code=data.code, now=now)
    return Response(RecoveryCodesOut(list(codes)), status_code=200, cookies=renewed_cookies(state, entrance, now))


@post("/api/me/second-factor/proof", opt=OFFICERS, status_code=204)
async def prove(data: JSONBody[CodeForm], actor: NamedDependency[Actor], state: State) -> Response[None]:
    """Give a code: acts that ask for one pass for some hours. The answer sets a fresh session cookie."""
    now = cast("Clock", state.clock)()
    entrance = await factors.prove(sessions_of_app(state), actor=actor, code=data.code, now=now)
    return Response(None, status_code=204, cookies=renewed_cookies(state, entrance, now))


@post("/api/me/second-factor/recovery-codes", opt=OFFICERS, status_code=200)
async def new_codes(
    data: JSONBody[CodeForm], actor: NamedDependency[Actor], state: State
) -> Response[RecoveryCodesOut]:
    """Ten other recovery codes; the ten before are worth nothing."""
    now = cast("Clock", state.clock)()
    entrance, codes = await factors.new_recovery_codes(sessions_of_app(state), actor=actor, code=data.code, now=now)
    return Response(RecoveryCodesOut(list(codes)), status_code=200, cookies=renewed_cookies(state, entrance, now))


@post("/api/me/second-factor/end", opt=OFFICERS, status_code=204)
async def give_up(data: JSONBody[CodeForm], actor: NamedDependency[Actor], state: State) -> None:
    """End one's own second factor with a code of it."""
    await factors.give_up(sessions_of_app(state), actor=actor, code=data.code, now=cast("Clock", state.clock)())


@get("/api/second-factors", opt=OFFICERS)
async def office(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> OfficeFactorsOut:
    """Who of the office has a second factor, and what waits for a second person."""
    found = await office_factors(session, actor.community_id, now)
    return OfficeFactorsOut(
        is_required=found.is_required,
        hours=found.hours,
        items=[
            OfficeFactorOut(
                member_id=one.person.member_id,
                card_no=one.person.card_no,
                name=one.person.masked,
                since=one.since,
                waiting=msgspec.convert(one.waiting, WaitingOut, from_attributes=True) if one.waiting else None,
            )
            for one in found.people
        ],
    )


@post("/api/people/{member_id:uuid}/second-factor/removals", opt=allow(*KEEPERS), status_code=201)
async def propose(
    request: AnyRequest,
    member_id: FromPath[UUID],
    data: JSONBody[RemovalForm],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[RemovalOut]:
    """Ask for somebody's lost second factor to be taken away; a second person agrees."""

    async def work() -> RemovalOut:
        made = await removals.propose_removal(session, actor=actor, member_id=member_id, reason=data.reason, now=now)
        return RemovalOut(made)

    return await once(request, session, actor, now, work, status=201)


@post("/api/second-factor-removals/{removal_id:uuid}/agreement", opt=allow(*KEEPERS), status_code=204)
async def agree(
    removal_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """Take it away; its owner is signed out everywhere and enrols anew."""
    await removals.agree_removal(session, actor=actor, removal_id=removal_id, now=now)


@post("/api/second-factor-removals/{removal_id:uuid}/refusal", opt=OFFICERS, status_code=204)
async def refuse(
    removal_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """Leave it as it is; whose it is may say so, too."""
    await removals.refuse_removal(session, actor=actor, removal_id=removal_id, now=now)


HANDLERS = [my_factor, begin, confirm, prove, new_codes, give_up, office, propose, agree, refuse]
