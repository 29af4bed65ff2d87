"""The same request twice is answered once.

A browser's form carries a hidden `_key`, an API client the header `Idempotency-Key`. The key is stored in the transaction
that does the work, so a second request waits for the first and is then given its answer; the same key with another body
is refused. Keys are kept for ever: offline phones come back weeks later.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar, cast

import msgspec
import sqlalchemy as sa
from litestar import Request, Response
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.response import Redirect
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor
from service.kit.refusals import Invalid
from service.kit.tables import Answered

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

KEY_LENGTH_MAX = 100


@dataclass(eq=False)
class KeyReused(Invalid):
    """The same idempotency key came with another body."""

    code: ClassVar[str] = "kit.key_reused"


async def once(
    request: AnyRequest,
    session: AsyncSession,
    actor: Actor,
    now: datetime,
    work: Callable[[], Awaitable[T]],
    *,
    status: int = 200,
) -> Response[T]:
    """Do `work` and answer with its result as JSON, or repeat the stored answer of the first time."""
    key = request.headers.get("idempotency-key")
    if not key:
        return Response(await work(), status_code=status)
    first = await _first_answer(request, session, actor, now, key)
    if first is not None and first.status is not None:
        content = cast("T", (first.body or {}).get("content"))
        return Response(content, status_code=first.status, headers={"Idempotency-Replayed": "true"})
    result = await work()
    await _keep(session, actor, key, status, {"content": msgspec.to_builtins(result)})
    return Response(result, status_code=status)


async def once_page(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, work: Callable[[], Awaitable[str]]
) -> Redirect:
    """Do `work`, which names the page to go to, or lead to the page of the first time: a double tap lands in one place."""
    form = await request.form()
    key = str(form.get("_key") or "")
    if not key:
        return Redirect(await work(), status_code=303)
    first = await _first_answer(request, session, actor, now, key)
    if first is not None and first.status is not None:
        return Redirect(str((first.body or {}).get("path", "/")), status_code=303)
    path = await work()
    await _keep(session, actor, key, 303, {"path": path})
    return Redirect(path, status_code=303)


async def _first_answer(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, key: str
) -> Answered | None:
    """Claim the key for this transaction, or find whose it was. A concurrent holder makes us wait for its commit."""
    if len(key) > KEY_LENGTH_MAX:
        raise Invalid({"Idempotency-Key": "too_long"})
    if not key.isprintable():
        raise Invalid({"Idempotency-Key": "text"})
    fingerprint = await _fingerprint(request)
    claimed = await session.execute(
        insert(Answered)
        .values(community_id=actor.community_id, member_id=actor.member_id, key=key, fingerprint=fingerprint, at=now)
        .on_conflict_do_nothing()
        .returning(col(Answered.key))
    )
    if claimed.scalar_one_or_none() is not None:
        return None
    # Locked, not merely read: the answer may leave only when the first one's commit is as safe as a commit of ours.
    found = await session.execute(
        sa.select(Answered)
        .where(
            col(Answered.community_id) == actor.community_id,
            col(Answered.member_id) == actor.member_id,
            col(Answered.key) == key,
        )
        .with_for_update()
    )
    first: Answered = found.scalar_one()
    if first.fingerprint != fingerprint:
        raise KeyReused({"Idempotency-Key": "reused"})
    return first


async def _fingerprint(request: AnyRequest) -> bytes:
    """What makes two requests the same: method, path and what was sent.

    A browser draws a new boundary for every multipart body and gets a new CSRF token with every new cookie, so a form is
    compared by its fields.
    """
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    kind, _ = request.content_type
    if kind not in (RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART):
        digest.update(await request.body())
        return digest.digest()
    for name, value in (await request.form()).multi_items():
        if name == "_csrf_token":
            continue
        digest.update(f"{len(name)} {name}\n".encode())
        if isinstance(value, UploadFile):
            content = await value.read()
            await value.seek(0)
            digest.update(f"file {len(content)} {value.filename}\n".encode() + content)
        else:
            digest.update(f"{len(str(value))} {value}\n".encode())
    return digest.digest()


async def _keep(session: AsyncSession, actor: Actor, key: str, status: int, body: dict[str, object]) -> None:
    await session.execute(
        sa.update(Answered)
        .where(
            col(Answered.community_id) == actor.community_id,
            col(Answered.member_id) == actor.member_id,
            col(Answered.key) == key,
        )
        .values(status=status, body=body)
    )
