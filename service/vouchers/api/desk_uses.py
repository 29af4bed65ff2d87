"""Uses at the desk as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.kit.db import sessions_of_app
from service.kit.ids import new_id
from service.kit.once import once
from service.kit.refusals import Invalid
from service.vouchers.actions import desk_uses
from service.vouchers.browser import desk_cursor, desk_mark
from service.vouchers.card_uses import desk_answer, use_at_desk
from service.vouchers.payloads import ScanOut
from service.vouchers.payloads.desk_uses import DeskUseMade, DeskUseOut, DeskUsesOut, PinUseIn, SecondUseIn
from service.vouchers.queries.desk_uses import DeskLine, decided_uses, waiting_uses
from service.vouchers.rules import key_for
from service.vouchers.said import answered

AnyRequest = Request[Any, Any, Any]
KEEPERS = allow(Role.STAFF)
SECONDS = allow(Role.STAFF, Role.APPROVER)
READERS = allow(Role.STAFF, Role.APPROVER, Role.AUDITOR)
ID_MOST = 2**63 - 1


def _voucher_id(text: str) -> int:
    if int(text) > ID_MOST:
        raise Invalid({"voucher_id": "invalid"})
    return int(text)


@get("/api/desk/uses", opt=READERS)
async def uses(
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    after: FromQuery[str | None] = None,
) -> DeskUsesOut:
    """Uses at the desk that wait for a second person, and those that were decided."""
    waiting = await waiting_uses(session, actor.community_id)
    decided, following = await decided_uses(session, actor.community_id, desk_mark(after))
    return DeskUsesOut([_out(line) for line in waiting], [_out(line) for line in decided], desk_cursor(following))


def _out(line: DeskLine) -> DeskUseOut:
    return DeskUseOut(
        line.desk_use_id,
        str(line.voucher_id),
        line.title,
        line.member_id,
        line.shop_id,
        line.quantity,
        line.way,
        line.state,
        line.reason,
        line.proposed_by,
        line.proposed_at,
        line.decided_by,
        line.decided_at,
        line.use_seq,
    )


@post("/api/desk/uses", opt=KEEPERS, status_code=200)
async def by_pin(
    data: JSONBody[PinUseIn],
    state: State,
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """The holder typed the PIN at the desk: used once, whoever asks how often. Five wrong PINs lock the card."""
    return answered(
        await use_at_desk(
            sessions_of_app(state),
            actor=actor,
            voucher_id=_voucher_id(data.voucher_id),
            shop_id=data.shop,
            pin=data.pin,
            nonce=key_for(actor.member_id, f"desk-pin:{data.nonce}"),
            quantity=data.quantity,
            now=now,
        )
    )


@post("/api/desk/use-requests", opt=KEEPERS)
async def ask_second(
    request: AnyRequest,
    data: JSONBody[SecondUseIn],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[DeskUseMade]:
    """Ask a second person to use a voucher for its holder, with a reason."""

    async def work() -> DeskUseMade:
        made = await desk_uses.ask_second(
            session,
            actor=actor,
            voucher_id=_voucher_id(data.voucher_id),
            shop_id=data.shop,
            quantity=data.quantity,
            reason=data.reason,
            key=request.headers.get("idempotency-key") or new_id().hex,
            now=now,
        )
        return DeskUseMade(made)

    return await once(request, session, actor, now, work, status=201)


@post("/api/desk/uses/{desk_use_id:uuid}/confirmation", opt=SECONDS, status_code=200)
async def agree(
    desk_use_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Response[ScanOut]:
    """Use it as the second person; the same person again gets the same answer."""
    scan = await desk_uses.agree(session, actor=actor, desk_use_id=desk_use_id, now=now)
    await session.flush()
    return answered(await desk_answer(session, actor, scan))


@post("/api/desk/uses/{desk_use_id:uuid}/refusal", opt=SECONDS, status_code=204)
async def refuse(
    desk_use_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> None:
    """Leave it, or take one's own question back."""
    await desk_uses.refuse(session, actor=actor, desk_use_id=desk_use_id, now=now)
