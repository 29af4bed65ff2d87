"""What the references of journals stand for: the words beside a line of a passbook, and the page that tells more."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.i18n import _
from service.wallet.queries.crossings import crossings
from service.wallet.queries.neighbours import exchanges


@dataclass(frozen=True, slots=True)
class Source:
    """Where a line of value came from: words that were written down, and the page that tells more."""

    title: str
    url: str | None


_VOUCHER = re.compile(r"redemption\.voucher:(\d+):ended")
_ISSUE = re.compile(r"redemption\.issue:([0-9a-f-]{36})")
_USE = re.compile(r"redemption\.use:([0-9a-f-]{36}):([0-9a-f-]{36})(?::reversed|:adjusted)?")

_SETTLED = re.compile(r"redemption\.settlement:([0-9a-f-]{36}):paid(?::.*)?")

_OPENING = re.compile(r"opening:([0-9a-f-]{36}):(\d{1,6})(?::back)?")
_OPENINGS = sa.text("""
SELECT 'opening:' || o.opening_id || ':' || o.row_no, o.source
  FROM unnest(CAST(:ids AS uuid[]), CAST(:rows AS integer[])) AS k (opening_id, row_no)
  JOIN opening_row o ON o.community_id = :community_id AND o.opening_id = k.opening_id AND o.row_no = k.row_no
""")

_RECORDS = sa.text(
    "SELECT r.reference, r.title, r.source FROM service_record r"
    " WHERE r.community_id = :community_id AND r.reference = ANY(:references)"
)
_VOUCHERS = sa.text("""
WITH asked AS (
    SELECT 'redemption.voucher:' || v || '\\:ended' AS reference, v AS voucher_id FROM unnest(CAST(:ended AS bigint[])) v
    UNION ALL
    SELECT 'redemption.issue:' || c.key, (c.answer ->> 'voucher_id')::bigint
      FROM redemption.command c
     WHERE c.community_id = :community_id AND c.key = ANY(CAST(:issued AS uuid[])) AND c.verb = 'issue'
    UNION ALL
    SELECT 'redemption.use:' || u.device_id || ':' || u.nonce, u.voucher_id
      FROM unnest(CAST(:devices AS uuid[]), CAST(:nonces AS uuid[])) AS k (device_id, nonce)
      JOIN redemption.use u ON u.community_id = :community_id AND u.device_id = k.device_id AND u.nonce = k.nonce
)
SELECT a.reference, o.title, v.voucher_id
  FROM asked a
  JOIN redemption.voucher v ON v.community_id = :community_id AND v.voucher_id = a.voucher_id
  JOIN redemption.offer o ON o.community_id = :community_id AND o.offer_id = v.offer_id
""")

_SETTLEMENTS = sa.text(
    "SELECT number, settlement_id FROM redemption.settlement WHERE community_id = :community_id AND settlement_id = ANY(:ids)"
)

PAGES = {"wish": "/wishes/{}", "voucher": "/vouchers/{}", "attendance": "/attendances/{}"}
"""Where the page of a source lies. A source without a page of its own is told by its title alone."""


async def sources(session: AsyncSession, community_id: int, references: Collection[str]) -> Mapping[str, Source]:
    """What the references of journals stand for, in a handful of queries however many there are."""
    told: dict[str, Source] = {}
    if not references:
        return told
    own = list(set(references))
    for reference, title, source in await session.execute(_RECORDS, {"community_id": community_id, "references": own}):
        kind, _colon, number = source.partition(":")
        told[reference] = Source(title, PAGES[kind].format(number) if kind in PAGES else None)
    ended = {int(match[1]): reference for reference in own if (match := _VOUCHER.fullmatch(reference))}
    issued = {UUID(match[1]): reference for reference in own if (match := _ISSUE.fullmatch(reference))}
    used = {(UUID(match[1]), UUID(match[2])) for reference in own if (match := _USE.fullmatch(reference))}
    if ended or issued or used:
        scans = sorted(used)
        rows = await session.execute(
            _VOUCHERS,
            {
                "community_id": community_id,
                "ended": list(ended),
                "issued": list(issued),
                "devices": [device for device, _nonce in scans],
                "nonces": [nonce for _device, nonce in scans],
            },
        )
        for reference, title, voucher_id in rows:
            source = Source(title, f"/vouchers/{voucher_id}")
            told[reference] = told[f"{reference}:reversed"] = told[f"{reference}:adjusted"] = source
    brought = sorted({(UUID(match[1]), int(match[2])) for reference in own if (match := _OPENING.fullmatch(reference))})
    if brought:
        asked = {"ids": [opening for opening, _row in brought], "rows": [row for _opening, row in brought]}
        for reference, source in await session.execute(_OPENINGS, {"community_id": community_id, **asked}):
            told[reference] = told[f"{reference}:back"] = Source(source, None)
    told |= {reference: Source(*named) for reference, named in (await crossings(session, community_id, own)).items()}
    told |= {reference: Source(*named) for reference, named in (await exchanges(session, community_id, own)).items()}
    paid = {UUID(match[1]): reference for reference in own if (match := _SETTLED.fullmatch(reference))}
    if paid:
        rows = await session.execute(_SETTLEMENTS, {"community_id": community_id, "ids": list(paid)})
        for number, page in rows:
            title = _("对账单第 {number} 期").format(number=number)
            told[paid[page]] = Source(title, f"/desk/settlements/{page}")
    return told
