"""What the references of transfers between communities stand for: the other community's name, and the transfer's page."""

import re
from collections.abc import Collection, Mapping
from uuid import UUID

import sqlalchemy as sa
from sqlmodel.ext.asyncio.session import AsyncSession

_TRANSFER = re.compile(r"clearing:([0-9a-f-]{36})(?::returned)?")
_NETTING = re.compile(r"clearing\.netting:([0-9a-f-]{36})")

_ROWS = sa.text("""
SELECT t.transfer_id, t.direction, p.name, t.code
  FROM clearing_transfer t JOIN community p ON p.community_id = t.partner_id
 WHERE t.community_id = :community_id AND t.transfer_id = ANY(:ids)
 UNION ALL
SELECT n.netting_id, 'netting', p.name, NULL
  FROM clearing_netting n JOIN community p ON p.community_id = n.partner_id
 WHERE n.community_id = :community_id AND n.netting_id = ANY(:ids)
""")


async def crossings(
    session: AsyncSession, community_id: int, references: Collection[str]
) -> Mapping[str, tuple[str, str]]:
    """Title and page by reference, in one query; none where nothing crossed."""
    found = {
        reference: UUID(match[1])
        for reference in references
        if (match := _TRANSFER.fullmatch(reference) or _NETTING.fullmatch(reference))
    }
    if not found:
        return {}
    rows = await session.execute(_ROWS, {"community_id": community_id, "ids": sorted(set(found.values()))})
    told: dict[UUID, tuple[str, str]] = {}
    for number, kind, place, code in rows:
        page = "/desk/clearing/nettings" if kind == "netting" else "/clearing"
        told[number] = (" ".join(filter(None, (place, code))), f"{page}/{number}")
    return {reference: told[number] for reference, number in found.items() if number in told}
