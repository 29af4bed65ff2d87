"""A statement to keep: as CSV with every field that its hash covers, as a workbook, and on paper with the amount in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import anyio.to_thread
from litestar import Response
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.communities import community, organisations_by_ids
from service.identity import people_by_ids
from service.kit.clock import HOME_ZONE, local_day
from service.kit.export import Cell, csv_answer, csv_bytes
from service.kit.i18n import _, translate
from service.kit.paper import Paper, pdf_answer
from service.kit.words import points, when, yuan
from service.kit.workbook import Sheet, xlsx_answer, xlsx_bytes
from service.vouchers.queries.office import all_lines
from service.vouchers.rules import FileKind, StatementNotFound, yuan_in_words


@dataclass(frozen=True, slots=True)
class StatementFile:
    """What stands on a statement, with names in place of ids."""

    statement: redemption.Settlement
    lines: Sequence[redemption.SettlementLine]
    community: str
    shop: str
    names: Mapping[UUID | None, str]
    invoices: Sequence[redemption.Invoice]

    @property
    def name(self) -> str:
        """What the file is called."""
        day = local_day(self.statement.received_until).isoformat()
        return f"settlement-{self.statement.number}-{day}"


async def statement_file(
    session: AsyncSession, community_id: int, statement: redemption.Settlement, kind: str
) -> Response[bytes]:
    """The statement as one of the three kinds of file, in the reader's language."""
    if kind not in set(FileKind):
        raise StatementNotFound
    hands = {statement.closed_by, statement.confirmed_by, statement.approved_by, statement.paid_by}
    place = await community(session, community_id)
    shops = await organisations_by_ids(session, community_id, {statement.merchant_id})
    people = await people_by_ids(session, community_id, hands)
    held = StatementFile(
        statement,
        await all_lines(session, community_id, statement.settlement_id),
        place.name,
        shops[statement.merchant_id].name,
        {member_id: person.name for member_id, person in people.items()},
        await redemption.invoices(session, community_id, statement.settlement_id),
    )
    if kind == FileKind.CSV:
        return csv_answer(held.name, csv_bytes(_headings(), map(_whole_line, held.lines)))
    # Both draw for a while; the others wait for nothing meanwhile.
    if kind == FileKind.XLSX:
        return xlsx_answer(held.name, await anyio.to_thread.run_sync(_workbook, held))
    return pdf_answer(held.name, await anyio.to_thread.run_sync(_paper, held))


def _headings() -> list[str]:
    return [
        *(_("行"), _("时间"), _("券号"), _("项目"), _("份数"), _("积分"), _("应付（元）"), _("争议")),
        *(_("类别"), _("券内序号"), _("部分"), _("居民积分"), _("补贴积分"), _("应付（分）"), _("店里另收（分）")),
        *(_("时间（微秒）"), _("凭证")),
    ]


def _line(line: redemption.SettlementLine) -> list[Cell]:
    return [
        line.line_no,
        line.received_at,
        str(line.voucher_id),
        line.title,
        line.quantity,
        line.points + line.subsidy_points,
        _plain_yuan(line.payable_fen),
        line.disputed_reason or "",
    ]


def _whole_line(line: redemption.SettlementLine) -> list[Cell]:
    """With everything that the hash covers, so that a stranger can compute it again."""
    micros = round(line.received_at.timestamp() * 1_000_000)
    return [
        *_line(line),
        *(line.kind.value, line.use_seq, line.part, line.points, line.subsidy_points, line.payable_fen, line.cash_fen),
        *(str(micros), line.journal_id or 0),
    ]


def _plain_yuan(fen: int) -> str:
    """Without separators of thousands, which a program would have to take out again."""
    return yuan(fen).replace(",", "")


def _pairs(held: StatementFile) -> list[tuple[str, str]]:
    statement = held.statement
    period = f"{when(statement.received_from, year=True)} – {when(statement.received_until, year=True)}"
    due = yuan(statement.due_fen)
    pairs = [
        (_("店"), held.shop),
        (_("期"), _("第 {number} 期").format(number=statement.number)),
        (_("期间"), period),
        (_("状态"), translate(f"state.settlement.{statement.state.value.lower()}")),
        (_("笔数"), str(statement.line_count)),
        (_("积分"), points(statement.due_points * 100)),
        (_("应付"), _("{yuan} 元").format(yuan=due)),
        (_("应付（大写）"), yuan_in_words(statement.due_fen)),
    ]
    if statement.disputed_lines:
        pairs.append((_("有争议"), _("{count} 行，先不付").format(count=statement.disputed_lines)))
    for label, who, at in (
        (_("结账"), statement.closed_by, statement.closed_at),
        (_("店里确认"), statement.confirmed_by, statement.confirmed_at),
        (_("第二人批准"), statement.approved_by, statement.approved_at),
        (_("付款"), statement.paid_by, statement.paid_at),
    ):
        if at is not None:
            name = held.names.get(who) or _("到期自动")
            pairs.append((label, f"{name}  {when(at, year=True)}"))
    if statement.bank_reference:
        pairs.append((_("银行流水号"), statement.bank_reference))
    pairs += [
        (_("发票号码"), f"{each.invoice_no}  {_('{yuan} 元').format(yuan=yuan(each.fen))}") for each in held.invoices
    ]
    return [*pairs, (_("上一期的校验值"), statement.previous_hash.hex()), (_("校验值"), statement.hash.hex())]


def _workbook(held: StatementFile) -> bytes:
    head: Sequence[Sequence[Cell]] = [list(pair) for pair in _pairs(held)]
    lines = [_whole_line(line) for line in held.lines]
    plain = [[_said(cell) for cell in cells] for cells in lines]
    widths = (6, 18, 24, 24, 6, 8, 12, 24, 10, 10, 6, 10, 10, 12, 12, 20, 10)
    return xlsx_bytes(
        [
            Sheet(_("对账单"), [held.community, _("商户结算单")], head, (18, 70)),
            Sheet(_("每一笔"), _headings(), plain, widths),
        ]
    )


def _said(cell: Cell) -> str | int | None:
    if isinstance(cell, datetime):
        return cell.astimezone(HOME_ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return cell.isoformat() if isinstance(cell, date) else cell


def _paper(held: StatementFile) -> bytes:
    title = _("商户结算单")
    foot = f"{held.shop} {_('第 {number} 期').format(number=held.statement.number)} {held.statement.hash.hex()[:16]}"
    paper = Paper(foot, page_of=_("第 {page} 页，共 {pages} 页"))
    paper.heading(title, [held.community])
    paper.pairs(_pairs(held))
    paper.lines(
        [_("行"), _("时间"), _("项目"), _("份数"), _("积分"), _("应付"), _("争议")],
        [
            [
                str(line.line_no),
                when(line.received_at),
                line.title,
                str(line.quantity),
                points((line.points + line.subsidy_points) * 100),
                yuan(line.payable_fen),
                line.disputed_reason or "",
            ]
            for line in held.lines
        ],
        (8, 32, 46, 10, 16, 20, 38),
        "LLLRRRL",
    )
    paper.signs([_("店里"), _("经办"), _("批准")])
    return paper.as_bytes()
