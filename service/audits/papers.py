"""The papers behind journals: the service, the wish, the times, the voucher, the statement, and every deed done on them.

One query for each kind of paper, however many journals there are.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.communities import organisations_by_ids
from service.identity import Person, people_by_ids
from service.kit.i18n import _, translate
from service.kit.words import when

DEEDS_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of the log about a paper."""

    at: datetime
    action: str
    actor_id: UUID | None


@dataclass(slots=True)
class Papers:
    """What stands behind one journal: where more is told, what was written down, and who did what."""

    journal_id: int
    reference: str
    reason: str
    effective_at: datetime
    posted_at: datetime
    actor_id: UUID | None
    legs: Sequence[ledger.Transfer] = ()
    links: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    things: set[tuple[str, str]] = field(default_factory=set)


_JOURNALS = sa.text("""
SELECT j.journal_id, j.reference, j.reason, j.effective_at, j.posted_at, j.actor_id, j.reverses
  FROM ledger.journal j WHERE j.community_id = :community_id AND j.journal_id = ANY(CAST(:journals AS bigint[]))
""")
_RECORDS = sa.text("""
SELECT r.reference, r.record_id, r.title, r.source, r.member_id, r.minutes, r.served_on, r.kind, r.service_class
  FROM service_record r WHERE r.community_id = :community_id AND r.reference = ANY(:references)
""")
_ATTENDANCES = sa.text("""
SELECT a.attendance_id::text, a.checked_in_at, a.how_in, a.checked_out_at, a.how_out, a.planned_minutes, a.minutes,
       a.correction_text, s.starts_at, s.ends_at
  FROM attendance a JOIN shift s ON s.community_id = a.community_id AND s.shift_id = a.shift_id
 WHERE a.community_id = :community_id AND a.attendance_id = ANY(CAST(:ids AS uuid[]))
""")
_WISHES = sa.text("""
SELECT w.wish_id::text, w.title, w.served_from_at, w.served_minutes, w.served_note, w.reward_points, w.asked_by,
       w.volunteer_id
  FROM wish w WHERE w.community_id = :community_id AND w.wish_id = ANY(CAST(:ids AS uuid[]))
""")
_VOUCHERS = sa.text("""
WITH asked AS (
    SELECT n AS journal_id, v.voucher_id
      FROM unnest(CAST(:journals AS bigint[]), CAST(:vouchers AS bigint[])) v(n, voucher_id)
    UNION
    SELECT k.n, (c.answer ->> 'voucher_id')::bigint
      FROM unnest(CAST(:issue_journals AS bigint[]), CAST(:issues AS uuid[])) k(n, key)
      JOIN redemption.command c ON c.community_id = :community_id AND c.key = k.key AND c.verb = 'issue'
    UNION
    SELECT k.n, u.voucher_id
      FROM unnest(CAST(:use_journals AS bigint[]), CAST(:devices AS uuid[]), CAST(:nonces AS uuid[])) k(n, device_id, nonce)
      JOIN redemption.use u ON u.community_id = :community_id AND u.device_id = k.device_id AND u.nonce = k.nonce
)
SELECT a.journal_id, v.voucher_id::text, v.short_code, v.offer_id::text, o.title, u.merchant_id, u.scanned_at, u.state
  FROM asked a
  JOIN redemption.voucher v ON v.community_id = :community_id AND v.voucher_id = a.voucher_id
  JOIN redemption.offer o ON o.community_id = :community_id AND o.offer_id = v.offer_id
  LEFT JOIN redemption.use u ON u.community_id = :community_id AND u.voucher_id = v.voucher_id
 ORDER BY a.journal_id, u.seq
""")
_SETTLEMENTS = sa.text("""
SELECT s.settlement_id::text, s.number, s.merchant_id, s.line_count, s.bank_reference
  FROM redemption.settlement s
 WHERE s.community_id = :community_id AND s.settlement_id = ANY(CAST(:ids AS uuid[]))
""")
_DEEDS = sa.text("""
SELECT a.object_kind, a.object_id, a.at, a.action, a.actor_id
  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[])) t(kind, id)
  JOIN audit a ON a.community_id = :community_id AND a.object_kind = t.kind AND a.object_id = t.id
 ORDER BY a.audit_id LIMIT :most
""")

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_WISH = re.compile(rf"wish:({_UUID})(?::.*)?")
_ATTENDANCE = re.compile(rf"attendance:({_UUID})(?::.*)?")
_SETTLED = re.compile(rf"redemption\.settlement:({_UUID}):paid(?::.*)?")
_ENDED = re.compile(r"redemption\.voucher:(\d+):ended")
_ISSUE = re.compile(rf"redemption\.issue:({_UUID})")
_USE = re.compile(rf"redemption\.use:({_UUID}):({_UUID})(?::reversed|:adjusted)?")


async def papers(
    session: AsyncSession, community_id: int, journals: Sequence[int]
) -> tuple[Mapping[int, Papers], Mapping[UUID, Person]]:
    """The papers of many journals and the people in them."""
    found: dict[int, Papers] = {}
    asked = {"community_id": community_id}
    for number, reference, reason, effective_at, posted_at, actor_id, reverses in await session.execute(
        _JOURNALS, asked | {"journals": list(journals)}
    ):
        one = found[number] = Papers(number, reference, reason, effective_at, posted_at, actor_id)
        one.things.add(("journal", str(number)))
        if reverses is not None:
            one.links.append((_("冲正的是凭证 {number}").format(number=reverses), f"/desk/books/journals/{reverses}"))
            one.things.add(("journal", str(reverses)))
        for pattern, kind in ((_WISH, "wish"), (_ATTENDANCE, "attendance"), (_SETTLED, "settlement")):
            if match := pattern.fullmatch(reference):
                one.things.add((kind, match[1]))
    legs = await ledger.transfers(session, community_id, found)
    for number, one in found.items():
        one.legs = legs.get(number, ())
    await _records(session, asked, found)
    await _attendances(session, asked, found)
    await _wishes(session, asked, found)
    await _vouchers(session, asked, found)
    await _settlements(session, asked, found)
    await _deeds(session, asked, found)
    who = {one.actor_id for one in found.values()} | {deed.actor_id for one in found.values() for deed in one.deeds}
    return found, await people_by_ids(session, community_id, who)


Asked = Mapping[str, Any]


def _with(found: Mapping[int, Papers], kind: str) -> Mapping[str, list[Papers]]:
    """By the id of a thing of this kind the journals it stands behind."""
    told: dict[str, list[Papers]] = {}
    for one in found.values():
        for thing, number in one.things:
            if thing == kind:
                told.setdefault(number, []).append(one)
    return told


def _tell(ones: Sequence[Papers], facts: Sequence[tuple[str, object]], *links: tuple[str, str]) -> None:
    for one in ones:
        one.facts += [(label, _said(value)) for label, value in facts if value not in (None, "")]
        one.links += [link for link in links if link not in one.links]


def _said(value: object) -> str:
    return when(value, year=True) if isinstance(value, datetime) else str(value)


async def _records(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    by_reference = {one.reference: one for one in found.values()}
    rows = await session.execute(_RECORDS, {**asked, "references": list(by_reference)})
    for reference, record_id, title, source, member_id, minutes, served_on, kind, service_class in rows:
        one = by_reference[reference]
        one.things.add(("service_record", str(record_id)))
        for pattern, origin in ((_WISH, "wish"), (_ATTENDANCE, "attendance")):
            if match := pattern.fullmatch(source):
                one.things.add((origin, match[1]))
        facts = [
            (_("服务记录"), title),
            (_("服务日期"), served_on.isoformat()),
            (_("分钟"), minutes),
            (_("类别"), translate(f"record.{kind}") + " " + translate(f"class.{service_class}")),
        ]
        _tell([one], facts, (_("这个人的存折"), f"/desk/passbooks/{member_id}"))


async def _attendances(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    behind = _with(found, "attendance")
    if not behind:
        return
    for row in await session.execute(_ATTENDANCES, {**asked, "ids": list(behind)}):
        facts = [
            (_("排班"), f"{when(row.starts_at, year=True)} - {when(row.ends_at)}"),
            (_("签到"), f"{when(row.checked_in_at)} {translate(f'how.{row.how_in}')}"),
            (
                _("签退"),
                f"{when(row.checked_out_at)} {translate(f'how.{row.how_out}')}" if row.checked_out_at else None,
            ),
            (_("可计分钟"), row.minutes),
            (_("本人说不对"), row.correction_text),
        ]
        _tell(behind[row.attendance_id], facts)


async def _wishes(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    behind = _with(found, "wish")
    if not behind:
        return
    for row in await session.execute(_WISHES, {**asked, "ids": list(behind)}):
        facts = [
            (_("心愿"), row.title),
            (_("服务开始"), row.served_from_at),
            (_("服务分钟"), row.served_minutes),
            (_("服务说明"), row.served_note),
            (_("奖励积分"), row.reward_points or None),
        ]
        _tell(behind[row.wish_id], facts, (_("心愿的经过"), f"/desk/wishes/{row.wish_id}"))


async def _vouchers(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    def pick(pattern: re.Pattern[str], make: Callable[[re.Match[str]], Any]) -> list[tuple[int, Any]]:
        return [(number, make(match)) for number, one in found.items() if (match := pattern.fullmatch(one.reference))]

    ended = pick(_ENDED, lambda match: int(match[1]))
    issued = pick(_ISSUE, lambda match: UUID(match[1]))
    used = pick(_USE, lambda match: (UUID(match[1]), UUID(match[2])))
    if not (ended or issued or used):
        return
    rows = (
        await session.execute(
            _VOUCHERS,
            {
                **asked,
                "journals": [number for number, _id in ended],
                "vouchers": [voucher for _number, voucher in ended],
                "issue_journals": [number for number, _key in issued],
                "issues": [key for _number, key in issued],
                "use_journals": [number for number, _pair in used],
                "devices": [pair[0] for _number, pair in used],
                "nonces": [pair[1] for _number, pair in used],
            },
        )
    ).all()
    shops = await organisations_by_ids(
        session, asked["community_id"], {row.merchant_id for row in rows if row.merchant_id}
    )
    for row in rows:
        one = found[row.journal_id]
        if ("voucher", row.voucher_id) not in one.things:
            one.things.add(("voucher", row.voucher_id))
            _tell([one], [(_("券码"), row.short_code), (_("兑换项目"), row.title)])
            one.links.append((_("兑换项目"), f"/desk/offers/{row.offer_id}"))
        if row.merchant_id is not None:
            shop = shops[row.merchant_id].name if row.merchant_id in shops else ""
            _tell(
                [one],
                [
                    (
                        _("扫码"),
                        f"{when(row.scanned_at, year=True)} {shop} {translate(f'state.use.{row.state.lower()}')}",
                    )
                ],
            )


async def _settlements(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    behind = _with(found, "settlement")
    if not behind:
        return
    rows = (await session.execute(_SETTLEMENTS, {**asked, "ids": list(behind)})).all()
    shops = await organisations_by_ids(session, asked["community_id"], {row.merchant_id for row in rows})
    for row in rows:
        facts = [
            (_("商户"), shops[row.merchant_id].name if row.merchant_id in shops else None),
            (_("核销笔数"), row.line_count),
            (_("银行流水号"), row.bank_reference),
        ]
        title = _("对账单第 {number} 期").format(number=row.number)
        _tell(behind[row.settlement_id], facts, (title, f"/desk/settlements/{row.settlement_id}"))


async def _deeds(session: AsyncSession, asked: Asked, found: Mapping[int, Papers]) -> None:
    things = sorted({thing for one in found.values() for thing in one.things})
    told: dict[tuple[str, str], list[Deed]] = {}
    if things:
        rows = await session.execute(
            _DEEDS,
            {
                **asked,
                "kinds": [kind for kind, _id in things],
                "ids": [number for _kind, number in things],
                "most": DEEDS_SHOWN,
            },
        )
        for kind, number, at, action, actor_id in rows:
            told.setdefault((kind, number), []).append(Deed(at, action, actor_id))
    for one in found.values():
        one.deeds = sorted((deed for thing in one.things for deed in told.get(thing, ())), key=lambda deed: deed.at)
        one.links += [
            (_("操作记录"), f"/desk/audit?object_id={number}")
            for kind, number in sorted(one.things)
            if kind != "journal"
        ][:1]
