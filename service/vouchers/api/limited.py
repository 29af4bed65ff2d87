"""Everything that is locked or limited right now, as JSON."""

from datetime import datetime

from litestar import get
from litestar.di import NamedDependency
from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit.access import Actor, Role, allow
from service.vouchers.payloads.limited import LimitedOut, LimitedsOut
from service.vouchers.queries.limited import limited_now


@get("/api/desk/limited", opt=allow(Role.STAFF))
async def limited(
    session: NamedDependency[AsyncSession], actor: NamedDependency[Actor], now: NamedDependency[datetime]
) -> LimitedsOut:
    """Phones and clerks after invalid scans, cards after wrong PINs, silent phones, frozen leases and vouchers, members, shops."""
    return LimitedsOut(
        [
            LimitedOut(
                each.kind.value,
                each.name,
                each.shop,
                each.since,
                each.until,
                each.reason,
                str(each.voucher_id) if each.voucher_id else None,
                each.member_id,
                each.card_no,
            )
            for each in await limited_now(session, actor, now)
        ]
    )
