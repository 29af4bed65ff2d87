"""The journals that a filter finds as a file: harmless to open, read while it is sent, and signed off in its last line."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from litestar import Request
from litestar.response import Stream

from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import Sessions
from service.kit.export import Cell, csv_lines, file_stream
from service.kit.i18n import _, translate
from service.kit.refusals import Invalid
from service.kit.words import when
from service.kit.workbook import XLSX, SheetFile
from service.wallet.queries.journals import Asked, Leg, all_legs
from service.wallet.rules import BookUnit, amount_typed

FIELDS = (
    "reference",
    "account",
    "reason",
    "actor",
    "unit",
    "amount_min",
    "amount_max",
    "posted_from",
    "posted_to",
    "effective_from",
    "effective_to",
    "exact",
    "only_reversals",
)
DAYS = ("posted_from", "posted_to", "effective_from", "effective_to")
LONGEST = 200
"""No reference and no code of an account is longer."""


WIDTHS = (10, 18, 18, 18, 40, 12, 12, 10, 10, 8, 34, 34, 8, 14)


def asked_of(typed: Mapping[str, str]) -> Asked:
    """What a filter form asks. Raises Invalid with the first field that cannot be read."""
    unit = BookUnit(typed["unit"]) if typed["unit"] in set(BookUnit) else None
    for name in ("reference", "account", "reason", "actor"):
        if len(typed[name]) > LONGEST or not typed[name].isprintable():
            raise Invalid({name: "text"})
    days = {name: _day(name, typed[name]) for name in DAYS}
    return Asked(
        reference=typed["reference"] or None,
        exact=bool(typed["exact"]),
        reason=typed["reason"] or None,
        account=typed["account"] or None,
        actor=typed["actor"] or None,
        unit=unit,
        amount_min=amount_typed(unit, typed["amount_min"], "amount_min"),
        amount_max=amount_typed(unit, typed["amount_max"], "amount_max"),
        only_reversals=bool(typed["only_reversals"]),
        **days,
    )


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as problem:
        raise Invalid({name: "date"}) from problem


def typed_query(request: Request[Any, Any, Any]) -> Mapping[str, str]:
    """What the filter form sent, empty where it sent nothing."""
    return {name: str(request.query_params.get(name, "")).strip() for name in FIELDS}


class JournalsForm(StrEnum):
    """What the file is; the value is its ending."""

    CSV = "csv"
    XLSX = "xlsx"


MEDIA_TYPES: Mapping[JournalsForm, str] = {JournalsForm.CSV: "text/csv; charset=utf-8", JournalsForm.XLSX: XLSX}


def journals_file(sessions: Sessions, actor: Actor, asked: Asked, form: JournalsForm, now: datetime) -> Stream:
    """A row for every transfer. Amounts are whole numbers of the unit's smallest part, so that they add up exactly."""
    parts = _rows(sessions, actor, asked, now)
    pieces = _csv(parts) if form is JournalsForm.CSV else _workbook(parts)
    name = f"linli-journals-{actor.community_id}-{local_day(now):%Y%m%d}.{form.value}"
    return file_stream(name, pieces, MEDIA_TYPES[form])


def _headings() -> Sequence[str]:
    return [
        _("凭证号"), _("入账时间"), _("发生时间"), _("原因"), _("引用号"), _("经办卡号"), _("代谁办理"), _("冲正哪张"),
        _("被哪张冲正"), _("流水号"), _("付出账户"), _("收入账户"), _("单位"), _("数量（最小单位）"),
    ]  # fmt: skip


def _cells(leg: Leg) -> Sequence[Cell]:
    line = leg.journal
    return [
        line.journal_id,
        line.posted_at,
        line.effective_at,
        translate(f"reason.{line.reason}"),
        line.reference,
        leg.actor,
        leg.on_behalf_of,
        line.reverses,
        line.reversed_by,
        leg.transfer.seq,
        leg.debit,
        leg.credit,
        translate(f"unit.{leg.transfer.unit}"),
        leg.transfer.amount,
    ]


async def _rows(
    sessions: Sessions, actor: Actor, asked: Asked, now: datetime
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    """Headings, the rows part by part, and who took them away: a file that was cut off lacks its last line."""
    yield [_headings()]
    rows = 0
    async for legs in all_legs(sessions, actor.community_id, asked):
        rows += len(legs)
        yield [_cells(leg) for leg in legs]
    given = "; ".join(f"{name}={value}" for name, value in asked.given().items())
    told = _("{name} {card} 于 {at} 从 {community} 导出，共 {rows} 行。仅供查账，请勿外传。").format(
        name=actor.name, card=actor.card_no, at=when(now, year=True), community=actor.community_name, rows=rows
    )
    yield [[], [told], [_("条件：{given}").format(given=given or _("全部"))]]


async def _csv(parts: AsyncIterator[Sequence[Sequence[Cell]]]) -> AsyncIterator[bytes]:
    mark = b"\xef\xbb\xbf"
    async for rows in parts:
        yield mark + csv_lines(rows)
        mark = b""


async def _workbook(parts: AsyncIterator[Sequence[Sequence[Cell]]]) -> AsyncIterator[bytes]:
    """A workbook has its table of contents at the end, so it is written to a file of our own first, part by part."""
    with SheetFile(_("凭证"), WIDTHS) as file:
        async for rows in parts:
            await file.write(rows)
        async for piece in file.pieces():
            yield piece
