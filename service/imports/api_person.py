"""One person, written as JSON: the twin of the clerk's form."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.imports import actions_person, queries
from service.imports.payloads import (
    ChangedPersonIn,
    NewPersonIn,
    ParticularsAnswer,
    SavedAnswer,
    particulars_answer,
)
from service.kit.access import Actor, Role, allow
from service.kit.once import once

AnyRequest = Request[Any, Any, Any]
CLERKS = allow(Role.STAFF, Role.ADMIN)


@post("/api/people", opt=CLERKS, status_code=201)
async def add_person(
    request: AnyRequest,
    data: JSONBody[NewPersonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[SavedAnswer]:
    """Enrol one person by card number."""

    async def work() -> SavedAnswer:
        saved = await actions_person.add_person(session, actor=actor, card_no=data.card_no, typed=data.typed(), now=now)
        return SavedAnswer(saved.member_id, saved.import_id)

    return await once(request, session, actor, now, work, status=201)


@get("/api/people/{member_id:uuid}/particulars", opt=CLERKS)
async def particulars(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> ParticularsAnswer:
    """One person with everything open, to be corrected. The look is written down."""
    person = await actions_person.open_person(session, actor=actor, member_id=member_id, now=now)
    return particulars_answer(person, await queries.changes_of(session, actor.community_id, member_id))


@put("/api/people/{member_id:uuid}", opt=CLERKS)
async def change_person(
    request: AnyRequest,
    data: JSONBody[ChangedPersonIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    member_id: FromPath[UUID],
) -> Response[SavedAnswer]:
    """Correct one person. `revision` must be the present one; a closed person is open again."""

    async def work() -> SavedAnswer:
        saved = await actions_person.change_person(
            session, actor=actor, member_id=member_id, revision=data.revision, typed=data.typed(), now=now
        )
        return SavedAnswer(saved.member_id, saved.import_id)

    return await once(request, session, actor, now, work)
