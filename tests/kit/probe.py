"""A slice that exists for the tests only: routes that do one thing of the kit each, in the real app."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from litestar import Request, Response, get, post
from litestar.datastructures import State, UploadFile
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit import audit
from service.kit.access import PUBLIC, SIGNED_IN, Actor, Role, allow
from service.kit.manifest import Manifest
from service.kit.once import once, once_page
from service.kit.pages import form_of, page, refill
from service.kit.paging import decode_cursor, encode_cursor
from service.kit.refusals import Conflict, TooMany

AnyRequest = Request[Any, Any, Any]


class Fruit(StrEnum):
    """A closed choice."""

    APPLE = "apple"
    PEAR = "pear"


class EveryForm(msgspec.Struct):
    """One field of every type a form of ours may have."""

    text: Annotated[str, msgspec.Meta(min_length=2, max_length=5)]
    note: str | None = None
    number: Annotated[int, msgspec.Meta(ge=0)] | None = None
    big: int | None = None
    day: date | None = None
    clock: time | None = None
    moment: datetime | None = None
    fruit: Fruit | None = None
    id: UUID | None = None
    ticked: bool = False
    many: list[str] = []
    numbers: list[int] = []
    file: UploadFile | None = None
    renamed: str | None = msgspec.field(default=None, name="other-name")


class Told(msgspec.Struct):
    """What the routes that act are told."""

    text: str = "done"


class ProbeRefused(Conflict):
    """Refused after the work was half done."""

    code = "kit.conflict"


@dataclass
class Gate:
    """Lets a test hold the work of a request, or break what it stands on, in the middle."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    is_closed: bool = False
    refuses: bool = False
    meanwhile: Callable[[int], Awaitable[None]] | None = None


async def _work(session: AsyncSession, actor: Actor, now: datetime, gate: Gate, text: str) -> None:
    audit.record(session, actor, "probe.done", kind="probe", id=text, now=now)
    await session.flush()
    if gate.is_closed:
        gate.entered.set()
        await gate.may_go.wait()
    if gate.refuses:
        raise ProbeRefused


@post("/api/probe/form", opt=PUBLIC)
async def every_form(request: AnyRequest) -> dict[str, object]:
    form = await form_of(request, EveryForm)
    answer = cast("dict[str, object]", msgspec.to_builtins(msgspec.structs.replace(form, file=None)))
    return answer | {"file": (await form.file.read()).decode() if form.file else None}


@post("/probe/form", opt=PUBLIC)
async def every_form_page(request: AnyRequest) -> Redirect:
    with refill(request, "identity/sign_in.html", title="表单", next="/"):
        await form_of(request, EveryForm)
    return Redirect("/", status_code=303)


@post("/api/probe/once", opt=SIGNED_IN, status_code=201)
async def act_once(
    request: AnyRequest,
    data: JSONBody[Told],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Response[Told]:
    async def work() -> Told:
        await _work(session, actor, now, state.gate, data.text)
        return Told(data.text)

    return await once(request, session, actor, now, work, status=201)


@post("/probe/once", opt=SIGNED_IN)
async def act_once_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> Redirect:
    async def work() -> str:
        await _work(session, actor, now, state.gate, "page")
        return "/me?done=here"

    return await once_page(request, session, actor, now, work)


@get("/api/probe/list", opt=PUBLIC)
async def listed(after: FromQuery[str | None] = None) -> dict[str, object]:
    found = decode_cursor(after, str, int)
    return {"values": list(found) if found else None, "next": encode_cursor("a", 2)}


@get(["/probe/bug", "/api/probe/bug"], opt=PUBLIC)
async def bug() -> None:
    try:
        int("李心愿 13812345678")
    except ValueError as reason:
        raise RuntimeError("李心愿 13812345678") from reason


@get(["/probe/too-many", "/api/probe/too-many"], opt=PUBLIC)
async def too_many() -> None:
    raise TooMany


@get(["/probe/missing-file", "/api/probe/missing-file"], opt=PUBLIC)
async def missing_file() -> None:
    raise FileNotFoundError("a file of ours")


@get("/probe/staff", opt=allow(Role.STAFF))
async def staff_only(request: AnyRequest) -> Template:
    return page(request, "kit/error.html", status=404)


@get(["/probe/nobody"])
async def nobody_named() -> None:
    """Says nothing in `opt`, so that it is open to nobody."""


@get("/api/probe/search", opt=PUBLIC)
async def search(
    session: NamedDependency[AsyncSession], text: FromQuery[str] = "", number: FromQuery[int] = 0
) -> dict[str, object]:
    found = await session.execute(sa.select(sa.literal(text, sa.Text), sa.literal(number, sa.BigInteger)))
    return {"found": list(found.one())}


@get(["/probe/cut", "/api/probe/cut"], opt=PUBLIC)
async def cut(session: NamedDependency[AsyncSession], state: State) -> None:
    """The test cuts this request's connection between its two statements."""
    pid = (await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
    assert state.gate.meanwhile is not None
    await state.gate.meanwhile(pid)
    await session.execute(sa.text("SELECT 1"))


@post(["/probe/cut-at-commit", "/api/probe/cut-at-commit"], opt=SIGNED_IN)
async def cut_at_commit(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    state: State,
) -> dict[str, str]:
    """The test cuts this request's connection after its last statement: an answer of success would be a lie."""
    audit.record(session, actor, "probe.lost", kind="probe", id="1", now=now)
    await session.flush()
    pid = (await session.execute(sa.text("SELECT pg_backend_pid()"))).scalar_one()
    assert state.gate.meanwhile is not None
    await state.gate.meanwhile(pid)
    return {"said": "done"}


PROBE = Manifest(
    name="probe",
    handlers=[
        every_form,
        every_form_page,
        act_once,
        act_once_page,
        listed,
        bug,
        too_many,
        missing_file,
        staff_only,
        nobody_named,
        search,
        cut,
        cut_at_commit,
    ],
)
