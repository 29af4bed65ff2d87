"""The desk's page of files for the bank."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.identity import people_by_ids
from service.kit.access import Actor, allow
from service.kit.export import csv_answer
from service.kit.i18n import _
from service.kit.ids import new_id
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill
from service.kit.workbook import xlsx_answer
from service.payouts import actions_files
from service.payouts.payloads import Reason
from service.payouts.rules import PROPOSERS, READERS, FileKind

AnyRequest = Request[Any, Any, Any]
PAGE = "/desk/payouts/files"
TEMPLATE = "payouts/files.html"


class VoidForm(msgspec.Struct):
    """Why it never reached the bank."""

    reason: Reason


async def _shown(session: AsyncSession, actor: Actor) -> dict[str, Any]:
    files = await redemption.bank_files(session, actor.community_id)
    return {
        "title": _("付款文件"),
        "files": files,
        "people": await people_by_ids(session, actor.community_id, {each.made_by for each in files}),
        "waiting": len(await redemption.payable(session, actor.community_id)),
        "may_make": actor.has(*PROPOSERS),
    }


@get(PAGE, opt=allow(*READERS), include_in_schema=False)
async def files_page(
    request: AnyRequest, session: NamedDependency[AsyncSession], actor: NamedDependency[Actor]
) -> Template:
    """Every file for the bank."""
    return page(request, TEMPLATE, **await _shown(session, actor))


@post(PAGE, opt=allow(*PROPOSERS), include_in_schema=False)
async def make(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """One file with all that can be paid."""
    with refill(request, TEMPLATE, **await _shown(session, actor)):

        async def work() -> str:
            chosen = await redemption.payable(session, actor.community_id)
            await actions_files.make_file(session, actor=actor, file_id=new_id(), settlements=chosen, now=now)
            return f"{PAGE}?done=payouts.file_made"

        return await once_page(request, session, actor, now, work)


@post(PAGE + "/{file_id:uuid}/content", opt=allow(*PROPOSERS), include_in_schema=False, status_code=200)
async def content(
    file_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    kind: FromQuery[FileKind] = FileKind.CSV,
) -> Response[bytes]:
    """The file itself; that somebody took it is written down."""
    number, made = await actions_files.open_file(session, actor=actor, file_id=file_id, kind=kind, now=now)
    answer = csv_answer if kind is FileKind.CSV else xlsx_answer
    return answer(f"{_('付款文件')}-{number:06}", made)


@post(PAGE + "/{file_id:uuid}/void", opt=allow(*PROPOSERS), include_in_schema=False)
async def void(
    request: AnyRequest,
    file_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """A file that never reached the bank."""
    with refill(request, TEMPLATE, **await _shown(session, actor)):
        form = await form_of(request, VoidForm)

        async def work() -> str:
            await actions_files.void_file(session, actor=actor, file_id=file_id, reason=form.reason, now=now)
            return f"{PAGE}?done=payouts.file_voided"

        return await once_page(request, session, actor, now, work)


HANDLERS = [files_page, make, content, void]
