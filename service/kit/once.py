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
from uuid import UUID

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
from service.kit.db import Sessions, transaction
from service.kit.ids import id_of_act, new_id
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


async def once_in_steps(
    request: AnyRequest,
    sessions: Sessions,
    actor: Actor,
    now: datetime,
    work: Callable[[UUID], Awaitable[tuple[T, bool]]],
) -> Response[T]:
    """The same for an act of several transactions, which finishes what it began when it is asked for again.

    `work` is given an id that is the same for the same key, and answers whether its result is final: only then it is
    kept. A second request does not wait for the first; both do the same work, and one answer stands.
    """
    key = request.headers.get("idempotency-key")
    if not key:
        result, _ = await work(new_id())
        return Response(result, status_code=200)
    async with transaction(sessions) as session:
        first = await _first_answer(request, session, actor, now, key)
    if first is None or first.status is None:
        result, is_final = await work(id_of_act(actor.community_id, actor.member_id, key))
        if not is_final:
            return Response(result, status_code=200)
        async with transaction(sessions) as session:
            first = await _keep_first(session, actor, key, 200, {"content": msgspec.to_builtins(result)})
        if first is None:
            return Response(result, status_code=200)
    content = cast("T", (first.body or {}).get("content"))
    return Response(content, status_code=200, headers={"Idempotency-Replayed": "true"})


async def once_page_in_steps(
    request: AnyRequest,
    sessions: Sessions,
    actor: Actor,
    now: datetime,
    work: Callable[[UUID], Awaitable[tuple[str, bool]]],
) -> Redirect:
    """The same for a page: `work` names the page to go to."""
    form = await request.form()
    key = str(form.get("_key") or "")
    if not key:
        path, _ = await work(new_id())
        return Redirect(path, status_code=303)
    async with transaction(sessions) as session:
        first = await _first_answer(request, session, actor, now, key)
    if first is not None and first.status is not None:
        return Redirect(str((first.body or {}).get("path", "/")), status_code=303)
    path, is_final = await work(id_of_act(actor.community_id, actor.member_id, key))
    if is_final:
        async with transaction(sessions) as session:
            await _keep_first(session, actor, key, 303, {"path": path})
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


async def _keep_first(
    session: AsyncSession, actor: Actor, key: str, status: int, body: dict[str, object]
) -> Answered | None:
    """Keep the answer, or give back the one that somebody kept meanwhile."""
    mine = sa.and_(
        col(Answered.community_id) == actor.community_id,
        col(Answered.member_id) == actor.member_id,
        col(Answered.key) == key,
    )
    kept = await session.execute(
        sa.update(Answered)
        .where(mine, col(Answered.status).is_(None))
        .values(status=status, body=body)
        .returning(col(Answered.key))
    )
    if kept.scalar_one_or_none() is not None:
        return None
    first: Answered = (await session.execute(sa.select(Answered).where(mine))).scalar_one()
    return first
