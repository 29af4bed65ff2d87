"""Files of payments for the bank, as JSON."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.access import Actor, allow
from service.kit.export import csv_answer
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once
from service.kit.workbook import xlsx_answer
from service.payouts import actions_files
from service.payouts.payloads import Reason
from service.payouts.rules import PROPOSERS, READERS, FileKind

AnyRequest = Request[Any, Any, Any]


class FileIn(msgspec.Struct):
    """Which statements are paid by it; without any, all that can be."""

    settlements: Annotated[list[UUID], msgspec.Meta(max_length=500)] = []


class VoidIn(msgspec.Struct):
    """Why it never reached the bank."""

    reason: Reason


class FileOut(msgspec.Struct):
    """One file. Its lines are in the file itself, with whole account numbers."""

    file_id: UUID
    number: int
    line_count: int
    fen: int
    live_count: int
    made_by: UUID
    made_at: datetime
    voided_by: UUID | None
    voided_at: datetime | None
    void_reason: str | None


class FilesOut(msgspec.Struct):
    """The newest first, and what could go into the next one."""

    items: list[FileOut]
    payable: list[UUID]


async def _files(session: AsyncSession, community_id: int) -> FilesOut:
    return FilesOut(
        [
            msgspec.convert(each, FileOut, from_attributes=True)
            for each in await redemption.bank_files(session, community_id)
        ],
        await redemption.payable(session, community_id),
    )


@get("/api/payouts/files", opt=allow(*READERS))
async def files(session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]) -> FilesOut:
    """Every file, and the statements that wait for one."""
    return await _files(session, actor.community_id)


@post("/api/payouts/files", opt=allow(*PROPOSERS), status_code=200)
async def make(
    request: AnyRequest,
    data: JSONBody[FileIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[FilesOut]:
    """Make the next file."""

    async def work() -> FilesOut:
        chosen = data.settlements or await redemption.payable(session, actor.community_id)
        await actions_files.make_file(session, actor=actor, file_id=new_id(), settlements=chosen, now=now)
        return await _files(session, actor.community_id)

    return await once(request, session, actor, now, work)


@post("/api/payouts/files/{file_id:uuid}/content", opt=allow(*PROPOSERS), status_code=200)
async def content(
    file_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[FileKind] = FileKind.CSV,
) -> Response[bytes]:
    """The file itself, for the bank; that somebody took it is written down."""
    number, made = await actions_files.open_file(session, actor=actor, file_id=file_id, kind=kind, now=now)
    answer = csv_answer if kind is FileKind.CSV else xlsx_answer
    return answer(f"{_('付款文件')}-{number:06}", made)


@post("/api/payouts/files/{file_id:uuid}/void", opt=allow(*PROPOSERS), status_code=200)
async def void(
    request: AnyRequest,
    file_id: FromPath[UUID],
    data: JSONBody[VoidIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[FilesOut]:
    """A file that never reached the bank."""

    async def work() -> FilesOut:
        await actions_files.void_file(session, actor=actor, file_id=file_id, reason=data.reason, now=now)
        return await _files(session, actor.community_id)

    return await once(request, session, actor, now, work)


HANDLERS = [files, make, content, void]
