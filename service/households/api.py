"""Classes and entitlements, as JSON, for their keepers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.households import actions, queries
from service.households.payloads import (
    ClassesOut,
    ClassIn,
    DiscountIn,
    EntitlementsOut,
    MadeOut,
    WaitingListOut,
    WaitingOut,
    WordIn,
    class_out,
    entitlement_out,
)
from service.households.refused import refusal_kept
from service.households.rules import KEEPERS, SETTERS
from service.kit.access import Actor, Role, allow
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]


@get("/api/household-classes/of/{card_no:str}", opt=allow(*KEEPERS))
async def classes(
    request: AnyRequest,
    card_no: FromPath[str],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ClassesOut:
    """The classes of somebody's household. The look is written down."""
    async with refusal_kept(request, actor, now, is_look=True):
        household_id = await actions.household_of_card(session, actor=actor, card_no=card_no)
    found = await actions.look(session, actor=actor, household_id=household_id, now=now)
    return ClassesOut(household_id, [class_out(view) for view in found])


@get("/api/households/{household_id:uuid}/classes", opt=allow(*KEEPERS))
async def classes_of(
    request: AnyRequest,
    household_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> ClassesOut:
    """The same, for a household that waits for a second person. The look is written down."""
    async with refusal_kept(request, actor, now, household_id=household_id, is_look=True):
        found = await actions.look(session, actor=actor, household_id=household_id, now=now)
    return ClassesOut(household_id, [class_out(view) for view in found])


@get("/api/household-classes/waiting", opt=allow(*KEEPERS))
async def waiting(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> WaitingListOut:
    """What waits for a second person, without saying what it is."""
    return WaitingListOut(
        [
            WaitingOut(row.class_id, row.household_id, row.proposed_by, row.proposed_at)
            for row in await queries.waiting(session, actor.community_id)
        ]
    )


@post("/api/household-classes", opt=allow(*KEEPERS), status_code=201)
async def propose_class(
    request: AnyRequest,
    data: JSONBody[ClassIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """Write a class down; a second person agrees."""

    async def work() -> MadeOut:
        household_id = await actions.household_of_card(session, actor=actor, card_no=data.card_no)
        class_id = await actions.propose_class(
            session,
            actor=actor,
            household_id=household_id,
            kind=data.kind,
            basis=data.basis,
            is_consented=data.is_consented,
            now=now,
        )
        return MadeOut(class_id)

    async with refusal_kept(request, actor, now):
        return await once(request, session, actor, now, work, status=201)


async def _moved(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, class_id: UUID, *, is_agreed: bool | None
) -> Response[MadeOut]:
    async def work() -> MadeOut:
        if is_agreed is None:
            await actions.end_class(session, actor=actor, class_id=class_id, now=now)
        else:
            await actions.decide_class(session, actor=actor, class_id=class_id, is_agreed=is_agreed, now=now)
        return MadeOut(class_id)

    async with refusal_kept(request, actor, now, class_id=class_id):
        return await once(request, session, actor, now, work)


@post("/api/household-classes/{class_id:uuid}/confirmation", opt=allow(*KEEPERS), status_code=200)
async def agree(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """It holds from tomorrow; by somebody else than proposed it."""
    return await _moved(request, session, actor, now, class_id, is_agreed=True)


@post("/api/household-classes/{class_id:uuid}/refusal", opt=allow(*KEEPERS), status_code=200)
async def refuse(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """It does not hold; its proposer takes it back this way."""
    return await _moved(request, session, actor, now, class_id, is_agreed=False)


@post("/api/household-classes/{class_id:uuid}/end", opt=allow(*KEEPERS), status_code=200)
async def end(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """From tomorrow on it holds no more."""
    return await _moved(request, session, actor, now, class_id, is_agreed=None)


@get("/api/entitlements", opt=allow(*KEEPERS, Role.ADMIN))
async def entitlements(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> EntitlementsOut:
    """What classes entitle to; not whom."""
    return EntitlementsOut([entitlement_out(view) for view in await queries.entitlements(session, actor.community_id)])


@post("/api/entitlements/discounts", opt=allow(*SETTERS), status_code=201)
async def set_discount(
    request: AnyRequest,
    data: JSONBody[DiscountIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """Percents off a team's price list, from tomorrow on."""

    async def work() -> MadeOut:
        return MadeOut(
            await actions.set_entitlement(
                session,
                actor=actor,
                kind=data.kind,
                organisation_id=data.team,
                percent=data.percent,
                word=None,
                now=now,
            )
        )

    return await once(request, session, actor, now, work, status=201)


@post("/api/entitlements/words", opt=allow(*SETTERS), status_code=201)
async def set_word(
    request: AnyRequest,
    data: JSONBody[WordIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """A word that offers may ask for, from tomorrow on."""

    async def work() -> MadeOut:
        return MadeOut(
            await actions.set_entitlement(
                session, actor=actor, kind=data.kind, organisation_id=None, percent=None, word=data.word, now=now
            )
        )

    return await once(request, session, actor, now, work, status=201)


@post("/api/entitlements/{entitlement_id:uuid}/end", opt=allow(*SETTERS), status_code=200)
async def end_entitlement(
    request: AnyRequest,
    entitlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[MadeOut]:
    """From tomorrow on nobody has it any more."""

    async def work() -> MadeOut:
        await actions.end_entitlement(session, actor=actor, entitlement_id=entitlement_id, now=now)
        return MadeOut(entitlement_id)

    return await once(request, session, actor, now, work)


HANDLERS = [
    classes,
    classes_of,
    waiting,
    propose_class,
    agree,
    refuse,
    end,
    entitlements,
    set_discount,
    set_word,
    end_entitlement,
]
