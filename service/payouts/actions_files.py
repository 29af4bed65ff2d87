"""Make a file of payments for the bank, look into it again, void one that never reached the bank."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

import anyio.to_thread
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import organisations_by_ids
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import keyring
from service.kit.export import csv_bytes
from service.kit.workbook import Sheet, xlsx_bytes
from service.payouts.rules import FileKind, FileNotFound, account_context, payment_mark

HEADINGS = ("序号", "收款人户名", "收款账号", "开户银行", "金额", "附言", "备注")
WIDTHS = (8, 24, 28, 28, 14, 18, 30)


async def make_file(
    session: AsyncSession, *, actor: Actor, file_id: UUID, settlements: Sequence[UUID], now: datetime
) -> None:
    """Put approved statements into the next file. Its SHA-256 is in the log, so that a changed copy is found out."""
    await redemption.make_bank_file(
        session, actor.community_id, file_id, settlements, actor_id=actor.member_id, now=now
    )
    made, content = await _content(session, actor.community_id, file_id, FileKind.CSV)
    audit.record(
        session,
        actor,
        "payouts.file_made",
        kind="bank_file",
        id=file_id,
        now=now,
        detail={
            "number": made.number,
            "lines": made.line_count,
            "fen": made.fen,
            "sha256": hashlib.sha256(content).hexdigest(),
        },
    )


async def open_file(
    session: AsyncSession, *, actor: Actor, file_id: UUID, kind: FileKind, now: datetime
) -> tuple[int, bytes]:
    """The file's number and bytes, whole account numbers in it; that somebody took it is written down, with its SHA-256."""
    made, content = await _content(session, actor.community_id, file_id, kind)
    audit.record(
        session,
        actor,
        "payouts.file_read",
        kind="bank_file",
        id=file_id,
        now=now,
        detail={"number": made.number, "kind": kind.value, "sha256": hashlib.sha256(content).hexdigest()},
    )
    return made.number, content


async def void_file(session: AsyncSession, *, actor: Actor, file_id: UUID, reason: str, now: datetime) -> None:
    """The file never reached the bank: its statements may go into another one."""
    audit.record(
        session, actor, "payouts.file_voided", kind="bank_file", id=file_id, now=now, detail={"reason": reason}
    )
    await session.flush()
    await redemption.void_bank_file(
        session, actor.community_id, file_id, reason=reason, actor_id=actor.member_id, now=now
    )


async def _content(
    session: AsyncSession, community_id: int, file_id: UUID, kind: FileKind
) -> tuple[redemption.BankFile, bytes]:
    """The same bytes each time, whoever asks in whatever language: the headings are the bank's."""
    made = next((each for each in await redemption.bank_files(session, community_id) if each.file_id == file_id), None)
    if made is None:
        raise FileNotFound
    lines = await redemption.bank_file_lines(session, community_id, file_id)
    shops = await organisations_by_ids(session, community_id, {line.merchant_id for line in lines})
    ring = keyring(session)
    rows: list[tuple[str | int, ...]] = [
        (
            line.line_no,
            line.holder,
            ring.open(line.sealed, account_context(community_id, line.payee_id)),
            line.bank,
            f"{line.fen // 100}.{line.fen % 100:02}",
            payment_mark(made.number, line.line_no),
            f"{shops[line.merchant_id].name} {line.settlement_number}",
        )
        for line in lines
    ]
    if kind is FileKind.CSV:
        return made, csv_bytes(HEADINGS, rows)
    sheet = Sheet("付款文件", HEADINGS, rows, WIDTHS)
    return made, await anyio.to_thread.run_sync(partial(xlsx_bytes, [sheet], made_at=made.made_at))
